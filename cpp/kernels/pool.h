// Pooling. The winner of a window is the first maximum in scan order; the first NaN beats all.
#pragma once
#include "../shapes.h"
#include "parallel.h"

namespace minigrad {
namespace {

// Replace the winner where the newcomer is larger, or the first NaN.
template <class T>
MG_INLINE void compete(Vec<T> value, typename Types<T>::Int code, Vec<T>& best, Mask<T>& winner) {
    const Mask<T> wins = ~Mask<T>(value <= best) & Mask<T>(best == best);
    best = select<T>(wins, value, best);
    winner = wins ? Mask<T>{} + code : winner;
}

// The taps [begin, end) of one axis that are inside the image, for the window at `place`.
struct TapRange {
    int64_t begin, end;
};
MG_INLINE TapRange taps_inside(int64_t place, int64_t stride, int64_t padding, int64_t dilation, int64_t kernel, int64_t size) {
    const int64_t start = place * stride - padding;
    const int64_t begin = start >= 0 ? 0 : smaller(kernel, ceil_div(-start, dilation));
    const int64_t end = start >= size ? 0 : smaller(kernel, ceil_div(size - start, dilation));
    return {begin, larger(begin, end)};
}

// Codes of a vector's lanes as bytes.
template <class T>
MG_INLINE void store_codes(uint8_t* to, Mask<T> winner, int64_t count) {
#if defined(__AVX512BW__)
    __m128i bytes;  // by name: the compilers take a vector conversion to bytes apart
    if constexpr (lanes<T> == 16)
        bytes = _mm512_cvtepi32_epi8(__m512i(winner));
    else
        bytes = _mm512_cvtepi64_epi8(__m512i(winner));
    _mm_mask_storeu_epi8(to, count >= lanes<T> ? 0xffff >> (16 - lanes<T>) : __mmask16((1u << count) - 1), bytes);
#else
    const Bytes<T> bytes = __builtin_convertvector(winner, Bytes<T>);
    if (count >= lanes<T>)
        __builtin_memcpy(to, &bytes, lanes<T>);
    else
        for (int64_t i = 0; i < count; ++i) to[i] = bytes[i];
#endif
}

template <class T>
MG_INLINE Mask<T> load_codes(const uint8_t* from, int64_t count) {
#if defined(__AVX512BW__)
    const __m128i some = _mm_maskz_loadu_epi8(count >= lanes<T> ? 0xffff >> (16 - lanes<T>) : __mmask16((1u << count) - 1), from);
    if constexpr (lanes<T> == 16)
        return Mask<T>(_mm512_cvtepu8_epi32(some));
    else
        return Mask<T>(_mm512_cvtepu8_epi64(some));
#else
    Bytes<T> bytes = {};
    if (count >= lanes<T>)
        __builtin_memcpy(&bytes, from, lanes<T>);
    else
        for (int64_t i = 0; i < count; ++i) bytes[i] = from[i];
    return __builtin_convertvector(bytes, Mask<T>);
#endif
}

// 2x2 windows side by side: columns are split by a shuffle. Rows of x are `step` apart.
template <class T, class Emit>
MG_INLINE void max_pool_2x2(const PoolShape& s, const T* x, int64_t step, T* y, Emit emit) {
    for (int64_t oy = 0; oy < s.oh; ++oy) {
        const T *top = x + 2 * oy * step, *bottom = top + step;
        for (int64_t ox = 0; ox < s.ow; ox += lanes<T>) {
            const int64_t count = smaller<int64_t>(lanes<T>, s.ow - ox), cells = 2 * count, rest = larger<int64_t>(0, cells - lanes<T>);
            const Vec<T> a = load_some(top + 2 * ox, cells), b = rest ? load_some(top + 2 * ox + lanes<T>, rest) : Vec<T>{};
            const Vec<T> c = load_some(bottom + 2 * ox, cells), d = rest ? load_some(bottom + 2 * ox + lanes<T>, rest) : Vec<T>{};
            Vec<T> best = even_lanes<T>(a, b);
            Mask<T> winner = {};
            compete<T>(odd_lanes<T>(a, b), 1, best, winner);
            compete<T>(even_lanes<T>(c, d), 2, best, winner);
            compete<T>(odd_lanes<T>(c, d), 3, best, winner);
            store_some(y + oy * s.ow + ox, best, count);
            emit(oy, ox, winner, count);
        }
    }
}

// Any window. `staged` holds OW cells per tap of a row: column tap j of all places side by side.
template <class T, class Emit>
MG_INLINE void max_pool_any(const PoolShape& s, const T* x, int64_t step, T* y, T* staged, Emit emit) {
    const WindowShape& win = s.window;
    const int64_t width = round_up(s.ow, lanes<T>);
    for (int64_t oy = 0; oy < s.oh; ++oy) {
        const TapRange rows = taps_inside(oy, win.sh, win.ph, win.dh, win.kh, s.h);
        for (int64_t i = rows.begin; i < rows.end; ++i) {
            const T* row = x + (oy * win.sh - win.ph + i * win.dh) * step;
            for (int64_t j = 0; j < win.kw; ++j)
                for (int64_t ox = 0; ox < width; ++ox) {
                    const int64_t ix = ox * win.sw - win.pw + j * win.dw;
                    staged[(i * win.kw + j) * width + ox] = ix >= 0 && ix < s.w ? row[ix] : T(-__builtin_inf());
                }
        }
        for (int64_t ox = 0; ox < s.ow; ox += lanes<T>) {
            const int64_t count = smaller<int64_t>(lanes<T>, s.ow - ox);
            Vec<T> best = splat<T>(T(-__builtin_inf()));
            Mask<T> winner = {};
            if (rows.begin < rows.end)  // a window of -inf alone names its first cell of the image
                for (int64_t lane = 0; lane < count; ++lane) {
                    const TapRange columns = taps_inside(ox + lane, win.sw, win.pw, win.dw, win.kw, s.w);
                    if (columns.begin < columns.end)
                        winner[lane] = typename Types<T>::Int(rows.begin * win.kw + columns.begin);
                }
            for (int64_t t = rows.begin * win.kw; t < rows.end * win.kw; ++t)
                compete<T>(load(staged + t * width + ox), typename Types<T>::Int(t), best, winner);
            store_some(y + oy * s.ow + ox, best, count);
            emit(oy, ox, winner, count);
        }
    }
}

MG_INLINE bool is_2x2(const PoolShape& s) {
    const WindowShape& w = s.window;
    return w.kh == 2 && w.kw == 2 && w.sh == 2 && w.sw == 2 && w.ph == 0 && w.pw == 0 && w.dh == 1 && w.dw == 1 &&
           2 * s.oh <= s.h && 2 * s.ow <= s.w;
}

template <class T>
MG_INLINE int64_t staging(const PoolShape& s) {
    return is_2x2(s) ? 0 : s.window.kh * s.window.kw * round_up(s.ow, lanes<T>);
}

// One plane, rows `step` apart.
template <class T, class Emit>
MG_INLINE void max_pool_plane(const PoolShape& s, const T* x, int64_t step, T* y, T* staged, Emit emit) {
    if (is_2x2(s))
        max_pool_2x2(s, x, step, y, emit);
    else
        max_pool_any(s, x, step, y, staged, emit);
}

template <class T>
void max_pool_codes(const PoolShape& s, const T* x, int64_t step, T* y, uint8_t* codes, T* staged) {
    max_pool_plane(s, x, step, y, staged, [&](int64_t oy, int64_t ox, Mask<T> winner, int64_t count) {
        store_codes<T>(codes + oy * s.ow + ox, winner, count);
    });
}

MG_INLINE int64_t pool_grain(const PoolShape& s) { return grain_of(s.oh * s.ow * s.window.kh * s.window.kw / 4); }

template <class T>
void max_pool(const PoolShape& s, const T* x, T* y, int64_t* indices) {
    const WindowShape& win = s.window;
    // A dilated window may straddle a small image and see none of it: -inf, and still a cell of the image.
    const bool can_miss = (win.ph && win.dh > s.h) || (win.pw && win.dw > s.w);
    Scratch<int64_t> place(win.kh * win.kw);  // of every tap, from the window's corner
    for (int64_t t = 0; t < win.kh * win.kw; ++t) place.data[t] = t / win.kw * win.dh * s.w + t % win.kw * win.dw;
    parallel(s.planes, pool_grain(s), [&](int64_t begin, int64_t end) {
        Scratch<T> staged(staging<T>(s));
        for (int64_t plane = begin; plane < end; ++plane) {
            int64_t* out = indices + plane * s.oh * s.ow;
            max_pool_plane(s, x + plane * s.h * s.w, s.w, y + plane * s.oh * s.ow, staged.data,
                           [&](int64_t oy, int64_t ox, Mask<T> winner, int64_t count) {
                typename Types<T>::Int code[lanes<T>];
                __builtin_memcpy(code, &winner, sizeof winner);
                const int64_t corner = (oy * win.sh - win.ph) * s.w + ox * win.sw - win.pw;
                for (int64_t i = 0; i < count; ++i) out[oy * s.ow + ox + i] = corner + i * win.sw + place.data[code[i]];
                if (can_miss)
                    for (int64_t i = 0; i < count; ++i) {
                        int64_t& index = out[oy * s.ow + ox + i];
                        index = smaller(larger<int64_t>(index, 0), s.h * s.w - 1);
                    }
            });
        }
    });
}

// A scatter: repeated winners are summed, in order. Indices outside the plane are left out.
template <class T>
void max_pool_grad(int64_t planes, int64_t in, int64_t out, const T* gy, const int64_t* indices, T* gx) {
    parallel(planes, grain_of(in / lanes<T> + 2 * out), [=](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane) {
            T* to = gx + plane * in;
            for (int64_t i = 0; i < in; i += lanes<T>) store_some(to + i, Vec<T>{}, in - i);
            for (int64_t i = plane * out; i < (plane + 1) * out; ++i)
                if (uint64_t(indices[i]) < uint64_t(in)) to[indices[i]] += gy[i];
        }
    });
}

template <class T>
void max_pool_gather(int64_t planes, int64_t in, int64_t out, const T* x, const int64_t* indices, T* y) {
    parallel(planes, grain_of(2 * out), [=](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane)
            for (int64_t i = plane * out; i < (plane + 1) * out; ++i)
                y[i] = uint64_t(indices[i]) < uint64_t(in) ? x[plane * in + indices[i]] : T(0);
    });
}

