// Convolution without a column matrix. Each of conv2d, its input gradient and its weight gradient is a matrix product
// of which one factor is read through the window (implicit GEMM); few filters a group, and a first layer with ReLU and
// pooling behind it, have direct kernels. cuda_backend.py chooses by shape. -DKERNEL=3 fixes KH and KW for the compiler.

#ifdef KERNEL
#define KH(g) KERNEL
#define KW(g) KERNEL
#else
#define KH(g) (g).kh
#define KW(g) (g).kw
#endif

// ---------------------------------------------------------------- the three problems

// y (F/G, N*OH*OW) = w (F/G, C/G*KH*KW) @ patches of x (C/G*KH*KW, N*OH*OW)
struct Forward {
    static constexpr bool right_along_k = false;
    const Real *x, *w, *bias;  // of one group; bias may be null
    Real* y;
    Geometry g;
    Index relu;

    struct Column {
        const Real* image;
        Index top, left;
    };
    __device__ Forward(const Real* x_, const Real* w_, const Real* b_, Real* y_, const Geometry& g_, Index relu_, Index group)
        : x(x_ + group * (g_.c / g_.groups) * g_.h * g_.w),
          w(w_ + group * (g_.f / g_.groups) * depth(g_)),
          bias(b_ ? b_ + group * (g_.f / g_.groups) : b_),
          y(y_ + group * (g_.f / g_.groups) * g_.oh * g_.ow),
          g(g_),
          relu(relu_) {}
    __device__ static Index rows(const Geometry& g) { return g.f / g.groups; }
    __device__ static Index columns(const Geometry& g) { return g.n * g.oh * g.ow; }
    __device__ static Index depth(const Geometry& g) { return g.c / g.groups * KH(g) * KW(g); }

    __device__ Column column(Index n) const {
        const Index ow = n % g.ow, oh = n / g.ow % g.oh, image = n / g.ow / g.oh;
        return {x + image * g.c * g.h * g.w, oh * g.sh - g.ph, ow * g.sw - g.pw};
    }
    __device__ Sum left(Index m, Index k) const { return w[m * depth(g) + k]; }
    __device__ Sum right(Index k, const Column& at) const {
        const Index kw = k % KW(g), kh = k / KW(g) % KH(g), c = k / KW(g) / KH(g);
        const Index ih = at.top + kh * g.dh, iw = at.left + kw * g.dw;
        if (ih < 0 || ih >= g.h || iw < 0 || iw >= g.w) return Sum(0);
        return at.image[(c * g.h + ih) * g.w + iw];
    }
    __device__ Index out_column(Index n) const {
        const Index cells = g.oh * g.ow, image = n / cells;
        return image * g.f * cells + (n - image * cells);
    }
    __device__ void store(Index m, Index place, Sum value) const {
        if (bias) value += Sum(bias[m]);
        y[place + m * g.oh * g.ow] = Real(relu ? relu_of(value) : value);
    }
};

// gx (C/G, N*H*W) = w turned round (C/G, F/G*KH*KW) @ the places of gy that saw each cell (F/G*KH*KW, N*H*W)
struct InputGrad {
    static constexpr bool right_along_k = false;
    const Real *gy, *w;
    Real* gx;
    Geometry g;

    struct Column {
        const Real* image;
        Index row, column;  // of the padded image
    };
    __device__ InputGrad(const Real* gy_, const Real* w_, Real* gx_, const Geometry& g_, Index group)
        : gy(gy_ + group * (g_.f / g_.groups) * g_.oh * g_.ow),
          w(w_ + group * (g_.f / g_.groups) * Forward::depth(g_)),
          gx(gx_ + group * (g_.c / g_.groups) * g_.h * g_.w),
          g(g_) {}
    __device__ static Index rows(const Geometry& g) { return g.c / g.groups; }
    __device__ static Index columns(const Geometry& g) { return g.n * g.h * g.w; }
    __device__ static Index depth(const Geometry& g) { return g.f / g.groups * KH(g) * KW(g); }

