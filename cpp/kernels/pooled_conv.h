// Convolution of few taps, ReLU and a 2x2 pool with filters as lanes: the four sums of a window stay in
// registers until the pool has chosen among them. Nothing lies between that would be written and read
// again, and no place is computed that nobody wants.
//
//     for image and group:                                  threads
//         copy the cells into lines                         lines.h
//         for some rows of windows, for 1 or 2 vectors of filters:
//             for window, some at a time:
//                 for tap k:  sum[place][v] += w[k][v] * cell(place, k)      registers
//                 bias, ReLU, the largest of four and its code
//             transpose: filters from lanes to planes
#pragma once
#include "conv_forward.h"
#include "pool.h"

namespace minigrad {
namespace {

// Windows at a time: 4 sums of 2 vectors each, times this, stay in registers.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int windows_at_once = 2;
#else
constexpr int windows_at_once = 1;
#endif

template <class T>
struct PooledConv {
    const ConvShape& shape;
    const PoolShape& pool;
    Lines<T> lines;
    int64_t filters, taps, width;  // per group; width: filters in whole vectors
    Scratch<T> weights, start;     // [group][block of filters][tap][lane], [group][lane]

    MG_INLINE PooledConv(const ConvShape& s, const PoolShape& p, const T* w, const T* bias)
        : shape(s),
          pool(p),
          lines(s, s.oh),
          filters(s.f / s.groups),
          taps(lines.line.taps),
          width(round_up(filters, lanes<T>)),
          weights(s.groups * width * taps),
          start(s.groups * width) {
        for (int64_t g = 0; g < s.groups; ++g) {
            const T* from = w + g * filters * taps;
            for (int64_t f = 0; f < width; f += 2 * lanes<T>) {
                const int64_t across = smaller<int64_t>(2 * lanes<T>, width - f);
                pack_transposed(from + f * taps, taps, smaller(across, filters - f), taps, across, weights.data + (g * width + f) * taps);
            }
            for (int64_t f = 0; f < width; ++f) start.data[g * width + f] = bias && f < filters ? bias[g * filters + f] : T(0);
        }
    }

    // Windows [0, windows_at_once) from the first one's corner on: the winners' values and codes, lanes are filters.
    template <int VECTORS, bool CODES>
    MG_INLINE void windows(const T* corner, const T* w, const T* first, T* values, T* codes) const {
        constexpr int L = lanes<T>, columns = 2 * windows_at_once;
        Vec<T> sum[2][columns][VECTORS];
#pragma GCC unroll 16
        for (int i = 0; i < 2 * columns; ++i)
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; ++v) sum[i / columns][i % columns][v] = load(first + v * L);
        for (int64_t k = 0; k < taps; ++k, w += VECTORS * L) {
            const T* at = corner + lines.offset.data[k];
            Vec<T> weight[VECTORS];
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; ++v) weight[v] = load(w + v * L);
#pragma GCC unroll 2
            for (int i = 0; i < 2; ++i, at += lines.line.wq)
#pragma GCC unroll 8
                for (int j = 0; j < columns; ++j) {
                    const Vec<T> cell = splat<T>(at[j]);
#pragma GCC unroll 2
                    for (int v = 0; v < VECTORS; ++v) sum[i][j][v] += cell * weight[v];
                }
        }
#pragma GCC unroll 2
        for (int window = 0; window < windows_at_once; ++window)
#pragma GCC unroll 2
            for (int v = 0; v < VECTORS; ++v) {
                Vec<T> best = sum[0][2 * window][v];  // ReLU can wait: where it clamps, no gradient asks who won
                Mask<T> winner = {};
                compete<T>(sum[0][2 * window + 1][v], 1, best, winner);
                compete<T>(sum[1][2 * window][v], 2, best, winner);
                compete<T>(sum[1][2 * window + 1][v], 3, best, winner);
                store(values + (window * VECTORS + v) * L, relu_of<T>(best));
                if constexpr (CODES) store(codes + (window * VECTORS + v) * L, Vec<T>(winner));
            }
    }

