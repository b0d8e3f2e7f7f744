// What one instruction set offers: a table of kernels per element type.
// Plain values only; every instruction set's unit fills its own (isa/*.cpp).
#pragma once
#include "shapes.h"

namespace minigrad {

struct SgdStep {
    double lr, momentum, dampening, weight_decay;
    bool nesterov, maximize, first;
};

struct AdamStep {
    double lr, beta1, beta2, eps, weight_decay;
    double correct1;       // 1 - beta1^step
    double root_correct2;  // sqrt(1 - beta2^step)
    bool decoupled, maximize;
};

// C (m, n) = A (m, k) B (k, n) + column bias; element (i, j) of A at i * a_row + j * a_col, one of them 1.
struct ProductShape {
    int64_t m, n, k;
    int64_t a_row, a_col, b_row, b_col;
    bool relu;
};

template <class T>
struct Kernels {
    void (*product)(const ProductShape&, const T* a, const T* b, const T* bias, T* c);

    void (*im2col)(const ConvShape&, const T* x, T fill, T* cols);
    void (*col2im)(const ConvShape&, const T* cols, T* x);

    void (*conv)(const ConvShape&, ConvAlgorithm, const T* x, const T* w, const T* bias, bool relu, T* y);
    void (*conv_input_grad)(const ConvShape&, ConvAlgorithm, const T* gy, const T* w, T* gx);
    void (*conv_weight_grad)(const ConvShape&, ConvAlgorithm, const T* gy, const T* x, T* gw);
    void (*conv_bias_grad)(const T* gy, int64_t n, int64_t f, int64_t cells, T* gb);

    // codes: which tap of its window won; may be null
    void (*conv_relu_pool)(const ConvShape&, ConvAlgorithm, const PoolShape&, const T* x, const T* w, const T* bias, T* y, uint8_t* codes);
    // The gradient of the pooled convolution before ReLU and pooling, (N, F, OH, OW)
    void (*pool_relu_grad)(const PoolShape&, const T* gy, const T* y, const uint8_t* codes, T* g);
    // Filters' and bias' gradients straight from the winners; false if this shape is better done in two steps
    bool (*conv_relu_pool_weight_grad)(const ConvShape&, const PoolShape&, const T* gy, const T* y, const uint8_t* codes, const T* x, T* gw,
                                       T* gb);

    void (*max_pool)(const PoolShape&, const T* x, T* y, int64_t* indices);
    void (*max_pool_grad)(int64_t planes, int64_t in, int64_t out, const T* gy, const int64_t* indices, T* gx);
    void (*max_pool_gather)(int64_t planes, int64_t in, int64_t out, const T* x, const int64_t* indices, T* y);
    void (*avg_pool)(const PoolShape&, bool count_pad, int64_t divisor, const T* x, T* y);
    void (*avg_pool_grad)(const PoolShape&, bool count_pad, int64_t divisor, const T* gy, T* gx);

    void (*relu)(const T* x, T* y, int64_t n);
    void (*relu_grad)(const T* gy, const T* y, T* gx, int64_t n);
    void (*sigmoid)(const T* x, T* y, int64_t n);
    void (*sigmoid_grad)(const T* gy, const T* y, T* gx, int64_t n);
    void (*tanh)(const T* x, T* y, int64_t n);
    void (*tanh_grad)(const T* gy, const T* y, T* gx, int64_t n);

    void (*softmax)(const T* x, T* y, int64_t outer, int64_t length, int64_t inner, bool log);
    void (*softmax_grad)(const T* gy, const T* y, T* gx, int64_t outer, int64_t length, int64_t inner, bool log);
    void (*cross_entropy)(const T* x, const int64_t* target, T* loss, T* p, int64_t n, int64_t classes);
    void (*cross_entropy_grad)(const T* gy, const T* p, const int64_t* target, T* gx, int64_t n, int64_t classes);

    void (*batch_norm)(const T* x, const T* w, const T* b, const T* mean, const T* inv_std, T* y, int64_t n, int64_t c, int64_t cells);
    void (*batch_norm_stats)(const T* x, T* mean, T* variance, int64_t n, int64_t c, int64_t cells);
    void (*batch_norm_grad)(const T* gy, const T* x, const T* w, const T* mean, const T* inv_std, T* gx, T* gw, T* gb, int64_t n, int64_t c,
                            int64_t cells);

    void (*sgd_step)(const SgdStep&, int64_t tensors, const int64_t* sizes, T* const* params, const T* const* grads, T* const* buffers);
    void (*adam_step)(const AdamStep&, int64_t tensors, const int64_t* sizes, T* const* params, const T* const* grads, T* const* means,
                      T* const* squares, T* const* largest);
};

struct Isa {
    const char* name;
    Kernels<float> f32;
    Kernels<double> f64;
};

// One per unit that was compiled for this processor family.
const Isa& isa_portable();
const Isa& isa_avx2();
const Isa& isa_avx512();

// The choice: by name, or (null) the best one. Null if this machine has no such instructions.
const Isa* find_isa(const char* name);

}  // namespace minigrad
