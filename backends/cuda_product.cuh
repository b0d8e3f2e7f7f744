// Matrix products of which a problem says what the factors are: by tiles in shared memory, and by tiles whose long sums are
// cut into parts for several blocks. In front of cuda_conv.cu and cuda_linear.cu.

// ---------------------------------------------------------------- by tiles

constexpr int kDepth = 16;  // of a tile, along K

// Where a block keeps its tiles: the same place for whatever problem it works on.
template <int TM, int TN>
struct TileMemory {
    Sum a[kDepth][16 * TM + 4], b[kDepth][16 * TN + 4];
};

template <int TM, int TN>
__device__ __forceinline__ TileMemory<TM, TN>& tile_memory() {
    typedef TileMemory<TM, TN> Memory;
    SHARED(Memory, memory, [1]);
    return memory[0];
}

// C = A @ B in tiles: a block of 256 threads makes (16*TM, 16*TN) of C from (m0, n0) on, a thread TM x TN of it. What A and B
// are, the problem says: left(m, k) and right(k, column), where column(n) is worked out once a thread. The target, often the
// problem itself, has store(m, place, value) with place = out_column(n). The next tiles are read while the present ones are multiplied.
template <int TM, int TN, class Problem, class Target>
__device__ void tile_product(const Problem& problem, const Target& target, Index m0, Index n0, Index m_size, Index n_size,
                             Index k_first, Index k_last) {
    constexpr int BN = 16 * TN, kThreads = 256;
    constexpr int VECTOR = TN % 4 == 0 ? 4 : 1;  // adjacent columns of one thread
    // Threads next to one another read along K in A, and in B along K or along its columns, whichever is adjacent in memory.
    constexpr int B_LOADS = kDepth * BN / kThreads, B_COLUMNS = Problem::right_along_k ? B_LOADS : 1;
    auto& a_tile = tile_memory<TM, TN>().a;
    auto& b_tile = tile_memory<TM, TN>().b;
    const int t = int(threadIdx.x), tx = t % 16, ty = t / 16;

    typename Problem::Column columns[B_COLUMNS];
    for (int j = 0; j < B_COLUMNS; ++j) {
        const Index n = n0 + (Problem::right_along_k ? ty + 16 * j : t % BN);
        columns[j] = problem.column(n < n_size ? n : n_size - 1);
    }

    Sum a_next[TM], b_next[B_LOADS], sums[TM][TN];
    const auto fetch = [&](Index k0) {
#pragma unroll
        for (int i = 0; i < TM; ++i) {
            const Index m = m0 + ty + 16 * i, k = k0 + tx;
            a_next[i] = m < m_size && k < k_last ? problem.left(m, k) : Sum(0);
        }
#pragma unroll
        for (int j = 0; j < B_LOADS; ++j) {
            const Index k = k0 + (Problem::right_along_k ? tx : t / BN + kThreads / BN * j);
            b_next[j] = k < k_last ? problem.right(k, columns[Problem::right_along_k ? j : 0]) : Sum(0);
        }
    };

#pragma unroll
    for (int i = 0; i < TM; ++i)
#pragma unroll
        for (int j = 0; j < TN; ++j) sums[i][j] = Sum(0);

    fetch(k_first);
    for (Index k0 = k_first; k0 < k_last; k0 += kDepth) {
#pragma unroll
        for (int i = 0; i < TM; ++i) a_tile[tx][ty + 16 * i] = a_next[i];
#pragma unroll
        for (int j = 0; j < B_LOADS; ++j) {
            if (Problem::right_along_k)
                b_tile[tx][ty + 16 * j] = b_next[j];
            else
                b_tile[t / BN + kThreads / BN * j][t % BN] = b_next[j];
        }
        __syncthreads();
        if (k0 + kDepth < k_last) fetch(k0 + kDepth);
#pragma unroll
        for (int k = 0; k < kDepth; ++k) {
            Sum a[TM], b[TN];
#pragma unroll
            for (int i = 0; i < TM; ++i) a[i] = a_tile[k][ty * TM + i];
#pragma unroll
            for (int j = 0; j < TN; ++j) b[j] = b_tile[k][(j / VECTOR * 16 + tx) * VECTOR + j % VECTOR];
#pragma unroll
            for (int i = 0; i < TM; ++i)
#pragma unroll
                for (int j = 0; j < TN; ++j) sums[i][j] += a[i] * b[j];
        }
        __syncthreads();
    }

#pragma unroll
    for (int j = 0; j < TN; ++j) {
        const Index n = n0 + (j / VECTOR * 16 + tx) * VECTOR + j % VECTOR;
        if (n >= n_size) continue;
        const Index at = target.out_column(n);
#pragma unroll
        for (int i = 0; i < TM; ++i) {
            const Index m = m0 + ty * TM + i;
            if (m < m_size) target.store(m, at, sums[i][j]);
        }
    }
}

