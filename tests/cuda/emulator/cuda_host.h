// The part of CUDA that minigrad's kernels use, on a host, for tests: the same .cu source compiles as C++.
//
// Blocks run one after another and the threads of a block by turns. A thread is a plain call until it
// meets a barrier or a shuffle; there it is put aside with its stack, and the next thread starts on
// another one. A kernel without barriers therefore costs a loop, and one with them behaves as on a
// device: nobody passes a barrier before everybody is there. Stricter than a device in what it allows:
// a barrier that some threads of the block never reach, or a shuffle without the whole warp, is an
// error; shared memory starts as NaN in every block; CUDA_HOST_ORDER=reverse runs blocks and threads
// backwards, which shows missing barriers that one order happens to hide.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_start_switch_fiber(void** save, const void* bottom, size_t size);
extern "C" void __sanitizer_finish_switch_fiber(void* save, const void** bottom, size_t* size);
#endif

struct dim3 {
    unsigned x, y, z;
};

namespace cuda_host {

constexpr size_t kStack = 64 * 1024;
constexpr unsigned kWarp = 32;

enum class Wait { none, block, warp, done };

// One stack on which threads run; it goes on to the next thread when one ends.
struct Fibre {
    ucontext_t start;
    jmp_buf here;
    char* stack;
    bool begun;
    unsigned thread;
    void* asan;
};

struct Machine {
    dim3 thread_at, block_at, block_size, grid_size;
    void (*kernel)(void**);
    void** arguments;
    unsigned count, next;          // threads of the block, and how many have been started
    bool reverse;
    std::vector<Wait> waits;       // by thread
    std::vector<Fibre*> fibre_of;  // by thread, while it waits
    std::vector<Fibre*> spare;
    std::vector<void*> shared;     // by place of declaration, anew in every block
    std::vector<char> slots;       // what the lanes of a shuffle show one another: 8 bytes a thread
    char* dynamic;
    Fibre* current;
    jmp_buf scheduler;
    void* scheduler_asan;
    const void* main_bottom;
    size_t main_size;
    const char* error;
};

inline Machine machine;

inline unsigned linear_thread() {
    const Machine& m = machine;
    return (m.thread_at.z * m.block_size.y + m.thread_at.y) * m.block_size.x + m.thread_at.x;
}

inline void place_thread(unsigned t) {
    Machine& m = machine;
    m.thread_at = {t % m.block_size.x, t / m.block_size.x % m.block_size.y, t / (m.block_size.x * m.block_size.y)};
}

inline void left_for(const void* bottom, size_t size, void** save) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(save, bottom, size);
#else
    (void)bottom, (void)size, (void)save;
#endif
}

inline void arrived(void* save, const void** bottom, size_t* size) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(save, bottom, size);
#else
    (void)save, (void)bottom, (void)size;
#endif
}

[[gnu::noinline]] inline void to_scheduler() {
    Machine& m = machine;
    Fibre* self = m.current;
    if (_setjmp(self->here) == 0) {
        left_for(m.main_bottom, m.main_size, &self->asan);
        _longjmp(m.scheduler, 1);
    }
    arrived(self->asan, nullptr, nullptr);
}

inline void fibre_main() {
    Machine& m = machine;
    arrived(nullptr, &m.main_bottom, &m.main_size);
    for (;;) {
        while (m.next < m.count) {
            const unsigned order = m.next++;
            const unsigned thread = m.reverse ? m.count - 1 - order : order;
            m.current->thread = thread;
            place_thread(thread);
            m.kernel(m.arguments);
            m.waits[m.current->thread] = Wait::done;
        }
        m.spare.push_back(m.current);
        to_scheduler();
    }
}

[[gnu::noinline]] inline void run_fibre(Fibre* fibre) {
    Machine& m = machine;
    m.current = fibre;
    if (_setjmp(m.scheduler) == 0) {
        left_for(fibre->stack, kStack, &m.scheduler_asan);
        if (fibre->begun) {
            place_thread(fibre->thread);
            _longjmp(fibre->here, 1);
        }
        fibre->begun = true;
        setcontext(&fibre->start);
    }
    arrived(m.scheduler_asan, nullptr, nullptr);
}

