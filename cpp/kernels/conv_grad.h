// Gradients of convolution, on the lines of lines.h.
#pragma once
#include "conv_forward.h"

namespace minigrad {
namespace {

// Lay gy's rows out like the lines, with zeros at the meaningless places: (F/groups, step).
template <class T>
void spread_rows(const T* gy, int64_t filters, int64_t plane, int64_t rows, int64_t ow, int64_t wq, int64_t step, T* to) {
    for (int64_t f = 0; f < filters; ++f) {
        T* out = to + f * step;
        const T* from = gy + f * plane;
        for (int64_t r = 0; r < rows; ++r, out += wq, from += ow) {
            __builtin_memcpy(out, from, size_t(ow) * sizeof(T));
            for (int64_t q = ow; q < wq; ++q) out[q] = 0;
        }
        for (T* stop = to + (f + 1) * step; out < stop; ++out) *out = 0;
    }
}

// ------------------------------------------------------------------ in the image

// Any stride: the columns of gy, tile by tile, are added back where their taps saw the image.
template <class T>
void input_grad_columns(const ConvShape& s, const T* gy, const T* w, T* gx) {
    const Lines<T> lines(s, s.oh);
    const int64_t filters = s.f / s.groups, channels = s.c / s.groups, taps = lines.line.taps;
    const int64_t height = panel_rows(taps), group_size = ceil_div(taps, height) * a_step<T> * filters;
    Scratch<T> packed(group_size * s.groups);
    for (int64_t g = 0; g < s.groups; ++g)
        pack_a(Matrix<T>{w + g * filters * taps, 1, taps}, 0, taps, 0, filters, height, packed.data + g * group_size);
    const int64_t places = lines.places(s.oh), step = round_up(s.oh * lines.line.wq, tile_cols<T>);

    parallel(s.n * s.groups, 1, [&](int64_t begin, int64_t end) {
        Scratch<T> cells(lines.room()), spread(filters * step), columns(taps * tile_cols<T>);
        Scratch<T> panel(filters * tile_cols<T>);
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t g = unit % s.groups;
            spread_rows(gy + unit * filters * s.oh * s.ow, filters, s.oh * s.ow, s.oh, s.ow, lines.line.wq, step, spread.data);
            for (int64_t q = 0; q < lines.room(); ++q) cells.data[q] = 0;
            for (int64_t q = 0; q < places; q += tile_cols<T>) {
                pack_straight(spread.data + q, step, tile_cols<T>, filters, tile_cols<T>, panel.data);
                multiply_column(packed.data + g * group_size, PanelRows<T>{panel.data, tile_cols<T>}, taps, height, tile_cols<T>,
                                filters, TileOut<T>{columns.data, tile_cols<T>, nullptr, nullptr, false, false});
                for (int64_t t = 0; t < taps; ++t) {
                    T* to = cells.data + lines.offset.data[t] + q;
                    for (int v = 0; v < tile_cols<T>; v += lanes<T>)
                        store(to + v, load(to + v) + load(columns.data + t * tile_cols<T> + v));
                }
            }
            T* out = gx + unit * channels * s.h * s.w;
            for (int64_t i = 0; i < channels * s.h * s.w; ++i) out[i] = 0;
            lines.add_back(cells.data, out);
        }
    });
}

// Stride 1: a convolution of gy with every filter turned by half a turn, and F and C exchanged.
MG_INLINE bool turns_around(const ConvShape& s) {
    const WindowShape& win = s.window;
    return win.sh == 1 && win.sw == 1 && win.ph <= (win.kh - 1) * win.dh && win.pw <= (win.kw - 1) * win.dw;
}

MG_INLINE ConvShape turned_shape(const ConvShape& s) {
    const WindowShape& win = s.window;
    return {s.n, s.f, s.oh, s.ow, s.c, s.h, s.w, s.groups,
            {win.kh, win.kw, 1, 1, (win.kh - 1) * win.dh - win.ph, (win.kw - 1) * win.dw - win.pw, win.dh, win.dw}};
}

// (F, C/groups, KH, KW) -> (C, F/groups, KH, KW), turned.
template <class T>
void turn_filters(const ConvShape& s, const T* w, T* to) {
    const int64_t filters = s.f / s.groups, channels = s.c / s.groups, taps = s.window.kh * s.window.kw;
    for (int64_t g = 0; g < s.groups; ++g)
        for (int64_t f = 0; f < filters; ++f)
            for (int64_t c = 0; c < channels; ++c)
                for (int64_t t = 0; t < taps; ++t)
                    to[((g * channels + c) * filters + f) * taps + taps - 1 - t] =
                        w[((g * filters + f) * channels + c) * taps + t];
}

// ------------------------------------------------------------------ in the filters

// The images are cut into pieces, whose gradients are added in order. Their number depends on the
// shape alone: any number of threads gives the same bits.
MG_INLINE int64_t weight_grad_pieces(int64_t units, int64_t weights) {
    return smaller(units, larger<int64_t>(2, smaller<int64_t>(16, (4 << 20) / larger<int64_t>(weights, 1))));
}

template <class T>
void add_pieces(const T* partial, int64_t pieces, int64_t count, T* sum) {
    parallel(ceil_div(count, lanes<T>), grain_of(pieces), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin * lanes<T>; i < smaller(end * lanes<T>, count); i += lanes<T>) {
            Vec<T> total = load_some(partial + i, count - i);
            for (int64_t s = 1; s < pieces; ++s) total += load_some(partial + s * count + i, count - i);
            store_some(sum + i, total, count - i);
        }
    });
}

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int dot_rows = 4, dot_cols = 6;
#elif defined(__AVX2__)
constexpr int dot_rows = 3, dot_cols = 4;
#else
constexpr int dot_rows = 2, dot_cols = 4;
#endif

