// im2col and col2im: the matrix of all patches, (N, C*KH*KW, OH*OW), and its adjoint.
#pragma once
#include "../shapes.h"
#include "parallel.h"

namespace minigrad {
namespace {

// The places [begin, end) of a row whose tap `j` is inside an image of `size` cells; `first` is
// where the tap of place 0 stands.
struct Inside {
    int64_t first, begin, end;
};
MG_INLINE Inside places_inside(int64_t tap, int64_t stride, int64_t padding, int64_t dilation, int64_t size, int64_t places) {
    const int64_t first = tap * dilation - padding;
    const int64_t begin = first >= 0 ? 0 : smaller(places, ceil_div(-first, stride));
    const int64_t end = first >= size ? 0 : smaller(places, ceil_div(size - first, stride));
    return {first, begin, larger(begin, end)};
}

template <class T>
void im2col(const ConvShape& s, const T* x, T fill, T* cols) {
    const WindowShape& win = s.window;
    parallel(s.n * s.c * win.kh * win.kw, grain_of(s.oh * ceil_div(s.ow, lanes<T>)), [=](int64_t begin, int64_t end) {
        for (int64_t unit = begin; unit < end; ++unit) {
            const int64_t j = unit % win.kw, i = unit / win.kw % win.kh;
            const T* image = x + unit / (win.kh * win.kw) * s.h * s.w;
            T* out = cols + unit * s.oh * s.ow;
            const Inside in = places_inside(j, win.sw, win.pw, win.dw, s.w, s.ow);
            for (int64_t oy = 0; oy < s.oh; ++oy, out += s.ow) {
                const int64_t iy = oy * win.sh - win.ph + i * win.dh;
                const bool inside = iy >= 0 && iy < s.h;
                const int64_t from = inside ? in.begin : s.ow, to = inside ? in.end : s.ow;
                const T* row = image + iy * s.w + in.first;
                for (int64_t ox = 0; ox < from; ++ox) out[ox] = fill;
                if (win.sw == 1 && to > from)
                    __builtin_memcpy(out + from, row + from, size_t(to - from) * sizeof(T));
                else
                    for (int64_t ox = from; ox < to; ++ox) out[ox] = row[ox * win.sw];
                for (int64_t ox = to; ox < s.ow; ++ox) out[ox] = fill;
            }
        }
    });
}

template <class T>
void col2im(const ConvShape& s, const T* cols, T* x) {
    const WindowShape& win = s.window;
    const int64_t taps = win.kh * win.kw;
    parallel(s.n * s.c, grain_of(taps * s.oh * ceil_div(s.ow, lanes<T>)), [=](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane) {
            T* image = x + plane * s.h * s.w;
            for (int64_t i = 0; i < s.h * s.w; ++i) image[i] = 0;
            for (int64_t t = 0; t < taps; ++t) {
                const Inside in = places_inside(t % win.kw, win.sw, win.pw, win.dw, s.w, s.ow);
                const T* column = cols + (plane * taps + t) * s.oh * s.ow;
                for (int64_t oy = 0; oy < s.oh; ++oy, column += s.ow) {
                    const int64_t iy = oy * win.sh - win.ph + t / win.kw * win.dh;
                    if (iy < 0 || iy >= s.h) continue;
                    T* row = image + iy * s.w + in.first;
                    if (win.sw == 1)
                        for (int64_t ox = in.begin; ox < in.end; ox += lanes<T>)
                            store_some(row + ox, load_some(row + ox, in.end - ox) + load_some(column + ox, in.end - ox), in.end - ox);
                    else
                        for (int64_t ox = in.begin; ox < in.end; ++ox) row[ox * win.sw] += column[ox];
                }
            }
        }
    });
}

}  // namespace
}  // namespace minigrad
