// Vectors of the unit's instruction set, written once with the compilers' vector extensions.
//
// Every kernel header is compiled once per instruction set, inside an anonymous namespace: the
// linker must never merge two copies of a function, or AVX-512 code would run where there is none.
// For the same reason no template of the standard library is used here.
#pragma once
#include <cstdint>
#include <utility>  // integer_sequence: a type without code

#if defined(__AVX__)
#include <immintrin.h>
#endif

#define MG_INLINE __attribute__((always_inline)) inline

namespace minigrad {
namespace {

constexpr int vector_bytes = MINIGRAD_VECTOR_BYTES;

template <class T>
struct Types;
template <>
struct Types<float> {
    typedef float V __attribute__((vector_size(vector_bytes)));
    typedef int32_t I __attribute__((vector_size(vector_bytes)));
    using Int = int32_t;
};
template <>
struct Types<double> {
    typedef double V __attribute__((vector_size(vector_bytes)));
    typedef int64_t I __attribute__((vector_size(vector_bytes)));
    using Int = int64_t;
};

template <int LANES>
struct ByteTypes {
    typedef uint8_t V __attribute__((vector_size(LANES)));
};

template <class T>
using Vec = typename Types<T>::V;
template <class T>
using Mask = typename Types<T>::I;  // a lane is 0 or -1
template <class T>
constexpr int lanes = vector_bytes / int(sizeof(T));
template <class T>
using Bytes = typename ByteTypes<lanes<T>>::V;  // one byte per lane of T

template <class T>
MG_INLINE Vec<T> load(const T* p) {
    Vec<T> v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

template <class T>
MG_INLINE void store(T* p, Vec<T> v) {
    __builtin_memcpy(p, &v, sizeof v);
}

template <class T>
MG_INLINE Vec<T> splat(T value) {
    return value - Vec<T>{};  // minus 0 changes nothing, not even -0
}

// The first `count` lanes from memory, the others 0; nothing behind them is touched.
template <class T>
MG_INLINE Vec<T> load_part(const T* p, int64_t count) {
    Vec<T> v = {};
    for (int64_t i = 0; i < count; ++i) v[i] = p[i];
    return v;
}
template <class T>
MG_INLINE void store_part(T* p, Vec<T> v, int64_t count) {
    for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}

#if defined(__AVX512F__)
MG_INLINE Vec<float> load_part(const float* p, int64_t count) {
    return Vec<float>(_mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), p));
}
MG_INLINE Vec<double> load_part(const double* p, int64_t count) {
    return Vec<double>(_mm512_maskz_loadu_pd(__mmask8((1u << count) - 1), p));
}
MG_INLINE void store_part(float* p, Vec<float> v, int64_t count) {
    _mm512_mask_storeu_ps(p, __mmask16((1u << count) - 1), __m512(v));
}
MG_INLINE void store_part(double* p, Vec<double> v, int64_t count) {
    _mm512_mask_storeu_pd(p, __mmask8((1u << count) - 1), __m512d(v));
}
#elif defined(__AVX__)
MG_INLINE __m256i first_lanes32(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
MG_INLINE __m256i first_lanes64(int64_t count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
}
MG_INLINE Vec<float> load_part(const float* p, int64_t count) {
    return Vec<float>(_mm256_maskload_ps(p, first_lanes32(count)));
}
MG_INLINE Vec<double> load_part(const double* p, int64_t count) {
    return Vec<double>(_mm256_maskload_pd(p, first_lanes64(count)));
}
MG_INLINE void store_part(float* p, Vec<float> v, int64_t count) {
    _mm256_maskstore_ps(p, first_lanes32(count), __m256(v));
}
MG_INLINE void store_part(double* p, Vec<double> v, int64_t count) {
    _mm256_maskstore_pd(p, first_lanes64(count), __m256d(v));
}
#endif

// As many lanes as are left, all of them or a part: the same arithmetic then serves the tail.
template <class T>
MG_INLINE Vec<T> load_some(const T* p, int64_t left) {
    return left >= lanes<T> ? load(p) : load_part(p, left);
}
template <class T>
MG_INLINE void store_some(T* p, Vec<T> v, int64_t left) {
    if (left >= lanes<T>)
        store(p, v);
    else
        store_part(p, v, left);
}

template <class T>
MG_INLINE Vec<T> select(Mask<T> mask, Vec<T> yes, Vec<T> no) {
    return mask ? yes : no;
}

// The larger one; NaN in `a` gives NaN.
template <class T>
MG_INLINE Vec<T> max_or_nan(Vec<T> a, Vec<T> b) {
    return select<T>((a > b) | (a != a), a, b);
}

// ------------------------------------------------------------------ shuffles

template <class T, int... I>
MG_INLINE Vec<T> zip_low(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (I / 2 + (I % 2) * lanes<T>)...);
}
template <class T, int... I>
MG_INLINE Vec<T> zip_high(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (lanes<T> / 2 + I / 2 + (I % 2) * lanes<T>)...);
}
template <class T, int... I>
MG_INLINE Vec<T> even_lanes(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (2 * I)...);
}
template <class T, int... I>
MG_INLINE Vec<T> odd_lanes(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (2 * I + 1)...);
}
template <class T>
using Lanes = std::make_integer_sequence<int, lanes<T>>;