// ------------------------------------------------------------------ averages

// Cells that the average along one axis divides by.
MG_INLINE int64_t pool_count(int64_t place, int64_t stride, int64_t padding, int64_t kernel, int64_t size, bool count_pad) {
    const int64_t start = place * stride - padding, end = smaller(start + kernel, size + padding);
    return count_pad ? end - start : smaller(end, size) - larger<int64_t>(start, 0);
}

template <class T>
struct AveragePlane {
    const PoolShape& s;
    bool count_pad;
    int64_t divisor;  // 0: count the cells

    MG_INLINE T divide_by(int64_t oy, int64_t ox) const {
        const WindowShape& w = s.window;
        if (divisor) return T(divisor);
        return T(pool_count(oy, w.sh, w.ph, w.kh, s.h, count_pad)) * T(pool_count(ox, w.sw, w.pw, w.kw, s.w, count_pad));
    }

    // Rows are summed over whole vectors first, then each window's columns. `sum` holds W cells.
    void forward(const T* x, T* y, T* sum) const {
        const WindowShape& win = s.window;
        for (int64_t oy = 0; oy < s.oh; ++oy) {
            const TapRange rows = taps_inside(oy, win.sh, win.ph, win.dh, win.kh, s.h);
            for (int64_t ix = 0; ix < s.w; ix += lanes<T>) {
                Vec<T> total = {};
                for (int64_t i = rows.begin; i < rows.end; ++i)
                    total += load_some(x + (oy * win.sh - win.ph + i * win.dh) * s.w + ix, s.w - ix);
                store_some(sum + ix, total, s.w - ix);
            }
            for (int64_t ox = 0; ox < s.ow; ++ox) {
                const TapRange columns = taps_inside(ox, win.sw, win.pw, win.dw, win.kw, s.w);
                T total = 0;
                for (int64_t j = columns.begin; j < columns.end; ++j) total += sum[ox * win.sw - win.pw + j * win.dw];
                y[oy * s.ow + ox] = total / divide_by(oy, ox);
            }
        }
    }

