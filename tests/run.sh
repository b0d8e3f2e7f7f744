#!/usr/bin/env bash
# All of pytest, and at the same time the CUDA backend on the emulated device. PYTHON names the interpreter; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

PYTHON=$python bash tests/cuda/run.sh ci >"$logs/cuda" 2>&1 &
cuda=$!
status=0
"$python" -m pytest "$@" | tee "$logs/pytest" || status=1
wait "$cuda" || status=1
cat "$logs/cuda"
tail -n 1 "$logs/pytest" # pytest has the last word
exit "$status"
