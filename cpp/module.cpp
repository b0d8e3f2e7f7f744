// The door between Python and the kernels.
#include <pybind11/pybind11.h>

PYBIND11_MODULE(_cpp, m) {
    m.doc() = "Kernels of the cpp backend.";
}
