// Which instruction set this machine gets; compiled for the oldest processor.
#include <cstring>

#include "../table.h"

namespace minigrad {
namespace {

using Choice = const Isa& (*)();

bool has_avx2() {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

bool has_avx512() {
#if defined(__x86_64__)
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

}  // namespace

const Isa* find_isa(const char* name) {
    const Isa* found = nullptr;
    const auto offer = [&](bool here, Choice choice) {
        if (here && (!name || std::strcmp(name, choice().name) == 0)) found = &choice();
    };
    offer(true, isa_portable);
#if defined(__x86_64__)
    offer(has_avx2(), isa_avx2);
    offer(has_avx512(), isa_avx512);
#endif
    return found;
}

}  // namespace minigrad
