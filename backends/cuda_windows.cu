// Windows on images: im2col and its adjoint, pooling and its gradients. No atomics: every sum belongs to one thread,
// or to one block in a fixed order, so that every run gives the same bits.

// (N, C, H, W) -> (N, C*KH*KW, OH*OW); cells outside the image are `fill`.
extern "C" __global__ void im2col(const Real* x, Real* cols, const Geometry g, Real fill, Index total) {
    EACH(i, total) {
        Index rest = i;
        const Index ow = rest % g.ow;
        rest /= g.ow;
        const Index oh = rest % g.oh;
        rest /= g.oh;
        const Index kw = rest % g.kw;
        rest /= g.kw;
        const Index kh = rest % g.kh;
        const Index plane = rest / g.kh;
        const Index ih = oh * g.sh - g.ph + kh * g.dh, iw = ow * g.sw - g.pw + kw * g.dw;
        const bool inside = ih >= 0 && ih < g.h && iw >= 0 && iw < g.w;
        cols[i] = inside ? x[(plane * g.h + ih) * g.w + iw] : fill;
    }
}

// Where a window that has its tap k on cell `at` stands, or -1.
__device__ __forceinline__ Index place_of(Index at, Index k, Index stride, Index padding, Index dilation, Index places) {
    const Index start = at + padding - k * dilation;
    if (start < 0 || start % stride != 0) return -1;
    const Index place = start / stride;
    return place < places ? place : -1;
}

// Call visit(oh, ow, tap) for every window that sees the cell (ih, iw).
template <class F>
__device__ void over_windows(const Geometry& g, Index ih, Index iw, F visit) {
    for (Index kh = 0; kh < g.kh; ++kh) {
        const Index oh = place_of(ih, kh, g.sh, g.ph, g.dh, g.oh);
        if (oh < 0) continue;
        for (Index kw = 0; kw < g.kw; ++kw) {
            const Index ow = place_of(iw, kw, g.sw, g.pw, g.dw, g.ow);
            if (ow >= 0) visit(oh, ow, kh * g.kw + kw);
        }
    }
}

// (N, C*KH*KW, OH*OW) -> (N, C, H, W): each cell collects what im2col took from it.
extern "C" __global__ void col2im(const Real* cols, Real* x, const Geometry g, Index total) {
    EACH(i, total) {
        const Index iw = i % g.w, ih = i / g.w % g.h, plane = i / g.w / g.h;
        const Real* mine = cols + plane * g.kh * g.kw * g.oh * g.ow;
        Sum sum = Sum(0);
        over_windows(g, ih, iw, [&](Index oh, Index ow, Index tap) { sum += Sum(mine[(tap * g.oh + oh) * g.ow + ow]); });
        x[i] = Real(sum);
    }
}

// (N, C, H, W) -> y and the winners' places in their planes, both (N, C, OH, OW). The first maximum wins, the first
// NaN over all. A dilated window may miss the image altogether: -inf then, and the nearest cell's place.
extern "C" __global__ void max_pool(const Real* x, Real* y, long long* places, const Geometry g, Real lowest, Index total) {
    EACH(i, total) {
        const Index ow = i % g.ow, oh = i / g.ow % g.oh, plane = i / g.ow / g.oh;
        const Real* image = x + plane * g.h * g.w;
        const Index top = oh * g.sh - g.ph, left = ow * g.sw - g.pw;
        Index best = -1;
        Sum highest = lowest;
        for (Index kh = 0; kh < g.kh; ++kh) {
            const Index ih = top + kh * g.dh;
            if (ih < 0 || ih >= g.h) continue;
            for (Index kw = 0; kw < g.kw; ++kw) {
                const Index iw = left + kw * g.dw;
                if (iw < 0 || iw >= g.w) continue;
                const Sum value = image[ih * g.w + iw];
                if (best < 0 || value > highest || (is_nan(value) && !is_nan(highest))) {
                    best = ih * g.w + iw;
                    highest = value;
                }
            }
        }
        if (best < 0) {
            const Index ih = top < 0 ? 0 : top < g.h ? top : g.h - 1, iw = left < 0 ? 0 : left < g.w ? left : g.w - 1;
            best = ih * g.w + iw;
        }
        y[i] = Real(highest);
        places[i] = best;
    }
}

