// Activations, their gradients, and the optimisers' steps: one pass over memory each.
#pragma once
#include "../table.h"
#include "math.h"
#include "parallel.h"
#include "tile.h"

namespace minigrad {
namespace {

constexpr int64_t pass_grain = 4096;  // vectors: less is done sooner than a thread is woken

// y[i] = f(x[i]), tails by the same arithmetic
template <class T, class Op>
MG_INLINE void map1(const T* x, T* y, int64_t n, Op op) {
    parallel(ceil_div(n, lanes<T>), pass_grain, [=](int64_t begin, int64_t end) {
        const int64_t stop = smaller(n, end * lanes<T>);
        int64_t i = begin * lanes<T>;
        for (; i + lanes<T> <= stop; i += lanes<T>) store(y + i, op(load(x + i)));
        if (i < stop) store_part(y + i, op(load_part(x + i, stop - i)), stop - i);
    });
}
template <class T, class Op>
MG_INLINE void map2(const T* a, const T* b, T* y, int64_t n, Op op) {
    parallel(ceil_div(n, lanes<T>), pass_grain, [=](int64_t begin, int64_t end) {
        const int64_t stop = smaller(n, end * lanes<T>);
        int64_t i = begin * lanes<T>;
        for (; i + lanes<T> <= stop; i += lanes<T>) store(y + i, op(load(a + i), load(b + i)));
        if (i < stop) store_part(y + i, op(load_part(a + i, stop - i), load_part(b + i, stop - i)), stop - i);
    });
}

template <class T>
void relu(const T* x, T* y, int64_t n) {
    map1(x, y, n, [](Vec<T> v) { return relu_of<T>(v); });
}
template <class T>
void relu_grad(const T* gy, const T* y, T* gx, int64_t n) {
    map2(gy, y, gx, n, [](Vec<T> g, Vec<T> v) { return select<T>(v <= Vec<T>{}, Vec<T>{}, g); });
}
template <class T>
void sigmoid(const T* x, T* y, int64_t n) {
    map1(x, y, n, [](Vec<T> v) { return sigmoid_of<T>(v); });
}
template <class T>
void sigmoid_grad(const T* gy, const T* y, T* gx, int64_t n) {
    map2(gy, y, gx, n, [](Vec<T> g, Vec<T> v) { return g * v * (T(1) - v); });
}
template <class T>
void tanh(const T* x, T* y, int64_t n) {
    map1(x, y, n, [](Vec<T> v) { return tanh_of<T>(v); });
}
template <class T>
void tanh_grad(const T* gy, const T* y, T* gx, int64_t n) {
    map2(gy, y, gx, n, [](Vec<T> g, Vec<T> v) { return g * (T(1) - v * v); });
}

// ------------------------------------------------------------------ optimisers, all tensors in one pass

constexpr int64_t step_chunk = 8192;  // cells

// work(tensor, first cell, cells) for pieces of all tensors, shared out among the threads
template <class Work>
MG_INLINE void each_piece(const int64_t* sizes, int64_t tensors, Work work) {
    int64_t pieces = 0;
    for (int64_t t = 0; t < tensors; ++t) pieces += ceil_div(sizes[t], step_chunk);
    parallel(pieces, 8, [=](int64_t begin, int64_t end) {
        int64_t piece = 0;
        for (int64_t t = 0; t < tensors && piece < end; ++t)
            for (int64_t first = 0; first < sizes[t]; first += step_chunk, ++piece)
                if (piece >= begin && piece < end) work(t, first, smaller(step_chunk, sizes[t] - first));
    });
}

template <class T>
void sgd_step(const SgdStep& o, int64_t tensors, const int64_t* sizes, T* const* params, const T* const* grads, T* const* buffers) {
    const T lr = T(o.lr), momentum = T(o.momentum), kept = T(1 - o.dampening), decay = T(o.weight_decay);
    each_piece(sizes, tensors, [=](int64_t t, int64_t first, int64_t count) {
        T* p = params[t] + first;
        const T* grad = grads[t] + first;
        T* buffer = buffers ? buffers[t] + first : nullptr;
        for (int64_t i = 0; i < count; i += lanes<T>) {
            const int64_t left = count - i;
            const Vec<T> value = load_some(p + i, left);
            Vec<T> g = load_some(grad + i, left);
            if (o.maximize) g = -g;
            if (o.weight_decay != 0) g = g + decay * value;
            if (buffer) {
                const Vec<T> b = o.first ? g : momentum * load_some(buffer + i, left) + kept * g;
                store_some(buffer + i, b, left);
                g = o.nesterov ? g + momentum * b : b;
            }
            store_some(p + i, value - lr * g, left);
        }
    });
}

template <class T>
void adam_step(const AdamStep& o, int64_t tensors, const int64_t* sizes, T* const* params, const T* const* grads, T* const* means,
               T* const* squares, T* const* largest) {
    const T rate = T(o.lr / o.correct1), root = T(1 / o.root_correct2), eps = T(o.eps), decay = T(o.weight_decay);
    const T keep1 = T(1 - o.beta1), beta2 = T(o.beta2), keep2 = T(1 - o.beta2), shrink = T(1 - o.lr * o.weight_decay);
    each_piece(sizes, tensors, [=](int64_t t, int64_t first, int64_t count) {
        for (int64_t i = first; i < first + count; i += lanes<T>) {
            const int64_t left = first + count - i;
            Vec<T> value = load_some(params[t] + i, left), g = load_some(grads[t] + i, left);
            if (o.maximize) g = -g;
            if (o.weight_decay != 0) {
                if (o.decoupled)
                    value *= shrink;
                else
                    g = g + decay * value;
            }
            Vec<T> mean = load_some(means[t] + i, left), square = load_some(squares[t] + i, left);
            mean = mean + keep1 * (g - mean);
            square = beta2 * square + keep2 * g * g;
            store_some(means[t] + i, mean, left);
            store_some(squares[t] + i, square, left);
            if (largest) {
                square = max_or_nan<T>(square, load_some(largest[t] + i, left));
                store_some(largest[t] + i, square, left);
            }
            store_some(params[t] + i, value - rate * mean / (sqrt_vector(square) * root + eps), left);
        }
    });
}

}  // namespace
}  // namespace minigrad
