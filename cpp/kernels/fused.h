// Convolution, bias, ReLU and max-pool in one go: the convolution's output stays in the cache, and
// backward uses that only the winners carry a gradient.
#pragma once
#include "conv.h"
#include "pooled_conv.h"

namespace minigrad {
namespace {

// Some images at a time through convolution and pool, as long as each thread gets some.
template <class T>
void conv_relu_pool(const ConvShape& s, ConvAlgorithm wanted, const PoolShape& p, const T* x, const T* w, const T* bias, T* y,
                    uint8_t* codes) {
    if (!by_winograd<T>(s, wanted) && !by_gemm<T>(s, wanted) && by_lanes<T>(s, p)) return pooled_conv(s, p, x, w, bias, y, codes);
    Scratch<uint8_t> unwanted(codes ? 0 : s.n * s.f * p.oh * p.ow);
    if (!codes) codes = unwanted.data;
    const int64_t in = s.c * s.h * s.w, mid = s.oh * s.ow, out = p.oh * p.ow;
    const int64_t at_once = by_winograd<T>(s, wanted) ? larger<int64_t>(1, block_tiles / Tiling(s).per_image) : 1;
    const int64_t units = ceil_div(s.n, at_once), bytes = at_once * (s.f * mid + 2 * in) * int64_t(sizeof(T));
    const int64_t cost = at_once * s.f * mid * (s.c / s.groups) * s.window.kh * s.window.kw / (2 * lanes<T>);
    if (bytes > (2 << 20) || (units < num_threads() && cost > 20000)) {
        Scratch<T> between(s.n * s.f * mid);
        conv(s, wanted, x, w, bias, true, between.data);
        parallel(s.n * s.f, pool_grain(p), [&](int64_t begin, int64_t end) {
            Scratch<T> staged(staging<T>(p));
            for (int64_t i = begin; i < end; ++i)
                max_pool_codes(p, between.data + i * mid, s.ow, y + i * out, codes + i * out, staged.data);
        });
        return;
    }
    if constexpr (sizeof(T) == 4) {
        if (by_winograd<T>(s, wanted)) {
            const Winograd plan(s, w);
            parallel(units, 1, [&](int64_t begin, int64_t end) {
                Scratch<T> work(plan.room()), between(at_once * s.f * mid), staged(staging<T>(p));
                for (int64_t n = begin * at_once; n < smaller(s.n, end * at_once); n += at_once) {
                    const int64_t images = smaller(at_once, s.n - n), tiles = images * plan.tiling.per_image;
                    for (int64_t t = 0; t < tiles; t += block_tiles)
                        plan.run(x + n * in, bias, true, between.data, t, smaller(block_tiles, tiles - t), work.data);
                    for (int64_t i = 0; i < images * s.f; ++i)
                        max_pool_codes(p, between.data + i * mid, s.ow, y + (n * s.f + i) * out, codes + (n * s.f + i) * out, staged.data);
                }
            });
            return;
        }
    }
    const bool gemm = by_gemm<T>(s, wanted);
    const ConvForward<T> plan(s, x, w, bias, true, s.oh);
    const int64_t ldc = gemm ? mid : plan.direct_ldc(), step = gemm ? s.ow : plan.lines.line.wq, per_group = s.f / s.groups;
    parallel(s.n * s.groups, grain_of(cost / s.groups), [&](int64_t begin, int64_t end) {
        Scratch<T> cells(plan.lines.room()), between(per_group * ldc), panels(gemm ? plan.gemm_room() : 0), staged(staging<T>(p));
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t g = unit % s.groups;
            plan.lines.fill(plan.image_of(unit / s.groups, g), 0, cells.data);
            if (gemm)
                plan.gemm(g, s.oh, cells.data, between.data, ldc, panels.data);
            else
                plan.direct(g, s.oh, cells.data, between.data, ldc);
            for (int64_t f = 0; f < per_group; ++f) {
                const int64_t at = (unit * per_group + f) * out;
                max_pool_codes(p, between.data + f * ldc, step, y + at, codes + at, staged.data);
            }
        }
    });
}

// gy where ReLU let through, at the winners' places: (N, F, PH, PW) -> (N, F, OH, OW)
template <class T>
void pool_relu_grad(const PoolShape& s, const T* gy, const T* y, const uint8_t* codes, T* g) {
    const WindowShape& win = s.window;
    const int64_t in = s.h * s.w, out = s.oh * s.ow;
    const bool tiled = is_2x2(s);
    parallel(s.planes, grain_of(in / 2), [&](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane) {
            const T *from = gy + plane * out, *value = y + plane * out;
            const uint8_t* code = codes + plane * out;
            T* to = g + plane * in;
            if (!tiled || 2 * s.oh < s.h || 2 * s.ow < s.w)
                for (int64_t i = 0; i < in; i += lanes<T>) store_some(to + i, Vec<T>{}, in - i);
            for (int64_t oy = 0; oy < s.oh; ++oy) {
                if (tiled) {
                    for (int64_t ox = 0; ox < s.ow; ox += lanes<T>) {
                        const int64_t at = oy * s.ow + ox, count = smaller<int64_t>(lanes<T>, s.ow - ox);
                        Bytes<T> bytes = {};
                        for (int64_t i = 0; i < count; ++i) bytes[i] = code[at + i];
                        if (count == lanes<T>) __builtin_memcpy(&bytes, code + at, lanes<T>);
                        const Mask<T> tap = __builtin_convertvector(bytes, Mask<T>);
                        const Vec<T> gain = select<T>(load_some(value + at, count) <= Vec<T>{}, Vec<T>{}, load_some(from + at, count));
                        for (int half = 0; half < 2; ++half) {
                            const Vec<T> left = select<T>(tap == 2 * half, gain, Vec<T>{});
                            const Vec<T> right = select<T>(tap == 2 * half + 1, gain, Vec<T>{});
                            T* row = to + (2 * oy + half) * s.w + 2 * ox;
                            store_some(row, zip_low<T>(left, right), 2 * count);
                            if (2 * count > lanes<T>) store_some(row + lanes<T>, zip_high<T>(left, right), 2 * count - lanes<T>);
                        }
                    }
                    continue;
                }
                for (int64_t ox = 0; ox < s.ow; ++ox) {
                    const int64_t at = oy * s.ow + ox;
                    const int64_t iy = oy * win.sh - win.ph + code[at] / win.kw * win.dh;
                    const int64_t ix = ox * win.sw - win.pw + code[at] % win.kw * win.dw;
                    if (!(value[at] <= 0) && iy >= 0 && iy < s.h && ix >= 0 && ix < s.w) to[iy * s.w + ix] += from[at];
                }
            }
        }
    });
}

