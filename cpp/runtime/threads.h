// The thread pool: the caller and N-1 workers, each with a fixed share of the work.
#pragma once
#include <cstdint>

namespace minigrad {

// Does the items [begin, end) of a job.
using Body = void (*)(void* job, int64_t begin, int64_t end);

// Split `count` items into equal runs of at least `grain` items, one run per thread, and wait for
// all of them. The first exception of any thread is thrown again here. Nested calls, and calls
// while another Python thread uses the pool, run on the calling thread alone.
void run_parallel(int64_t count, int64_t grain, Body body, void* job);

int num_threads();
void set_num_threads(int count);  // at least 1

}  // namespace minigrad
