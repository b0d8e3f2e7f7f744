// 16-byte vectors: what every x86-64 (SSE2) and every aarch64 (NEON) has.
#define MINIGRAD_VECTOR_BYTES 16
#include "../kernels/all.h"

namespace minigrad {
const Isa& isa_portable() {
#if defined(__aarch64__)
    static constexpr Isa isa = {"neon", table<float>(), table<double>()};
#else
    static constexpr Isa isa = {"portable", table<float>(), table<double>()};
#endif
    return isa;
}
}  // namespace minigrad