[[gnu::noinline]] inline void prepare(Fibre* fibre) {
    static size_t count = 0;
    fibre->stack = static_cast<char*>(std::malloc(kStack));
    getcontext(&fibre->start);
    fibre->start.uc_stack.ss_sp = fibre->stack;
    // Stacks that all begin at the same offset of a page would share few lines of the cache.
    fibre->start.uc_stack.ss_size = kStack - count++ * 320 % 8192;
    fibre->start.uc_link = nullptr;
    makecontext(&fibre->start, fibre_main, 0);
}

inline Fibre* take_fibre() {
    Machine& m = machine;
    if (m.spare.empty()) {
        m.spare.push_back(new Fibre());
        prepare(m.spare.back());
    }
    Fibre* fibre = m.spare.back();
    m.spare.pop_back();
    return fibre;
}

inline void wait_at(Wait what) {
    Machine& m = machine;
    Fibre* self = m.current;
    m.waits[self->thread] = what;
    m.fibre_of[self->thread] = self;
    to_scheduler();
}

inline void resume(unsigned first, unsigned last) {
    Machine& m = machine;
    for (unsigned i = first; i < last; ++i) m.waits[i] = Wait::none;
    for (unsigned i = 0; i < last - first; ++i) {
        const unsigned t = m.reverse ? last - 1 - i : first + i;
        run_fibre(m.fibre_of[t]);
    }
}

// Whether all threads of [first, last) wait for the same thing; a thread that is gone spoils it.
inline bool all_wait(unsigned first, unsigned last, Wait what) {
    for (unsigned t = first; t < last; ++t)
        if (machine.waits[t] != what) return false;
    return true;
}

inline void run_block() {
    Machine& m = machine;
    m.waits.assign(m.count, Wait::none);
    m.fibre_of.assign(m.count, nullptr);
    m.slots.assign(m.count * size_t{8}, 0);
    m.next = 0;
    while (m.next < m.count) run_fibre(take_fibre());
    while (!all_wait(0, m.count, Wait::done)) {
        if (all_wait(0, m.count, Wait::block)) {
            resume(0, m.count);
            continue;
        }
        bool moved = false;
        for (unsigned first = 0; first < m.count; first += kWarp) {
            const unsigned last = first + kWarp;
            if (last <= m.count && all_wait(first, last, Wait::warp)) {
                resume(first, last);
                moved = true;
            }
        }
        if (!moved) {
            m.error = "some threads of a block wait at a barrier or shuffle that the others never reach";
            return;  // the waiting stacks are given up
        }
    }
}

// Memory of one __shared__ declaration: the same for all threads of a block, NaN at first.
template <class Array, int Place>
Array& shared() {
    std::vector<void*>& all = machine.shared;
    static const size_t index = (all.push_back(nullptr), all.size() - 1);
    if (all[index] == nullptr) {
        all[index] = std::aligned_alloc(alignof(std::max_align_t), (sizeof(Array) + 15) / 16 * 16);
        std::memset(all[index], 0xFF, sizeof(Array));
    }
    return *static_cast<Array*>(all[index]);
}

template <class T>
T shuffle(T value, unsigned from) {
    static_assert(sizeof(T) <= 8, "a lane shows eight bytes at most");
    char* slots = machine.slots.data();
    const unsigned self = linear_thread(), base = self / kWarp * kWarp;
    std::memcpy(slots + self * size_t{8}, &value, sizeof(T));
    wait_at(Wait::warp);
    T seen;
    std::memcpy(&seen, slots + (base + from % kWarp) * size_t{8}, sizeof(T));
    wait_at(Wait::warp);
    return seen;
}

// ---------------------------------------------------------------- launching from outside

