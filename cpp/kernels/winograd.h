// Winograd's F(4x4, 3x3): a 4x4 tile of a 3x3 convolution with 36 multiplications instead of 144.
//
//     Y = A' [ (G g G') * (B' d B) ] A        d: 6x6 cells of the image, g: 3x3 filter, Y: 4x4 places
//
// The sums over channels become 36 matrix products (filters x channels) (channels x tiles). A block
// of tiles is transformed with one tile per lane: rows of 4 cells per tile are combined vertically
// as they lie in memory, then split by column (a perfect shuffle), then combined horizontally.
// Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), points 0, 1, -1, 2, -2.
#pragma once
#include "lines.h"
#include "tile.h"

namespace minigrad {
namespace {

using F = float;
using VF = Vec<float>;
constexpr int VL = lanes<float>;
constexpr int64_t block_tiles = tile_cols<float>;
constexpr int points = 36;

// ------------------------------------------------------------------ the three transforms of a row of cells

MG_INLINE void input_row(const VF (&d)[6], VF (&o)[6]) {  // B' d
    const VF even = d[4] - 4.0f * d[2], odd = d[3] - 4.0f * d[1];
    const VF even2 = d[4] - d[2], odd2 = 2.0f * (d[3] - d[1]);
    o[0] = 4.0f * d[0] - 5.0f * d[2] + d[4];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = even2 + odd2;
    o[4] = even2 - odd2;
    o[5] = 4.0f * d[1] - 5.0f * d[3] + d[5];
}

MG_INLINE void output_row(const VF (&m)[6], VF (&o)[4]) {  // A' m
    const VF sum = m[1] + m[2], difference = m[1] - m[2], sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    o[0] = m[0] + sum + sum2;
    o[1] = difference + 2.0f * difference2;
    o[2] = sum + 4.0f * sum2;
    o[3] = difference + 8.0f * difference2 + m[5];
}

MG_INLINE void gradient_row(const VF (&y)[4], VF (&o)[6]) {  // A y
    const VF even = y[0] + y[2], odd = y[1] + y[3];
    const VF even2 = y[0] + 4.0f * y[2], odd2 = 2.0f * y[1] + 8.0f * y[3];
    o[0] = y[0];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = even2 + odd2;
    o[4] = even2 - odd2;
    o[5] = y[3];
}

// ------------------------------------------------------------------ cells of an image

// Lanes x..x+VL of an image row of `width` cells; 0 outside.
MG_INLINE VF load_clipped(const F* row, int64_t x, int64_t width) {
    if (x >= 0 && x + VL <= width) return load(row + x);
#if defined(__AVX512F__)
    const int64_t low = x < 0 ? smaller<int64_t>(-x, VL) : 0, high = larger(low, smaller<int64_t>(VL, width - x));
    return VF(_mm512_maskz_loadu_ps(__mmask16(((1u << high) - 1) & ~((1u << low) - 1)), row + x));
#else
    VF v = {};
    for (int i = 0; i < VL; ++i)
        if (x + i >= 0 && x + i < width) v[i] = row[x + i];
    return v;
#endif
}

template <int... I>
MG_INLINE VF four_later(VF a, VF b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (I + 4)...);
}

// Four vectors of consecutive cells -> column 0, 1, 2, 3 of every tile.
MG_INLINE void split_columns(const F* cells, VF (&column)[4]) {
    const VF a = load(cells), b = load(cells + VL), c = load(cells + 2 * VL), d = load(cells + 3 * VL);
    const VF even = even_lanes<F>(a, b), even2 = even_lanes<F>(c, d), odd = odd_lanes<F>(a, b), odd2 = odd_lanes<F>(c, d);
    column[0] = even_lanes<F>(even, even2);
    column[1] = even_lanes<F>(odd, odd2);
    column[2] = odd_lanes<F>(even, even2);
    column[3] = odd_lanes<F>(odd, odd2);
}

MG_INLINE void join_columns(const VF (&column)[4], F* cells) {
    const VF low = zip_low<F>(column[0], column[2]), high = zip_high<F>(column[0], column[2]);
    const VF low2 = zip_low<F>(column[1], column[3]), high2 = zip_high<F>(column[1], column[3]);
    store(cells, zip_low<F>(low, low2));
    store(cells + VL, zip_high<F>(low, low2));
    store(cells + 2 * VL, zip_low<F>(high, high2));
    store(cells + 3 * VL, zip_high<F>(high, high2));
}

// ------------------------------------------------------------------ tiles

// Tiles are numbered along a row, row by row, image by image. A block of them is cut into runs that
// stand side by side.
struct Run {
    int64_t image, y, x, count, lane;  // y, x: first output cell
};

struct Tiling {
    const ConvShape& shape;
    int64_t across, down, per_image;