// a0 b0 a1 b1 ... of the lower, of the upper halves
template <class T>
MG_INLINE Vec<T> zip_low(Vec<T> a, Vec<T> b) {
    return zip_low<T>(a, b, Lanes<T>{});
}
template <class T>
MG_INLINE Vec<T> zip_high(Vec<T> a, Vec<T> b) {
    return zip_high<T>(a, b, Lanes<T>{});
}
// Every second lane of the two vectors seen as one long one
template <class T>
MG_INLINE Vec<T> even_lanes(Vec<T> a, Vec<T> b) {
    return even_lanes<T>(a, b, Lanes<T>{});
}
template <class T>
MG_INLINE Vec<T> odd_lanes(Vec<T> a, Vec<T> b) {
    return odd_lanes<T>(a, b, Lanes<T>{});
}

// Within every 16 bytes of two vectors: interleave the lower, the upper halves, `unit` lanes at a time.
template <class T, int unit, int... I>
MG_INLINE Vec<T> unpack_low(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    constexpr int block = 16 / int(sizeof(T));
    return __builtin_shufflevector(a, b, (I / block * block + I % block / (2 * unit) * unit + I % unit + I / unit % 2 * lanes<T>)...);
}
template <class T, int unit, int... I>
MG_INLINE Vec<T> unpack_high(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    constexpr int block = 16 / int(sizeof(T));
    return __builtin_shufflevector(
        a, b, (I / block * block + block / 2 + I % block / (2 * unit) * unit + I % unit + I / unit % 2 * lanes<T>)...);
}
// Every second 16 bytes of two vectors seen as one long one
template <class T, int first, int... I>
MG_INLINE Vec<T> every_second_block(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
    constexpr int block = 16 / int(sizeof(T));
    return __builtin_shufflevector(a, b, ((2 * (I / block) + first) * block + I % block)...);
}

// Transpose a square of vectors: within 16 bytes first, then the blocks of 16 bytes. Each step is one
// instruction, where a shuffle across the whole vector would be a slow one.
template <class T>
MG_INLINE void transpose(Vec<T> (&rows)[lanes<T>]) {
    constexpr int size = lanes<T>, block = 16 / int(sizeof(T)), blocks = size / block;
    constexpr Lanes<T> all{};
    Vec<T> next[size];
#pragma GCC unroll 8
    for (int i = 0; i < size; i += 2) {
        next[i] = unpack_low<T, 1>(rows[i], rows[i + 1], all);
        next[i + 1] = unpack_high<T, 1>(rows[i], rows[i + 1], all);
    }
    if constexpr (block == 4) {
#pragma GCC unroll 4
        for (int i = 0; i < size; i += 4) {
            rows[i] = unpack_low<T, 2>(next[i], next[i + 2], all);
            rows[i + 1] = unpack_high<T, 2>(next[i], next[i + 2], all);
            rows[i + 2] = unpack_low<T, 2>(next[i + 1], next[i + 3], all);
            rows[i + 3] = unpack_high<T, 2>(next[i + 1], next[i + 3], all);
        }
    } else {
#pragma GCC unroll 8
        for (int i = 0; i < size; ++i) rows[i] = next[i];
    }
    if constexpr (blocks == 2) {
#pragma GCC unroll 4
        for (int j = 0; j < block; ++j) {
            next[j] = every_second_block<T, 0>(rows[j], rows[block + j], all);
            next[block + j] = every_second_block<T, 1>(rows[j], rows[block + j], all);
        }
    }
    if constexpr (blocks == 4) {
#pragma GCC unroll 4
        for (int j = 0; j < block; ++j) {
            const Vec<T> even = every_second_block<T, 0>(rows[j], rows[block + j], all);
            const Vec<T> odd = every_second_block<T, 1>(rows[j], rows[block + j], all);
            const Vec<T> even2 = every_second_block<T, 0>(rows[2 * block + j], rows[3 * block + j], all);
            const Vec<T> odd2 = every_second_block<T, 1>(rows[2 * block + j], rows[3 * block + j], all);
            next[j] = every_second_block<T, 0>(even, even2, all);
            next[block + j] = every_second_block<T, 0>(odd, odd2, all);
            next[2 * block + j] = every_second_block<T, 1>(even, even2, all);
            next[3 * block + j] = every_second_block<T, 1>(odd, odd2, all);
        }
    }
    if constexpr (blocks > 1) {
#pragma GCC unroll 16
        for (int i = 0; i < size; ++i) rows[i] = next[i];
    }
}

// The sum of all lanes, in one fixed order.
template <class T>
MG_INLINE T sum_lanes(Vec<T> v) {
    T part[lanes<T>];
    store(part, v);
#pragma GCC unroll 4
    for (int half = lanes<T> / 2; half; half /= 2)
        for (int i = 0; i < half; ++i) part[i] += part[i + half];
    return part[0];
}

// The largest lane; a NaN may be passed over.
template <class T>
MG_INLINE T max_lanes(Vec<T> v) {
    T part[lanes<T>];
    store(part, v);
#pragma GCC unroll 4
    for (int half = lanes<T> / 2; half; half /= 2)
        for (int i = 0; i < half; ++i) part[i] = part[i] < part[i + half] ? part[i + half] : part[i];
    return part[0];
}

}  // namespace
}  // namespace minigrad
