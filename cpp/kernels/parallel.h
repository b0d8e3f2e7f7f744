// What a kernel needs of the runtime: threads and scratch memory.
#pragma once
#include "../runtime/arena.h"
#include "../runtime/threads.h"
#include "simd.h"

namespace minigrad {
namespace {

template <class Work>
void call_body(void* work, int64_t begin, int64_t end) {
    (*static_cast<Work*>(work))(begin, end);
}

// work(begin, end) for runs of [0, count); at least `grain` items each
template <class Work>
MG_INLINE void parallel(int64_t count, int64_t grain, Work work) {
    run_parallel(count, grain, call_body<Work>, &work);
}

// A block of the arena for the time of a scope.
template <class T>
struct Scratch {
    int64_t bytes;
    T* data;

    MG_INLINE explicit Scratch(int64_t count)
        : bytes((count + lanes<T>) * int64_t(sizeof(T))), data(static_cast<T*>(arena_take(size_t(bytes)))) {}
    MG_INLINE ~Scratch() { arena_release(data, size_t(bytes)); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
};

template <class T>
MG_INLINE T smaller(T a, T b) {
    return b < a ? b : a;
}
template <class T>
MG_INLINE T larger(T a, T b) {
    return a < b ? b : a;
}
MG_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
MG_INLINE int64_t round_up(int64_t a, int64_t b) { return (a + b - 1) / b * b; }

// So many items that a thread is worth waking: about 10 microseconds of `cost` (in vector operations).
MG_INLINE int64_t grain_of(int64_t cost) { return larger<int64_t>(1, 20000 / larger<int64_t>(cost, 1)); }

}  // namespace
}  // namespace minigrad
