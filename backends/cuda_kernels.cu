// Element by element, row by row, channel by channel, and the optimisers.

// ---------------------------------------------------------------- activations

extern "C" __global__ void relu(const Real* x, Real* y, Index total) {
    EACH(i, total) y[i] = Real(relu_of(Sum(x[i])));
}

extern "C" __global__ void relu_grad(const Real* gy, const Real* y, Real* gx, Index total) {
    EACH(i, total) gx[i] = Sum(y[i]) <= Sum(0) ? Real(0) : gy[i];
}

extern "C" __global__ void sigmoid(const Real* x, Real* y, Index total) {
    EACH(i, total) {
        const Sum v = x[i];
        const Sum e = exp(v < Sum(0) ? v : -v);  // never above 1
        y[i] = Real((v < Sum(0) ? e : Sum(1)) / (Sum(1) + e));
    }
}

extern "C" __global__ void sigmoid_grad(const Real* gy, const Real* y, Real* gx, Index total) {
    EACH(i, total) {
        const Sum v = y[i];
        gx[i] = Real(Sum(gy[i]) * v * (Sum(1) - v));
    }
}

extern "C" __global__ void tanh_grad(const Real* gy, const Real* y, Real* gx, Index total) {
    EACH(i, total) {
        const Sum v = y[i];
        gx[i] = Real(Sum(gy[i]) * (Sum(1) - v * v));
    }
}

// y (outer, channels, inner) += b (channels), then perhaps relu.
extern "C" __global__ void bias_act(Real* y, const Real* b, Index channels, Index inner, Index relu, Index total) {
    EACH(i, total) {
        const Sum v = Sum(y[i]) + Sum(b[i / inner % channels]);
        y[i] = Real(relu ? relu_of(v) : v);
    }
}

// ---------------------------------------------------------------- softmax

// A team of lanes reads one row (or column) of an array (outer, classes, inner): a whole warp where the
// classes are adjacent in memory, a single thread where its neighbours are.
template <int LANES>
struct Team {
    Index row, lane;

    __device__ static Index first() { return (Index(blockIdx.x) * Index(blockDim.x) + Index(threadIdx.x)) / LANES; }
    __device__ static Index step() { return Index(gridDim.x) * Index(blockDim.x) / LANES; }
    __device__ static Index lane_of_thread() { return Index(threadIdx.x) % LANES; }

    template <class F>
    __device__ static Sum all(Sum value, F combine) {
        return LANES == 1 ? value : over_warp(value, combine);
    }
};

__device__ __forceinline__ Index row_start(Index row, Index classes, Index inner) {
    return row / inner * classes * inner + row % inner;
}

// The largest value of a row, and the sum of exp(x - largest).
template <int LANES>
__device__ void shifted_sum(const Real* x, Index classes, Index inner, Sum& largest, Sum& sum) {
    const Index lane = Team<LANES>::lane_of_thread();
    largest = Sum(-HUGE_VALUE);
    for (Index j = lane; j < classes; j += LANES) largest = Max()(largest, Sum(x[j * inner]));
    largest = Team<LANES>::all(largest, Max());
    sum = Sum(0);
    for (Index j = lane; j < classes; j += LANES) sum += exp(Sum(x[j * inner]) - largest);
    sum = Team<LANES>::all(sum, Add());
}

template <int LANES>
__device__ void softmax_of(const Real* x, Real* y, Index rows, Index classes, Index inner, bool logarithm) {
    for (Index row = Team<LANES>::first(); row < rows; row += Team<LANES>::step()) {
        const Index start = row_start(row, classes, inner);
        Sum largest, sum;
        shifted_sum<LANES>(x + start, classes, inner, largest, sum);
        const Sum log_sum = log(sum);
        for (Index j = Team<LANES>::lane_of_thread(); j < classes; j += LANES) {
            const Sum shifted = Sum(x[start + j * inner]) - largest;
            y[start + j * inner] = Real(logarithm ? shifted - log_sum : exp(shifted) / sum);
        }
    }
}

