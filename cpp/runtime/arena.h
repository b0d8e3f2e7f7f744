// The arena: blocks that are kept for the next request of their size, never handed back until asked.
#pragma once
#include <cstddef>
#include <cstdint>

namespace minigrad {

struct ArenaStats {
    int64_t allocated;  // bytes in use now
    int64_t peak;       // the most that was ever in use
    int64_t reserved;   // bytes taken from the system, in use or waiting
    int64_t requests;   // blocks handed out so far
    int64_t fresh;      // how many of them had to come from the system
};

// 64-byte aligned; from 1 MiB up on a 2 MiB boundary and advised for huge pages.
// Throws std::bad_alloc. `release` wants the size that was asked for.
void* arena_take(size_t bytes);
void arena_release(void* block, size_t bytes) noexcept;

ArenaStats arena_stats();
void arena_reset_peak();
void arena_empty();  // hand the waiting blocks back to the system

// For tests: from now on every block ends right before a page that nobody may touch, and is gone once released.
void arena_guard(bool on);

}  // namespace minigrad
