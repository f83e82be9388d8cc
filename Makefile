# Everything a developer runs. Each target sets up what it needs: `make demo` and `make test` work on a fresh clone
# that has nothing but Python 3.11 to 3.13, git and make. The environment is .venv; delete it to start over.

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-install bench benchmarks lint format docs names clean

SHELL := /bin/bash
# The first interpreter that fits; say `make PYTHON=python3.12 ...` to choose.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt
# An environment is remade when what it is made from changes.
FROM := pyproject.toml constraints.txt

# Tests of one file stay in one process, since they compile the same kernels. ARGS="-n 0" runs them in this one.
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile
# A waiting thread must not spin: on a shared machine it would take the core from the one it waits for.
export OMP_WAIT_POLICY := passive

help:  ## this list
	@awk -F ":.*  ## " '/^[a-z-]+:.*  ## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/demo  ## the main demo: a robot finds out where it is, plans, drives to its goals (under two minutes)
	$(BIN)/pilotage demo navigate $(ARGS)

test: $(VENV)/dev  ## the tests, without the slow ones
	$(PYTEST) $(ARGS)

test-slow: $(VENV)/dev  ## all tests
	$(PYTEST) -m "slow or not slow" $(ARGS)

test-install: $(VENV)/dev  ## the wheel in clean environments, e.g. make test-install ARGS="--python python3.13 --extras envs"
	$(BIN)/python -m tests.installation $(ARGS)

bench: $(VENV)/bench  ## controllers beside each other on the stock tasks, with a report; a few minutes
	$(BIN)/pilotage bench $(ARGS)

benchmarks: $(VENV)/dev  ## our speed and accuracy beside named peers, e.g. make benchmarks ARGS="ekf_step --quick"
	$(BIN)/python -m benchmarks $(ARGS)

lint: $(VENV)/dev  ## style, types, directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo

format: $(VENV)/dev  ## rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/docs  ## the documentation site, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

names: $(VENV)/dev  ## update the list of public names and the tables of the API pages after a deliberate change
	$(BIN)/python -m tests.test_architecture

clean:  ## remove everything that was made, the environment included
	rm -rf $(VENV) .pytest_cache .hypothesis .ruff_cache .import_linter_cache site dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A system Python without ensurepip (Debian without python3-venv) can still make an environment with virtualenv or uv.
$(VENV)/made:
	@test -n "$(PYTHON)" || { echo "Pilotage needs Python 3.11, 3.12 or 3.13; none was found. Say: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) 2>/dev/null \
		|| $(PYTHON) -m virtualenv --quiet $(VENV) 2>/dev/null \
		|| uv venv --quiet --seed --python $(PYTHON) $(VENV) 2>/dev/null \
		|| { echo "$(PYTHON) cannot make a virtual environment: install its venv module (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(PIP) --upgrade pip
	@touch $@

$(VENV)/demo: $(VENV)/made $(FROM)
	@echo "Installing what the demo needs into $(VENV) ..."
	@$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/bench: $(VENV)/made $(FROM)
	@echo "Installing what the controller benchmark needs into $(VENV) ..."
	@$(PIP) --editable '.[bench]'
	@touch $@

$(VENV)/dev: $(VENV)/made $(FROM)
	@echo "Installing what tests and checks need into $(VENV) ..."
	@$(PIP) --editable '.[demo,envs,learning,train,qp,bench,cluster,ros,data,video,peers]' --group dev
	@touch $@

$(VENV)/docs: $(VENV)/made $(FROM)
	@echo "Installing what the documentation needs into $(VENV) ..."
	@$(PIP) --editable . --group docs
	@touch $@