template <int LANES>
__device__ void softmax_grad_of(const Real* gy, const Real* y, Real* gx, Index rows, Index classes, Index inner, bool logarithm) {
    for (Index row = Team<LANES>::first(); row < rows; row += Team<LANES>::step()) {
        const Index start = row_start(row, classes, inner);
        Sum sum = Sum(0);
        for (Index j = Team<LANES>::lane_of_thread(); j < classes; j += LANES) {
            const Index at = start + j * inner;
            sum += logarithm ? Sum(gy[at]) : Sum(gy[at]) * Sum(y[at]);
        }
        sum = Team<LANES>::all(sum, Add());
        for (Index j = Team<LANES>::lane_of_thread(); j < classes; j += LANES) {
            const Index at = start + j * inner;
            const Sum g = gy[at], v = y[at];
            gx[at] = Real(logarithm ? g - exp(v) * sum : v * (g - sum));
        }
    }
}

extern "C" __global__ void softmax_rows(const Real* x, Real* y, Index classes, Index inner, Index logarithm, Index rows) {
    softmax_of<kWarp>(x, y, rows, classes, inner, logarithm != 0);
}

extern "C" __global__ void softmax_columns(const Real* x, Real* y, Index classes, Index inner, Index logarithm, Index rows) {
    softmax_of<1>(x, y, rows, classes, inner, logarithm != 0);
}

extern "C" __global__ void softmax_grad_rows(const Real* gy, const Real* y, Real* gx, Index classes, Index inner,
                                             Index logarithm, Index rows) {
    softmax_grad_of<kWarp>(gy, y, gx, rows, classes, inner, logarithm != 0);
}

extern "C" __global__ void softmax_grad_columns(const Real* gy, const Real* y, Real* gx, Index classes, Index inner,
                                                Index logarithm, Index rows) {
    softmax_grad_of<1>(gy, y, gx, rows, classes, inner, logarithm != 0);
}

// The loss of one row, for a whole warp, and p (classes), its probabilities. The target `ignored` gives zeros, for the gradient,
// too. Any other outside [0, classes) gives nan, and fault = {1, that target}, for the host to find when it next looks.
__device__ __forceinline__ Sum row_loss(const Real* scores, Real* p, long long label, long long* fault, long long ignored, Index classes) {
    const Index lane = Team<kWarp>::lane_of_thread();
    Sum largest, sum;
    shifted_sum<kWarp>(scores, classes, 1, largest, sum);
    const Sum log_sum = log(sum);
    for (Index j = lane; j < classes; j += kWarp) p[j] = label == ignored ? Real(0) : Real(exp(Sum(scores[j]) - largest - log_sum));
    if (label == ignored) return Sum(0);
    if (label >= 0 && label < classes) return log_sum - (Sum(scores[label]) - largest);
    if (lane == 0) {
        fault[1] = label;
        fault[0] = 1;
    }
    return Sum(HUGE_VALUE) - Sum(HUGE_VALUE);
}

// x (rows, classes), target (rows) -> loss (rows), p (rows, classes)
extern "C" __global__ void cross_entropy(const Real* x, const long long* target, Real* loss, Real* p, long long* fault,
                                         long long ignored, Index classes, Index rows) {
    for (Index row = Team<kWarp>::first(); row < rows; row += Team<kWarp>::step()) {
        const Sum value = row_loss(x + row * classes, p + row * classes, target[row], fault, ignored, classes);
        if (Team<kWarp>::lane_of_thread() == 0) loss[row] = Real(value);
    }
}

// One block: the mean of the losses of the rows that count, how many those are, and a copy of the targets for the way back.
extern "C" __global__ void __launch_bounds__(1024)
    cross_entropy_mean(const Real* x, const long long* target, Real* loss, Real* p, Sum* count, long long* kept, long long* fault,
                       long long ignored, Index classes, Index rows) {
    const bool first = Team<kWarp>::lane_of_thread() == 0;
    Sum sum = Sum(0), used = Sum(0);
    for (Index row = Team<kWarp>::first(); row < rows; row += Team<kWarp>::step()) {
        const long long label = target[row];
        const Sum value = row_loss(x + row * classes, p + row * classes, label, fault, ignored, classes);
        if (!first) continue;
        sum += value;
        used += label == ignored ? Sum(0) : Sum(1);
        kept[row] = label;
    }
    sum = block_sum(sum);
    used = block_sum(used);
    if (threadIdx.x == 0) {
        *loss = Real(sum / used);
        *count = used;
    }
}

