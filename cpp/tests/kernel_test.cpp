// The kernels without Python, for the sanitizers: every instruction set of this machine against loops,
// every block ending at a guard page, and any number of threads against one.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

#include "../runtime/arena.h"
#include "../runtime/threads.h"
#include "../table.h"

using namespace minigrad;

namespace {

int failures = 0;

void check(bool fine, const char* what, const char* isa) {
    if (fine) return;
    std::printf("FAILED: %s (%s)\n", what, isa);
    ++failures;
}

template <class T>
using Values = std::vector<T>;

template <class T>
Values<T> draw(int64_t count, unsigned seed) {
    Values<T> values(static_cast<size_t>(count));
    unsigned state = seed * 2654435761u + 1;
    for (T& v : values) {
        state = state * 1664525u + 1013904223u;
        v = T(int(state >> 16) % 2001 - 1000) / T(500);
    }
    return values;
}

template <class T>
bool close(const Values<T>& ours, const Values<double>& theirs, double tolerance) {
    double largest = 1e-30;
    for (double v : theirs) largest = std::fmax(largest, std::fabs(v));
    for (size_t i = 0; i < theirs.size(); ++i)
        if (!(std::fabs(double(ours[i]) - theirs[i]) <= tolerance * largest)) return false;
    return true;
}

template <class T>
const Kernels<T>& table(const Isa& isa);
template <>
const Kernels<float>& table<float>(const Isa& isa) {
    return isa.f32;
}
template <>
const Kernels<double>& table<double>(const Isa& isa) {
    return isa.f64;
}

// visit(index in y, in x, in w) for every product of a convolution
template <class Visit>
void each_product(const ConvShape& s, Visit visit) {
    const WindowShape& win = s.window;
    const int64_t channels = s.c / s.groups, filters = s.f / s.groups;
    for (int64_t n = 0; n < s.n; ++n)
        for (int64_t f = 0; f < s.f; ++f)
            for (int64_t p = 0; p < s.oh * s.ow; ++p)
                for (int64_t c = 0; c < channels; ++c)
                    for (int64_t t = 0; t < win.kh * win.kw; ++t) {
                        const int64_t iy = p / s.ow * win.sh - win.ph + t / win.kw * win.dh;
                        const int64_t ix = p % s.ow * win.sw - win.pw + t % win.kw * win.dw;
                        if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
                        visit((n * s.f + f) * s.oh * s.ow + p, ((n * s.c + f / filters * channels + c) * s.h + iy) * s.w + ix,
                              (f * channels + c) * win.kh * win.kw + t);
                    }
}

template <class T>
void test_conv(const Isa& isa, ConvShape s, ConvAlgorithm algorithm) {
    const WindowShape& win = s.window;
    s.oh = (s.h + 2 * win.ph - win.dh * (win.kh - 1) - 1) / win.sh + 1;
    s.ow = (s.w + 2 * win.pw - win.dw * (win.kw - 1) - 1) / win.sw + 1;
    const int64_t weights = s.f * (s.c / s.groups) * win.kh * win.kw;
    const auto x = draw<T>(s.n * s.c * s.h * s.w, 1), w = draw<T>(weights, 2), b = draw<T>(s.f, 3);
    const auto gy = draw<T>(s.n * s.f * s.oh * s.ow, 4);
    Values<T> y(gy.size()), gx(x.size()), gw(w.size()), gb(b.size());
    Values<double> y0(gy.size()), gx0(x.size()), gw0(w.size());
    for (size_t i = 0; i < y0.size(); ++i) y0[i] = b[i / size_t(s.oh * s.ow) % size_t(s.f)];
    each_product(s, [&](int64_t out, int64_t in, int64_t tap) {
        y0[out] += double(x[in]) * double(w[tap]);
        gx0[in] += double(gy[out]) * double(w[tap]);
        gw0[tap] += double(gy[out]) * double(x[in]);
    });
    const double tolerance = sizeof(T) == 4 ? 2e-5 : 1e-12;
    const Kernels<T>& k = table<T>(isa);
    k.conv(s, algorithm, x.data(), w.data(), b.data(), false, y.data());
    check(close(y, y0, tolerance), "convolution", isa.name);
    k.conv_input_grad(s, algorithm, gy.data(), w.data(), gx.data());
    check(close(gx, gx0, tolerance), "input gradient", isa.name);
    k.conv_weight_grad(s, algorithm, gy.data(), x.data(), gw.data());
    check(close(gw, gw0, tolerance), "weight gradient", isa.name);
    k.conv_bias_grad(gy.data(), s.n, s.f, s.oh * s.ow, gb.data());

    PoolShape p = {s.n * s.f, s.oh, s.ow, s.oh / 2, s.ow / 2, {2, 2, 2, 2, 0, 0, 1, 1}};
    if (p.oh < 1 || p.ow < 1) return;
    const auto pooled = size_t(p.planes * p.oh * p.ow);
    Values<T> top(pooled), expected(pooled), g(y.size());
    std::vector<uint8_t> codes(pooled);
    std::vector<int64_t> indices(pooled);
    k.conv_relu_pool(s, algorithm, p, x.data(), w.data(), b.data(), top.data(), codes.data());
    k.relu(y.data(), y.data(), int64_t(y.size()));
    k.max_pool(p, y.data(), expected.data(), indices.data());
    check(std::memcmp(top.data(), expected.data(), pooled * sizeof(T)) == 0, "fused pool", isa.name);
    k.pool_relu_grad(p, gy.data(), top.data(), codes.data(), g.data());
    Values<T> fused_gw(w.size());
    if (k.conv_relu_pool_weight_grad(s, p, gy.data(), top.data(), codes.data(), x.data(), fused_gw.data(), gb.data())) {
        k.conv_weight_grad(s, algorithm, g.data(), x.data(), gw.data());
        check(close(fused_gw, Values<double>(gw.begin(), gw.end()), tolerance), "gradient from the winners", isa.name);
    }
}

template <class T>
void test_product(const Isa& isa, int64_t m, int64_t n, int64_t k) {
    const auto a = draw<T>(m * k, 5), b = draw<T>(k * n, 6);
    Values<T> c(size_t(m * n));
    Values<double> c0(size_t(m * n));
    for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j)
            for (int64_t p = 0; p < k; ++p) c0[i * n + j] += double(a[i * k + p]) * double(b[j * k + p]);
    table<T>(isa).product({m, n, k, k, 1, 1, k, false}, a.data(), b.data(), nullptr, c.data());
    check(close(c, c0, sizeof(T) == 4 ? 2e-5 : 1e-12), "product", isa.name);
}

