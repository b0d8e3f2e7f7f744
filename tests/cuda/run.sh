#!/usr/bin/env bash
# The CUDA backend without a GPU. From the root of the repository:
#   tests/cuda/run.sh            kernels and words on the emulated device, compilation for three targets
#   tests/cuda/run.sh reverse    the same words, blocks and threads backwards: a missing barrier shows
#   tests/cuda/run.sh asan       the same words under AddressSanitizer and UndefinedBehaviorSanitizer
#   tests/cuda/run.sh suite      every test that runs once per backend, and tests/gpu, on the emulated device
#   tests/cuda/run.sh kit        the conformance kit on the emulated device
#   tests/cuda/run.sh ci         asan, suite and kit at once: what `make test` adds to pytest, which has the plain mode
#   tests/cuda/run.sh all        everything above, one after another
# Further arguments go to pytest; PYTHON names the interpreter.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=${1:-plain}
[ $# -gt 0 ] && shift
python=${PYTHON:-python}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

kernels() { "$python" -m pytest -q tests/cuda --ignore tests/cuda/test_compile.py "$@"; }
emulated() { PYTHONPATH="$PWD/tests/cuda/emulator${PYTHONPATH:+:$PYTHONPATH}" "$@"; }

# Each mode in the background with its output in a file; shown one after another, as they are asked for.
at_once() {
    local folder pids=() each failed=0
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' RETURN
    for each in "$@"; do
        bash "$0" "$each" -p no:cacheprovider >"$folder/$each" 2>&1 &
        pids+=($!)
    done
    for each in "$@"; do
        local status=0
        wait "${pids[0]}" || status=$?
        pids=("${pids[@]:1}")
        if [ "$status" -eq 0 ]; then
            echo "tests/cuda/run.sh $each: $(tail -n 1 "$folder/$each")"
        else
            echo "tests/cuda/run.sh $each failed:"
            cat "$folder/$each"
            failed=1
        fi
    done
    return "$failed"
}

case $mode in
plain) "$python" -m pytest -q tests/cuda "$@" ;;
reverse) CUDA_HOST_ORDER=reverse kernels "$@" ;;
asan)
    # The kernels' libraries are instrumented; the allocator has to be ASan's from the start, so that NumPy's arrays have
    # red zones too. Leaks are Python's own and of no interest here.
    LD_PRELOAD=$(g++ -print-file-name=libasan.so) \
        ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0 \
        UBSAN_OPTIONS=print_stacktrace=1 \
        CUDA_HOST_CXXFLAGS="-O1 -fsanitize=address,undefined -fno-sanitize-recover=all" \
        kernels -p no:cacheprovider "$@"
    ;;
suite)
    # Training by default on the GPU; then whatever runs once per backend, for this one (the id of such a test names it). Of
    # tests/surface two files are about tensors on the host: what out= is given, and whose memory is whose.
    MINIGRAD_BACKEND=cuda emulated "$python" -m pytest -q tests/gpu -k "not kit" "$@"
    MINIGRAD_TEST_BACKENDS=cuda emulated "$python" -m pytest -q tests -k cuda \
        --ignore tests/cuda --ignore tests/gpu --ignore tests/kit --ignore tests/cpp \
        --ignore tests/surface/test_out.py --ignore tests/surface/test_storage.py "$@"
    ;;
kit) MINIGRAD_TEST_BACKENDS=cuda emulated "$python" -m pytest -q tests/kit/test_backends.py -k cuda "$@" ;;
ci) at_once asan suite kit ;;
all) for each in plain reverse asan suite kit; do bash "$0" "$each" "$@"; done ;;
*)
    echo "usage: $0 [plain|reverse|asan|suite|kit|ci|all] [pytest arguments]" >&2
    exit 2
    ;;
esac
