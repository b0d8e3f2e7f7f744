// NumPy arrays at the door: read, check, copy where a kernel could not read them, and make new ones.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "../table.h"

namespace minigrad::door {

namespace py = pybind11;

// Python falls back to NumPy's definition where a function returns this.
inline py::object not_here() { return py::none(); }

// The table of the chosen instruction set.
const Isa& isa();
template <class T>
const Kernels<T>& kernels();

// ------------------------------------------------------------------ element types

enum class Kind { other, f32, f64 };

inline bool is_array(py::handle h) { return py::isinstance<py::array>(h); }

inline bool is_int64(py::handle h) {
    if (!is_array(h)) return false;
    const auto dtype = py::reinterpret_borrow<py::array>(h).dtype();
    return dtype.kind() == 'i' && dtype.itemsize() == 8;
}

inline Kind kind_of(py::handle h) {
    if (!is_array(h)) return Kind::other;
    switch (py::reinterpret_borrow<py::array>(h).dtype().num()) {
        case py::detail::npy_api::NPY_FLOAT_: return Kind::f32;
        case py::detail::npy_api::NPY_DOUBLE_: return Kind::f64;
        default: return Kind::other;
    }
}

// The element type that all of these arrays have; `other` if they differ or are no arrays. None does not count.
inline Kind common_kind(std::initializer_list<py::handle> arrays) {
    const Kind first = kind_of(*arrays.begin());
    for (py::handle h : arrays)
        if (!h.is_none() && kind_of(h) != first) return Kind::other;
    return first;
}

// action(T) with T = float or double; None for other element types
template <class Action>
py::object dispatch(Kind kind, Action action) {
    if (kind == Kind::f32) return action(float());
    if (kind == Kind::f64) return action(double());
    return not_here();
}

template <class T>
py::handle descriptor() {
    static py::object& one = *new py::object(py::dtype::of<T>());
    return one;
}

// ------------------------------------------------------------------ arrays that come in

// A C-contiguous, aligned, native array of T: the caller's own, or a copy.
template <class T>
struct Input {
    py::array array;
    const T* data;

    explicit Input(py::handle h) : array(py::reinterpret_borrow<py::array>(h)) {
        constexpr int wanted = py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
        if ((array.flags() & wanted) != wanted || array.dtype().ptr() != descriptor<T>().ptr()) {
            auto& api = py::detail::npy_api::get();
            PyObject* copy = api.PyArray_FromAny_(h.ptr(), descriptor<T>().inc_ref().ptr(), 0, 0, wanted, nullptr);
            if (!copy) throw py::error_already_set();
            array = py::reinterpret_steal<py::array>(copy);
        }
        data = static_cast<const T*>(array.data());
    }

    int64_t dim(int i) const { return array.shape(i); }
    int64_t size() const { return array.size(); }
    std::vector<int64_t> shape() const { return {array.shape(), array.shape() + array.ndim()}; }
};

template <class T>
Input<T> input(py::handle h, int ndim, const char* what) {
    if (!is_array(h) || py::reinterpret_borrow<py::array>(h).ndim() != ndim)
        throw py::value_error(std::string(what) + " must be an array of " + std::to_string(ndim) + " dimensions");
    return Input<T>(h);
}

// An optional vector of `length` values: null for None.
template <class T>
struct OptionalVector {
    py::array keep;
    const T* data = nullptr;

    OptionalVector(py::handle h, int64_t length, const char* what) {
        if (h.is_none()) return;
        Input<T> in = input<T>(h, 1, what);
        if (in.dim(0) != length) throw py::value_error(std::string(what) + " must have " + std::to_string(length) + " values");
        data = in.data;
        keep = in.array;
    }
};

inline void require(bool fine, const char* message) {
    if (!fine) throw py::value_error(message);
}

// ------------------------------------------------------------------ arrays that go out

// An uninitialised C-contiguous array of the arena. MemoryError names the shape.
py::array make_array(py::handle dtype, const int64_t* shape, int ndim, int64_t item_size);

template <class T>
struct Output {
    py::array array;
    T* data;

    Output(const int64_t* shape, int ndim) : array(make_array(descriptor<T>(), shape, ndim, sizeof(T))) {
        data = static_cast<T*>(array.mutable_data());
    }
    Output(std::initializer_list<int64_t> shape) : Output(shape.begin(), int(shape.size())) {}
    explicit Output(const std::vector<int64_t>& shape) : Output(shape.data(), int(shape.size())) {}
};

// Take the GIL back. Python ends a daemon thread here if the interpreter is going down.
void take_gil(PyThreadState* state);

// The GIL is free while a kernel runs; the arrays are held by the caller's frame.
template <class Work>
void without_gil(Work work) {
    PyThreadState* state = PyEval_SaveThread();
    try {
        work();
    } catch (...) {
        take_gil(state);
        throw;
    }
    take_gil(state);
}

// ------------------------------------------------------------------ windows

struct WindowArgument {
    WindowShape shape;
    bool ceil_mode;
};

// minigrad.window.Window: numbers that were checked there.
WindowArgument read_window(py::handle window);

// (H, W) -> (OH, OW) as Window.out_size does it; ValueError if nothing fits
void out_size(const WindowArgument& window, int64_t h, int64_t w, int64_t& oh, int64_t& ow);

// A shape of four numbers, none negative.
std::vector<int64_t> read_shape(py::handle shape);

// The files of the door.
void add_runtime(py::module_& m);
void add_conv(py::module_& m);
void add_pool(py::module_& m);
void add_math(py::module_& m);
void add_steps(py::module_& m);

ConvAlgorithm conv_algorithm();

}  // namespace minigrad::door