extern "C" __global__ void cross_entropy_mean_grad(const Real* gy, const Sum* count, const Real* p, const long long* target, Real* gx,
                                                   long long ignored, Index classes, Index total) {
    const Sum g = Sum(*gy) / *count;
    EACH(i, total) {
        const Index row = i / classes;
        const Sum mine = target[row] == ignored ? Sum(0) : g, v = Sum(p[i]) * mine;
        gx[i] = Real(i - row * classes == target[row] ? v - mine : v);
    }
}

extern "C" __global__ void cross_entropy_grad(const Real* gy, const Real* p, const long long* target, Real* gx,
                                              long long ignored, Index classes, Index total) {
    EACH(i, total) {
        const Index row = i / classes;
        const Sum g = target[row] == ignored ? Sum(0) : Sum(gy[row]), v = Sum(p[i]) * g;
        gx[i] = Real(i - row * classes == target[row] ? v - g : v);
    }
}

// ---------------------------------------------------------------- sums over channels

// x (n, channels, inner): call visit(value index) for every cell of the block's channel that is this thread's.
template <class F>
__device__ void over_channel(Index n, Index channels, Index inner, Index channel, F visit) {
    const Index cells = n * inner;
    for (Index k = Index(threadIdx.x); k < cells; k += Index(blockDim.x)) {
        const Index image = k / inner;
        visit((image * channels + channel) * inner + (k - image * inner));
    }
}

extern "C" __global__ void channel_sum(const Real* x, Real* sums, Index n, Index channels, Index inner) {
    for (Index channel = Index(blockIdx.x); channel < channels; channel += Index(gridDim.x)) {
        Sum sum = Sum(0);
        over_channel(n, channels, inner, channel, [&](Index i) { sum += Sum(x[i]); });
        sum = block_sum(sum);
        if (threadIdx.x == 0) sums[channel] = Real(sum);
    }
}

// Mean, then the mean square distance from it: two passes, no cancellation.
extern "C" __global__ void channel_stats(const Real* x, Real* means, Real* variances, Index n, Index channels, Index inner) {
    const Sum count = Sum(n) * Sum(inner);
    for (Index channel = Index(blockIdx.x); channel < channels; channel += Index(gridDim.x)) {
        Sum sum = Sum(0);
        over_channel(n, channels, inner, channel, [&](Index i) { sum += Sum(x[i]); });
        const Sum mean = block_sum(sum) / count;
        Sum square = Sum(0);
        over_channel(n, channels, inner, channel, [&](Index i) {
            const Sum d = Sum(x[i]) - mean;
            square += d * d;
        });
        square = block_sum(square);
        if (threadIdx.x == 0) {
            means[channel] = Real(mean);
            variances[channel] = Real(square / count);
        }
    }
}

extern "C" __global__ void batch_norm(const Real* x, const Real* w, const Real* b, const Real* mean, const Real* inv_std, Real* y,
                                      Index channels, Index inner, Index total) {
    EACH(i, total) {
        const Index c = i / inner % channels;
        y[i] = Real((Sum(x[i]) - Sum(mean[c])) * (Sum(w[c]) * Sum(inv_std[c])) + Sum(b[c]));
    }
}

extern "C" __global__ void batch_norm_sums(const Real* gy, const Real* x, const Real* mean, const Real* inv_std, Real* gw, Real* gb,
                                           Index n, Index channels, Index inner) {
    for (Index channel = Index(blockIdx.x); channel < channels; channel += Index(gridDim.x)) {
        const Sum m = mean[channel], s = inv_std[channel];
        Sum plain = Sum(0), weighted = Sum(0);
        over_channel(n, channels, inner, channel, [&](Index i) {
            plain += Sum(gy[i]);
            weighted += Sum(gy[i]) * ((Sum(x[i]) - m) * s);
        });
        plain = block_sum(plain);
        weighted = block_sum(weighted);
        if (threadIdx.x == 0) {
            gb[channel] = Real(plain);
            gw[channel] = Real(weighted);
        }
    }
}

