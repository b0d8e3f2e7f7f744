# make train: learn MNIST.   make test: all that CI runs.   make bench: the table of BENCHMARKS.md.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
SOURCES := pyproject.toml $(shell find cpp -name '*.cpp' -o -name '*.hpp' -o -name '*.h' -o -name CMakeLists.txt 2>/dev/null)

.PHONY: train test lint bench bench-gpu test-cuda test-sanitizers clean

$(VENV)/made:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	touch $@

$(VENV)/train: $(VENV)/made $(SOURCES)
	$(BIN)/pip install --quiet -e '.[data,viz]'
	touch $@

$(VENV)/test: $(VENV)/made $(SOURCES)
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet -e '.[test]'
	touch $@

train: $(VENV)/train
	$(BIN)/python examples/train_simple_convnet.py $(ARGS)

lint: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-sanitizers:
	bash cpp/tests/run.sh

test-cuda: $(VENV)/test
	PYTHON=$(abspath $(BIN)/python) bash tests/cuda/run.sh

test: lint test-sanitizers
	PYTHON=$(abspath $(BIN)/python) bash tests/run.sh --cov --cov-report=term:skip-covered --cov-fail-under=95

bench: $(VENV)/test
	$(BIN)/python benchmarks/run.py --write

bench-gpu: $(VENV)/test
	$(BIN)/python benchmarks/gpu.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