// sums[i][j] += gy row i . line of tap j, over `places` (whole vectors); rows `step` apart.
template <class T, int ROWS>
void dot_tile(const T* gy, int64_t step, const T* lines, const int64_t* offset, int64_t places, T* sums, int64_t sums_step) {
    constexpr int L = lanes<T>;
    Vec<T> acc[ROWS][dot_cols];
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < dot_cols; ++j) acc[i][j] = load(sums + i * sums_step + j * L);
    const T* line[dot_cols];
#pragma GCC unroll 8
    for (int j = 0; j < dot_cols; ++j) line[j] = lines + offset[j];
    for (int64_t q = 0; q < places; q += L) {
        Vec<T> left[ROWS];
#pragma GCC unroll 8
        for (int i = 0; i < ROWS; ++i) left[i] = load(gy + i * step + q);
#pragma GCC unroll 8
        for (int j = 0; j < dot_cols; ++j) {
            const Vec<T> right = load(line[j] + q);
#pragma GCC unroll 8
            for (int i = 0; i < ROWS; ++i) acc[i][j] += left[i] * right;
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < ROWS; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < dot_cols; ++j) store(sums + i * sums_step + j * L, acc[i][j]);
}

// Few channels: every weight's gradient is one long dot product; its lanes stay apart to the end.
template <class T>
struct WeightDots {
    int64_t filters, taps, padded_taps, row;  // row: cells of one filter's sums
    Scratch<int64_t> offset;

    MG_INLINE WeightDots(const ConvShape& s, const Lines<T>& lines)
        : filters(s.f / s.groups),
          taps(lines.line.taps),
          padded_taps(round_up(taps, dot_cols)),
          row(padded_taps * lanes<T>),
          offset(padded_taps) {
        for (int64_t t = 0; t < padded_taps; ++t) offset.data[t] = lines.offset.data[t < taps ? t : 0];
    }

    MG_INLINE void add(const T* spread, int64_t step, const T* cells, int64_t places, T* sums) const {
        for (int64_t f = 0; f < filters; f += dot_rows)
            for (int64_t t = 0; t < padded_taps; t += dot_cols) {
                T* to = sums + f * row + t * lanes<T>;
                if (filters - f >= dot_rows)
                    dot_tile<T, dot_rows>(spread + f * step, step, cells, offset.data + t, places, to, row);
                else
                    for (int64_t i = f; i < filters; ++i)
                        dot_tile<T, 1>(spread + i * step, step, cells, offset.data + t, places, to + (i - f) * row, row);
            }
    }

    MG_INLINE void finish(const T* sums, T* gw) const {
        for (int64_t f = 0; f < filters; ++f)
            for (int64_t t = 0; t < taps; ++t) gw[f * taps + t] = sum_lanes<T>(load(sums + f * row + t * lanes<T>));
    }
};

// gw = gy (F/groups x places) * lines^T (places x taps): the product with both sides packed from
// rows that run along the sum.
template <class T>
void weight_product(const T* spread, int64_t step, int64_t filters, const T* cells, const Lines<T>& lines, int64_t places,
                    T* gw, T* a_panels, T* b_panels) {
    const int64_t height = panel_rows(filters), taps = lines.line.taps;
    for (int64_t q = 0; q < places; q += k_block) {
        const int64_t k = smaller(k_block, places - q);
        pack_a(Matrix<T>{spread, step, 1}, 0, filters, q, k, height, a_panels);
        for (int64_t t = 0; t < taps; t += tile_cols<T>) {
            const int64_t cols = smaller<int64_t>(tile_cols<T>, taps - t);
            pack_rows_transposed([&](int64_t r) { return cells + lines.offset.data[t + r] + q; }, cols, k,
                                 tile_cols<T>, b_panels);
            multiply_column(a_panels, PanelRows<T>{b_panels, tile_cols<T>}, filters, height, cols, k,
                            TileOut<T>{gw + t, taps, nullptr, nullptr, true, false});
        }
    }
}

