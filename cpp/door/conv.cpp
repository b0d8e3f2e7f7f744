// Convolution, its gradients, its fused forms, im2col and col2im.
#include "arrays.h"

namespace minigrad::door {
namespace {

// Sizes that fit together; everything a kernel relies on is checked once more here.
ConvShape conv_shape(const std::vector<int64_t>& x, const std::vector<int64_t>& w, const WindowArgument& window, int64_t groups) {
    ConvShape s = {x[0], x[1], x[2], x[3], w[0], 0, 0, groups, window.shape};
    require(groups >= 1 && s.c == w[1] * groups && s.f % groups == 0, "conv2d: channels, filters and groups do not fit");
    require(w[2] == window.shape.kh && w[3] == window.shape.kw, "conv2d: the window is not the filters'");
    require(s.c >= 1, "conv2d: no channels");
    out_size({window.shape, false}, s.h, s.w, s.oh, s.ow);
    return s;
}

template <class T>
void check_gradient(const Input<T>& gy, const ConvShape& s) {
    require(gy.dim(0) == s.n && gy.dim(1) == s.f && gy.dim(2) == s.oh && gy.dim(3) == s.ow, "conv2d: gy has another shape than the output");
}

py::object conv2d(py::handle x, py::handle w, py::handle b, py::handle window, int64_t groups, bool relu) {
    return dispatch(common_kind({x, w, b}), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto image = input<T>(x, 4, "x"), filters = input<T>(w, 4, "w");
        const auto xs = image.shape();
        const auto ws = filters.shape();
        const ConvShape s = conv_shape(xs, ws, read_window(window), groups);
        const OptionalVector<T> bias(b, s.f, "b");
        Output<T> y{s.n, s.f, s.oh, s.ow};
        if (y.array.size())
            without_gil([&] { kernels<T>().conv(s, conv_algorithm(), image.data, filters.data, bias.data, relu, y.data); });
        return y.array;
    });
}

template <class T>
void clear(Output<T>& out) {
    for (int64_t i = 0; i < out.array.size(); ++i) out.data[i] = 0;
}

py::object conv2d_input_grad(py::handle gy, py::handle w, py::handle x_shape, py::handle window, int64_t groups) {
    return dispatch(common_kind({gy, w}), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto gradient = input<T>(gy, 4, "gy"), filters = input<T>(w, 4, "w");
        const auto xs = read_shape(x_shape);
        const auto ws = filters.shape();
        const ConvShape s = conv_shape(xs, ws, read_window(window), groups);
        check_gradient(gradient, s);
        Output<T> gx{s.n, s.c, s.h, s.w};
        if (s.n && s.f)
            without_gil([&] { kernels<T>().conv_input_grad(s, conv_algorithm(), gradient.data, filters.data, gx.data); });
        else
            clear(gx);
        return gx.array;
    });
}

py::object conv2d_weight_grad(py::handle gy, py::handle x, py::handle w_shape, py::handle window, int64_t groups) {
    return dispatch(common_kind({gy, x}), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto gradient = input<T>(gy, 4, "gy"), image = input<T>(x, 4, "x");
        const auto xs = image.shape();
        const auto ws = read_shape(w_shape);
        const ConvShape s = conv_shape(xs, ws, read_window(window), groups);
        check_gradient(gradient, s);
        Output<T> gw(ws);
        if (s.n && s.f)
            without_gil([&] { kernels<T>().conv_weight_grad(s, conv_algorithm(), gradient.data, image.data, gw.data); });
        else
            clear(gw);
        return gw.array;
    });
}

py::object conv2d_bias_grad(py::handle gy) {
    return dispatch(kind_of(gy), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto gradient = input<T>(gy, 4, "gy");
        Output<T> gb{gradient.dim(1)};
        without_gil([&] {
            kernels<T>().conv_bias_grad(gradient.data, gradient.dim(0), gradient.dim(1), gradient.dim(2) * gradient.dim(3), gb.data);
        });
        return gb.array;
    });
}

// ------------------------------------------------------------------ columns

py::object im2col(py::handle x, py::handle window, double fill) {
    return dispatch(kind_of(x), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto image = input<T>(x, 4, "x");
        const WindowArgument win = read_window(window);
        ConvShape s = {image.dim(0), image.dim(1), image.dim(2), image.dim(3), 0, 0, 0, 1, win.shape};
        out_size(win, s.h, s.w, s.oh, s.ow);
        Output<T> cols{s.n, s.c * win.shape.kh * win.shape.kw, s.oh * s.ow};
        if (cols.array.size()) without_gil([&] { kernels<T>().im2col(s, image.data, T(fill), cols.data); });
        return cols.array;
    });
}

py::object col2im(py::handle cols, py::handle x_shape, py::handle window) {
    return dispatch(kind_of(cols), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto columns = input<T>(cols, 3, "cols");
        const WindowArgument win = read_window(window);
        const auto xs = read_shape(x_shape);
        ConvShape s = {xs[0], xs[1], xs[2], xs[3], 0, 0, 0, 1, win.shape};
        out_size(win, s.h, s.w, s.oh, s.ow);
        require(columns.dim(0) == s.n && columns.dim(1) == s.c * win.shape.kh * win.shape.kw && columns.dim(2) == s.oh * s.ow,
                "col2im: the columns are not those of x_shape and window");
        Output<T> x{s.n, s.c, s.h, s.w};
        if (x.array.size()) without_gil([&] { kernels<T>().col2im(s, columns.data, x.data); });
        return x.array;
    });
}

