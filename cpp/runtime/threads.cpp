#include "threads.h"

#include <pthread.h>
#include <signal.h>
#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace minigrad {
namespace {

constexpr auto spin_time = std::chrono::microseconds(200);  // longer than the gap between two operations

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Spin until `done()` or until the time is up; the clock is read seldom.
template <class Done>
bool spin(Done done) {
    const auto start = std::chrono::steady_clock::now();
    for (int turn = 1; !done(); ++turn) {
        relax();
        if (turn % 64 == 0 && std::chrono::steady_clock::now() - start > spin_time) return done();
    }
    return true;
}

struct Job {
    Body body;
    void* context;
    int64_t count;
    int parts;
    std::atomic<int> pending;
    std::atomic<bool> failed{false};
    std::exception_ptr error;

    void run(int part) {
        try {
            body(context, count * part / parts, count * (part + 1) / parts);
        } catch (...) {
            if (!failed.exchange(true)) error = std::current_exception();
        }
    }
};

// One worker's letter box. A part that lies in it still unread may be taken back: on a busy machine the
// caller then does it sooner than the worker would have woken.
struct alignas(64) Worker {
    enum State : int { idle, posted, taken };
    std::atomic<int> state{idle};
    std::atomic<bool> asleep{false};
    Job* job = nullptr;
    int part = 0;
    std::mutex mutex;
    std::condition_variable wake;

    void post(Job* next, int which) {
        job = next;
        part = which;
        state.store(posted);
        if (asleep.load()) {
            { std::lock_guard<std::mutex> lock(mutex); }
            wake.notify_one();
        }
    }

    // True: whoever asked has the part now, and nobody else.
    bool move(State to) {
        int expected = posted;
        return state.compare_exchange_strong(expected, to);
    }

    void work() {
        const auto letter = [&] { return state.load() == posted; };
        for (;;) {
            if (!spin(letter)) {  // sleeps only after it has said so
                std::unique_lock<std::mutex> lock(mutex);
                asleep.store(true);
                wake.wait(lock, letter);
                asleep.store(false);
            }
            if (!move(taken)) continue;
            Job* mine = job;
            mine->run(part);
            state.store(idle);
            mine->pending.fetch_sub(1);  // the last touch: the caller may now leave
        }
    }
};

struct Pool {
    std::mutex busy;
    std::vector<std::unique_ptr<Worker>> workers;

    // Start workers until there are `wanted`; a system that refuses threads leaves fewer.
    int grow(int wanted) {
        sigset_t all, before;  // Ctrl-C belongs to Python's thread
        sigfillset(&all);
        while (static_cast<int>(workers.size()) < wanted) {
            workers.push_back(std::make_unique<Worker>());
            Worker* worker = workers.back().get();
            pthread_sigmask(SIG_SETMASK, &all, &before);
            try {
                std::thread([worker] { worker->work(); }).detach();
            } catch (const std::system_error&) {
                workers.pop_back();
            }
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
            if (workers.empty() || workers.back().get() != worker) break;
        }
        return std::min<int>(wanted, static_cast<int>(workers.size()));
    }
};

int default_threads() {
    if (const char* text = std::getenv("OMP_NUM_THREADS")) {
        const long value = std::strtol(text, nullptr, 10);
        if (value >= 1) return static_cast<int>(std::min(value, 1024L));
    }
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return std::max(1u, std::thread::hardware_concurrency());
}

std::atomic<int> threads{default_threads()};
thread_local bool inside = false;
// Never destroyed: at exit the workers still look at it.
Pool* pool = new Pool;

// The child of a fork has none of the workers and perhaps a locked mutex: it starts anew.
void forget_workers() {
    pool = new Pool;
    inside = false;
}
const int registered = pthread_atfork(nullptr, nullptr, forget_workers);

}  // namespace

int num_threads() { return threads.load(std::memory_order_relaxed); }

void set_num_threads(int count) { threads.store(std::max(1, count)); }

void run_parallel(int64_t count, int64_t grain, Body body, void* context) {
    if (count <= 0) return;
    int parts = static_cast<int>(std::min<int64_t>(num_threads(), count / std::max<int64_t>(grain, 1)));
    std::unique_lock<std::mutex> lock(pool->busy, std::defer_lock);
    if (parts <= 1 || inside || !lock.try_lock()) return body(context, 0, count);
    parts = pool->grow(parts - 1) + 1;

    Job job{body, context, count, parts, {parts - 1}, {false}, nullptr};
    for (int part = 1; part < parts; ++part) pool->workers[part - 1]->post(&job, part);
    inside = true;
    job.run(0);
    for (int part = parts - 1; part > 0; --part)
        if (pool->workers[part - 1]->move(Worker::idle)) {
            job.run(part);
            job.pending.fetch_sub(1);
        }
    inside = false;
    const auto finished = [&] { return job.pending.load() == 0; };
    while (!spin(finished)) std::this_thread::yield();
    if (job.error) std::rethrow_exception(job.error);
}

}  // namespace minigrad
