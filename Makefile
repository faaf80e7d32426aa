# `make demo` and `make test` need only Python >= 3.11, make and the package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: env demo test check docs bench clean

env: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev --group docs --editable ".[seed,export]"
	touch $(READY)

demo: env
	$(BIN)/kdos demo

test: check
	$(BIN)/python -m pytest --numprocesses 2

check: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright --pythonpath $(BIN)/python

docs: env
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going --quiet docs site

bench: env
	$(BIN)/python benchmarks/run_all.py

clean:
	rm -rf $(VENV) build dist site