    MG_INLINE explicit Tiling(const ConvShape& s)
        : shape(s), across(ceil_div(s.ow, 4)), down(ceil_div(s.oh, 4)), per_image(across * down) {}

    MG_INLINE int64_t runs(int64_t first, int64_t count, Run (&run)[block_tiles]) const {
        int64_t found = 0;
        for (int64_t lane = 0; lane < count; lane += run[found++].count) {
            const int64_t tile = first + lane, column = tile % across;
            run[found] = {tile / per_image, tile / across % down * 4, column * 4, smaller(count - lane, across - column), lane};
        }
        return found;
    }
};

constexpr int64_t strip = 4 * block_tiles + 2 * VL;  // cells of one row of a block's tiles

// Ask for the cells of a block in the next channel while this one is computed: every plane is a new
// page, where the processor's own prefetching starts anew.
MG_INLINE void prefetch_runs(const Run* run, int64_t runs, const F* plane, int64_t image_step, int64_t height, int64_t width) {
    constexpr int64_t line = 64 / sizeof(F);
    for (int64_t r = 0; r < runs; ++r) {
        const F* from = plane + run[r].image * image_step + run[r].y * width + run[r].x;
        for (int64_t i = 0; i < smaller<int64_t>(4, height - run[r].y); ++i)
            for (int64_t at = 0; at < run[r].count * 4; at += line) __builtin_prefetch(from + i * width + at);
    }
}

// One channel of a block of images: B' d B, to[point * step + lane].
MG_INLINE void transform_input(const Tiling& tiling, const Run* run, int64_t runs, const F* x, int64_t image_step, F* to, int64_t step) {
    const ConvShape& s = tiling.shape;
    alignas(64) F here[6][strip], later[6][strip];  // the tile's own 4 columns; the 2 of its right neighbour
    for (int64_t r = 0; r < runs; ++r) {
        const F* image = x + run[r].image * image_step;
        const int64_t iy = run[r].y - s.window.ph, ix = run[r].x - s.window.pw, cells = run[r].count * 4;
        VF last[6] = {};
        for (int64_t at = 0; at < cells + VL; at += VL) {
            VF d[6] = {}, o[6] = {};
            if (at < cells + 2) {
#pragma GCC unroll 6
                for (int i = 0; i < 6; ++i)
                    if (iy + i >= 0 && iy + i < s.h) d[i] = load_clipped(image + (iy + i) * s.w, ix + at, s.w);
                input_row(d, o);
            }
#pragma GCC unroll 6
            for (int i = 0; i < 6; ++i) {
                if (at < cells) store(here[i] + run[r].lane * 4 + at, o[i]);
                if (at > 0) store(later[i] + run[r].lane * 4 + at - VL, four_later(last[i], o[i], Lanes<F>{}));
                last[i] = o[i];
            }
        }
    }
    for (int64_t lane = 0; lane < block_tiles; lane += VL)
        for (int i = 0; i < 6; ++i) {
            VF d[6], o[6], column[4];
            split_columns(here[i] + lane * 4, column);
#pragma GCC unroll 4
            for (int j = 0; j < 4; ++j) d[j] = column[j];
            split_columns(later[i] + lane * 4, column);
            d[4] = column[0];
            d[5] = column[1];
            input_row(d, o);
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j) store(to + (i * 6 + j) * step + lane, o[j]);
        }
}

