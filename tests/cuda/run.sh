#!/usr/bin/env bash
# The CUDA backend without a GPU. From the root of the repository:
#   tests/cuda/run.sh            kernels and words on the emulated device
#   tests/cuda/run.sh reverse    the same, blocks and threads backwards: a missing barrier shows
#   tests/cuda/run.sh asan       the same under AddressSanitizer and UndefinedBehaviorSanitizer
#   tests/cuda/run.sh suite      operations, layers, optimisers, the conformance kit and tests/gpu on the emulated device
#   tests/cuda/run.sh all        everything above
# Further arguments go to pytest; PYTHON names the interpreter.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=${1:-plain}
[ $# -gt 0 ] && shift
python=${PYTHON:-python}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

kernels() { "$python" -m pytest -q tests/cuda --ignore tests/cuda/test_compile.py "$@"; }

case $mode in
plain) "$python" -m pytest -q tests/cuda "$@" ;;
reverse) CUDA_HOST_ORDER=reverse kernels "$@" ;;
asan)
    # The kernels' libraries are instrumented; the allocator has to be ASan's from the start, so that NumPy's arrays have
    # red zones too. Leaks are Python's own and of no interest here.
    LD_PRELOAD=$(g++ -print-file-name=libasan.so) \
        ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0 \
        UBSAN_OPTIONS=print_stacktrace=1 \
        CUDA_HOST_CXXFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all" \
        kernels -p no:cacheprovider "$@"
    ;;
suite)
    # Whatever runs once per backend, for this one (the id of such a test names it); then training by default on the GPU.
    export PYTHONPATH="$PWD/tests/cuda/emulator${PYTHONPATH:+:$PYTHONPATH}"
    MINIGRAD_TEST_BACKENDS=cuda "$python" -m pytest -q tests/core tests/nn tests/optim tests/kit/test_backends.py -k cuda "$@"
    MINIGRAD_BACKEND=cuda "$python" -m pytest -q tests/gpu -k "not kit" "$@"
    ;;
all) for each in plain reverse asan suite; do "$0" "$each" "$@"; done ;;
*)
    echo "usage: $0 [plain|reverse|asan|suite|all] [pytest arguments]" >&2
    exit 2
    ;;
esac
