# `make demo` and `make test` need only Python >= 3.11, make and the package index.
PYTHON ?= python3
SECONDS ?= 120
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: env demo test soak browser check docs bench clean

env: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(INSTALL) --group dev --editable ".[seed,documents,export]"
	touch $@

# Tests, types and the site need more than the demo does.
$(READY)-train: $(READY)
	$(INSTALL) --group docs --group trainers --editable ".[train]"
	touch $@

demo: env
	$(BIN)/kdos demo

test: check
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

# Attacks from outside, drawn at random; a violation is printed with the seed that repeats it.
soak: env
	$(BIN)/python tests/hostile/soak.py --seconds $(SECONDS)

# The report's tests open it in a browser where there is one; this needs Debian and its root.
browser:
	command -v chromium || (apt-get update -qq && apt-get install -qq -y chromium)

check: $(READY)-train
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/basedpyright --pythonpath $(BIN)/python

docs: $(READY)-train
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going --quiet docs site

bench: env
	$(BIN)/python benchmarks/run.py all

clean:
	rm -rf $(VENV) build dist site
