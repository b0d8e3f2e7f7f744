// Small things between host and device that nobody waits for: numbers one way, faults the other, and random numbers.

// The bits of numbers, which travel with the launch itself: nothing has to wait for a copy.
constexpr int kWords = 128;
struct Words {
    long long value[kWords];
};

extern "C" __global__ void write_words(const Words from, long long* to, Index total) {
    EACH(i, total) to[i] = from.value[i];
}

// An index outside [0, size) is a fault of this kind, for the host to find when it next looks: fault = {kind, index}.
extern "C" __global__ void report_outside(const long long* index, long long* fault, long long size, long long kind, Index total) {
    EACH(i, total) {
        const long long place = index[i];
        if (place >= 0 && place < size) continue;
        fault[1] = place;
        fault[0] = kind;
    }
}

// ---------------------------------------------------------------- random numbers by counting

struct Four {
    unsigned word[4];
};

// Four random words for a place in a draw: Philox4x32 with ten rounds.
// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
__device__ __forceinline__ Four philox(unsigned long long key, unsigned long long place, unsigned long long draw) {
    unsigned k0 = unsigned(key), k1 = unsigned(key >> 32);
    Four c = {{unsigned(place), unsigned(place >> 32), unsigned(draw), unsigned(draw >> 32)}};
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const unsigned long long a = 0xD2511F53ull * c.word[0], b = 0xCD9E8D57ull * c.word[2];
        c = {{unsigned(b >> 32) ^ c.word[1] ^ k0, unsigned(b), unsigned(a >> 32) ^ c.word[3] ^ k1, unsigned(a)}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

// `value` where a random word is below `limit` (a probability times 2^32), else 0. The four words of a place go to elements
// a quarter of the array apart, so that threads side by side write side by side.
extern "C" __global__ void noise(const long long* key, Real* y, long long draw, long long limit, Real value, Index size,
                                 Index quarter) {
    EACH(i, quarter) {
        const Four random = philox((unsigned long long)*key, (unsigned long long)i, (unsigned long long)draw);
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const Index at = i + j * quarter;
            if (at < size) y[at] = (long long)random.word[j] < limit ? value : Real(0);
        }
    }
}