template <class T>
void test_isa(const Isa& isa) {
    const ConvShape shapes[] = {
        {2, 3, 9, 11, 5, 0, 0, 1, {3, 3, 1, 1, 1, 1, 1, 1}}, {3, 16, 8, 8, 14, 0, 0, 1, {3, 3, 1, 1, 1, 1, 1, 1}},
        {2, 6, 10, 13, 4, 0, 0, 2, {3, 2, 2, 3, 1, 0, 1, 2}}, {2, 1, 12, 12, 7, 0, 0, 1, {5, 5, 1, 1, 0, 0, 1, 1}},
        {1, 9, 7, 7, 9, 0, 0, 9, {3, 3, 1, 1, 2, 2, 2, 2}},   {2, 20, 6, 5, 33, 0, 0, 1, {1, 1, 1, 1, 0, 0, 1, 1}},
    };
    for (const ConvShape& s : shapes)
        for (auto a : {ConvAlgorithm::automatic, ConvAlgorithm::direct, ConvAlgorithm::gemm, ConvAlgorithm::winograd})
            test_conv<T>(isa, s, a);
    for (int64_t m : {1, 5, 13, 40})
        for (int64_t n : {1, 17, 35})
            for (int64_t k : {1, 30, 1100}) test_product<T>(isa, m, n, k);

    for (int64_t n : {1, 7, 16, 33, 70000}) {
        const auto x = draw<T>(n, 7), g = draw<T>(n, 8);
        Values<T> y(x.size()), p = x, m = g, v(x.size(), T(1));
        const Kernels<T>& k = table<T>(isa);
        k.sigmoid(x.data(), y.data(), n);
        k.tanh_grad(g.data(), y.data(), y.data(), n);
        k.softmax(x.data(), y.data(), 1, n, 1, false);
        double sum = 0;
        for (T value : y) sum += double(value);
        check(std::fabs(sum - 1) < 1e-4, "softmax", isa.name);
        T *params = p.data(), *means = m.data(), *squares = v.data();
        const T* grads = g.data();
        k.sgd_step({0.1, 0.9, 0, 0, false, false, false}, 1, &n, &params, &grads, &means);
        k.adam_step({0.1, 0.9, 0.99, 1e-8, 0, 0.1, 0.1, false, false}, 1, &n, &params, &grads, &means, &squares, nullptr);
    }
}

// One convolution by several outside threads at once, with exceptions in between.
void test_threads(const Isa& isa) {
    const ConvShape s = {8, 16, 16, 16, 16, 16, 16, 1, {3, 3, 1, 1, 1, 1, 1, 1}};
    const auto x = draw<float>(s.n * s.c * 256, 9), w = draw<float>(s.f * s.c * 9, 10);
    Values<float> expected(x.size());
    set_num_threads(1);
    isa.f32.conv(s, ConvAlgorithm::automatic, x.data(), w.data(), nullptr, false, expected.data());
    for (int threads : {2, 3, 4}) {
        set_num_threads(threads);
        std::vector<std::thread> outside;
        for (int t = 0; t < 3; ++t)
            outside.emplace_back([&] {
                Values<float> y(expected.size());
                for (int round = 0; round < 5; ++round) {
                    isa.f32.conv(s, ConvAlgorithm::automatic, x.data(), w.data(), nullptr, false, y.data());
                    if (std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)) != 0) std::abort();
                }
            });
        for (std::thread& t : outside) t.join();
        bool thrown = false;
        try {
            run_parallel(100, 1, [](void*, int64_t, int64_t end) { if (end == 100) throw std::runtime_error("last"); }, nullptr);
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        check(thrown, "an exception of a worker", isa.name);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const bool only_threads = argc > 1 && std::strcmp(argv[1], "threads") == 0;
    for (const char* name : {"portable", "neon", "avx2", "avx512"}) {
        const Isa* isa = find_isa(name);
        if (!isa) continue;
        test_threads(*isa);
        if (only_threads) continue;
        arena_guard(true);
        test_isa<float>(*isa);
        test_isa<double>(*isa);
        arena_guard(false);
        std::printf("%s done\n", name);
    }
    if (!failures) std::printf("all fine\n");
    return failures != 0;
}
