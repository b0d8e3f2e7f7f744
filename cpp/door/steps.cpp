// The optimisers' steps: all tensors in one call, written in place.
#include <cmath>

#include "arrays.h"

namespace minigrad::door {
namespace {

// The arrays of a list as pointers. `writable` ones must be the caller's own memory; others may be copied.
template <class T>
struct TensorList {
    std::vector<py::array> keep;
    std::vector<T*> data;
    bool usable = true;

    TensorList(const py::list& arrays, const std::vector<int64_t>& sizes, bool writable) {
        usable = arrays.size() == sizes.size();
        for (size_t i = 0; usable && i < sizes.size(); ++i) {
            const py::handle h = arrays[i];
            usable = kind_of(h) == (sizeof(T) == 4 ? Kind::f32 : Kind::f64);
            if (!usable) return;
            py::array own = py::reinterpret_borrow<py::array>(h);
            Input<T> in(h);
            usable = in.size() == sizes[i] && (!writable || (in.array.ptr() == own.ptr() && own.writeable()));
            data.push_back(const_cast<T*>(in.data));
            keep.push_back(in.array);
        }
    }

    T* const* pointers() { return data.data(); }
};

// A list that may be None: then there are no arrays, and the kernel gets no pointers.
template <class T>
struct OptionalTensorList : TensorList<T> {
    bool there;

    OptionalTensorList(const py::object& arrays, const std::vector<int64_t>& sizes)
        : TensorList<T>(arrays.is_none() ? py::list() : py::cast<py::list>(arrays), arrays.is_none() ? std::vector<int64_t>() : sizes, true),
          there(!arrays.is_none()) {}

    T* const* pointers() { return there ? this->data.data() : nullptr; }
};

std::vector<int64_t> sizes_of(const py::list& arrays) {
    std::vector<int64_t> sizes;
    for (py::handle h : arrays) sizes.push_back(is_array(h) ? int64_t(py::reinterpret_borrow<py::array>(h).size()) : 0);
    return sizes;
}

// False: nothing was done, the definition in NumPy must do it.
bool sgd_step(const py::list& params, const py::list& grads, const py::object& buffers, double lr, double momentum, double dampening,
              double weight_decay, bool nesterov, bool maximize, bool first) {
    if (params.empty()) return true;
    const SgdStep step = {lr, momentum, dampening, weight_decay, nesterov, maximize, first};
    const auto sizes = sizes_of(params);
    const auto run = [&](auto t) -> bool {
        using T = decltype(t);
        TensorList<T> p(params, sizes, true), g(grads, sizes, false);
        OptionalTensorList<T> b(buffers, sizes);
        if (!p.usable || !g.usable || !b.usable) return false;
        without_gil([&] {
            kernels<T>().sgd_step(step, int64_t(sizes.size()), sizes.data(), p.pointers(), g.pointers(), b.pointers());
        });
        return true;
    };
    const Kind kind = kind_of(params[0]);
    return kind == Kind::f32 ? run(float()) : kind == Kind::f64 && run(double());
}

bool adam_step(const py::list& params, const py::list& grads, const py::list& means, const py::list& squares, const py::object& largest,
               int64_t step, double lr, double beta1, double beta2, double eps, double weight_decay, bool decoupled, bool maximize) {
    if (params.empty()) return true;
    const double correct1 = 1 - std::pow(beta1, double(step)), correct2 = 1 - std::pow(beta2, double(step));
    const AdamStep o = {lr, beta1, beta2, eps, weight_decay, correct1, std::sqrt(correct2), decoupled, maximize};
    const auto sizes = sizes_of(params);
    const auto run = [&](auto t) -> bool {
        using T = decltype(t);
        TensorList<T> p(params, sizes, true), g(grads, sizes, false), m(means, sizes, true), s(squares, sizes, true);
        OptionalTensorList<T> l(largest, sizes);
        if (!p.usable || !g.usable || !m.usable || !s.usable || !l.usable) return false;
        without_gil([&] {
            kernels<T>().adam_step(o, int64_t(sizes.size()), sizes.data(), p.pointers(), g.pointers(), m.pointers(), s.pointers(),
                                   l.pointers());
        });
        return true;
    };
    const Kind kind = kind_of(params[0]);
    return kind == Kind::f32 ? run(float()) : kind == Kind::f64 && run(double());
}

}  // namespace

void add_steps(py::module_& m) {
    m.def("sgd_step", sgd_step);
    m.def("adam_step", adam_step);
}

}  // namespace minigrad::door
