.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# how long `fuzz` compares on each database, and where it starts
SECONDS ?= 1800
SEED ?= $(shell date +%s)

.PHONY: help install run test check fuzz bench clean

help: ## show what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

install: $(VENV)/installed ## create .venv with everything the project needs, and nothing else

run: install ## start the service on loopback with the demo tenants, and print what to try
	@$(BIN)/python -m policy_service.cli demo

test: install ## every check and every test
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n auto

check: install ## style, types, layers and size budgets
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/budgets.py

fuzz: install ## compare filters with checks, and trees with their engines, for SECONDS each, by a new SEED
	$(BIN)/python -m tests.property.expression_runs --seconds $(SECONDS) --seed $(SEED)
	$(BIN)/python -m tests.property.tree_runs --seconds $(SECONDS) --seed $(SEED)
	$(BIN)/python -m tests.property.filter_fuzz --seconds $(SECONDS) --seed $(SEED) --database sqlite
	$(BIN)/python -m tests.property.filter_fuzz --seconds $(SECONDS) --seed $(SEED) --database postgresql

bench: install ## measure, print the table and write bench/RESULTS.md
	$(BIN)/python -m bench

clean: ## remove what the other targets made
	rm -rf $(VENV) data .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