    __device__ Column column(Index n) const {
        const Index iw = n % g.w, ih = n / g.w % g.h, image = n / g.w / g.h;
        return {gy + image * g.f * g.oh * g.ow, ih + g.ph, iw + g.pw};
    }
    __device__ Sum left(Index m, Index k) const {
        const Index taps = KH(g) * KW(g), f = k / taps;
        return w[(f * rows(g) + m) * taps + (k - f * taps)];
    }
    __device__ Sum right(Index k, const Column& at) const {
        const Index kw = k % KW(g), kh = k / KW(g) % KH(g), f = k / KW(g) / KH(g);
        Index oh = at.row - kh * g.dh, ow = at.column - kw * g.dw;
        if (oh < 0 || ow < 0) return Sum(0);
        if (g.sh > 1) {
            if (oh % g.sh) return Sum(0);
            oh /= g.sh;
        }
        if (g.sw > 1) {
            if (ow % g.sw) return Sum(0);
            ow /= g.sw;
        }
        return oh < g.oh && ow < g.ow ? Sum(at.image[(f * g.oh + oh) * g.ow + ow]) : Sum(0);
    }
    __device__ Index out_column(Index n) const {
        const Index cells = g.h * g.w, image = n / cells;
        return image * g.c * cells + (n - image * cells);
    }
    __device__ void store(Index m, Index place, Sum value) const { gx[place + m * g.h * g.w] = Real(value); }
};

// gw (F/G, C/G*KH*KW) = gy (F/G, N*OH*OW) @ patches of x, turned (N*OH*OW, C/G*KH*KW). With gb (F/G) there is
// a last column of ones beside the patches, which makes the bias's gradient.
struct WeightGrad {
    static constexpr bool right_along_k = true;
    const Real *gy, *x;
    Real *gw, *gb;
    Geometry g;

    struct Column {
        const Real* plane;
        Index top, left;
    };
    __device__ WeightGrad(const Real* gy_, const Real* x_, Real* gw_, Real* gb_, const Geometry& g_, Index group)
        : gy(gy_ + group * (g_.f / g_.groups) * g_.oh * g_.ow),
          x(x_ + group * (g_.c / g_.groups) * g_.h * g_.w),
          gw(gw_ + group * rows(g_) * columns(g_)),
          gb(gb_ ? gb_ + group * rows(g_) : gb_),
          g(g_) {}
    __device__ static Index rows(const Geometry& g) { return g.f / g.groups; }
    __device__ static Index columns(const Geometry& g) { return Forward::depth(g); }
    __device__ static Index depth(const Geometry& g) { return g.n * g.oh * g.ow; }

    __device__ Column column(Index n) const {
        if (n == columns(g)) return {nullptr, 0, 0};
        const Index kw = n % KW(g), kh = n / KW(g) % KH(g), c = n / KW(g) / KH(g);
        return {x + c * g.h * g.w, kh * g.dh - g.ph, kw * g.dw - g.pw};
    }
    __device__ Sum left(Index m, Index k) const {
        const Index cells = g.oh * g.ow, image = k / cells;
        return gy[(image * g.f + m) * cells + (k - image * cells)];
    }
    __device__ Sum right(Index k, const Column& at) const {
        if (!at.plane) return Sum(1);
        const Index ow = k % g.ow, oh = k / g.ow % g.oh, image = k / g.ow / g.oh;
        const Index ih = at.top + oh * g.sh, iw = at.left + ow * g.sw;
        if (ih < 0 || ih >= g.h || iw < 0 || iw >= g.w) return Sum(0);
        return at.plane[(image * g.c * g.h + ih) * g.w + iw];
    }
    __device__ Index out_column(Index n) const { return n; }
    __device__ void store(Index m, Index place, Sum value) const {
        (place == columns(g) ? gb[m] : gw[m * columns(g) + place]) = Real(value);
    }
};

// ---------------------------------------------------------------- tiles: grid (columns, rows, groups [* parts])

template <int TM, int TN>
__device__ void forward_tile(const Real* x, const Real* w, const Real* b, Real* y, const Geometry& g, Index relu) {
    const Forward problem(x, w, b, y, g, relu, Index(blockIdx.z));
    tile_product<TM, TN>(problem, problem, Index(blockIdx.y) * 16 * TM, Index(blockIdx.x) * 16 * TN, Forward::rows(g),
                         Forward::columns(g), 0, Forward::depth(g));
}

