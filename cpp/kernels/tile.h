// The innermost loop of every matrix product: a tile of C stays in registers while k runs.
//
//            B panel: k x (VECTORS * lanes)
//                 +---------+
//                 | b0 | b1 |  one row per step of k
//                 +---------+
//   A panel  a0   | c00 c01 |
//   k x rows a1   | c10 c11 |   c[i][v] += a[i] * b[v]
//            ..   | ..   .. |
#pragma once
#include "parallel.h"

namespace minigrad {
namespace {

// Accumulators + one row of B + one broadcast fill the register file: 16 registers up to AVX2
// (SSE needs one more, its products have no fused add), 32 on AVX-512 and NEON.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int max_rows = 12;
#elif defined(__AVX2__)
constexpr int max_rows = 6;
#else
constexpr int max_rows = 4;
#endif
constexpr int tile_vectors = 2;
template <class T>
constexpr int tile_cols = tile_vectors * lanes<T>;
// A panels are padded to whole vectors, so that they can be packed by transposing squares.
template <class T>
constexpr int a_step = (max_rows + lanes<T> - 1) / lanes<T> * lanes<T>;
// A panel of B of this depth is 32 KiB at most and stays in the first-level cache.
constexpr int64_t k_block = 256;

// Where a tile goes and what happens on the way.
template <class T>
struct TileOut {
    T* c;
    int64_t ldc;
    const T* row_bias;  // one per row, or null
    const T* col_bias;  // one per column, or null
    bool accumulate;    // start from C instead of the bias
    bool relu;          // clamp before storing
};

template <class T>
MG_INLINE Vec<T> relu_of(Vec<T> v) {
    return select<T>(v <= Vec<T>{}, Vec<T>{}, v);  // NaN passes
}

// Where the rows of B stand: in a packed panel, or anywhere at all.
template <class T>
struct PanelRows {
    const T* data;
    int64_t step;

    MG_INLINE const T* at(int64_t k) const { return data + k * step; }
};
template <class T>
struct OffsetRows {
    const T* data;
    const int64_t* offset;

    MG_INLINE const T* at(int64_t k) const { return data + offset[k]; }
};

// C[0..ROWS)[0..cols) = A panel * rows of B; the last vector of a row of C may be partial.
template <class T, int ROWS, int VECTORS, class Rows>
void tile_product(int64_t k, const T* a, Rows b, int64_t cols, const TileOut<T>& out) {
    using V = Vec<T>;
    constexpr int L = lanes<T>;
    V acc[ROWS][VECTORS];
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; ++v) {
            const int64_t left = v + 1 < VECTORS ? L : cols - v * L;
            if (out.accumulate) {
                acc[i][v] = load_some(out.c + i * out.ldc + v * L, left);
            } else {
                acc[i][v] = splat<T>(out.row_bias ? out.row_bias[i] : T(0));
                if (out.col_bias) acc[i][v] += load_some(out.col_bias + v * L, left);
            }
        }
    }
    for (int64_t step = 0; step < k; ++step) {
        V row[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; ++v) row[v] = load(b.at(step) + v * L);
#pragma GCC unroll 16
        for (int i = 0; i < ROWS; ++i) {
            const V left = splat<T>(a[i]);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; ++v) acc[i][v] += left * row[v];
        }
        a += a_step<T>;
    }
#pragma GCC unroll 16
    for (int i = 0; i < ROWS; ++i) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; ++v)
            store_some(out.c + i * out.ldc + v * L, out.relu ? relu_of<T>(acc[i][v]) : acc[i][v],
                       v + 1 < VECTORS ? L : cols - v * L);
    }
}

template <class T, class Rows>
using TileKernel = void (*)(int64_t, const T*, Rows, int64_t, const TileOut<T>&);

template <class T, class Rows, int... R>
MG_INLINE TileKernel<T, Rows> pick_tile(int64_t rows, bool wide, std::integer_sequence<int, R...>) {
    static constexpr TileKernel<T, Rows> narrow_ones[] = {tile_product<T, R + 1, 1, Rows>...};
    static constexpr TileKernel<T, Rows> wide_ones[] = {tile_product<T, R + 1, tile_vectors, Rows>...};
    return (wide ? wide_ones : narrow_ones)[rows - 1];
}

// A tile of any height up to max_rows and any width up to tile_cols.
template <class T, class Rows>
MG_INLINE void multiply_tile(int64_t rows, int64_t cols, int64_t k, const T* a, Rows b, const TileOut<T>& out) {
    pick_tile<T, Rows>(rows, cols > lanes<T>, std::make_integer_sequence<int, max_rows>{})(k, a, b, cols, out);
}

// The same tile `i` rows down and `j` columns to the right.
template <class T>
MG_INLINE TileOut<T> shifted(TileOut<T> out, int64_t i, int64_t j) {
    out.c += i * out.ldc + j;
    if (out.row_bias) out.row_bias += i;
    if (out.col_bias) out.col_bias += j;
    return out;
}