// ---------------------------------------------------------------- by tiles and parts

constexpr Index kTogether = 16;          // parts of a tile that are added up together, and then such groups
constexpr Index kMarks = kTogether + 1;  // counters of a tile

// Whether this block is the last of `expected` to come here. The counter starts and ends as 0. What all blocks wrote before is
// seen by the last one, if it reads it past its own cache. Counting alone is atomic: sums are in a fixed order.
__device__ __forceinline__ bool last_to_come(unsigned* counter, Index expected) {
    SHARED(int, last, [1]);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        last[0] = atomicAdd(counter, 1u) == unsigned(expected - 1);
        if (last[0]) *counter = 0;
    }
    __syncthreads();
    __threadfence();
    return last[0] != 0;
}

// The parts' own memory: (parts, m_size, n_size).
struct Part {
    Sum* sums;
    Index n_size;
    __device__ Index out_column(Index n) const { return n; }
    __device__ void store(Index m, Index n, Sum value) const { sums[m * n_size + n] = value; }
};

// Add up `count` parts of a tile, `step` apart, into a target.
template <int TM, int TN, class Target>
__device__ void add_parts(const Target& target, const Sum* sums, Index count, Index step, Index m0, Index n0, Index m_size, Index n_size) {
    constexpr int BM = 16 * TM, BN = 16 * TN, kThreads = 256;
    const Index size = m_size * n_size;
#pragma unroll
    for (int i = 0; i < BM * BN / kThreads; ++i) {
        const int cell = int(threadIdx.x) + kThreads * i;
        const Index m = m0 + cell / BN, n = n0 + cell % BN;
        if (m >= m_size || n >= n_size) continue;
        const Sum* mine = sums + m * n_size + n;
        Sum sum = Sum(0);
#pragma unroll 8
        for (Index part = 0; part < count; ++part) sum += __ldcg(mine + part * step * size);
        target.store(m, target.out_column(n), sum);
    }
}

// The block's share of C = A @ B: its number says the tile and the part of the long sum. With several parts the last block of a
// tile's group adds up the group's, and the last of the groups adds up those.
template <int TM, int TN, class Problem>
__device__ void split_product(const Problem& problem, Index block, Index m_size, Index n_size, Index depth, Index parts, Sum* sums,
                              unsigned* counters) {
    constexpr int BM = 16 * TM, BN = 16 * TN;
    const Index tile = block / parts, part = block - tile * parts, across = up(n_size, BN);
    const Index m0 = tile / across * BM, n0 = tile % across * BN;
    if (parts == 1) {
        tile_product<TM, TN>(problem, problem, m0, n0, m_size, n_size, 0, depth);
        return;
    }
    const Index size = m_size * n_size, length = up(up(depth, parts), kDepth) * kDepth, first = part * length;
    tile_product<TM, TN>(problem, Part{sums + part * size, n_size}, m0, n0, m_size, n_size, first < depth ? first : depth,
                         first + length < depth ? first + length : depth);
    const Index group = part / kTogether, groups = up(parts, kTogether), start = group * kTogether;
    const Index here = parts - start < kTogether ? parts - start : kTogether;
    if (!last_to_come(counters + tile * kMarks + group, here)) return;
    if (groups == 1) {
        add_parts<TM, TN>(problem, sums, here, 1, m0, n0, m_size, n_size);
        return;
    }
    add_parts<TM, TN>(Part{sums + start * size, n_size}, sums + start * size, here, 1, m0, n0, m_size, n_size);
    if (!last_to_come(counters + tile * kMarks + kTogether, groups)) return;
    add_parts<TM, TN>(problem, sums, groups, kTogether, m0, n0, m_size, n_size);
}