    void backward(const T* gy, T* gx, T* sum) const {
        const WindowShape& win = s.window;
        for (int64_t i = 0; i < s.h * s.w; ++i) gx[i] = 0;
        for (int64_t oy = 0; oy < s.oh; ++oy) {
            for (int64_t ix = 0; ix < s.w; ++ix) sum[ix] = 0;
            for (int64_t ox = 0; ox < s.ow; ++ox) {
                const TapRange columns = taps_inside(ox, win.sw, win.pw, win.dw, win.kw, s.w);
                const T g = gy[oy * s.ow + ox] / divide_by(oy, ox);
                for (int64_t j = columns.begin; j < columns.end; ++j) sum[ox * win.sw - win.pw + j * win.dw] += g;
            }
            const TapRange rows = taps_inside(oy, win.sh, win.ph, win.dh, win.kh, s.h);
            for (int64_t i = rows.begin; i < rows.end; ++i) {
                T* to = gx + (oy * win.sh - win.ph + i * win.dh) * s.w;
                for (int64_t ix = 0; ix < s.w; ix += lanes<T>)
                    store_some(to + ix, load_some(to + ix, s.w - ix) + load_some(sum + ix, s.w - ix), s.w - ix);
            }
        }
    }
};

template <class T>
void avg_pool(const PoolShape& s, bool count_pad, int64_t divisor, const T* x, T* y) {
    parallel(s.planes, pool_grain(s), [&](int64_t begin, int64_t end) {
        Scratch<T> sum(s.w);
        const AveragePlane<T> average{s, count_pad, divisor};
        for (int64_t p = begin; p < end; ++p) average.forward(x + p * s.h * s.w, y + p * s.oh * s.ow, sum.data);
    });
}

template <class T>
void avg_pool_grad(const PoolShape& s, bool count_pad, int64_t divisor, const T* gy, T* gx) {
    parallel(s.planes, pool_grain(s), [&](int64_t begin, int64_t end) {
        Scratch<T> sum(s.w);
        const AveragePlane<T> average{s, count_pad, divisor};
        for (int64_t p = begin; p < end; ++p) average.backward(gy + p * s.oh * s.ow, gx + p * s.h * s.w, sum.data);
    });
}

}  // namespace
}  // namespace minigrad
