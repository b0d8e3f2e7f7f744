// The gradient of a 3x3 convolution in its filters, by Winograd's tiles: the adjoint of winograd.h.
//
//     gg = G' [ sum over tiles of (A gy A') * (B' d B) ] G
#pragma once
#include "conv_grad.h"
#include "winograd.h"

namespace minigrad {
namespace {

// One column of G' u: 6 points -> 3 taps; every lane another channel.
MG_INLINE void filter_column(const VF (&u)[6], VF (&o)[3]) {
    const VF sum = u[1] + u[2], difference = u[1] - u[2], sum2 = u[3] + u[4], difference2 = u[3] - u[4];
    o[0] = 0.25f * u[0] - sum * (1.0f / 6) + sum2 * (1.0f / 24);
    o[1] = difference2 * (1.0f / 12) - difference * (1.0f / 6);
    o[2] = (sum2 - sum) * (1.0f / 6) + u[5];
}

// The 36 sums of some channels, `step` apart, of every piece -> 9 gradients per channel
MG_INLINE void finish_filters(const F* sums, int64_t step, int64_t pieces, int64_t piece_step, int64_t channels, F* out) {
    VF half[3][6];
    for (int j = 0; j < 6; ++j) {
        VF u[6] = {}, o[3];
        for (int64_t s = 0; s < pieces; ++s)
#pragma GCC unroll 6
            for (int i = 0; i < 6; ++i) u[i] += load_some(sums + (i * 6 + j) * step + s * piece_step, channels);
        filter_column(u, o);
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) half[i][j] = o[i];
    }
    F taps[9][VL];
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) {
        VF o[3];
        filter_column(half[i], o);
#pragma GCC unroll 3
        for (int j = 0; j < 3; ++j) store(taps[i * 3 + j], o[j]);
    }
    for (int64_t c = 0; c < smaller<int64_t>(channels, VL); ++c)
        for (int t = 0; t < 9; ++t) out[c * 9 + t] = taps[t][c];
}

void winograd_weight_grad(const ConvShape& s, const F* gy, const F* x, F* gw) {
    const Tiling tiling(s);
    const int64_t filters = s.f / s.groups, channels = s.c / s.groups, height = panel_rows(filters);
    const int64_t in_plane = s.h * s.w, out_plane = s.oh * s.ow;
    const int64_t tiles = s.n * tiling.per_image, blocks = ceil_div(tiles, block_tiles);
    const int64_t pieces = smaller<int64_t>(blocks, blocks < 64 ? 4 : 8);
    const int64_t sum_step = filters * channels + VL, sums_size = s.groups * points * sum_step;
    // Blocks that are transformed before they are multiplied: the sums are then read and written less often.
    const int64_t together = larger<int64_t>(1, smaller<int64_t>(k_block, (1 << 18) / (points * (filters + channels))) / block_tiles);
    const int64_t depth = together * block_tiles;
    const int64_t image_step = channels * depth + VL, gradient_step = filters * depth + VL;  // off the page size
    Scratch<F> sums(pieces * sums_size);

    parallel(pieces, 1, [&](int64_t begin, int64_t end) {
        Scratch<F> image(points * image_step), gradient(points * gradient_step);
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
                        for (int64_t c = 0; c < channels; ++c) {
                            const F* plane = x + (g * channels + c) * in_plane;
                            if (c + 1 < channels) prefetch_runs(run, runs, plane + in_plane, s.c * in_plane, s.h, s.w);
                            transform_input(tiling, run, runs, plane, s.c * in_plane, image.data + c * depth + b * block_tiles, image_step);
                        }
                        for (int64_t f = 0; f < filters; ++f) {
                            const F* plane = gy + (g * filters + f) * out_plane;
                            if (f + 1 < filters) prefetch_runs(run, runs, plane + out_plane, s.f * out_plane, s.oh, s.ow);
                            transform_gradient(tiling, run, runs, plane, s.f * out_plane, gradient.data + f * depth + b * block_tiles,
                                               gradient_step);
                        }
                    }
                    for (int64_t point = 0; point < points; ++point) {
                        pack_a(Matrix<F>{gradient.data + point * gradient_step, depth, 1}, 0, filters, 0, k, height, a_panels.data);
                        for (int64_t c = 0; c < channels; c += tile_cols<F>) {
                            const int64_t cols = smaller<int64_t>(tile_cols<F>, channels - c);
                            pack_transposed(image.data + point * image_step + c * depth, depth, cols, k, tile_cols<F>, b_panels.data);
                            F* to = sum + (g * points + point) * sum_step + c;
                            multiply_column(a_panels.data, PanelRows<F>{b_panels.data, tile_cols<F>}, filters, height, cols, k,
                                            TileOut<F>{to, channels, nullptr, nullptr, true, false});
                        }
                    }
                }
        }
    });
    parallel(s.f, grain_of(channels * 4 * pieces), [&](int64_t begin, int64_t end) {
        for (int64_t f = begin; f < end; ++f) {
            const F* from = sums.data + f / filters * points * sum_step + f % filters * channels;
            for (int64_t c = 0; c < channels; c += VL)
                finish_filters(from + c, sum_step, pieces, sums_size, channels - c, gw + (f * channels + c) * 9);
        }
    });
}

}  // namespace
}  // namespace minigrad
