// C = A B + bias, perhaps through ReLU: five loops around the register tile.
#pragma once
#include "tile.h"

namespace minigrad {
namespace {

template <class T>
struct Product {
    int64_t m, n, k;
    Matrix<T> a, b;
    TileOut<T> out;
};

// The part of a product in rows [i0, i1), columns [j0, j1), depth [p0, p1), on one thread.
template <class T>
void product_part(const Product<T>& job, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t p0, int64_t p1) {
    if (i0 >= i1 || j0 >= j1) return;
    const int64_t height = panel_rows(i1 - i0);
    const int64_t row_block = larger<int64_t>(height, 240 / height * height);
    const int64_t col_block = 8 * tile_cols<T>;
    const int64_t depth = smaller(p1 - p0, k_block);
    Scratch<T> a_panels(ceil_div(smaller(i1 - i0, row_block), height) * a_step<T> * depth);
    Scratch<T> b_panels(round_up(smaller(j1 - j0, col_block), tile_cols<T>) * depth);
    for (int64_t j = j0; j < j1; j += col_block) {
        const int64_t cols = smaller(col_block, j1 - j);
        int64_t p = p0;
        do {  // at least once: an empty sum is still stored
            const int64_t k = smaller(k_block, p1 - p);
            pack_b(job.b, p, k, j, cols, b_panels.data);
            for (int64_t i = i0; i < i1; i += row_block) {
                const int64_t rows = smaller(row_block, i1 - i);
                pack_a(job.a, i, rows, p, k, height, a_panels.data);
                TileOut<T> out = shifted(job.out, i, j);
                out.accumulate = job.out.accumulate || p > p0;
                out.relu = job.out.relu && p + k >= p1;
                multiply_panels(a_panels.data, b_panels.data, rows, height, cols, k, out);
            }
            p += k;
        } while (p < p1);
    }
}

// A short and wide C with a long sum: the sum is cut into pieces, whose results are added in order.
// The pieces depend on the shape alone, so that every number of threads gives the same bits.
template <class T>
void product_split_sum(const Product<T>& job, int64_t pieces) {
    const int64_t m = job.m, n = job.n, k = job.k;
    Scratch<T> partial(pieces * m * n);
    parallel(pieces, 1, [&](int64_t begin, int64_t end) {
        for (int64_t s = begin; s < end; ++s) {
            Product<T> piece = job;
            piece.out = {partial.data + s * m * n, n, nullptr, nullptr, false, false};
            product_part(piece, 0, m, 0, n, k * s / pieces, k * (s + 1) / pieces);
        }
    });
    const TileOut<T>& out = job.out;
    parallel(m, grain_of(n * pieces / lanes<T>), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
            for (int64_t j = 0; j < n; j += lanes<T>) {
                Vec<T> sum = splat<T>(out.row_bias ? out.row_bias[i] : T(0));
                if (out.col_bias) sum += load_some(out.col_bias + j, n - j);
                for (int64_t s = 0; s < pieces; ++s) sum += load_some(partial.data + (s * m + i) * n + j, n - j);
                store_some(out.c + i * out.ldc + j, out.relu ? relu_of<T>(sum) : sum, n - j);
            }
    });
}

// With few rows each vector of B is read from the outer caches for a multiplication or two: count it as four rows of work.
MG_INLINE int64_t rows_worth(int64_t m) { return larger<int64_t>(m, 4); }

// Few rows, B contiguous in k: every result is a dot product, four of them at a time.
template <class T>
void product_dots(const Product<T>& job) {
    constexpr int L = lanes<T>, together = 4;
    const TileOut<T>& out = job.out;
    parallel(ceil_div(job.n, together), grain_of(job.k * together * rows_worth(job.m) / L), [&](int64_t begin, int64_t end) {
        for (int64_t group = begin; group < end; ++group) {
            const int64_t j = group * together, count = smaller<int64_t>(together, job.n - j);
            for (int64_t i = 0; i < job.m; ++i) {
                const T* x = job.a.at(i, 0);
                const T* w[together];
                for (int u = 0; u < together; ++u) w[u] = job.b.at(0, j + (u < count ? u : 0));
                Vec<T> sum[together][2] = {};
                int64_t p = 0;
                for (; p + 2 * L <= job.k; p += 2 * L) {
                    const Vec<T> left = load(x + p), right = load(x + p + L);
#pragma GCC unroll 4
                    for (int u = 0; u < together; ++u) {
                        sum[u][0] += left * load(w[u] + p);
                        sum[u][1] += right * load(w[u] + p + L);
                    }
                }
                for (; p < job.k; p += L)
                    for (int u = 0; u < together; ++u)
                        sum[u][0] += load_some(x + p, job.k - p) * load_some(w[u] + p, job.k - p);
                for (int u = 0; u < count; ++u) {
                    T y = sum_lanes<T>(sum[u][0] + sum[u][1]);
                    if (out.row_bias) y += out.row_bias[i];
                    if (out.col_bias) y += out.col_bias[j + u];
                    out.c[i * out.ldc + j + u] = out.relu && y <= 0 ? T(0) : y;
                }
            }
        }
    });
}

// Few rows, B contiguous in n: stream B once, row by row, while the results stay in the cache.
template <class T>
void product_rows(const Product<T>& job) {
    constexpr int L = lanes<T>, together = 4;
    const TileOut<T>& out = job.out;
    parallel(ceil_div(job.n, L), grain_of(job.k * rows_worth(job.m)), [&](int64_t begin, int64_t end) {
        const int64_t j0 = begin * L, j1 = smaller(end * L, job.n);
        for (int64_t i = 0; i < job.m; ++i) {
            T* c = out.c + i * out.ldc;
            for (int64_t j = j0; j < j1; j += L) {
                Vec<T> start = splat<T>(out.row_bias ? out.row_bias[i] : T(0));
                if (out.col_bias) start += load_some(out.col_bias + j, j1 - j);
                store_some(c + j, start, j1 - j);
            }
            for (int64_t p = 0; p < job.k; p += together) {
                const int64_t count = smaller<int64_t>(together, job.k - p);
                Vec<T> left[together] = {};
                const T* row[together];
                for (int u = 0; u < together; ++u) {
                    row[u] = job.b.at(p + (u < count ? u : 0), 0);
                    if (u < count) left[u] = splat<T>(*job.a.at(i, p + u));
                }
                for (int64_t j = j0; j < j1; j += L) {
                    Vec<T> sum = load_some(c + j, j1 - j);
#pragma GCC unroll 4
                    for (int u = 0; u < together; ++u)
                        if (u < count) sum += left[u] * load_some(row[u] + j, j1 - j);
                    store_some(c + j, sum, j1 - j);
                }
            }
            if (out.relu)
                for (int64_t j = j0; j < j1; j += L) store_some(c + j, relu_of<T>(load_some(c + j, j1 - j)), j1 - j);
        }
    });
}

// Which way is quickest for this shape. Only the cut into threads may depend on their number.
template <class T>
void product(const Product<T>& job) {
    if (job.m == 0 || job.n == 0) return;
    const double work = double(job.m) * double(job.n) * double(job.k);
    if (job.m <= 4 && job.k > 1 && !job.out.accumulate) {
        if (job.b.col_step == 1) return product_rows(job);
        if (job.a.col_step == 1) return product_dots(job);
    }
    if (job.m * job.n <= 32768 && job.k >= 4 * k_block && !job.out.accumulate)
        return product_split_sum(job, smaller<int64_t>(8, job.k / (2 * k_block)));
    const int64_t threads = work < 100000 ? 1 : num_threads();
    // A grid of threads: down first, since tall parts share the packed B of their columns less.
    const int64_t across = smaller(threads, ceil_div(job.n, tile_cols<T>));
    const bool wide = job.n >= job.m;
    const int64_t columns = wide ? across : 1;
    const int64_t rows = wide ? smaller(threads / across, ceil_div(job.m, max_rows)) : smaller(threads, ceil_div(job.m, max_rows));
    parallel(rows * columns, 1, [&](int64_t begin, int64_t end) {
        const int64_t width = ceil_div(job.n, columns * lanes<T>) * lanes<T>;
        for (int64_t part = begin; part < end; ++part) {
            const int64_t i = part / columns, j = part % columns;
            product_part(job, job.m * i / rows, job.m * (i + 1) / rows, smaller(job.n, width * j),
                         smaller(job.n, width * (j + 1)), 0, job.k);
        }
    });
}

}  // namespace
}  // namespace minigrad