// One filter's gradient: A gy A'.
MG_INLINE void transform_gradient(const Tiling& tiling, const Run* run, int64_t runs, const F* gy, int64_t image_step, F* to,
                                  int64_t step) {
    const ConvShape& s = tiling.shape;
    alignas(64) F rows[6][strip];
    for (int64_t r = 0; r < runs; ++r) {
        const F* image = gy + run[r].image * image_step + run[r].y * s.ow;
        for (int64_t at = 0; at < run[r].count * 4; at += VL) {
            VF y[4] = {}, o[6];
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i)
                if (run[r].y + i < s.oh) y[i] = load_clipped(image + i * s.ow, run[r].x + at, s.ow);
            gradient_row(y, o);
#pragma GCC unroll 6
            for (int i = 0; i < 6; ++i) store(rows[i] + run[r].lane * 4 + at, o[i]);
        }
    }
    for (int64_t lane = 0; lane < block_tiles; lane += VL)
        for (int i = 0; i < 6; ++i) {
            VF column[4], o[6];
            split_columns(rows[i] + lane * 4, column);
            gradient_row(column, o);
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j) store(to + (i * 6 + j) * step + lane, o[j]);
        }
}

// One filter's products back to places: A' m A + bias, from[point * step + lane], perhaps through ReLU.
MG_INLINE void transform_output(const Tiling& tiling, const Run* run, int64_t runs, const F* from, int64_t step, F bias, bool relu,
                                F* y, int64_t image_step) {
    const ConvShape& s = tiling.shape;
    alignas(64) F rows[4][strip];
    for (int64_t lane = 0; lane < block_tiles; lane += VL) {
        VF half[4][6];
#pragma GCC unroll 6
        for (int j = 0; j < 6; ++j) {
            VF m[6], o[4];
#pragma GCC unroll 6
            for (int i = 0; i < 6; ++i) m[i] = load(from + (i * 6 + j) * step + lane);
            output_row(m, o);
#pragma GCC unroll 4
            for (int i = 0; i < 4; ++i) half[i][j] = o[i];
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            VF o[4];
            output_row(half[i], o);
#pragma GCC unroll 4
            for (int j = 0; j < 4; ++j) {
                o[j] += bias;
                if (relu) o[j] = relu_of<F>(o[j]);
            }
            join_columns(o, rows[i] + lane * 4);
        }
    }
    for (int64_t r = 0; r < runs; ++r) {
        F* out = y + run[r].image * image_step + run[r].y * s.ow + run[r].x;
        const int64_t cells = smaller(run[r].count * 4, s.ow - run[r].x), high = smaller<int64_t>(4, s.oh - run[r].y);
        for (int64_t i = 0; i < high; ++i)
            for (int64_t at = 0; at < cells; at += VL)
                store_some(out + i * s.ow + at, load(rows[i] + run[r].lane * 4 + at), cells - at);
    }
}

// ------------------------------------------------------------------ forward

// One row of G g: 3 taps -> 6 points; every lane another filter.
MG_INLINE void filter_row(VF a, VF b, VF c, VF (&o)[6]) {
    const VF even = (a + c) * (-1.0f / 6), odd = b * (-1.0f / 6);
    const VF even2 = a * (1.0f / 24) + c * (1.0f / 6), odd2 = b * (1.0f / 12);
    o[0] = a * 0.25f;
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = even2 + odd2;
    o[4] = even2 - odd2;
    o[5] = c;
}

// A convolution prepared: the filters transformed and packed, [group][point][panel][channel][row].
struct Winograd {
    const ConvShape& shape;
    Tiling tiling;
    int64_t filters, channels, height, point_size;
    Scratch<F> packed;