// Returns null, or what went wrong.
inline const char* launch(void (*kernel)(void**), const unsigned* dims, size_t shared_bytes, void** arguments) {
    Machine& m = machine;
    const char* order = std::getenv("CUDA_HOST_ORDER");
    m.reverse = order != nullptr && std::strcmp(order, "reverse") == 0;
    m.kernel = kernel;
    m.arguments = arguments;
    m.grid_size = {dims[0], dims[1], dims[2]};
    m.block_size = {dims[3], dims[4], dims[5]};
    m.count = dims[3] * dims[4] * dims[5];
    m.error = nullptr;
    const uint64_t blocks = uint64_t{dims[0]} * dims[1] * dims[2];
    for (uint64_t i = 0; i < blocks && m.error == nullptr; ++i) {
        const uint64_t b = m.reverse ? blocks - 1 - i : i;
        m.block_at = {unsigned(b % dims[0]), unsigned(b / dims[0] % dims[1]), unsigned(b / dims[0] / dims[1])};
        m.dynamic = static_cast<char*>(std::malloc(shared_bytes ? shared_bytes : 1));
        std::memset(m.dynamic, 0xFF, shared_bytes);
        run_block();
        std::free(m.dynamic);
        for (void*& place : m.shared) {
            std::free(place);
            place = nullptr;
        }
    }
    return m.error;
}

// What a kernel's parameters are, as text: "p" or "P" (to const) with kind and size of what it points to, "v" and size.
template <class T>
std::string describe() {
    if constexpr (std::is_pointer_v<T>) {
        using E = std::remove_pointer_t<T>;
        using B = std::remove_const_t<E>;
        const char* kind = "f";
        if (std::is_integral_v<B>) kind = std::is_unsigned_v<B> ? "u" : "i";
        return std::string(std::is_const_v<E> ? "P" : "p") + kind + std::to_string(sizeof(B)) + " ";
    } else {
        return "v" + std::to_string(sizeof(T)) + " ";
    }
}

template <auto Kernel>
struct Entry;

template <class... A, void (*Kernel)(A...)>
struct Entry<Kernel> {
    template <size_t... I>
    static void unpack(void** arguments, std::index_sequence<I...>) {
        Kernel(*static_cast<std::remove_const_t<A>*>(arguments[I])...);
    }
    static void call(void** arguments) { unpack(arguments, std::index_sequence_for<A...>{}); }
    static const char* signature() {
        static const std::string text = (std::string() + ... + describe<A>());
        return text.c_str();
    }
};

}  // namespace cuda_host

#define threadIdx cuda_host::machine.thread_at
#define blockIdx cuda_host::machine.block_at
#define blockDim cuda_host::machine.block_size
#define gridDim cuda_host::machine.grid_size

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)

#define HOST_SHARED(T, name, extent) \
    using name##_array = T extent;   \
    name##_array& name = cuda_host::shared<name##_array, __COUNTER__>()
#define HOST_DYNAMIC_SHARED(T, name) T* name = reinterpret_cast<T*>(cuda_host::machine.dynamic)

inline void __syncthreads() { cuda_host::wait_at(cuda_host::Wait::block); }

inline void __threadfence() {}

inline unsigned atomicAdd(unsigned* counter, unsigned value) {  // blocks run one after another
    const unsigned before = *counter;
    *counter += value;
    return before;
}

template <class T>
T __ldcg(const T* place) {
    return *place;
}

template <class T>
T __shfl_xor_sync(unsigned, T value, unsigned lanes) {
    return cuda_host::shuffle(value, (threadIdx.x % cuda_host::kWarp) ^ lanes);
}

// The door to a kernel, for ctypes. Everything else is hidden: libraries of several element types live in one process.
#define HOST_KERNEL(name)                                                                                              \
    extern "C" __attribute__((visibility("default"))) const char* signature_##name() {                                 \
        return cuda_host::Entry<name>::signature();                                                                    \
    }                                                                                                                  \
    extern "C" __attribute__((visibility("default"))) const char* launch_##name(const unsigned* dims, size_t shared,   \
                                                                                void** arguments) {                    \
        return cuda_host::launch(cuda_host::Entry<name>::call, dims, shared, arguments);                               \
    }
