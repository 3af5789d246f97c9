# `make test` and `make table1` are all a user needs: both make the environment in .venv first. `make quick` is for everyday work.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# Tests run in as many processes as there are cores, four at most; in each of them torch has one thread.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder

.PHONY: test quick table1 lint format clean

table1: $(INSTALLED)
	$(BIN)/python -m reproduce table1 --profile demo

test: lint
	$(PYTEST)

quick: $(INSTALLED)
	$(PYTEST) -m 'not slow'

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, but $(PYTHON) is " + sys.version.split()[0] + "; name another by make PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv runs dist .mypy_cache .pytest_cache .ruff_cache