// ------------------------------------------------------------------ fused with ReLU and max-pool

constexpr int64_t most_codes = 256;  // a winner's tap is one byte

PoolShape pool_shape(const ConvShape& s, const WindowArgument& pool) {
    PoolShape p = {s.n * s.f, s.oh, s.ow, 0, 0, pool.shape};
    out_size(pool, s.oh, s.ow, p.oh, p.ow);
    return p;
}

// (y, winners), or y alone if nobody wants the winners
py::object conv2d_relu_max_pool2d(py::handle x, py::handle w, py::handle b, py::handle window, int64_t groups, py::handle pool, bool winners) {
    const WindowArgument pool_window = read_window(pool);
    if (pool_window.shape.kh * pool_window.shape.kw > most_codes) return not_here();
    return dispatch(common_kind({x, w, b}), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto image = input<T>(x, 4, "x"), filters = input<T>(w, 4, "w");
        const auto xs = image.shape();
        const auto ws = filters.shape();
        const ConvShape s = conv_shape(xs, ws, read_window(window), groups);
        const PoolShape p = pool_shape(s, pool_window);
        const OptionalVector<T> bias(b, s.f, "b");
        Output<T> y{s.n, s.f, p.oh, p.ow};
        const auto run = [&](uint8_t* codes) {
            if (y.array.size())
                without_gil([&] { kernels<T>().conv_relu_pool(s, conv_algorithm(), p, image.data, filters.data, bias.data, y.data, codes); });
        };
        if (!winners) {
            run(nullptr);
            return y.array;
        }
        Output<uint8_t> codes{s.n, s.f, p.oh, p.ow};
        run(codes.data);
        return py::make_tuple(y.array, codes.array);
    });
}

struct FusedGradient {
    ConvShape conv;
    PoolShape pool;
};

template <class T>
FusedGradient fused_shapes(const Input<T>& gy, const Input<T>& y, const Input<uint8_t>& codes, const std::vector<int64_t>& xs,
                           const std::vector<int64_t>& ws,
                           py::handle window, int64_t groups, py::handle pool) {
    const ConvShape s = conv_shape(xs, ws, read_window(window), groups);
    const PoolShape p = pool_shape(s, read_window(pool));
    for (const auto& shape : {gy.shape(), y.shape(), codes.shape()})
        require(shape == std::vector<int64_t>{s.n, s.f, p.oh, p.ow}, "conv2d_relu_max_pool2d_grad: gy, y and winners differ in shape");
    return {s, p};
}

// The gradient before the pool and ReLU: (N, F, OH, OW)
py::object pool_relu_grad(py::handle gy, py::handle y, py::handle codes, py::handle x_shape, py::handle w_shape, py::handle window,
                          int64_t groups, py::handle pool) {
    return dispatch(common_kind({gy, y}), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto gradient = input<T>(gy, 4, "gy"), value = input<T>(y, 4, "y");
        const auto code = input<uint8_t>(codes, 4, "winners");
        const auto xs = read_shape(x_shape);
        const auto ws = read_shape(w_shape);
        const FusedGradient f = fused_shapes(gradient, value, code, xs, ws, window, groups, pool);
        Output<T> g{f.conv.n, f.conv.f, f.conv.oh, f.conv.ow};
        if (g.array.size()) without_gil([&] { kernels<T>().pool_relu_grad(f.pool, gradient.data, value.data, code.data, g.data); });
        return g.array;
    });
}

// (gw, gb) straight from the winners, or None where two steps are quicker
py::object winners_weight_grad(py::handle gy, py::handle y, py::handle codes, py::handle x, py::handle w_shape, py::handle window,
                               int64_t groups, py::handle pool) {
    return dispatch(common_kind({gy, y, x}), [&](auto t) -> py::object {
        using T = decltype(t);
        const auto gradient = input<T>(gy, 4, "gy"), value = input<T>(y, 4, "y"), image = input<T>(x, 4, "x");
        const auto code = input<uint8_t>(codes, 4, "winners");
        const auto xs = image.shape();
        const auto ws = read_shape(w_shape);
        const FusedGradient f = fused_shapes(gradient, value, code, xs, ws, window, groups, pool);
        if (!f.conv.n || !f.conv.f) return not_here();
        Output<T> gw(ws);
        Output<T> gb{ws[0]};
        bool done = false;
        without_gil([&] {
            done = kernels<T>().conv_relu_pool_weight_grad(f.conv, f.pool, gradient.data, value.data, code.data, image.data, gw.data,
                                                           gb.data);
        });
        return done ? py::object(py::make_tuple(gw.array, gb.array)) : not_here();
    });
}

}  // namespace

void add_conv(py::module_& m) {
    m.def("conv2d", conv2d);
    m.def("conv2d_input_grad", conv2d_input_grad);
    m.def("conv2d_weight_grad", conv2d_weight_grad);
    m.def("conv2d_bias_grad", conv2d_bias_grad);
    m.def("im2col", im2col);
    m.def("col2im", col2im);
    m.def("conv2d_relu_max_pool2d", conv2d_relu_max_pool2d);
    m.def("pool_relu_grad", pool_relu_grad);
    m.def("winners_weight_grad", winners_weight_grad);
}

}  // namespace minigrad::door
