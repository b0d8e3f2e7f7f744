// Convolution: which algorithm serves which shape.
#pragma once
#include "winograd_grad.h"

namespace minigrad {
namespace {

// Winograd serves float32, 3x3, stride 1; it pays once there are some channels to sum over, and tiles
// enough to fill half a block.
template <class T>
MG_INLINE bool by_winograd(const ConvShape& s, ConvAlgorithm wanted) {
    const WindowShape& w = s.window;
    const bool possible = sizeof(T) == 4 && w.kh == 3 && w.kw == 3 && w.sh == 1 && w.sw == 1 && w.dh == 1 && w.dw == 1;
    if (wanted != ConvAlgorithm::automatic) return possible && wanted == ConvAlgorithm::winograd;
    return possible && s.c / s.groups >= 12 && s.f / s.groups >= 12 && s.oh >= 3 && s.ow >= 3 &&
           2 * s.n * Tiling(s).per_image >= block_tiles;
}

template <class T>
MG_INLINE bool by_gemm(const ConvShape& s, ConvAlgorithm wanted) {
    if (wanted == ConvAlgorithm::direct) return false;
    return wanted == ConvAlgorithm::gemm || s.c / s.groups > 4;
}

template <class T>
void conv(const ConvShape& s, ConvAlgorithm wanted, const T* x, const T* w, const T* bias, bool relu, T* y) {
    if constexpr (sizeof(T) == 4) {
        if (by_winograd<T>(s, wanted)) {
            const Winograd plan(s, w);
            const int64_t tiles = s.n * plan.tiling.per_image;
            parallel(plan.blocks(tiles), grain_of(points * s.f * plan.channels), [&](int64_t begin, int64_t end) {
                Scratch<T> work(plan.room());
                for (int64_t b = begin; b < end; ++b)
                    plan.run(x, bias, relu, y, b * block_tiles, smaller(block_tiles, tiles - b * block_tiles), work.data);
            });
            return;
        }
    }
    const ConvForward<T> plan(s, x, w, bias, relu, band_rows(s, sizeof(T)));
    const int64_t cost = plan.lines.line.rows * s.ow * s.f / s.groups * plan.filters.taps / lanes<T>;
    parallel(plan.units(), grain_of(cost / 2), [&](int64_t begin, int64_t end) { plan.run(by_gemm<T>(s, wanted), y, begin, end); });
}

template <class T>
void conv_input_grad(const ConvShape& s, ConvAlgorithm wanted, const T* gy, const T* w, T* gx) {
    if (!turns_around(s)) return input_grad_columns(s, gy, w, gx);
    Scratch<T> turned(s.f * (s.c / s.groups) * s.window.kh * s.window.kw);
    turn_filters(s, w, turned.data);
    conv<T>(turned_shape(s), wanted, gy, turned.data, nullptr, false, gx);
}

template <class T>
void conv_weight_grad(const ConvShape& s, ConvAlgorithm wanted, const T* gy, const T* x, T* gw) {
    if constexpr (sizeof(T) == 4)
        if (by_winograd<T>(s, wanted)) return winograd_weight_grad(s, gy, x, gw);
    weight_grad_lines(s, gy, x, gw, !by_gemm<T>(s, wanted));
}

}  // namespace
}  // namespace minigrad
