// What all of minigrad's CUDA kernels share. cuda_backend.py puts this text before each .cu file and compiles the two
// with -DREAL=<element type> and, where 32 bits do not reach, -DWIDE. There are no #includes: NVRTC needs no
// toolkit then. The tests compile the same text for the host, where SHARED and Half have other definitions.
//
// N images of C channels and H x W cells; F filters of KH x KW taps; OH x OW places where a window stands.

#ifdef WIDE
typedef long long Index;
#else
typedef int Index;  // the launcher makes sure that it holds every index, with a stride of the grid to spare
#endif

// A 16-bit float in memory; arithmetic is done in float.
struct Half {
    unsigned short bits;

    Half() = default;
#ifdef __CUDACC__
    __device__ Half(float value) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value)); }
    __device__ operator float() const {
        float value;
        asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
        return value;
    }
#else
    Half(float value) {
        const _Float16 half = static_cast<_Float16>(value);
        __builtin_memcpy(&bits, &half, 2);
    }
    operator float() const {
        _Float16 half;
        __builtin_memcpy(&half, &bits, 2);
        return static_cast<float>(half);
    }
#endif
};

template <class T>
struct SumOf {
    typedef T type;
};
template <>
struct SumOf<Half> {
    typedef float type;
};

typedef REAL Real;                      // what arrays hold
typedef typename SumOf<Real>::type Sum; // what is computed with

// The numbers of a convolution or a pooling. cuda_backend.py writes them in this order.
struct Geometry {
    Index n, c, h, w, f, oh, ow, kh, kw, sh, sw, ph, pw, dh, dw, groups;
};

#ifdef __CUDACC__
#define SHARED(T, name, extent) __shared__ T name extent
#define HUGE_VALUE __longlong_as_double(0x7ff0000000000000LL)
#else
#define HUGE_VALUE __builtin_huge_val()
#define SHARED(T, name, extent) HOST_SHARED(T, name, extent)
#endif

// Every i in [0, n), shared out among all threads of the grid.
#define EACH(i, n)                                                                              \
    for (Index i = Index(blockIdx.x) * Index(blockDim.x) + Index(threadIdx.x); i < (n);         \
         i += Index(gridDim.x) * Index(blockDim.x))

enum : int { kWarp = 32 };

template <class T>
__device__ __forceinline__ bool is_nan(T value) {
    return !(value <= value);
}

// a / b rounded up.
__device__ __forceinline__ Index up(Index a, Index b) { return (a + b - 1) / b; }

template <class T>
__device__ __forceinline__ T relu_of(T value) {
    return value > T(0) || is_nan(value) ? value : T(0);
}

struct Add {
    template <class T>
    __device__ T operator()(T a, T b) const {
        return a + b;
    }
};

struct Max {
    template <class T>
    __device__ T operator()(T a, T b) const {
        return a < b ? b : a;
    }
};

// Combine a value of every lane of a warp; all lanes get the result. The order is fixed, so the bits are.
template <class T, class F>
__device__ T over_warp(T value, F combine) {
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) value = combine(value, __shfl_xor_sync(0xffffffffu, value, lanes));
    return value;
}

// The sum over a block of up to 1024 threads, a multiple of 32; all threads get it.
template <class T>
__device__ T block_sum(T value) {
    SHARED(T, parts, [kWarp]);
    const int warp = int(threadIdx.x) / kWarp, lane = int(threadIdx.x) % kWarp;
    value = over_warp(value, Add());
    __syncthreads();  // an earlier sum may still be read
    if (lane == 0) parts[warp] = value;
    __syncthreads();
    value = lane < int(blockDim.x) / kWarp ? parts[lane] : T(0);
    return over_warp(value, Add());
}
