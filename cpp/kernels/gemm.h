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

// So few rows that B is read where it lies: packing it would cost more than its scattered rows do.
constexpr int64_t straight_rows = 240;

// All tiles of rows x cols of C, A packed, B with its rows `step` apart. While the panels of A pass by one tile's columns of B,
// those of the next come into the cache. A tile must not read behind B's rows: a last one that would is packed into `room`.
template <class T>
void multiply_straight(const T* a, const T* b, int64_t step, int64_t rows, int64_t height, int64_t cols, int64_t k, const TileOut<T>& out,
                       T* room) {
    const int64_t per_panel = k / ceil_div(rows, height) + 1;
    for (int64_t j = 0; j < cols; j += tile_cols<T>) {
        const int64_t here = smaller<int64_t>(tile_cols<T>, cols - j);
        PanelRows<T> columns = {b + j, step};
        if (here % lanes<T>) {
            pack_straight(b + j, step, here, k, tile_cols<T>, room);
            columns = {room, tile_cols<T>};
        }
        const T* panel = a;
        int64_t soon = here == cols - j ? k : 0;
        for (int64_t i = 0; i < rows; i += height, panel += k * a_step<T>) {
            for (const int64_t end = smaller(k, soon + per_panel); soon < end; ++soon)
                for (int64_t q = 0; q < tile_cols<T>; q += 64 / int64_t(sizeof(T)))
                    __builtin_prefetch(b + soon * step + j + tile_cols<T> + q);
            multiply_tile<T>(smaller(height, rows - i), here, k, panel, columns, shifted(out, i, j));
        }
    }
}

