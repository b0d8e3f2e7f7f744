// The door between Python and the kernels: the files of door/ know Python, nothing else does.
//
// Every function takes arrays and numbers as minigrad/backend.py names them, and returns None where
// the element type (or some oddity of the call) is not served: Python then uses NumPy's definition.
#include "door/arrays.h"

PYBIND11_MODULE(_cpp, m) {
    m.doc() = "Kernels of the cpp backend.";
    minigrad::door::add_runtime(m);
    minigrad::door::add_conv(m);
    minigrad::door::add_pool(m);
    minigrad::door::add_math(m);
    minigrad::door::add_steps(m);
}
