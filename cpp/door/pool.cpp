// Pooling, its gradients, and batch normalisation.
#include "arrays.h"

namespace minigrad::door {
namespace {

template <class T>
PoolShape pool_shape(const Input<T>& x, const WindowArgument& window) {
    PoolShape s = {x.dim(0) * x.dim(1), x.dim(2), x.dim(3), 0, 0, window.shape};
    out_size(window, s.h, s.w, s.oh, s.ow);
    return s;
}

py::object max_pool2d(py::handle x, py::handle window) {
    return dispatch(kind_of(x), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto image = input<T>(x, 4, "x");
        const PoolShape s = pool_shape(image, read_window(window));
        Output<T> y{image.dim(0), image.dim(1), s.oh, s.ow};
        Output<int64_t> indices{image.dim(0), image.dim(1), s.oh, s.ow};
        if (s.planes) without_gil([&] { kernels<T>().max_pool(s, image.data, y.data, indices.data); });
        return py::make_tuple(y.array, indices.array);
    });
}

py::object max_pool2d_grad(py::handle gy, py::handle indices, py::handle x_shape) {
    if (!is_int64(indices)) return not_here();
    return dispatch(kind_of(gy), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto gradient = input<T>(gy, 4, "gy");
        const auto index = input<int64_t>(indices, 4, "indices");
        const auto xs = read_shape(x_shape);
        require(gradient.shape() == index.shape() && xs[0] == gradient.dim(0) && xs[1] == gradient.dim(1),
                "max_pool2d_grad: gy, indices and x_shape do not fit");
        Output<T> gx(xs);
        const int64_t out = gradient.dim(2) * gradient.dim(3);
        without_gil([&] { kernels<T>().max_pool_grad(xs[0] * xs[1], xs[2] * xs[3], out, gradient.data, index.data, gx.data); });
        return gx.array;
    });
}

py::object max_pool2d_gather(py::handle x, py::handle indices) {
    if (!is_int64(indices)) return not_here();
    return dispatch(kind_of(x), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto image = input<T>(x, 4, "x");
        const auto index = input<int64_t>(indices, 4, "indices");
        require(image.dim(0) == index.dim(0) && image.dim(1) == index.dim(1), "max_pool2d_gather: x and indices do not fit");
        Output<T> y(index.shape());
        without_gil([&] {
            kernels<T>().max_pool_gather(image.dim(0) * image.dim(1), image.dim(2) * image.dim(3), index.dim(2) * index.dim(3), image.data,
                                         index.data, y.data);
        });
        return y.array;
    });
}

// divisor 0 stands for None
py::object avg_pool2d(py::handle x, py::handle window, bool count_pad, int64_t divisor) {
    return dispatch(kind_of(x), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto image = input<T>(x, 4, "x");
        const PoolShape s = pool_shape(image, read_window(window));
        Output<T> y{image.dim(0), image.dim(1), s.oh, s.ow};
        if (s.planes) without_gil([&] { kernels<T>().avg_pool(s, count_pad, divisor, image.data, y.data); });
        return y.array;
    });
}

py::object avg_pool2d_grad(py::handle gy, py::handle x_shape, py::handle window, bool count_pad, int64_t divisor) {
    return dispatch(kind_of(gy), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto gradient = input<T>(gy, 4, "gy");
        const auto xs = read_shape(x_shape);
        const WindowArgument win = read_window(window);
        PoolShape s = {xs[0] * xs[1], xs[2], xs[3], 0, 0, win.shape};
        out_size(win, s.h, s.w, s.oh, s.ow);
        require(gradient.shape() == std::vector<int64_t>{xs[0], xs[1], s.oh, s.ow},
                "avg_pool2d_grad: gy has another shape than the output");
        Output<T> gx(xs);
        if (s.planes) without_gil([&] { kernels<T>().avg_pool_grad(s, count_pad, divisor, gradient.data, gx.data); });
        return gx.array;
    });
}

// ------------------------------------------------------------------ batch normalisation

py::object batch_norm(py::handle x, py::handle w, py::handle b, py::handle mean, py::handle inv_std) {
    return dispatch(common_kind({x, w, b, mean, inv_std}), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto image = input<T>(x, 4, "x");
        const int64_t n = image.dim(0), c = image.dim(1), cells = image.dim(2) * image.dim(3);
        const OptionalVector<T> scale(w, c, "w"), shift(b, c, "b"), centre(mean, c, "mean"), inverse(inv_std, c, "inv_std");
        if (!scale.data || !shift.data || !centre.data || !inverse.data) return not_here();
        Output<T> y(image.shape());
        if (y.array.size())
            without_gil([&] {
                kernels<T>().batch_norm(image.data, scale.data, shift.data, centre.data, inverse.data, y.data, n, c, cells);
            });
        return y.array;
    });
}

py::object batch_norm_stats(py::handle x) {
    return dispatch(kind_of(x), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto image = input<T>(x, 4, "x");
        if (!image.size()) return not_here();
        Output<T> mean{image.dim(1)}, variance{image.dim(1)};
        without_gil([&] {
            kernels<T>().batch_norm_stats(image.data, mean.data, variance.data, image.dim(0), image.dim(1), image.dim(2) * image.dim(3));
        });
        return py::make_tuple(mean.array, variance.array);
    });
}

py::object batch_norm_grad(py::handle gy, py::handle x, py::handle w, py::handle mean, py::handle inv_std) {
    return dispatch(common_kind({gy, x, w, mean, inv_std}), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto gradient = input<T>(gy, 4, "gy"), image = input<T>(x, 4, "x");
        require(gradient.shape() == image.shape(), "batch_norm_grad: gy and x differ in shape");
        const int64_t n = image.dim(0), c = image.dim(1), cells = image.dim(2) * image.dim(3);
        const OptionalVector<T> scale(w, c, "w"), centre(mean, c, "mean"), inverse(inv_std, c, "inv_std");
        if (!scale.data || !centre.data || !inverse.data || !image.size()) return not_here();
        Output<T> gx(image.shape());
        Output<T> gw{c}, gb{c};
        without_gil([&] {
            kernels<T>().batch_norm_grad(gradient.data, image.data, scale.data, centre.data, inverse.data, gx.data, gw.data, gb.data, n, c,
                                         cells);
        });
        return py::make_tuple(gx.array, gw.array, gb.array);
    });
}

}  // namespace

void add_pool(py::module_& m) {
    m.def("max_pool2d", max_pool2d);
    m.def("max_pool2d_grad", max_pool2d_grad);
    m.def("max_pool2d_gather", max_pool2d_gather);
    m.def("avg_pool2d", avg_pool2d);
    m.def("avg_pool2d_grad", avg_pool2d_grad);
    m.def("batch_norm", batch_norm);
    m.def("batch_norm_stats", batch_norm_stats);
    m.def("batch_norm_grad", batch_norm_grad);
}

}  // namespace minigrad::door