// The part of a product in rows [i0, i1), columns [j0, j1), depth [p0, p1), on one thread.
template <class T>
void product_part(const Product<T>& job, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t p0, int64_t p1) {
    if (i0 >= i1 || j0 >= j1) return;
    const int64_t height = panel_rows(i1 - i0);
    const int64_t row_block = larger<int64_t>(height, 240 / height * height);
    const int64_t col_block = 8 * tile_cols<T>;
    const int64_t depth = smaller(p1 - p0, k_block);
    const bool straight = job.b.col_step == 1 && i1 - i0 <= straight_rows;
    Scratch<T> a_panels(ceil_div(smaller(i1 - i0, row_block), height) * a_step<T> * depth);
    Scratch<T> b_panels(round_up(smaller(j1 - j0, col_block), tile_cols<T>) * depth);
    for (int64_t j = j0; j < j1; j += col_block) {
        const int64_t cols = smaller(col_block, j1 - j);
        int64_t p = p0;
        do {  // at least once: an empty sum is still stored
            const int64_t k = smaller(k_block, p1 - p);
            if (!straight) pack_b(job.b, p, k, j, cols, b_panels.data);
            for (int64_t i = i0; i < i1; i += row_block) {
                const int64_t rows = smaller(row_block, i1 - i);
                pack_a(job.a, i, rows, p, k, height, a_panels.data);
                TileOut<T> out = shifted(job.out, i, j);
                out.accumulate = job.out.accumulate || p > p0;
                out.relu = job.out.relu && p + k >= p1;
                if (straight)
                    multiply_straight(a_panels.data, job.b.at(p, j), job.b.row_step, rows, height, cols, k, out, b_panels.data);
                else
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

// ------------------------------------------------------------------ both sides contiguous in k

// Results that are in flight together, as dot products along k: sum_rows x sum_cols accumulators, the vectors of
// the columns and one of a row fill the register file.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int sum_rows = 5, sum_cols = 5, dots_up_to = 1 << 20;
#else
constexpr int sum_rows = 3, sum_cols = 3, dots_up_to = 32;
#endif
constexpr int64_t second_level = 1 << 20;  // bytes of cache, of which most processors have as much or half
constexpr int64_t dot_block = 1088;  // of k: two times sum_rows of them fit the first-level cache

// C[0..ROWS)[0..COLS) (+)= A B over k: rows of A and columns of B are `a_step`, `b_step` apart.
template <class T, int ROWS, int COLS>
void dot_tile(int64_t k, const T* a, int64_t a_step, const T* b, int64_t b_step, const TileOut<T>& out) {
    constexpr int L = lanes<T>, chains = ROWS * COLS > 6 ? 1 : 2;  // enough sums in flight to hide an addition's latency
    Vec<T> acc[chains][ROWS][COLS] = {};
    const auto add = [&](int64_t p, Vec<T>(&to)[ROWS][COLS], auto read) {
        Vec<T> column[COLS];
#pragma GCC unroll 5
        for (int j = 0; j < COLS; ++j) column[j] = read(b + j * b_step + p);
#pragma GCC unroll 5
        for (int i = 0; i < ROWS; ++i) {
            const Vec<T> row = read(a + i * a_step + p);
#pragma GCC unroll 5
            for (int j = 0; j < COLS; ++j) to[i][j] += row * column[j];
        }
    };
    int64_t p = 0;
    for (; p + chains * L <= k; p += chains * L)
#pragma GCC unroll 2
        for (int u = 0; u < chains; ++u) add(p + u * L, acc[u], [](const T* from) { return load(from); });
    for (; p < k; p += L) add(p, acc[0], [&](const T* from) { return load_some(from, k - p); });
#pragma GCC unroll 5
    for (int i = 0; i < ROWS; ++i) {
        T* c = out.c + i * out.ldc;
#pragma GCC unroll 5
        for (int j = 0; j < COLS; ++j) {
            T y = sum_lanes<T>(chains == 1 ? acc[0][i][j] : acc[0][i][j] + acc[chains - 1][i][j]);
            if (out.accumulate)
                y += c[j];
            else
                y += (out.row_bias ? out.row_bias[i] : T(0)) + (out.col_bias ? out.col_bias[j] : T(0));
            c[j] = out.relu && y <= 0 ? T(0) : y;
        }
    }
}

template <class T>
using DotTile = void (*)(int64_t, const T*, int64_t, const T*, int64_t, const TileOut<T>&);
template <class T, int... N>
MG_INLINE DotTile<T> pick_dot_tile(int64_t rows, int64_t cols, std::integer_sequence<int, N...>) {
    static constexpr DotTile<T> all[] = {dot_tile<T, N / sum_cols + 1, N % sum_cols + 1>...};
    return all[(rows - 1) * sum_cols + cols - 1];
}

// Nothing is packed: every result is a sum along k. A block of k of some rows of A stays in the first-level cache, while
// the columns of B pass by.
template <class T>
void product_dots(const Product<T>& job) {
    const int64_t m = job.m, n = job.n;
    const int64_t depth = job.k <= dot_block ? job.k : round_up(ceil_div(job.k, ceil_div(job.k, dot_block)), lanes<T>);
    const int64_t strips = ceil_div(m, sum_rows), cost = sum_rows * n * job.k / lanes<T> / 2;
    // The threads share the rows; or the columns, where rows are few, or where all of A and B stay in the second-level cache:
    // B is the weights there, which an optimiser's threads then find in their own caches.
    const bool tall = strips >= 2 * num_threads() && (m > 2 * n || (m + n) * job.k * int64_t(sizeof(T)) > second_level);
    const auto part = [&](int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
        int64_t p = 0;
        do {
            const int64_t k = smaller(depth, job.k - p);
            for (int64_t i = i0; i < i1; i += sum_rows)
                for (int64_t j = j0; j < j1; j += sum_cols) {
                    const int64_t rows = smaller<int64_t>(sum_rows, i1 - i), cols = smaller<int64_t>(sum_cols, j1 - j);
                    TileOut<T> out = shifted(job.out, i, j);
                    out.accumulate = job.out.accumulate || p > 0;
                    out.relu = job.out.relu && p + k >= job.k;
                    pick_dot_tile<T>(rows, cols, std::make_integer_sequence<int, sum_rows * sum_cols>{})(
                        k, job.a.at(i, p), job.a.row_step, job.b.at(p, j), job.b.col_step, out);
                }
            p += k;
        } while (p < job.k);
    };
    if (tall)
        parallel(strips, grain_of(cost), [&](int64_t begin, int64_t end) { part(begin * sum_rows, smaller(m, end * sum_rows), 0, n); });
    else
        parallel(ceil_div(n, sum_cols), grain_of(rows_worth(m) * sum_cols * job.k / lanes<T>),
                 [&](int64_t begin, int64_t end) { part(0, m, begin * sum_cols, smaller(n, end * sum_cols)); });
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

// Dot products pay for a sum across lanes at every result and block of k, packing for every operand. And they read the
// columns of B again for every few rows, which only caches can bear.
template <class T>
bool dots_pay(const Product<T>& job) {
    const double operands = double(job.k) * double(job.m + job.n), bytes = operands * double(sizeof(T));
    const double sums = double(job.m) * double(job.n) * double(ceil_div(job.k, dot_block));
    return job.m <= 4 || (job.m <= dots_up_to && job.k >= 2 * lanes<T> && 10 * sums < operands && bytes < 4e6);
}

// Which way is quickest for this shape. Only the cut into threads may depend on their number.
template <class T>
void product(const Product<T>& job) {
    if (job.m == 0 || job.n == 0) return;
    const double work = double(job.m) * double(job.n) * double(job.k);
    if (job.m <= 4 && job.k > 1 && !job.out.accumulate && job.b.col_step == 1) return product_rows(job);
    if (job.a.col_step == 1 && job.b.row_step == 1 && dots_pay<T>(job)) return product_dots(job);
    if (job.m * job.n <= 32768 && job.k >= 4 * k_block && !job.out.accumulate)
        return product_split_sum(job, smaller<int64_t>(8, job.k / (2 * k_block)));
    const int64_t threads = work < 100000 ? 1 : num_threads();
    // A grid of threads: down first, since tall parts share the packed B of their columns less. But parts of rows lie in memory
    // as an optimiser's threads cut the result, so they are better where B stays in every thread's second-level cache.
    const int64_t across = smaller(threads, ceil_div(job.n, tile_cols<T>));
    const bool fits = job.b.col_step == 1 && job.k * job.n * int64_t(sizeof(T)) <= second_level / 2;
    const bool wide = job.n >= job.m && !(fits && job.m >= 4 * max_rows * threads && job.m <= straight_rows);
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
