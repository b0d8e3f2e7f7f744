// The exponential and what is made of it, for whole vectors; within 2 units in the last place.
#pragma once
#include "simd.h"

namespace minigrad {
namespace {

template <class T>
struct ExpNumbers;
template <>
struct ExpNumbers<float> {
    static constexpr float low = -104.0f, high = 89.0f;  // beyond: 0, infinity
    static constexpr float log2_high = 0x1.62e4p-1f, log2_low = 0x1.7f7d1cp-20f;
    static constexpr float magic = 0x1.8p23f;  // adding it rounds to an integer in the low bits
    static constexpr int mantissa = 23, bias = 127;
    static constexpr int terms = 7;
};
template <>
struct ExpNumbers<double> {
    static constexpr double low = -746.0, high = 710.0;
    static constexpr double log2_high = 0x1.62e42fefa3800p-1, log2_low = 0x1.ef35793c76730p-45;
    static constexpr double magic = 0x1.8p52;
    static constexpr int mantissa = 52, bias = 1023;
    static constexpr int terms = 13;
};

// 2^n for n within the normal exponents
template <class T>
MG_INLINE Vec<T> power_of_two(Mask<T> n) {
    using E = ExpNumbers<T>;
    return Vec<T>((n + E::bias) << E::mantissa);
}

// exp(x) = 2^n exp(r), |r| <= log(2)/2, by Taylor's series. NaN stays NaN, denormals are kept.
template <class T>
MG_INLINE Vec<T> exp_of(Vec<T> x) {
    using E = ExpNumbers<T>;
    Vec<T> clipped = select<T>(x < E::low, splat<T>(E::low), x);
    clipped = select<T>(clipped > E::high, splat<T>(E::high), clipped);
    const Vec<T> rounded = clipped * T(1.4426950408889634) + E::magic;
    const Mask<T> n = Mask<T>(rounded) - Mask<T>(splat<T>(E::magic));
    const Vec<T> steps = rounded - E::magic;
    const Vec<T> r = (clipped - steps * E::log2_high) - steps * E::log2_low;
    Vec<T> sum = splat<T>(T(1));
#pragma GCC unroll 16
    for (int i = E::terms; i > 0; --i) sum = sum * (r * (T(1) / T(i))) + T(1);
    const Mask<T> half = n >> 1;  // in two steps: 2^n alone may be no normal number
    const Vec<T> y = sum * power_of_two<T>(half) * power_of_two<T>(n - half);
    return select<T>(x != x, x, y);
}

template <class T>
MG_INLINE Vec<T> abs_of(Vec<T> x) {
    return select<T>(x < Vec<T>{}, -x, x);
}

// 1 / (1 + exp(-x)), from exp(-|x|): no overflow, and small results keep their digits.
template <class T>
MG_INLINE Vec<T> sigmoid_of(Vec<T> x) {
    const Vec<T> e = exp_of<T>(-abs_of<T>(x));
    return select<T>(x >= Vec<T>{}, splat<T>(T(1)), e) / (T(1) + e);
}

// tanh(x) = (1 - e) / (1 + e) with e = exp(-2|x|); near 0 by Taylor's series of the sine over the cosine.
template <class T>
MG_INLINE Vec<T> tanh_of(Vec<T> x) {
    const Vec<T> size = abs_of<T>(x), e = exp_of<T>(T(-2) * size);
    const Vec<T> far = (T(1) - e) / (T(1) + e);
    const Vec<T> square = size * size;
    constexpr int terms = sizeof(T) == 4 ? 5 : 9;
    Vec<T> sine = splat<T>(T(1)), cosine = splat<T>(T(1));
#pragma GCC unroll 16
    for (int i = terms; i > 0; --i) {
        sine = sine * (square * (T(1) / T(2 * i * (2 * i + 1)))) + T(1);
        cosine = cosine * (square * (T(1) / T(2 * i * (2 * i - 1)))) + T(1);
    }
    const Vec<T> near = size * sine / cosine;
    const Vec<T> y = select<T>(size < T(1), near, far);
    return select<T>(x < Vec<T>{}, -y, select<T>(x == Vec<T>{}, x, y));
}

MG_INLINE float log_of(float x) { return __builtin_logf(x); }
MG_INLINE double log_of(double x) { return __builtin_log(x); }
MG_INLINE float sqrt_of(float x) { return __builtin_sqrtf(x); }
MG_INLINE double sqrt_of(double x) { return __builtin_sqrt(x); }

template <class T>
MG_INLINE Vec<T> sqrt_of_vector(Vec<T> x) {
    Vec<T> y;
#pragma GCC unroll 16
    for (int i = 0; i < lanes<T>; ++i) y[i] = sqrt_of(x[i]);
    return y;
}
#if defined(__AVX512F__)
MG_INLINE Vec<float> sqrt_vector(Vec<float> x) { return Vec<float>(_mm512_sqrt_ps(__m512(x))); }
MG_INLINE Vec<double> sqrt_vector(Vec<double> x) { return Vec<double>(_mm512_sqrt_pd(__m512d(x))); }
#elif defined(__AVX__)
MG_INLINE Vec<float> sqrt_vector(Vec<float> x) { return Vec<float>(_mm256_sqrt_ps(__m256(x))); }
MG_INLINE Vec<double> sqrt_vector(Vec<double> x) { return Vec<double>(_mm256_sqrt_pd(__m256d(x))); }
#else
MG_INLINE Vec<float> sqrt_vector(Vec<float> x) { return sqrt_of_vector<float>(x); }
MG_INLINE Vec<double> sqrt_vector(Vec<double> x) { return sqrt_of_vector<double>(x); }
#endif

}  // namespace
}  // namespace minigrad