template <int TM, int TN>
__device__ void input_grad_tile(const Real* gy, const Real* w, Real* gx, const Geometry& g) {
    const InputGrad problem(gy, w, gx, g, Index(blockIdx.z));
    tile_product<TM, TN>(problem, problem, Index(blockIdx.y) * 16 * TM, Index(blockIdx.x) * 16 * TN, InputGrad::rows(g),
                         InputGrad::columns(g), 0, InputGrad::depth(g));
}

template <int TM, int TN>
__device__ void weight_grad_tile(const Real* gy, const Real* x, Real* gw, Real* gb, Sum* sums, unsigned* counters, const Geometry& g,
                                 Index tiles, Index parts) {
    const Index group = Index(blockIdx.z), rows = WeightGrad::rows(g), columns = WeightGrad::columns(g) + (gb ? 1 : 0);
    const WeightGrad problem(gy, x, gw, gb, g, group);
    split_product<TM, TN>(problem, Index(blockIdx.x), rows, columns, WeightGrad::depth(g), parts,
                          sums ? sums + group * parts * rows * columns : sums,
                          counters ? counters + group * tiles * kMarks : counters);
}

// Blocks on a processor at least: in 32 bits the largest tile then fits into 128 registers a thread (144 otherwise, and one block).
constexpr int kBlocks = sizeof(Sum) == 4 ? 2 : 1;

#define TILES(rows, columns, TM, TN)                                                                                          \
    extern "C" __global__ void __launch_bounds__(256, kBlocks) conv2d_##rows##x##columns(                                     \
        const Real* x, const Real* w, const Real* b, Real* y, const Geometry g, Index relu) {                                 \
        forward_tile<TM, TN>(x, w, b, y, g, relu);                                                                            \
    }                                                                                                                         \
    extern "C" __global__ void __launch_bounds__(256, kBlocks) conv2d_input_grad_##rows##x##columns(const Real* gy, const Real* w, \
                                                                                           Real* gx, const Geometry g) {      \
        input_grad_tile<TM, TN>(gy, w, gx, g);                                                                                \
    }                                                                                                                         \
    WEIGHT_GRAD(rows, columns, TM, TN)

#define WEIGHT_GRAD(rows, columns, TM, TN)                                                                                    \
    extern "C" __global__ void __launch_bounds__(256) conv2d_weight_grad_##rows##x##columns(                                  \
        const Real* gy, const Real* x, Real* gw, Real* gb, Sum* sums, unsigned* counters, const Geometry g, Index tiles,      \
        Index parts) {                                                                                                        \
        weight_grad_tile<TM, TN>(gy, x, gw, gb, sums, counters, g, tiles, parts);                                             \
    }

TILES(32, 128, 2, 8)
TILES(64, 64, 4, 4)
TILES(128, 128, 8, 8)
WEIGHT_GRAD(32, 32, 2, 2)

// ---------------------------------------------------------------- directly: few filters or channels a group, as in depthwise

template <class Problem>
__device__ void each_element(const Problem& problem, const Geometry& g) {
    const Index columns = Problem::columns(g), depth = Problem::depth(g);
    EACH(i, Problem::rows(g) * columns) {
        const Index m = i / columns, n = i - m * columns;
        const typename Problem::Column column = problem.column(n);
        Sum sum = Sum(0);
        for (Index k = 0; k < depth; ++k) sum += problem.left(m, k) * problem.right(k, column);
        problem.store(m, problem.out_column(n), sum);
    }
}

extern "C" __global__ void conv2d_direct(const Real* x, const Real* w, const Real* b, Real* y, const Geometry g, Index relu) {
    each_element(Forward(x, w, b, y, g, relu, Index(blockIdx.z)), g);
}

extern "C" __global__ void conv2d_input_grad_direct(const Real* gy, const Real* w, Real* gx, const Geometry g) {
    each_element(InputGrad(gy, w, gx, g, Index(blockIdx.z)), g);
}

