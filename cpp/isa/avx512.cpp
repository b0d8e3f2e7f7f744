// 64-byte vectors and 32 registers; compiled with -mavx512f and its companions.
#define MINIGRAD_VECTOR_BYTES 64
#include "../kernels/all.h"

namespace minigrad {
const Isa& isa_avx512() {
    static constexpr Isa isa = {"avx512", table<float>(), table<double>()};
    return isa;
}
}  // namespace minigrad
