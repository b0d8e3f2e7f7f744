// The numbers of an operation, as plain values. They cross from the door to every instruction set,
// so they carry no code.
#pragma once
#include <cstdint>

namespace minigrad {

// Kernel, stride, padding, dilation; vertical, then horizontal.
struct WindowShape {
    int64_t kh, kw, sh, sw, ph, pw, dh, dw;
};

// N images of C channels, H x W -> F filters, OH x OW; C and F in `groups` groups.
struct ConvShape {
    int64_t n, c, h, w, f, oh, ow, groups;
    WindowShape window;
};

// N*C planes of H x W -> OH x OW.
struct PoolShape {
    int64_t planes, h, w, oh, ow;
    WindowShape window;
};

enum class ConvAlgorithm { automatic, direct, gemm, winograd };

}  // namespace minigrad