// Send each gradient to the cell that won: gy, places (planes, outs) -> gx (planes, cells). A block owns a plane and takes
// the outputs in chunks; the first thread of a chunk that names a cell adds up for all that name it.
extern "C" __global__ void __launch_bounds__(128)
    max_pool_grad(const Real* gy, const long long* places, Real* gx, Index planes, Index cells, Index outs) {
    constexpr int kChunk = 128;
    SHARED(long long, place, [kChunk]);
    SHARED(Sum, value, [kChunk]);
    const int self = int(threadIdx.x);
    for (Index plane = Index(blockIdx.x); plane < planes; plane += Index(gridDim.x)) {
        Real* image = gx + plane * cells;
        for (Index i = self; i < cells; i += kChunk) image[i] = Real(0);
        for (Index first = 0; first < outs; first += kChunk) {
            const Index i = first + self;
            __syncthreads();
            const long long mine = i < outs ? places[plane * outs + i] : -1;
            place[self] = mine;
            value[self] = i < outs ? Sum(gy[plane * outs + i]) : Sum(0);
            __syncthreads();
            bool owner = mine >= 0 && mine < cells;
            for (int k = 0; k < self && owner; ++k) owner = place[k] != mine;
            if (!owner) continue;
            Sum sum = value[self];
            for (int k = self + 1; k < kChunk; ++k)
                if (place[k] == mine) sum += value[k];
            image[mine] = Real(Sum(image[mine]) + sum);
        }
        __syncthreads();
    }
}

// The same with a thread for a plane: where a plane has few outputs, a block of its own would mostly wait.
extern "C" __global__ void max_pool_grad_few(const Real* gy, const long long* places, Real* gx, Index cells, Index outs, Index planes) {
    EACH(plane, planes) {
        Real* image = gx + plane * cells;
        for (Index i = 0; i < cells; ++i) image[i] = Real(0);
        for (Index i = plane * outs; i < (plane + 1) * outs; ++i) {
            const long long place = places[i];
            if (place >= 0 && place < cells) image[place] = Real(Sum(image[place]) + Sum(gy[i]));
        }
    }
}

// Read the winners' cells: x (planes, cells), places (planes, outs) -> y (planes, outs)
extern "C" __global__ void max_pool_gather(const Real* x, const long long* places, Real* y, Index cells, Index outs, Index total) {
    EACH(i, total) {
        const long long place = places[i];
        y[i] = place >= 0 && place < cells ? x[i / outs * cells + Index(place)] : Real(0);
    }
}

// The cells that an average over the window at (oh, ow) divides by.
__device__ __forceinline__ Index along(Index place, Index size, Index kernel, Index stride, Index padding, bool count_padding) {
    Index start = place * stride - padding;
    Index end = start + kernel < size + padding ? start + kernel : size + padding;
    if (!count_padding) {
        start = start > 0 ? start : 0;
        end = end < size ? end : size;
    }
    return end - start;
}

__device__ __forceinline__ Sum divisor_at(const Geometry& g, Index oh, Index ow, bool count_padding, Index divisor) {
    if (divisor) return Sum(divisor);
    return Sum(along(oh, g.h, g.kh, g.sh, g.ph, count_padding)) * Sum(along(ow, g.w, g.kw, g.sw, g.pw, count_padding));
}

extern "C" __global__ void avg_pool(const Real* x, Real* y, const Geometry g, Index count_padding, Index divisor, Index total) {
    EACH(i, total) {
        const Index ow = i % g.ow, oh = i / g.ow % g.oh, plane = i / g.ow / g.oh;
        const Real* image = x + plane * g.h * g.w;
        Sum sum = Sum(0);
        for (Index kh = 0; kh < g.kh; ++kh) {
            const Index ih = oh * g.sh - g.ph + kh;
            if (ih < 0 || ih >= g.h) continue;
            for (Index kw = 0; kw < g.kw; ++kw) {
                const Index iw = ow * g.sw - g.pw + kw;
                if (iw >= 0 && iw < g.w) sum += Sum(image[ih * g.w + iw]);
            }
        }
        y[i] = Real(sum / divisor_at(g, oh, ow, count_padding != 0, divisor));
    }
}

extern "C" __global__ void avg_pool_grad(const Real* gy, Real* gx, const Geometry g, Index count_padding, Index divisor, Index total) {
    EACH(i, total) {
        const Index iw = i % g.w, ih = i / g.w % g.h, plane = i / g.w / g.h;
        const Real* mine = gy + plane * g.oh * g.ow;
        Sum sum = Sum(0);
        over_windows(g, ih, iw, [&](Index oh, Index ow, Index) {
            sum += Sum(mine[oh * g.ow + ow]) / divisor_at(g, oh, ow, count_padding != 0, divisor);
        });
        gx[i] = Real(sum);
    }
}

// The gradient of max-pooling after ReLU, winners given as taps of the window: gy, y, winners (N, C, OH, OW) -> gx (N, C, H, W)
extern "C" __global__ void relu_pool_grad(const Real* gy, const Real* y, const unsigned char* winners, Real* gx, const Geometry g,
                                          Index total) {
    EACH(i, total) {
        const Index iw = i % g.w, ih = i / g.w % g.h, first = i / g.w / g.h * g.oh * g.ow;
        Sum sum = Sum(0);
        over_windows(g, ih, iw, [&](Index oh, Index ow, Index tap) {
            const Index at = first + oh * g.ow + ow;
            if (winners[at] == tap && !(Sum(y[at]) <= Sum(0))) sum += Sum(gy[at]);
        });
        gx[i] = Real(sum);
    }
}
