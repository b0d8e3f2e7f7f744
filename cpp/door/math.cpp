// Matrices, activations and losses.
#include <cstdlib>

#include "arrays.h"

namespace minigrad::door {
namespace {

// ------------------------------------------------------------------ matrices

// A 2-D array as the product reads it: rows or columns contiguous, transposed views included.
template <class T>
struct MatrixInput {
    py::array keep;
    const T* data;
    int64_t rows, cols, row_step, col_step;

    explicit MatrixInput(py::handle h) : keep(py::reinterpret_borrow<py::array>(h)) {
        rows = keep.shape(0);
        cols = keep.shape(1);
        constexpr int64_t item = sizeof(T);
        const int64_t down = keep.strides(0), along = keep.strides(1);
        const bool native = keep.dtype().ptr() == descriptor<T>().ptr() && (keep.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_);
        const bool whole = native && down >= 0 && along >= 0 && down % item == 0 && along % item == 0;
        if (whole && (along == item || cols <= 1)) {
            row_step = down / item;
            col_step = 1;
        } else if (whole && (down == item || rows <= 1)) {
            row_step = 1;
            col_step = along / item;
        } else if (std::abs(down) < std::abs(along)) {  // a copy keeps the order: the same way through the kernels
            keep = Input<T>(h.attr("T")).array;
            row_step = 1;
            col_step = rows;
        } else {
            keep = Input<T>(h).array;
            row_step = cols;
            col_step = 1;
        }
        data = static_cast<const T*>(keep.data());
    }
};

bool is_matrix(py::handle h) { return is_array(h) && py::reinterpret_borrow<py::array>(h).ndim() == 2; }

template <class T>
py::object product(const MatrixInput<T>& a, const MatrixInput<T>& b, const T* bias, bool relu) {
    require(a.cols == b.rows, "matmul: the inner sizes differ");
    Output<T> c{a.rows, b.cols};
    const ProductShape s = {a.rows, b.cols, a.cols, a.row_step, a.col_step, b.row_step, b.col_step, relu};
    if (c.array.size()) without_gil([&] { kernels<T>().product(s, a.data, b.data, bias, c.data); });
    return c.array;
}

py::object matmul(py::handle a, py::handle b) {
    if (!is_matrix(a) || !is_matrix(b)) return not_here();
    return dispatch(common_kind({a, b}), [&](auto t) -> py::object {
        using T = decltype(t);
        return product(MatrixInput<T>(a), MatrixInput<T>(b), static_cast<const T*>(nullptr), false);
    });
}

// x (M, I) w' (I, O) + b: w (O, I) is read transposed where it lies
py::object linear(py::handle x, py::handle w, py::handle b, bool relu) {
    if (!is_matrix(x) || !is_matrix(w)) return not_here();
    return dispatch(common_kind({x, w, b}), [&](auto t) -> py::object {
        using T = decltype(t);
        MatrixInput<T> turned(w);
        std::swap(turned.rows, turned.cols);
        std::swap(turned.row_step, turned.col_step);
        const OptionalVector<T> bias(b, turned.cols, "b");
        return product(MatrixInput<T>(x), turned, bias.data, relu);
    });
}

// Gradients of linear in x, w and bias, None where nobody asks; with y, of ReLU after it. gy, y (M, O), x (M, I), w (O, I)
py::object linear_grads(py::handle gy, py::handle x, py::handle w, py::handle y, bool in_x, bool in_w, bool in_bias) {
    if (!is_matrix(gy) || !is_matrix(x) || !is_matrix(w)) return not_here();
    return dispatch(common_kind({gy, x, w, y}), [&](auto t) -> py::object {
        using T = decltype(t);
        Input<T> gradient(gy);
        const int64_t m = gradient.dim(0), outputs = gradient.dim(1);
        if (!y.is_none()) {
            const Input<T> value = input<T>(y, 2, "y");
            require(value.shape() == gradient.shape(), "linear_grads: gy and y differ in shape");
            Output<T> masked{m, outputs};
            without_gil([&] { kernels<T>().relu_grad(gradient.data, value.data, masked.data, m * outputs); });
            gradient = Input<T>(masked.array);
        }
        const MatrixInput<T> rows(gradient.array), images(x), weights(w);
        require(images.rows == m && weights.rows == outputs && weights.cols == images.cols, "linear_grads: the shapes do not fit");
        MatrixInput<T> columns = rows;
        std::swap(columns.rows, columns.cols);
        std::swap(columns.row_step, columns.col_step);
        const T* no_bias = nullptr;
        py::object gx = py::none(), gw = py::none(), gb = py::none();
        if (in_x) gx = product(rows, weights, no_bias, false);
        if (in_w) gw = product(columns, images, no_bias, false);
        if (in_bias) {
            Output<T> sums{outputs};
            without_gil([&] { kernels<T>().conv_bias_grad(gradient.data, m, outputs, 1, sums.data); });
            gb = sums.array;
        }
        return py::make_tuple(gx, gw, gb);
    });
}

// ------------------------------------------------------------------ elementwise

template <class T>
using Map1 = void (*)(const T*, T*, int64_t);
template <class T>
using Map2 = void (*)(const T*, const T*, T*, int64_t);

template <Map1<float> Kernels<float>::*F, Map1<double> Kernels<double>::*D>
py::object map1(py::handle x) {
    return dispatch(kind_of(x), [&](auto t) -> py::object {
        using T = decltype(t);
        const Input<T> in(x);
        Output<T> y(in.shape());
        without_gil([&] {
            if constexpr (sizeof(T) == 4)
                (kernels<T>().*F)(in.data, y.data, in.size());
            else
                (kernels<T>().*D)(in.data, y.data, in.size());
        });
        return y.array;
    });
}

template <Map2<float> Kernels<float>::*F, Map2<double> Kernels<double>::*D>
py::object map2(py::handle a, py::handle b) {
    return dispatch(common_kind({a, b}), [&](auto t) -> py::object {
        using T = decltype(t);
        const Input<T> left(a), right(b);
        if (left.shape() != right.shape()) return not_here();  // NumPy broadcasts
        Output<T> y(left.shape());
        without_gil([&] {
            if constexpr (sizeof(T) == 4)
                (kernels<T>().*F)(left.data, right.data, y.data, left.size());
            else
                (kernels<T>().*D)(left.data, right.data, y.data, left.size());
        });
        return y.array;
    });
}

// ------------------------------------------------------------------ softmax and its loss

// (outer, length, inner) around an axis; false if there is no such axis
template <class T>
bool around(const Input<T>& x, int64_t axis, int64_t& outer, int64_t& length, int64_t& inner) {
    const auto shape = x.shape();
    const auto ndim = int64_t(shape.size());
    if (axis < 0) axis += ndim;
    if (axis < 0 || axis >= ndim) return false;
    outer = inner = 1;
    for (int64_t i = 0; i < axis; ++i) outer *= shape[i];
    for (int64_t i = axis + 1; i < ndim; ++i) inner *= shape[i];
    length = shape[axis];
    return true;
}

py::object softmax(py::handle x, int64_t axis, bool log) {
    return dispatch(kind_of(x), [&](auto t) -> py::object {
        using T = decltype(t);
        const Input<T> in(x);
        int64_t outer, length, inner;
        if (!around(in, axis, outer, length, inner)) return not_here();
        Output<T> y(in.shape());
        if (in.size()) without_gil([&] { kernels<T>().softmax(in.data, y.data, outer, length, inner, log); });
        return y.array;
    });
}

py::object softmax_grad(py::handle gy, py::handle y, int64_t axis, bool log) {
    return dispatch(common_kind({gy, y}), [&](auto t) -> py::object {
        using T = decltype(t);
        const Input<T> gradient(gy), value(y);
        int64_t outer, length, inner;
        if (gradient.shape() != value.shape() || !around(value, axis, outer, length, inner)) return not_here();
        Output<T> gx(value.shape());
        if (value.size())
            without_gil([&] { kernels<T>().softmax_grad(gradient.data, value.data, gx.data, outer, length, inner, log); });
        return gx.array;
    });
}

// Labels as int64, each within [0, classes).
Input<int64_t> labels(py::handle target, int64_t n, int64_t classes) {
    auto in = input<int64_t>(target, 1, "target");
    require(in.dim(0) == n, "cross_entropy: one label per row");
    for (int64_t i = 0; i < n; ++i)
        if (in.data[i] < 0 || in.data[i] >= classes) throw py::index_error("Target " + std::to_string(in.data[i]) + " is out of bounds.");
    return in;
}

py::object cross_entropy(py::handle x, py::handle target) {
    if (!is_matrix(x) || !is_int64(target)) return not_here();
    return dispatch(kind_of(x), [&](auto t) -> py::object {
        using T = decltype(t);
        const Input<T> in(x);
        const int64_t n = in.dim(0), classes = in.dim(1);
        const Input<int64_t> label = labels(target, n, classes);
        Output<T> loss{n}, p{n, classes};
        if (in.size()) without_gil([&] { kernels<T>().cross_entropy(in.data, label.data, loss.data, p.data, n, classes); });
        return py::make_tuple(loss.array, p.array);
    });
}

py::object cross_entropy_grad(py::handle gy, py::handle p, py::handle target) {
    if (!is_matrix(p) || !is_int64(target)) return not_here();
    return dispatch(common_kind({p, gy}), [&](auto t) -> py::object {
        using T = decltype(t);
        const Input<T> probability(p);
        const int64_t n = probability.dim(0), classes = probability.dim(1);
        const Input<T> gradient = input<T>(gy, 1, "gy");
        require(gradient.dim(0) == n, "cross_entropy_grad: one gradient per row");
        const Input<int64_t> label = labels(target, n, classes);
        Output<T> gx{n, classes};
        if (probability.size())
            without_gil([&] { kernels<T>().cross_entropy_grad(gradient.data, probability.data, label.data, gx.data, n, classes); });
        return gx.array;
    });
}

}  // namespace

void add_math(py::module_& m) {
    using F = Kernels<float>;
    using D = Kernels<double>;
    m.def("matmul", matmul);
    m.def("linear", linear);
    m.def("linear_grads", linear_grads);
    m.def("relu", map1<&F::relu, &D::relu>);
    m.def("relu_grad", map2<&F::relu_grad, &D::relu_grad>);
    m.def("sigmoid", map1<&F::sigmoid, &D::sigmoid>);
    m.def("sigmoid_grad", map2<&F::sigmoid_grad, &D::sigmoid_grad>);
    m.def("tanh", map1<&F::tanh, &D::tanh>);
    m.def("tanh_grad", map2<&F::tanh_grad, &D::tanh_grad>);
    m.def("softmax", softmax);
    m.def("softmax_grad", softmax_grad);
    m.def("cross_entropy", cross_entropy);
    m.def("cross_entropy_grad", cross_entropy_grad);
}

}  // namespace minigrad::door
