// Every convolution as a sum of shifted lines.
//
// The padded image is copied once into planes of WQ columns, one plane per channel and per stride
// phase (the cells that one tap sees are sh apart: they become neighbours). Number the places of
// the window along such a plane, q = oy*WQ + ox, and each tap k sees lines[offset[k] + q]:
//
//     y[f][q] = sum over k of w[f][k] * lines[offset[k] + q]
//
// so that vectors run straight over the ends of rows. The WQ - OW places at the end of each row
// see two rows at once and mean nothing; they are computed and never read.
#pragma once
#include "../shapes.h"
#include "parallel.h"

namespace minigrad {
namespace {

struct LineShape {
    int64_t rows;      // output rows at a time
    int64_t wq;        // columns of a plane
    int64_t plane;     // cells of a plane
    int64_t taps;      // C/groups * KH * KW
    int64_t channels;  // C/groups
    int64_t size;      // cells of all planes
};

// Which of the taps i*dilation % stride have been seen before: at most `kernel` phases.
struct Phases {
    Scratch<int64_t> slot;   // of each tap
    Scratch<int64_t> phase;  // of each slot
    int64_t count = 0;

    MG_INLINE Phases(int64_t kernel, int64_t stride, int64_t dilation) : slot(kernel), phase(kernel) {
        for (int64_t i = 0; i < kernel; ++i) {
            const int64_t wanted = i * dilation % stride;
            int64_t s = 0;
            while (s < count && phase.data[s] != wanted) ++s;
            if (s == count) phase.data[count++] = wanted;
            slot.data[i] = s;
        }
    }
};

template <class T>
struct Lines {
    const ConvShape& shape;
    Phases down, along;
    LineShape line;
    Scratch<int64_t> offset;  // of every tap (c, i, j)

    MG_INLINE Lines(const ConvShape& s, int64_t rows)
        : shape(s),
          down(s.window.kh, s.window.sh, s.window.dh),
          along(s.window.kw, s.window.sw, s.window.dw),
          line(),
          offset(s.c / s.groups * s.window.kh * s.window.kw) {
        const WindowShape& win = s.window;
        line.rows = rows;
        line.wq = s.ow + (win.kw - 1) * win.dw / win.sw;
        line.plane = (rows + (win.kh - 1) * win.dh / win.sh) * line.wq;
        line.channels = s.c / s.groups;
        line.taps = line.channels * win.kh * win.kw;
        line.size = line.channels * down.count * along.count * line.plane;
        int64_t* to = offset.data;
        for (int64_t c = 0; c < line.channels; ++c)
            for (int64_t i = 0; i < win.kh; ++i)
                for (int64_t j = 0; j < win.kw; ++j)
                    *to++ = ((c * down.count + down.slot.data[i]) * along.count + along.slot.data[j]) * line.plane +
                            i * win.dh / win.sh * line.wq + j * win.dw / win.sw;
    }

    // What a buffer of lines must hold: a tile may read some vectors behind the last place.
    MG_INLINE int64_t room() const { return line.size + 4 * lanes<T>; }

    // Places from the first of the first row to the last of the last.
    MG_INLINE int64_t places(int64_t rows) const { return rows > 0 ? (rows - 1) * line.wq + shape.ow : 0; }

    // Copy one image's group of channels, x (C/groups, H, W), from output row `first` on.
    void fill(const T* x, int64_t first, T* to) const {
        walk(first, [&](int64_t c, int64_t iy, int64_t ix, bool inside, T* row) {
            if (!inside) {
                for (int64_t q = 0; q < line.wq; ++q) row[q] = 0;
                return;
            }
            const int64_t step = shape.window.sw;
            const int64_t before = smaller(line.wq, larger<int64_t>(0, ceil_div(-ix, step)));
            const int64_t end = larger(before, smaller(line.wq, ceil_div(shape.w - ix, step)));
            const T* from = x + (c * shape.h + iy) * shape.w + ix;
            for (int64_t q = 0; q < before; ++q) row[q] = 0;
            if (step == 1)
                __builtin_memcpy(row + before, from + before, size_t(end - before) * sizeof(T));
            else
                for (int64_t q = before; q < end; ++q) row[q] = from[q * step];
            for (int64_t q = end; q < line.wq; ++q) row[q] = 0;
        }, to);
        for (int64_t q = 0; q < 4 * lanes<T>; ++q) to[line.size + q] = 0;
    }

    // Add whole lines back to the image: the adjoint of fill with first = 0. x was cleared.
    void add_back(const T* lines, T* x) const {
        walk(0, [&](int64_t c, int64_t iy, int64_t ix, bool inside, const T* row) {
            if (!inside) return;
            const int64_t step = shape.window.sw;
            const int64_t before = smaller(line.wq, larger<int64_t>(0, ceil_div(-ix, step)));
            const int64_t end = smaller(line.wq, ceil_div(shape.w - ix, step));
            T* out = x + (c * shape.h + iy) * shape.w + ix;
            for (int64_t q = before; q < end; ++q) out[q * step] += row[q];
        }, lines);
    }

  private:
    // visit(channel, image row, first image column, inside the image, the plane's row) for every row
    template <class Visit, class P>
    MG_INLINE void walk(int64_t first, Visit visit, P lines) const {
        const WindowShape& win = shape.window;
        const int64_t plane_rows = line.plane / line.wq;
        for (int64_t c = 0; c < line.channels; ++c)
            for (int64_t a = 0; a < down.count; ++a)
                for (int64_t b = 0; b < along.count; ++b)
                    for (int64_t y = 0; y < plane_rows; ++y, lines += line.wq) {
                        const int64_t iy = (first + y) * win.sh + down.phase.data[a] - win.ph;
                        visit(c, iy, along.phase.data[b] - win.pw, iy >= 0 && iy < shape.h, lines);
                    }
    }
};

}  // namespace
}  // namespace minigrad
