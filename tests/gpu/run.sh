#!/usr/bin/env bash
# The CUDA backend on a real GPU. From the root of the repository:
#   tests/gpu/run.sh             tests of this folder, then the whole suite with MINIGRAD_BACKEND=cuda
#   tests/gpu/run.sh memcheck    words of the backend under compute-sanitizer: out-of-bounds and misaligned accesses
#   tests/gpu/run.sh racecheck   the same for shared memory that two threads use without a barrier between them
# Further arguments go to pytest; PYTHON names the interpreter. compute-sanitizer comes with the CUDA toolkit.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=${1:-suite}
[ $# -gt 0 ] && shift
python=${PYTHON:-python}

case $mode in
suite)
    "$python" -m pytest -q tests/gpu "$@"
    MINIGRAD_TEST_BACKENDS=cuda \
        "$python" -m pytest -q tests/core tests/nn tests/optim -k cuda "$@"
    ;;
memcheck | racecheck)
    # CuPy's pool would hide an access beyond one array inside a block of the pool.
    MINIGRAD_TEST_BACKENDS=cuda CUPY_ACCELERATORS="" \
        compute-sanitizer --tool "$mode" --error-exitcode 1 --target-processes all \
        "$python" -c 'import cupy, sys, pytest; cupy.cuda.set_allocator(None); sys.exit(pytest.main(sys.argv[1:]))' \
        -q tests/gpu "$@"
    ;;
*)
    echo "usage: $0 [suite|memcheck|racecheck] [pytest arguments]" >&2
    exit 2
    ;;
esac
