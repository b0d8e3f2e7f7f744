// Convolution without a column matrix, two ways; both read the lines of lines.h.
//
//   direct:  the register tile reads its rows of B straight from the shifted lines. No packing;
//            the meaningless places at the end of each row are the price.
//   gemm:    the wanted places are packed, tile by tile, into the panels of the matrix product
//            (implicit im2col). Pays with many filters, or where rows are short.
//
// A unit of work is a band of output rows of one image and group.
#pragma once
#include "gemm.h"
#include "lines.h"

namespace minigrad {
namespace {

// Rows of output per unit: some hundred places, and lines that stay in the second-level cache.
MG_INLINE int64_t band_rows(const ConvShape& s, int64_t bytes_per_cell) {
    const int64_t row_bytes = s.c / s.groups * (s.ow * s.window.sw + s.window.kw * s.window.dw) * s.window.sh * bytes_per_cell;
    const int64_t fitting = (384 * 1024) / larger<int64_t>(row_bytes, 1) - s.window.kh * s.window.dh / s.window.sh;
    const int64_t at_least = ceil_div(256, s.ow);
    const int64_t rows = smaller(s.oh, larger(at_least, fitting));
    return ceil_div(s.oh, ceil_div(s.oh, rows));
}

// All filters, packed once: group by group, block of depth by block of depth.
template <class T>
struct PackedFilters {
    int64_t filters, taps, height, group_size;
    Scratch<T> data;

    MG_INLINE PackedFilters(const ConvShape& s, const T* w)
        : filters(s.f / s.groups),
          taps(s.c / s.groups * s.window.kh * s.window.kw),
          height(panel_rows(filters)),
          group_size(ceil_div(filters, height) * a_step<T> * taps),
          data(group_size * s.groups) {
        for (int64_t g = 0; g < s.groups; ++g)
            for (int64_t p = 0; p < taps; p += k_block)
                pack_a(Matrix<T>{w + g * filters * taps, taps, 1}, 0, filters, p, smaller(k_block, taps - p), height,
                       data.data + g * group_size + p * (group_size / taps));
    }

    MG_INLINE const T* block(int64_t g, int64_t p) const { return data.data + g * group_size + p * (group_size / taps); }
};

template <class T>
struct ConvForward {
    const ConvShape& shape;
    const T* x;
    const T* bias;  // or null
    bool relu;
    PackedFilters<T> filters;
    Lines<T> lines;
    int64_t bands;

    MG_INLINE ConvForward(const ConvShape& s, const T* image, const T* w, const T* b, bool clamp, int64_t rows)
        : shape(s), x(image), bias(b), relu(clamp), filters(s, w), lines(s, rows), bands(ceil_div(s.oh, rows)) {}

    MG_INLINE int64_t units() const { return shape.n * shape.groups * bands; }

    MG_INLINE const T* image_of(int64_t n, int64_t g) const {
        return x + (n * shape.c + g * (shape.c / shape.groups)) * shape.h * shape.w;
    }

    // One band through the tile, straight from the lines: out (F/groups, ldc), junk places included.
    void direct(int64_t g, int64_t rows, const T* from, T* out, int64_t ldc) const {
        const int64_t places = lines.places(rows);
        for (int64_t q = 0; q < places; q += tile_cols<T>) {
            const int64_t cols = places - q > lanes<T> ? tile_cols<T> : lanes<T>;
            for (int64_t p = 0; p < filters.taps; p += k_block) {
                const int64_t k = smaller(k_block, filters.taps - p);
                const TileOut<T> tile = {out + q, ldc, bias ? bias + g * filters.filters : nullptr,
                                         nullptr, p > 0, relu && p + k == filters.taps};
                multiply_column(filters.block(g, p), OffsetRows<T>{from + q, lines.offset.data + p}, filters.filters,
                                filters.height, cols, k, tile);
            }
        }
    }

    MG_INLINE int64_t direct_ldc() const { return round_up(lines.places(lines.line.rows), tile_cols<T>); }

    // Pack the places [first, first + cols) of the band, cols <= tile_cols, for the taps [p, p + k).
    void pack_places(const T* from, int64_t first, int64_t cols, int64_t p, int64_t k, T* to) const {
        int64_t start[tile_cols<T>], place[tile_cols<T>], length[tile_cols<T>], runs = 0;
        for (int64_t j = 0; j < cols; j += length[runs++]) {
            const int64_t oy = (first + j) / shape.ow, ox = (first + j) % shape.ow;
            start[runs] = j;
            place[runs] = oy * lines.line.wq + ox;
            length[runs] = smaller(cols - j, shape.ow - ox);
        }
        for (int64_t t = p; t < p + k; ++t, to += tile_cols<T>) {
            const T* row = from + lines.offset.data[t];
            for (int64_t r = 0; r < runs; ++r)  // whole vectors: what is too much, the next run overwrites
                for (int64_t i = 0; i < length[r]; i += lanes<T>) store(to + start[r] + i, load(row + place[r] + i));
        }
    }

    // One band by the packed product: out (F/groups, ldc) holds the wanted places only.
    void gemm(int64_t g, int64_t rows, const T* from, T* out, int64_t ldc, T* panels) const {
        const int64_t places = rows * shape.ow, block = gemm_block;
        for (int64_t q = 0; q < places; q += block) {
            const int64_t cols = smaller(block, places - q);
            for (int64_t p = 0; p < filters.taps; p += k_block) {
                const int64_t k = smaller(k_block, filters.taps - p);
                for (int64_t j = 0; j < cols; j += tile_cols<T>)
                    pack_places(from, q + j, smaller<int64_t>(tile_cols<T>, cols - j), p, k, panels + j * k);
                const TileOut<T> tile = {out + q, ldc, bias ? bias + g * filters.filters : nullptr,
                                         nullptr, p > 0, relu && p + k == filters.taps};
                multiply_panels(filters.block(g, p), panels, filters.filters, filters.height, cols, k, tile);
            }
        }
    }

    static constexpr int64_t gemm_block = 8 * tile_cols<T>;
    MG_INLINE int64_t gemm_room() const { return gemm_block * smaller(filters.taps, k_block) + lanes<T>; }

    // Units [begin, end) into y (N, F, OH, OW).
    void run(bool by_gemm, T* y, int64_t begin, int64_t end) const {
        const int64_t per_group = shape.f / shape.groups, plane = shape.oh * shape.ow;
        Scratch<T> cells(lines.room());
        Scratch<T> extra(by_gemm ? gemm_room() : per_group * direct_ldc());
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t band = unit % bands, g = unit / bands % shape.groups, n = unit / bands / shape.groups;
            const int64_t first = band * lines.line.rows, rows = smaller(lines.line.rows, shape.oh - first);
            lines.fill(image_of(n, g), first, cells.data);
            T* out = y + (n * shape.f + g * per_group) * plane + first * shape.ow;
            if (by_gemm) {
                gemm(g, rows, cells.data, out, plane, extra.data);
                continue;
            }
            direct(g, rows, cells.data, extra.data, direct_ldc());
            for (int64_t f = 0; f < per_group; ++f)
                for (int64_t r = 0; r < rows; ++r)
                    copy_row(extra.data + f * direct_ldc() + r * lines.line.wq, out + f * plane + r * shape.ow, shape.ow);
        }
    }

    MG_INLINE static void copy_row(const T* from, T* to, int64_t count) {
        for (int64_t i = 0; i < count; i += lanes<T>) store_some(to + i, load_some(from + i, count - i), count - i);
    }
};

}  // namespace
}  // namespace minigrad