// ------------------------------------------------------------------ filters' gradient from the winners

constexpr int max_patch = 4;  // vectors of taps
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int chains = 4;  // winners in flight: hides the latency of the sums
#else
constexpr int chains = 2;
#endif

// sum over winners i of gain[i] * (the patch at place[i]), VECTORS vectors of taps
template <class T, int VECTORS>
void add_patches(const T* gain, const typename Types<T>::Int* place, int64_t count, const T* patches, T* sums) {
    Vec<T> acc[chains][VECTORS] = {};
    const auto add = [&](int64_t i, Vec<T>(&to)[VECTORS]) {
        const T* patch = patches + place[i];
        const Vec<T> weight = splat<T>(gain[i]);
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; ++v) to[v] += weight * load(patch + v * lanes<T>);
    };
    int64_t i = 0;
    for (; i + chains <= count; i += chains)
#pragma GCC unroll 4
        for (int u = 0; u < chains; ++u) add(i + u, acc[u]);
    for (; i < count; ++i) add(i, acc[0]);
    for (int v = 0; v < VECTORS; ++v) {
        Vec<T> total = load(sums + v * lanes<T>);
        for (int u = 0; u < chains; ++u) total += acc[u][v];
        store(sums + v * lanes<T>, total);
    }
}

template <class T>
using AddPatches = void (*)(const T*, const typename Types<T>::Int*, int64_t, const T*, T*);
template <class T>
constexpr AddPatches<T> add_patches_of[max_patch] = {add_patches<T, 1>, add_patches<T, 2>, add_patches<T, 3>, add_patches<T, 4>};

