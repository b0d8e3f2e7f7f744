// A linear layer in one launch each way, where the product is so small that starting kernels would take longer than they run.
// M rows, I inputs, O outputs. cuda_linear.py leaves large products to cuBLAS.

// y (M, O) = x (M, I) @ w (O, I) turned, plus b (O), then perhaps relu.
struct Linear {
    static constexpr bool right_along_k = true;
    const Real *x, *w, *b;  // b may be null
    Real* y;
    Index inputs, outputs, relu;

    typedef const Real* Column;
    __device__ Column column(Index n) const { return w + n * inputs; }
    __device__ Sum left(Index m, Index k) const { return x[m * inputs + k]; }
    __device__ Sum right(Index k, Column row) const { return row[k]; }
    __device__ Index out_column(Index n) const { return n; }
    __device__ void store(Index m, Index n, Sum value) const {
        if (b) value += Sum(b[n]);
        y[m * outputs + n] = Real(relu ? relu_of(value) : value);
    }
};

// The gradient that comes from above, g = gy (M, O), or 0 where y says that relu was off.
struct Above {
    const Real *gy, *y;  // y may be null: no relu
    __device__ Sum at(Index i) const { return y && Sum(y[i]) <= Sum(0) ? Sum(0) : Sum(gy[i]); }
};

// gx (M, I) = g @ w (O, I)
struct LinearInput {
    static constexpr bool right_along_k = false;
    Above above;
    const Real* w;
    Real* gx;
    Index inputs, outputs;

    typedef Index Column;
    __device__ Column column(Index n) const { return n; }
    __device__ Sum left(Index m, Index k) const { return above.at(m * outputs + k); }
    __device__ Sum right(Index k, Column n) const { return w[k * inputs + n]; }
    __device__ Index out_column(Index n) const { return n; }
    __device__ void store(Index m, Index n, Sum value) const { gx[m * inputs + n] = Real(value); }
};

// gw (O, I) = g turned @ x (M, I); with gb (O) a last column of ones beside x makes the bias's gradient.
struct LinearWeight {
    static constexpr bool right_along_k = false;
    Above above;
    const Real* x;
    Real *gw, *gb;
    Index inputs, outputs;

    typedef Index Column;
    __device__ Column column(Index n) const { return n; }
    __device__ Sum left(Index m, Index k) const { return above.at(k * outputs + m); }
    __device__ Sum right(Index k, Column n) const { return n == inputs ? Sum(1) : Sum(x[k * inputs + n]); }
    __device__ Index out_column(Index n) const { return n; }
    __device__ void store(Index m, Index n, Sum value) const { (n == inputs ? gb[m] : gw[m * inputs + n]) = Real(value); }
};

template <int TM, int TN>
__device__ void forward_of(const Real* x, const Real* w, const Real* b, Real* y, Sum* sums, unsigned* counters, Index rows,
                           Index inputs, Index outputs, Index relu, Index parts) {
    const Linear problem{x, w, b, y, inputs, outputs, relu};
    split_product<TM, TN>(problem, Index(blockIdx.x), rows, outputs, inputs, parts, sums, counters);
}

// The first `input_blocks` blocks make gx, which may be none; the others gw and perhaps gb, cut into parts.
template <int TM, int TN>
__device__ void grads_of(const Real* gy, const Real* y, const Real* x, const Real* w, Real* gx, Real* gw, Real* gb, Sum* sums,
                         unsigned* counters, Index rows, Index inputs, Index outputs, Index input_blocks, Index parts) {
    const Above above{gy, y};
    const Index block = Index(blockIdx.x);
    if (block < input_blocks) {
        const LinearInput problem{above, w, gx, inputs, outputs};
        split_product<TM, TN>(problem, block, rows, inputs, outputs, 1, sums, counters);
    } else {
        const LinearWeight problem{above, x, gw, gb, inputs, outputs};
        split_product<TM, TN>(problem, block - input_blocks, outputs, inputs + (gb ? 1 : 0), rows, parts, sums, counters);
    }
}

#define LINEAR(size, T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) linear_##size(                                                          \
        const Real* x, const Real* w, const Real* b, Real* y, Sum* sums, unsigned* counters, Index rows, Index inputs,        \
        Index outputs, Index relu, Index parts) {                                                                             \
        forward_of<T, T>(x, w, b, y, sums, counters, rows, inputs, outputs, relu, parts);                                     \
    }                                                                                                                         \
    extern "C" __global__ void __launch_bounds__(256) linear_grads_##size(                                                    \
        const Real* gy, const Real* y, const Real* x, const Real* w, Real* gx, Real* gw, Real* gb, Sum* sums,                 \
        unsigned* counters, Index rows, Index inputs, Index outputs, Index input_blocks, Index parts) {                       \
        grads_of<T, T>(gy, y, x, w, gx, gw, gb, sums, counters, rows, inputs, outputs, input_blocks, parts);                  \
    }

LINEAR(32, 2)
LINEAR(64, 4)
