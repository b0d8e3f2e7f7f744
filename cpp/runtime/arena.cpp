#include "arena.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

namespace minigrad {
namespace {

constexpr size_t line = 64;
constexpr size_t huge = size_t{2} << 20;
constexpr size_t too_much = size_t{1} << 47;  // user space of today's processors
constexpr int classes = 4 * 64;               // four per power of two

struct Block {
    Block* next;
};

struct Arena {
    std::mutex mutex;
    Block* waiting[classes] = {};
    ArenaStats stats = {};
    bool guarded = false;
    std::map<void*, void*> guards;  // guarded block -> its mapping
};
Arena& arena = *new Arena;  // never destroyed: arrays outlive static objects

// A fork must not copy a locked arena.
const int registered = pthread_atfork([] { arena.mutex.lock(); }, [] { arena.mutex.unlock(); },
                                      [] { arena.mutex.unlock(); });

// Round up to 4, 5, 6 or 7 times a power of two: at most a quarter is wasted.
struct SizeClass {
    int index;
    size_t bytes;
};
SizeClass size_class(size_t bytes) {
    if (bytes < line * 4) {
        const size_t lines = (bytes + line - 1) / line;
        return {static_cast<int>(lines), lines ? lines * line : line};
    }
    const int shift = 61 - __builtin_clzll(bytes);  // bytes >> shift is 4..7
    size_t quarters = bytes >> shift;
    if (bytes & ((size_t{1} << shift) - 1)) ++quarters;  // 8 quarters are the next power's 4
    return {shift * 4 + static_cast<int>(quarters - 4), quarters << shift};
}

void* fresh_block(size_t bytes) {
    if (bytes < huge / 2) return std::aligned_alloc(line, bytes);
    void* block = std::aligned_alloc(huge, (bytes + huge - 1) / huge * huge);
#ifdef MADV_HUGEPAGE
    if (block) madvise(block, (bytes + huge - 1) / huge * huge, MADV_HUGEPAGE);
#endif
    return block;
}

size_t guarded_size(size_t bytes) {
    const size_t page = size_t(sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page + page;
}

void* guarded_block(size_t bytes) {
    const size_t size = guarded_size(bytes), page = size_t(sysconf(_SC_PAGESIZE));
    void* mapping = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    char* end = static_cast<char*>(mapping) + size - page;
    mprotect(end, page, PROT_NONE);
    arena.guards[end - bytes] = mapping;
    return end - bytes;
}

}  // namespace

void* arena_take(size_t bytes) {
    if (bytes > too_much) throw std::bad_alloc();
    const SizeClass size = size_class(bytes);
    std::lock_guard<std::mutex> lock(arena.mutex);
    if (arena.guarded) return guarded_block(bytes);
    ++arena.stats.requests;
    void* block = arena.waiting[size.index];
    if (block) {
        arena.waiting[size.index] = static_cast<Block*>(block)->next;
    } else {
        block = fresh_block(size.bytes);
        if (!block) throw std::bad_alloc();
        ++arena.stats.fresh;
        arena.stats.reserved += size.bytes;
    }
    arena.stats.allocated += size.bytes;
    if (arena.stats.allocated > arena.stats.peak) arena.stats.peak = arena.stats.allocated;
    return block;
}

void arena_release(void* block, size_t bytes) noexcept {
    if (!block) return;
    const SizeClass size = size_class(bytes);
    std::lock_guard<std::mutex> lock(arena.mutex);
    const auto guard = arena.guards.find(block);
    if (guard != arena.guards.end()) {
        munmap(guard->second, guarded_size(bytes));
        arena.guards.erase(guard);
        return;
    }
    static_cast<Block*>(block)->next = arena.waiting[size.index];
    arena.waiting[size.index] = static_cast<Block*>(block);
    arena.stats.allocated -= size.bytes;
}

ArenaStats arena_stats() {
    std::lock_guard<std::mutex> lock(arena.mutex);
    return arena.stats;
}

void arena_reset_peak() {
    std::lock_guard<std::mutex> lock(arena.mutex);
    arena.stats.peak = arena.stats.allocated;
}

void arena_empty() {
    std::lock_guard<std::mutex> lock(arena.mutex);
    for (Block*& list : arena.waiting) {
        while (list) {
            Block* block = list;
            list = block->next;
            std::free(block);
        }
    }
    arena.stats.reserved = arena.stats.allocated;
}

void arena_guard(bool on) {
    std::lock_guard<std::mutex> lock(arena.mutex);
    arena.guarded = on;
}

}  // namespace minigrad