// For every window the patch that its winner saw, times its gain, is summed: at most a quarter of the
// multiplications of the full gradient. The patches of some rows of windows are laid side by side
// first, in the first-level cache; then every filter takes those of its winners.
template <class T>
bool conv_relu_pool_weight_grad(const ConvShape& s, const PoolShape& p, const T* gy, const T* y, const uint8_t* codes, const T* x, T* gw,
                                T* gb) {
    using Int = typename Types<T>::Int;
    const WindowShape& win = p.window;
    const Lines<T> lines(s, s.oh);
    const int64_t taps = lines.line.taps, vectors = ceil_div(taps, lanes<T>), width = vectors * lanes<T>;
    const int64_t wq = lines.line.wq, out = p.oh * p.ow, row_cells = win.sh * wq * width;
    if (vectors > max_patch || win.ph || win.pw || win.sh * win.sw < 4 || row_cells > (1 << 20)) return false;
    if ((p.oh - 1) * win.sh + (win.kh - 1) * win.dh >= s.oh || (p.ow - 1) * win.sw + (win.kw - 1) * win.dw >= s.ow) return false;

    // Every window lies inside: its winner's place is the corner's plus its tap's.
    const int64_t block = larger<int64_t>(1, smaller(p.oh, 8192 / row_cells)), extent = (win.kh - 1) * win.dh + 1;
    Scratch<Int> corner(out + lanes<T>);
    for (int64_t i = 0; i < out; ++i) corner.data[i] = Int((i / p.ow % block * win.sh * wq + i % p.ow * win.sw) * width);
    const Int next_tap = Int(win.dw * width), next_row = Int((win.dh * wq - win.kw * win.dw) * width);
    const T per_row = T(1) / T(win.kw);

    const int64_t pieces = smaller<int64_t>(s.n, 16), per_group = s.f / s.groups, sum_size = width + lanes<T>, sums_size = s.f * sum_size;
    Scratch<T> partial(pieces * sums_size);
    parallel(pieces, grain_of(s.n / pieces * s.f * out * vectors), [&](int64_t begin, int64_t end) {
        Scratch<T> cells(lines.room()), patches(((block - 1) * win.sh + extent) * wq * width), gain(per_group * out + lanes<T>);
        Scratch<Int> place(per_group * out + lanes<T>);
        // What every window passes on, and where its winner's patch stands; the bias gets the gains' sum.
        const auto find_winners = [&](int64_t at, T* sums) {
            T* gains = gain.data;
            Int* places = place.data;
            for (int64_t f = 0; f < per_group; ++f, at += out, gains += out, places += out) {
                Vec<T> total = load(sums + f * sum_size + width);
                for (int64_t i = 0; i < out; i += lanes<T>) {
                    const int64_t left = out - i;
                    const Vec<T> here = select<T>(load_some(y + at + i, left) <= Vec<T>{}, Vec<T>{}, load_some(gy + at + i, left));
                    store(gains + i, here);
                    total += here;
                    const Mask<T> code = load_codes<T>(codes + at + i, left);
                    const Mask<T> row = __builtin_convertvector((__builtin_convertvector(code, Vec<T>) + T(0.5)) * per_row, Mask<T>);
                    Mask<T> where;
                    __builtin_memcpy(&where, corner.data + i, sizeof where);
                    where += code * next_tap + row * next_row;
                    __builtin_memcpy(places + i, &where, sizeof where);
                }
                store(sums + f * sum_size + width, total);
            }
        };
        const auto add_image = [&](int64_t n, int64_t g, T* sums) {
            find_winners((n * s.f + g * per_group) * out, sums);
            lines.fill(x + (n * s.c + g * lines.line.channels) * s.h * s.w, 0, cells.data);
            for (int64_t oy = 0; oy < p.oh; oy += block) {
                const int64_t rows = smaller(block, p.oh - oy), top = oy * win.sh * wq;
                pack_rows_transposed([&](int64_t t) { return cells.data + lines.offset.data[t] + top; }, taps,
                                     lines.places((rows - 1) * win.sh + extent), width, patches.data);
                for (int64_t f = 0; f < per_group; ++f) {
                    const int64_t at = f * out + oy * p.ow;
                    add_patches_of<T>[vectors - 1](gain.data + at, place.data + at, rows * p.ow, patches.data, sums + f * sum_size);
                }
            }
        };
        for (int64_t piece = begin; piece < end; ++piece) {
            T* sums = partial.data + piece * sums_size;
            for (int64_t i = 0; i < sums_size; ++i) sums[i] = 0;
            for (int64_t n = s.n * piece / pieces; n < s.n * (piece + 1) / pieces; ++n)
                for (int64_t g = 0; g < s.groups; ++g) add_image(n, g, sums + g * per_group * sum_size);
        }
    });
    for (int64_t f = 0; f < s.f; ++f) {
        for (int64_t v = 0; v <= vectors; ++v) {
            Vec<T> total = {};
            for (int64_t piece = 0; piece < pieces; ++piece)
                total += load(partial.data + piece * sums_size + f * sum_size + v * lanes<T>);
            if (v < vectors)
                store_some(gw + f * taps + v * lanes<T>, total, taps - v * lanes<T>);
            else if (gb)
                gb[f] = sum_lanes<T>(total);
        }
    }
    return true;
}

}  // namespace
}  // namespace minigrad
