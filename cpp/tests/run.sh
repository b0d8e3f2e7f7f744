#!/bin/sh
# Build the kernel test plain, with ASan + UBSan, and with TSan, and run each: cpp/tests/run.sh [build folder]
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$(mktemp -d)}
run() { # name, sanitizers, argument
    cmake -S "$source" -B "$build/$1" -DMINIGRAD_TESTS=ON -DMINIGRAD_SANITIZE="$2" -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_CXX_FLAGS_RELEASE=-O1 >/dev/null
    cmake --build "$build/$1" --parallel "$(getconf _NPROCESSORS_ONLN)" >"$build/$1.log" 2>&1 || { cat "$build/$1.log"; exit 1; }
    echo "== $1"
    "$build/$1/kernel_test" $3
}
run plain "" ""
run address address,undefined ""
run thread thread threads
# No unit of one instruction set may offer code that the linker could share with another.
for unit in "$build"/plain/CMakeFiles/kernels.dir/isa/*.o; do
    if nm -C "$unit" | grep ' [WVu] ' | grep -v 'DW.ref'; then
        echo "$unit: weak symbols"
        exit 1
    fi
done
echo "no weak symbols"
