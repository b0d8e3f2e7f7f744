// Batch normalisation: (N, C, cells), channel by channel.
#pragma once
#include "math.h"
#include "parallel.h"

namespace minigrad {
namespace {

// visit(vector index within the channel's images) in a fixed order; sums over one image stay in T,
// sums over images in double.
template <class T, class Term>
MG_INLINE double channel_sum(int64_t n, int64_t c, int64_t cells, int64_t channel, Term term) {
    double total = 0;
    for (int64_t image = 0; image < n; ++image) {
        const int64_t base = (image * c + channel) * cells;
        Vec<T> sum[2] = {};
        int64_t i = 0;
        for (; i + 2 * lanes<T> <= cells; i += 2 * lanes<T>) {
            sum[0] += term(base + i, lanes<T>);
            sum[1] += term(base + i + lanes<T>, lanes<T>);
        }
        for (; i < cells; i += lanes<T>) sum[0] += term(base + i, smaller<int64_t>(lanes<T>, cells - i));
        total += double(sum_lanes<T>(sum[0] + sum[1]));
    }
    return total;
}

// The first `count` lanes, zeros behind
template <class T>
MG_INLINE Vec<T> keep(Vec<T> v, int64_t count) {
    for (int64_t i = count; i < lanes<T>; ++i) v[i] = 0;
    return v;
}

template <class T>
void batch_norm_stats(const T* x, T* mean, T* variance, int64_t n, int64_t c, int64_t cells) {
    parallel(c, grain_of(4 * n * ceil_div(cells, lanes<T>)), [=](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k) {
            const double count = double(n) * double(cells);
            const T m = T(channel_sum<T>(n, c, cells, k, [=](int64_t at, int64_t left) { return load_some(x + at, left); }) / count);
            mean[k] = m;
            variance[k] = T(channel_sum<T>(n, c, cells, k, [=](int64_t at, int64_t left) {
                const Vec<T> d = load_some(x + at, left) - m;
                return left < lanes<T> ? keep<T>(d * d, left) : d * d;
            }) / count);
        }
    });
}

template <class T>
void batch_norm(const T* x, const T* w, const T* b, const T* mean, const T* inv_std, T* y, int64_t n, int64_t c, int64_t cells) {
    parallel(n * c, grain_of(2 * ceil_div(cells, lanes<T>)), [=](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane) {
            const int64_t k = plane % c;
            const T scale = w[k] * inv_std[k];
            for (int64_t i = 0; i < cells; i += lanes<T>)
                store_some(y + plane * cells + i, (load_some(x + plane * cells + i, cells - i) - mean[k]) * scale + b[k], cells - i);
        }
    });
}

template <class T>
void batch_norm_grad(const T* gy, const T* x, const T* w, const T* mean, const T* inv_std, T* gx, T* gw, T* gb, int64_t n, int64_t c,
                     int64_t cells) {
    parallel(c, grain_of(6 * n * ceil_div(cells, lanes<T>)), [=](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; ++k) {
            const T m = mean[k], s = inv_std[k];
            gb[k] = T(channel_sum<T>(n, c, cells, k, [=](int64_t at, int64_t left) { return load_some(gy + at, left); }));
            gw[k] = T(channel_sum<T>(n, c, cells, k, [=](int64_t at, int64_t left) {
                return load_some(gy + at, left) * ((load_some(x + at, left) - m) * s);
            }));
            const T count = T(double(n) * double(cells)), shift = gb[k] / count, slope = gw[k] / count, scale = w[k] * s;
            for (int64_t image = 0; image < n; ++image) {
                const int64_t base = (image * c + k) * cells;
                for (int64_t i = 0; i < cells; i += lanes<T>) {
                    const Vec<T> normed = (load_some(x + base + i, cells - i) - m) * s;
                    const Vec<T> g = load_some(gy + base + i, cells - i) - shift - normed * slope;
                    store_some(gx + base + i, g * scale, cells - i);
                }
            }
        }
    });
}

}  // namespace
}  // namespace minigrad