// A block makes one element: the sum is long.
extern "C" __global__ void conv2d_weight_grad_direct(const Real* gy, const Real* x, Real* gw, Real* gb, const Geometry g) {
    const WeightGrad problem(gy, x, gw, gb, g, Index(blockIdx.z));
    const Index columns = WeightGrad::columns(g) + (gb ? 1 : 0), depth = WeightGrad::depth(g);
    for (Index i = Index(blockIdx.x); i < WeightGrad::rows(g) * columns; i += Index(gridDim.x)) {
        const Index m = i / columns, n = i - m * columns;
        const WeightGrad::Column column = problem.column(n);
        Sum sum = Sum(0);
        for (Index k = Index(threadIdx.x); k < depth; k += Index(blockDim.x)) sum += problem.left(m, k) * problem.right(k, column);
        sum = block_sum(sum);
        if (threadIdx.x == 0) problem.store(m, n, sum);
    }
}

// ---------------------------------------------------------------- convolution, bias, ReLU and max-pooling in one pass

constexpr int kFilters = 8;     // of one thread: each value of x is read once for all of them
constexpr int kPatch = 128;     // C/G*KH*KW at most, so that the filters fit into shared memory

// A thread makes one pooled cell of kFilters filters; the convolution's output never reaches memory. `winners` says which tap
// of the pool was the largest. Grid: (places, filters / kFilters, groups); g is the convolution, p the pooling on its output.
extern "C" __global__ void __launch_bounds__(256) conv2d_relu_pool(const Real* x, const Real* w, const Real* b, Real* y,
                                                                   unsigned char* winners, const Geometry g, const Geometry p) {
    SHARED(Sum, filters, [kPatch][kFilters]);
    const Index group = Index(blockIdx.z), depth = Forward::depth(g), rows = Forward::rows(g);
    const Index m0 = Index(blockIdx.y) * kFilters;
    const Forward problem(x, w, b, y, g, 0, group);
    for (Index i = Index(threadIdx.x); i < depth * kFilters; i += Index(blockDim.x)) {
        const Index k = i / kFilters, m = m0 + i % kFilters;
        filters[k][i % kFilters] = m < rows ? problem.left(m, k) : Sum(0);
    }
    __syncthreads();
    const Index cells = p.oh * p.ow;
    EACH(i, g.n * cells) {
        const Index image = i / cells, cell = i - image * cells, top = cell / p.ow * p.sh - p.ph, left = cell % p.ow * p.sw - p.pw;
        Sum best[kFilters];
        int winner[kFilters];
#pragma unroll
        for (int f = 0; f < kFilters; ++f) winner[f] = -1;
        for (Index tap = 0; tap < p.kh * p.kw; ++tap) {
            const Index oh = top + tap / p.kw * p.dh, ow = left + tap % p.kw * p.dw;
            if (oh < 0 || oh >= g.oh || ow < 0 || ow >= g.ow) continue;
            const Forward::Column column = problem.column((image * g.oh + oh) * g.ow + ow);
            Sum sums[kFilters];
#pragma unroll
            for (int f = 0; f < kFilters; ++f) sums[f] = Sum(0);
            for (Index k = 0; k < depth; ++k) {
                const Sum value = problem.right(k, column);
#pragma unroll
                for (int f = 0; f < kFilters; ++f) sums[f] += filters[k][f] * value;
            }
#pragma unroll
            for (int f = 0; f < kFilters; ++f) {
                const Sum value = b && m0 + f < rows ? sums[f] + Sum(problem.bias[m0 + f]) : sums[f];
                if (winner[f] < 0 || value > best[f] || (is_nan(value) && !is_nan(best[f]))) {
                    best[f] = value;
                    winner[f] = int(tap);
                }
            }
        }
#pragma unroll
        for (int f = 0; f < kFilters; ++f) {
            if (m0 + f >= rows) continue;
            const Index at = (image * g.f + group * rows + m0 + f) * cells + cell;
            y[at] = winner[f] < 0 ? Real(-HUGE_VALUE) : Real(relu_of(best[f]));
            winners[at] = (unsigned char)(winner[f] < 0 ? 0 : winner[f]);
        }
    }
}