    Winograd(const ConvShape& s, const F* w)
        : shape(s),
          tiling(s),
          filters(s.f / s.groups),
          channels(s.c / s.groups),
          height(panel_rows(filters)),
          point_size(ceil_div(filters, height) * channels * a_step<F> + a_step<F>),
          packed(s.groups * points * point_size) {
        const int64_t panels = ceil_div(filters, height), taps = channels * 9;
        parallel(s.groups * panels, grain_of(channels * 200), [&](int64_t begin, int64_t end) {
            Scratch<F> rows(taps * a_step<F>);  // [channel][tap][filter of the panel]
            for (int64_t unit = begin; unit < end; ++unit) {
                const int64_t g = unit / panels, panel = unit % panels, first = panel * height;
                const Matrix<F> here = {w + (g * filters + first) * taps, taps, 1};
                pack_a(here, 0, smaller(height, filters - first), 0, taps, height, rows.data);
                F* out = packed.data + g * points * point_size + panel * channels * a_step<F>;
                for (int64_t c = 0; c < channels; ++c)
                    for (int64_t lane = 0; lane < a_step<F>; lane += VL)
                        transform_filter(rows.data + c * 9 * a_step<F> + lane, out + c * a_step<F> + lane);
            }
        });
    }

    MG_INLINE void transform_filter(const F* g, F* out) const {
        VF half[3][6], o[6];
#pragma GCC unroll 3
        for (int j = 0; j < 3; ++j)  // columns
            filter_row(load(g + j * a_step<F>), load(g + (3 + j) * a_step<F>), load(g + (6 + j) * a_step<F>), half[j]);
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) {
            filter_row(half[0][i], half[1][i], half[2][i], o);
#pragma GCC unroll 6
            for (int j = 0; j < 6; ++j) store(out + (i * 6 + j) * point_size, o[j]);
        }
    }

    static MG_INLINE int64_t blocks(int64_t tiles) { return ceil_div(tiles, block_tiles); }
    // From one point to the next; never a multiple of a page, whose lines would fight for one cache set.
    static MG_INLINE int64_t point_step(int64_t rows) { return rows * block_tiles + VL; }
    MG_INLINE int64_t room() const { return points * (point_step(channels) + point_step(filters)); }

    // Tiles [first, first + count) of x (., C, H, W) into y (., F, OH, OW); `work` holds room() cells.
    void run(const F* x, const F* bias, bool relu, F* y, int64_t first, int64_t count, F* work) const {
        Run run[block_tiles];
        const int64_t runs = tiling.runs(first, count, run);
        const int64_t in_plane = shape.h * shape.w, out_plane = shape.oh * shape.ow;
        const int64_t image_step = point_step(channels), product_step = point_step(filters);
        F* image = work;                           // [point][channel][tile]
        F* product = work + points * image_step;  // [point][filter][tile]
        for (int64_t g = 0; g < shape.groups; ++g) {
            for (int64_t c = 0; c < channels; ++c) {
                const F* plane = x + (g * channels + c) * in_plane;
                if (c + 1 < channels) prefetch_runs(run, runs, plane + in_plane, shape.c * in_plane, shape.h, shape.w);
                transform_input(tiling, run, runs, plane, shape.c * in_plane, image + c * block_tiles, image_step);
            }
            for (int64_t point = 0; point < points; ++point) {
                const TileOut<F> out = {product + point * product_step, block_tiles, nullptr, nullptr, false, false};
                multiply_column(packed.data + (g * points + point) * point_size,
                                PanelRows<F>{image + point * image_step, block_tiles}, filters, height,
                                count > VL ? block_tiles : VL, channels, out);
            }
            for (int64_t f = 0; f < filters; ++f)
                transform_output(tiling, run, runs, product + f * block_tiles, product_step,
                                 bias ? bias[g * filters + f] : 0.0f, relu, y + (g * filters + f) * out_plane,
                                 shape.f * out_plane);
        }
    }
};

}  // namespace
}  // namespace minigrad