// Rows per panel: as equal as possible, so that the last panel is not a sliver.
MG_INLINE int64_t panel_rows(int64_t rows) {
    return rows <= max_rows ? larger<int64_t>(rows, 1) : ceil_div(rows, ceil_div(rows, max_rows));
}

// ------------------------------------------------------------------ packing

// A strided matrix: element (i, j) at data[i * row_step + j * col_step]; one of the steps is 1.
template <class T>
struct Matrix {
    const T* data;
    int64_t row_step, col_step;

    MG_INLINE const T* at(int64_t i, int64_t j) const { return data + i * row_step + j * col_step; }
};

// Transpose `rows` x k (row r at at(r), contiguous in k) into k x width, missing rows as zeros.
// width is a multiple of the lanes.
template <class Row, class T>
MG_INLINE void pack_rows_transposed(Row at, int64_t rows, int64_t k, int64_t width, T* to) {
    constexpr int L = lanes<T>;
    for (int64_t r = 0; r < width; r += L) {
        const T* row[L];
        const int64_t here = smaller<int64_t>(L, rows - r);
        for (int64_t i = 0; i < L; ++i) row[i] = at(i < here ? r + i : 0);
        for (int64_t p = 0; p < k; p += L) {
            Vec<T> square[L];
            const int64_t left = k - p;
#pragma GCC unroll 16
            for (int i = 0; i < L; ++i) __builtin_prefetch(row[i] + p + 4 * L);  // so many rows are too many streams
#pragma GCC unroll 16
            for (int i = 0; i < L; ++i) square[i] = i < here ? load_some(row[i] + p, left) : Vec<T>{};
            transpose<T>(square);
            T* out = to + p * width + r;
            if (left >= L) {
#pragma GCC unroll 16
                for (int i = 0; i < L; ++i) store(out + i * width, square[i]);
            } else {
                T rest[L][L];
                for (int i = 0; i < L; ++i) store(rest[i], square[i]);
                for (int64_t i = 0; i < left; ++i) store(out + i * width, load(rest[i]));
            }
        }
    }
}
template <class T>
MG_INLINE void pack_transposed(const T* from, int64_t step, int64_t rows, int64_t k, int64_t width, T* to) {
    pack_rows_transposed([&](int64_t r) { return from + r * step; }, rows, k, width, to);
}

// Copy k x cols (rows `step` apart) into k x width, missing columns as zeros.
template <class T>
MG_INLINE void pack_straight(const T* from, int64_t step, int64_t cols, int64_t k, int64_t width, T* to) {
    constexpr int L = lanes<T>;
    for (int64_t p = 0; p < k; ++p)
        for (int64_t j = 0; j < width; j += L)
            store(to + p * width + j, cols - j > 0 ? load_some(from + p * step + j, cols - j) : Vec<T>{});
}

// Panels of A: rows [i0, i0 + rows) by columns [p0, p0 + k), `height` rows per panel.
template <class T>
void pack_a(const Matrix<T>& a, int64_t i0, int64_t rows, int64_t p0, int64_t k, int64_t height, T* to) {
    for (int64_t i = 0; i < rows; i += height, to += k * a_step<T>) {
        const int64_t here = smaller(height, rows - i);
        if (a.col_step == 1)
            pack_transposed(a.at(i0 + i, p0), a.row_step, here, k, a_step<T>, to);
        else
            pack_straight(a.at(i0 + i, p0), a.col_step, here, k, a_step<T>, to);
    }
}

// Panels of B: rows [p0, p0 + k) by columns [j0, j0 + cols), tile_cols columns per panel.
template <class T>
void pack_b(const Matrix<T>& b, int64_t p0, int64_t k, int64_t j0, int64_t cols, T* to) {
    for (int64_t j = 0; j < cols; j += tile_cols<T>, to += k * tile_cols<T>) {
        const int64_t here = smaller<int64_t>(tile_cols<T>, cols - j);
        if (b.col_step == 1)
            pack_straight(b.at(p0, j0 + j), b.row_step, here, k, tile_cols<T>, to);
        else
            pack_transposed(b.at(p0, j0 + j), b.col_step, here, k, tile_cols<T>, to);
    }
}

// One column of tiles: rows x cols of C (cols up to tile_cols), A packed in panels of `height` rows.
template <class T, class Rows>
MG_INLINE void multiply_column(const T* a, Rows b, int64_t rows, int64_t height, int64_t cols, int64_t k, const TileOut<T>& out) {
    for (int64_t i = 0; i < rows; i += height, a += k * a_step<T>)
        multiply_tile<T, Rows>(smaller(height, rows - i), cols, k, a, b, shifted(out, i, 0));
}

// All tiles of a packed block: rows x cols of C, both operands packed at depth k.
template <class T>
MG_INLINE void multiply_panels(const T* a, const T* b, int64_t rows, int64_t height, int64_t cols, int64_t k, const TileOut<T>& out) {
    for (int64_t j = 0; j < cols; j += tile_cols<T>)
        multiply_column(a, PanelRows<T>{b + j * k, tile_cols<T>}, rows, height, smaller<int64_t>(tile_cols<T>, cols - j), k,
                        shifted(out, 0, j));
}

}  // namespace
}  // namespace minigrad