template <class T>
void weight_grad_lines(const ConvShape& s, const T* gy, const T* x, T* gw, bool dots) {
    const int64_t filters = s.f / s.groups, plane = s.oh * s.ow, count = s.f * (s.c / s.groups) * s.window.kh * s.window.kw;
    const int64_t rows = band_rows(s, sizeof(T)), bands = ceil_div(s.oh, rows);
    const Lines<T> lines(s, rows);
    const WeightDots<T> by_dots(s, lines);
    const int64_t units = s.n * bands, pieces = weight_grad_pieces(units, count);
    const int64_t step = round_up(rows * lines.line.wq, lanes<T>), taps = lines.line.taps;
    const int64_t sums_size = dots ? round_up(filters, dot_rows) * by_dots.row * s.groups : 0;
    Scratch<T> partial(pieces * count);

    parallel(pieces, 1, [&](int64_t begin, int64_t end) {
        Scratch<T> cells(lines.room()), spread(round_up(filters, dot_rows) * step), sums(sums_size);
        Scratch<T> a_panels(dots ? 0 : ceil_div(filters, panel_rows(filters)) * a_step<T> * k_block);
        Scratch<T> b_panels(dots ? 0 : tile_cols<T> * k_block);
        for (int64_t piece = begin; piece < end; ++piece) {
            T* out = partial.data + piece * count;
            for (int64_t i = 0; i < count; ++i) out[i] = 0;
            for (int64_t i = 0; i < sums_size; ++i) sums.data[i] = 0;
            for (int64_t unit = units * piece / pieces; unit < units * (piece + 1) / pieces; ++unit) {
                const int64_t n = unit / bands, first = unit % bands * rows, here = smaller(rows, s.oh - first);
                const int64_t places = lines.places(here);
                for (int64_t g = 0; g < s.groups; ++g) {
                    lines.fill(x + (n * s.c + g * lines.line.channels) * s.h * s.w, first, cells.data);
                    spread_rows(gy + (n * s.f + g * filters) * plane + first * s.ow, filters, plane, here, s.ow,
                                lines.line.wq, step, spread.data);
                    if (dots)
                        by_dots.add(spread.data, step, cells.data, places, sums.data + g * (sums_size / s.groups));
                    else
                        weight_product(spread.data, step, filters, cells.data, lines, places, out + g * filters * taps,
                                       a_panels.data, b_panels.data);
                }
            }
            if (dots)
                for (int64_t g = 0; g < s.groups; ++g)
                    by_dots.finish(sums.data + g * (sums_size / s.groups), out + g * filters * taps);
        }
    });
    add_pieces(partial.data, pieces, count, gw);
}

// Sum of every filter's gradient: (N, F, cells) -> (F,). One fixed order: image by image, lane by lane.
template <class T>
void bias_grad(const T* gy, int64_t n, int64_t f, int64_t cells, T* gb) {
    if (cells == 1) {  // of a linear layer: filters are lanes
        parallel(ceil_div(f, lanes<T>), grain_of(n), [&](int64_t begin, int64_t end) {
            for (int64_t i = begin * lanes<T>; i < smaller(f, end * lanes<T>); i += lanes<T>) {
                Vec<T> total[4] = {};
                for (int64_t image = 0; image < n; ++image) total[image % 4] += load_some(gy + image * f + i, f - i);
                store_some(gb + i, (total[0] + total[1]) + (total[2] + total[3]), f - i);
            }
        });
        return;
    }
    parallel(f, grain_of(n * ceil_div(cells, lanes<T>)), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            Vec<T> total[4] = {};
            for (int64_t image = 0; image < n; ++image) {
                const T* from = gy + (image * f + i) * cells;
                int64_t p = 0;
                for (; p + 4 * lanes<T> <= cells; p += 4 * lanes<T>)
                    for (int u = 0; u < 4; ++u) total[u] += load(from + p + u * lanes<T>);
                for (; p < cells; p += lanes<T>) total[0] += load_some(from + p, cells - p);
            }
            gb[i] = sum_lanes<T>((total[0] + total[1]) + (total[2] + total[3]));
        }
    });
}

}  // namespace
}  // namespace minigrad
