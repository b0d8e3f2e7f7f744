// Softmax and its relatives along one axis: (outer, length, inner), and the cross-entropy loss.
#pragma once
#include "math.h"
#include "parallel.h"

namespace minigrad {
namespace {

constexpr double infinity = __builtin_inf();

// Largest value and sum of exp(x - largest) of one row.
template <class T>
MG_INLINE void row_sum(const T* x, int64_t length, T& top, T& sum) {
    Vec<T> best = splat<T>(T(-infinity));
    for (int64_t i = 0; i < length; i += lanes<T>) {
        Vec<T> v = load_some(x + i, length - i);
        if (length - i < lanes<T>)
            for (int64_t j = length - i; j < lanes<T>; ++j) v[j] = T(-infinity);
        best = select<T>(v > best, v, best);  // a NaN shows in the sum
    }
    top = max_lanes<T>(best);
    Vec<T> total = {};
    for (int64_t i = 0; i < length; i += lanes<T>) {
        Vec<T> e = exp_of<T>(load_some(x + i, length - i) - top);
        if (length - i < lanes<T>)
            for (int64_t j = length - i; j < lanes<T>; ++j) e[j] = 0;
        total += e;
    }
    sum = sum_lanes<T>(total);
}

// A short row: in one vector, its exponential taken once. Returns exp(x - top), 0 behind the row's end.
template <class T>
MG_INLINE Vec<T> short_row(const T* x, int64_t length, T& top, T& sum) {
    Mask<T> lane;
    for (int i = 0; i < lanes<T>; ++i) lane[i] = i;
    const Mask<T> inside = lane < typename Types<T>::Int(length);
    const Vec<T> v = select<T>(inside, load_part(x, length), splat<T>(T(-infinity)));
    top = max_lanes<T>(v);
    const Vec<T> e = select<T>(inside, exp_of<T>(v - top), Vec<T>{});
    sum = sum_lanes<T>(e);
    return e;
}

// One row, contiguous: softmax, or its logarithm.
template <class T>
MG_INLINE void softmax_row(const T* x, T* y, int64_t length, bool log) {
    T top, sum;
    row_sum(x, length, top, sum);
    const T shift = log_of(sum);
    for (int64_t i = 0; i < length; i += lanes<T>) {
        const Vec<T> v = load_some(x + i, length - i) - top;
        store_some(y + i, log ? v - shift : exp_of<T>(v) / sum, length - i);
    }
}

template <class T>
void softmax(const T* x, T* y, int64_t outer, int64_t length, int64_t inner, bool log) {
    if (inner == 1) {
        parallel(outer, grain_of(40 * ceil_div(length, lanes<T>)), [=](int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; ++r) softmax_row(x + r * length, y + r * length, length, log);
        });
        return;
    }
    const int64_t blocks = ceil_div(inner, lanes<T>);
    parallel(outer * blocks, grain_of(40 * length), [=](int64_t begin, int64_t end) {
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t at = unit % blocks * lanes<T>, left = inner - at;
            const T* from = x + unit / blocks * length * inner + at;
            T* to = y + unit / blocks * length * inner + at;
            Vec<T> top = splat<T>(T(-infinity)), sum = {};
            for (int64_t i = 0; i < length; ++i) {
                const Vec<T> v = load_some(from + i * inner, left);
                top = select<T>(v > top, v, top);
            }
            for (int64_t i = 0; i < length; ++i) sum += exp_of<T>(load_some(from + i * inner, left) - top);
            Vec<T> shift;
            for (int j = 0; j < lanes<T>; ++j) shift[j] = log_of(sum[j]);
            for (int64_t i = 0; i < length; ++i) {
                const Vec<T> v = load_some(from + i * inner, left) - top;
                store_some(to + i * inner, log ? v - shift : exp_of<T>(v) / sum, left);
            }
        }
    });
}

// y * (gy - sum(gy * y)), or for the logarithm gy - exp(y) * sum(gy)
template <class T>
void softmax_grad(const T* gy, const T* y, T* gx, int64_t outer, int64_t length, int64_t inner, bool log) {
    const auto result = [log](Vec<T> g, Vec<T> v, Vec<T> sum) { return log ? g - exp_of<T>(v) * sum : v * (g - sum); };
    if (inner == 1) {
        parallel(outer, grain_of(20 * ceil_div(length, lanes<T>)), [=](int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; ++r) {
                const T *g = gy + r * length, *v = y + r * length;
                Vec<T> total = {};
                for (int64_t i = 0; i < length; i += lanes<T>) {
                    const Vec<T> part = load_some(g + i, length - i);
                    total += log ? part : part * load_some(v + i, length - i);
                }
                const Vec<T> sum = splat<T>(sum_lanes<T>(total));
                for (int64_t i = 0; i < length; i += lanes<T>)
                    store_some(gx + r * length + i, result(load_some(g + i, length - i), load_some(v + i, length - i), sum), length - i);
            }
        });
        return;
    }
    const int64_t blocks = ceil_div(inner, lanes<T>);
    parallel(outer * blocks, grain_of(20 * length), [=](int64_t begin, int64_t end) {
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t base = unit / blocks * length * inner + unit % blocks * lanes<T>, left = inner - unit % blocks * lanes<T>;
            Vec<T> sum = {};
            for (int64_t i = 0; i < length; ++i) {
                const Vec<T> g = load_some(gy + base + i * inner, left);
                sum += log ? g : g * load_some(y + base + i * inner, left);
            }
            for (int64_t i = 0; i < length; ++i) {
                const int64_t at = base + i * inner;
                store_some(gx + at, result(load_some(gy + at, left), load_some(y + at, left), sum), left);
            }
        }
    });
}

// Losses (N,) and probabilities (N, C) of logits (N, C); targets are within [0, C).
template <class T>
void cross_entropy(const T* x, const int64_t* target, T* loss, T* p, int64_t n, int64_t classes) {
    parallel(n, grain_of(40 * ceil_div(classes, lanes<T>)), [=](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            const T* row = x + r * classes;
            T top, sum;
            if (classes < lanes<T>) {
                const Vec<T> e = short_row(row, classes, top, sum);
                loss[r] = log_of(sum) - (row[target[r]] - top);
                store_part(p + r * classes, e / sum, classes);
                continue;
            }
            row_sum(row, classes, top, sum);
            loss[r] = log_of(sum) - (row[target[r]] - top);
            for (int64_t i = 0; i < classes; i += lanes<T>)
                store_some(p + r * classes + i, exp_of<T>(load_some(row + i, classes - i) - top) / sum, classes - i);
        }
    });
}

template <class T>
void cross_entropy_grad(const T* gy, const T* p, const int64_t* target, T* gx, int64_t n, int64_t classes) {
    parallel(n, grain_of(4 * ceil_div(classes, lanes<T>)), [=](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            T* out = gx + r * classes;
            for (int64_t i = 0; i < classes; i += lanes<T>)
                store_some(out + i, load_some(p + r * classes + i, classes - i) * gy[r], classes - i);
            out[target[r]] -= gy[r];
        }
    });
}

}  // namespace
}  // namespace minigrad
