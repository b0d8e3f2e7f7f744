// The gradient of a 3x3 convolution in its filters, by Winograd's tiles: the adjoint of winograd.h.
//
//     gg = G' [ sum over tiles of (A gy A') * (B' d B) ] G
#pragma once
#include "conv_grad.h"
#include "winograd.h"

namespace minigrad {
namespace {

// One column of G' u: 6 points -> 3 taps
MG_INLINE void filter_column(F u0, F u1, F u2, F u3, F u4, F u5, F (&o)[3]) {
    const F sum = u1 + u2, difference = u1 - u2, sum2 = u3 + u4, difference2 = u3 - u4;
    o[0] = 0.25f * u0 - sum * (1.0f / 6) + sum2 * (1.0f / 24);
    o[1] = difference2 * (1.0f / 12) - difference * (1.0f / 6);
    o[2] = (sum2 - sum) * (1.0f / 6) + u5;
}

// 36 sums, `step` apart, of every piece -> 9 gradients
MG_INLINE void finish_filter(const F* sums, int64_t step, int64_t pieces, int64_t piece_step, F* out) {
    F u[points], half[6][3];
    for (int p = 0; p < points; ++p) {
        u[p] = 0;
        for (int64_t s = 0; s < pieces; ++s) u[p] += sums[p * step + s * piece_step];
    }
    for (int j = 0; j < 6; ++j) filter_column(u[j], u[6 + j], u[12 + j], u[18 + j], u[24 + j], u[30 + j], half[j]);
    for (int i = 0; i < 3; ++i) {
        F o[3];
        filter_column(half[0][i], half[1][i], half[2][i], half[3][i], half[4][i], half[5][i], o);
        for (int j = 0; j < 3; ++j) out[i * 3 + j] = o[j];
    }
}

void winograd_weight_grad(const ConvShape& s, const F* gy, const F* x, F* gw) {
    const Tiling tiling(s);
    const int64_t filters = s.f / s.groups, channels = s.c / s.groups, height = panel_rows(filters);
    const int64_t in_plane = s.h * s.w, out_plane = s.oh * s.ow;
    const int64_t tiles = s.n * tiling.per_image, blocks = ceil_div(tiles, block_tiles);
    const int64_t pieces = smaller<int64_t>(blocks, 4), sums_size = points * s.f * channels;
    // Blocks that are transformed before they are multiplied: the sums are then read and written less often.
    const int64_t together = larger<int64_t>(1, smaller<int64_t>(k_block, (3 << 18) / (points * (filters + channels))) / block_tiles);
    const int64_t depth = together * block_tiles;
    Scratch<F> sums(pieces * sums_size);

    parallel(pieces, 1, [&](int64_t begin, int64_t end) {
        Scratch<F> image(points * channels * depth), gradient(points * filters * depth);
        Scratch<F> a_panels(ceil_div(filters, height) * a_step<F> * depth), b_panels(tile_cols<F> * depth);
        for (int64_t piece = begin; piece < end; ++piece) {
            F* sum = sums.data + piece * sums_size;
            for (int64_t i = 0; i < sums_size; ++i) sum[i] = 0;
            const int64_t stop = smaller(tiles, blocks * (piece + 1) / pieces * block_tiles);
            for (int64_t first = blocks * piece / pieces * block_tiles; first < stop; first += depth)
                for (int64_t g = 0; g < s.groups; ++g) {
                    const int64_t used = smaller(together, ceil_div(stop - first, block_tiles)), k = smaller(depth, stop - first);
                    for (int64_t b = 0; b < used; ++b) {
                        Run run[block_tiles];
                        const int64_t here = first + b * block_tiles;
                        const int64_t runs = tiling.runs(here, smaller(block_tiles, stop - here), run);
                        for (int64_t c = 0; c < channels; ++c)
                            transform_input(tiling, run, runs, x + (g * channels + c) * in_plane, s.c * in_plane,
                                            image.data + c * depth + b * block_tiles, channels * depth);
                        for (int64_t f = 0; f < filters; ++f)
                            transform_gradient(tiling, run, runs, gy + (g * filters + f) * out_plane, s.f * out_plane,
                                               gradient.data + f * depth + b * block_tiles, filters * depth);
                    }
                    for (int64_t point = 0; point < points; ++point) {
                        pack_a(Matrix<F>{gradient.data + point * filters * depth, depth, 1}, 0, filters, 0, k, height, a_panels.data);
                        for (int64_t c = 0; c < channels; c += tile_cols<F>) {
                            const int64_t cols = smaller<int64_t>(tile_cols<F>, channels - c);
                            pack_transposed(image.data + (point * channels + c) * depth, depth, cols, k, tile_cols<F>, b_panels.data);
                            F* to = sum + ((g * points + point) * filters) * channels + c;
                            multiply_column(a_panels.data, PanelRows<F>{b_panels.data, tile_cols<F>}, filters, height, cols, k,
                                            TileOut<F>{to, channels, nullptr, nullptr, true, false});
                        }
                    }
                }
        }
    });
    parallel(s.f, grain_of(channels * 40 * pieces), [&](int64_t begin, int64_t end) {
        for (int64_t f = begin; f < end; ++f) {
            const int64_t g = f / filters;
            const F* from = sums.data + (g * points * filters + f % filters) * channels;
            for (int64_t c = 0; c < channels; ++c)
                finish_filter(from + c, filters * channels, pieces, sums_size, gw + (f * channels + c) * 9);
        }
    });
}

}  // namespace
}  // namespace minigrad