    // From [cell][lane] to planes, L cells at a time: `count` cells of the filters [f, f + VECTORS * L) into y and codes, whose
    // planes are `plane` apart.
    template <int VECTORS, bool CODES>
    void spread(const T* values, const T* winners, int64_t count, int64_t f, int64_t plane, T* y, uint8_t* codes) const {
        constexpr int L = lanes<T>;
        for (int64_t c = 0; c < count; c += L)
            for (int v = 0; v < VECTORS; ++v) {
                const int64_t here = smaller<int64_t>(L, filters - f - v * L), left = count - c;
                Vec<T> square[L];
                const auto turn = [&](const T* from) {
#pragma GCC unroll 16
                    for (int i = 0; i < L; ++i) square[i] = load(from + ((c + i) * VECTORS + v) * L);
                    transpose<T>(square);
                };
                turn(values);
                for (int64_t i = 0; i < here; ++i) store_some(y + (f + v * L + i) * plane + c, square[i], left);
                if constexpr (!CODES) continue;
                turn(winners);
                for (int64_t i = 0; i < here; ++i) store_codes<T>(codes + (f + v * L + i) * plane + c, Mask<T>(square[i]), left);
            }
    }

    template <int VECTORS, bool CODES>
    void block(const T* cells, int64_t g, int64_t f, int64_t top, int64_t rows, T* values, T* winners, T* y, uint8_t* codes) const {
        const T *w = weights.data + (g * width + f) * taps, *first = start.data + g * width + f;
        const int64_t plane = pool.oh * pool.ow, at = top * pool.ow;
        for (int64_t r = 0; r < rows; ++r)
            for (int64_t j = 0; j < pool.ow; j += windows_at_once) {
                const int64_t to = (r * pool.ow + j) * VECTORS * lanes<T>;
                windows<VECTORS, CODES>(cells + 2 * (top + r) * lines.line.wq + 2 * j, w, first, values + to, winners + to);
            }
        spread<VECTORS, CODES>(values, winners, rows * pool.ow, f, plane, y + at, CODES ? codes + at : nullptr);
    }

    // One image's group into y and, if somebody wants them, codes (F/groups, PH, PW).
    template <bool CODES>
    void run(const T* x, int64_t g, T* cells, T* values, T* winners, T* y, uint8_t* codes) const {
        lines.fill(x, 0, cells);
        const int64_t some = some_rows();
        for (int64_t top = 0; top < pool.oh; top += some)
            for (int64_t f = 0; f < filters; f += 2 * lanes<T>) {
                const int64_t rows = smaller(some, pool.oh - top);
                if (filters - f > lanes<T>)
                    block<2, CODES>(cells, g, f, top, rows, values, winners, y, codes);
                else
                    block<1, CODES>(cells, g, f, top, rows, values, winners, y, codes);
            }
    }

    // Rows of windows whose results wait together for the transposition.
    MG_INLINE int64_t some_rows() const { return smaller(pool.oh, ceil_div(4 * lanes<T>, pool.ow)); }
    MG_INLINE int64_t waiting() const { return (round_up(some_rows() * pool.ow, lanes<T>) + windows_at_once) * 2 * lanes<T>; }
};

// Pays while there are few taps, and where filters fill their vectors.
template <class T>
MG_INLINE bool by_lanes(const ConvShape& s, const PoolShape& p) {
    const int64_t filters = s.f / s.groups;
    return is_2x2(p) && 4 * round_up(filters, lanes<T>) <= 5 * filters && s.c / s.groups * s.window.kh * s.window.kw <= 128;
}

template <class T>
void pooled_conv(const ConvShape& s, const PoolShape& p, const T* x, const T* w, const T* bias, T* y, uint8_t* codes) {
    const PooledConv<T> plan(s, p, w, bias);
    const int64_t image = s.c / s.groups * s.h * s.w, out = s.f / s.groups * p.oh * p.ow;
    parallel(s.n * s.groups, grain_of(4 * out * plan.taps / lanes<T>), [&](int64_t begin, int64_t end) {
        Scratch<T> cells(plan.lines.room()), values(plan.waiting()), winners(plan.waiting());
        for (int64_t unit = begin; unit < end; ++unit) {
            const T* from = x + unit * image;
            if (codes)
                plan.template run<true>(from, unit % s.groups, cells.data, values.data, winners.data, y + unit * out, codes + unit * out);
            else
                plan.template run<false>(from, unit % s.groups, cells.data, values.data, winners.data, y + unit * out, nullptr);
        }
    });
}

}  // namespace
}  // namespace minigrad
