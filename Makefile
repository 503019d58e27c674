# Two commands: `make run` (the quickstart study) and `make test` (every check). Both make .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
unexport PYTHONDONTWRITEBYTECODE  # what is imported is compiled once, not in every process

.PHONY: run test test-all bench docs notebooks wheel constraints lint types layers pytest clean

run: $(VENV)/.installed
	$(BIN)/prunescope run quickstart --until-decided --most 10 --stack 12

test: $(VENV)/.installed
	$(MAKE) -j2 pytest lint layers types

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

layers: $(VENV)/.installed
	$(BIN)/lint-imports

pytest: $(VENV)/.installed
	$(BIN)/pytest -n 2 --dist loadscope -m "not slow"

test-all: lint types layers
	$(BIN)/pytest -n 2

docs: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --group docs
	$(BIN)/python tools/atlas.py
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

wheel: $(VENV)/.installed
	$(BIN)/python tools/wheel.py

constraints: $(VENV)/.installed
	$(BIN)/python tools/update_constraints.py

notebooks: export NOTEBOOKS = force
notebooks: docs

bench: $(VENV)/.installed
	$(BIN)/python -m benchmarks

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "prunescope needs Python 3.11 or newer; set PYTHON=/path/to/python3.11 (found $$($(PYTHON) --version 2>&1))"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@# A pip that knows --group, and needs a quarter less time.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --upgrade 'pip>=25.1'
	@# What is imported is compiled then; compiling everything takes a minute.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
