// 32-byte vectors with fused multiply-add; compiled with -mavx2 -mfma.
#define MINIGRAD_VECTOR_BYTES 32
#include "../kernels/all.h"

namespace minigrad {
const Isa& isa_avx2() {
    static constexpr Isa isa = {"avx2", table<float>(), table<double>()};
    return isa;
}
}  // namespace minigrad