extern "C" __global__ void batch_norm_grad(const Real* gy, const Real* x, const Real* w, const Real* mean, const Real* inv_std,
                                           const Real* gw, const Real* gb, Real* gx, Index n, Index channels, Index inner,
                                           Index total) {
    const Sum count = Sum(n) * Sum(inner);
    EACH(i, total) {
        const Index c = i / inner % channels;
        const Sum normed = (Sum(x[i]) - Sum(mean[c])) * Sum(inv_std[c]);
        const Sum g = Sum(gy[i]) - (Sum(gb[c]) + normed * Sum(gw[c])) / count;
        gx[i] = Real(g * (Sum(w[c]) * Sum(inv_std[c])));
    }
}

// ---------------------------------------------------------------- optimisers, many tensors a launch

constexpr int kTensors = 24;

// Addresses of up to kTensors parameters and of what belongs to them; `end` counts elements over all of them.
struct Tensors {
    Real* param[kTensors];
    const Real* grad[kTensors];
    Real* first[kTensors];   // momentum buffer, mean; null without
    Real* second[kTensors];  // mean square
    Real* third[kTensors];   // largest mean square, null without
    long long end[kTensors];
};

// Call step(tensor, element) for each element of each tensor.
template <class F>
__device__ void over_tensors(const Tensors& tensors, Index total, F step) {
    int t = 0;
    EACH(i, total) {
        while (i >= tensors.end[t]) ++t;
        step(t, t == 0 ? i : Index(i - tensors.end[t - 1]));
    }
}

// Numbers that may change from step to step. A captured graph reads them from memory (`live`), where they can.
struct SgdNumbers {
    double lr, momentum, keep, weight_decay;  // keep = 1 - dampening
};

extern "C" __global__ void sgd_step(const Tensors tensors, const SgdNumbers fixed, const double* live, Index nesterov,
                                    Index maximize, Index first, Index total) {
    const Sum lr = Sum(live ? live[0] : fixed.lr), momentum = Sum(live ? live[1] : fixed.momentum);
    const Sum keep = Sum(live ? live[2] : fixed.keep), decay = Sum(live ? live[3] : fixed.weight_decay);
    over_tensors(tensors, total, [&](int t, Index i) {
        const Sum p = tensors.param[t][i];
        Sum g = tensors.grad[t][i];
        if (maximize) g = -g;
        if (decay != Sum(0)) g += decay * p;
        if (tensors.first[t]) {
            const Sum buffer = first ? g : momentum * Sum(tensors.first[t][i]) + keep * g;
            tensors.first[t][i] = Real(buffer);
            g = nesterov ? g + momentum * buffer : buffer;
        }
        tensors.param[t][i] = Real(p - lr * g);
    });
}

struct AdamNumbers {
    double size, root, forget1, beta2, forget2, eps, weight_decay, shrink;
    // lr / (1 - beta1^t), sqrt(1 - beta2^t), 1 - beta1, beta2, 1 - beta2, eps, decay into the gradient, decay of the weight
};

extern "C" __global__ void adam_step(const Tensors tensors, const AdamNumbers fixed, const double* live, Index maximize, Index total) {
    const Sum size = Sum(live ? live[0] : fixed.size), root = Sum(live ? live[1] : fixed.root);
    const Sum forget1 = Sum(live ? live[2] : fixed.forget1), beta2 = Sum(live ? live[3] : fixed.beta2);
    const Sum forget2 = Sum(live ? live[4] : fixed.forget2), eps = Sum(live ? live[5] : fixed.eps);
    const Sum decay = Sum(live ? live[6] : fixed.weight_decay), shrink = Sum(live ? live[7] : fixed.shrink);
    over_tensors(tensors, total, [&](int t, Index i) {
        Sum p = tensors.param[t][i], g = tensors.grad[t][i];
        if (maximize) g = -g;
        p *= shrink;
        if (decay != Sum(0)) g += decay * p;
        Sum mean = tensors.first[t][i], square = tensors.second[t][i];
        mean += forget1 * (g - mean);
        square = beta2 * square + forget2 * g * g;
        tensors.first[t][i] = Real(mean);
        tensors.second[t][i] = Real(square);
        if (tensors.third[t]) {
            const Sum before = tensors.third[t][i];
            if (before > square || is_nan(before)) square = before;
            tensors.third[t][i] = Real(square);
        }
        tensors.param[t][i] = Real(p - size * mean / (sqrt(square) / root + eps));
    });
}
