# Two commands do everything on a fresh machine: `make demo` and `make test`. Nothing else has to be installed by hand.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# The first Python of 3.11 or newer; override with `make PYTHON=…`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
ARGS ?=
# Numeric libraries start a thread per core otherwise, and the small machine's two fight.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help setup demo up test check fmt bench faces lock schemas docs browser clean

help: ## List what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "comity needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "Python cannot make virtual environments: on Debian, apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.uv: infra/locks/uv.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r infra/locks/uv.txt
	@touch $@

$(VENV)/.runtime: infra/locks/runtime.txt pyproject.toml $(VENV)/.uv
	@echo "setting up: the locked libraries (half a minute, once)"
	@# A development environment holds the runtime's packages too: it is left alone.
	@test -e $(VENV)/.dev || VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes --no-deps -r infra/locks/runtime.txt
	@test -e $(VENV)/.dev || VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --require-hashes --no-deps -r infra/locks/build.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: infra/locks/dev.txt pyproject.toml $(VENV)/.uv
	@echo "setting up: the locked libraries for development (half a minute, once)"
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes infra/locks/dev.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

setup: $(VENV)/.dev browser ## Everything for development: libraries, models, browser
	@$(BIN)/comity models

browser: ## Debian's Chromium, for the browser tests
	@command -v chromium >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing Debian's chromium, for the browser tests"; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; \
		else echo "the browser tests need chromium: sudo apt-get install chromium" >&2; exit 1; fi; }

demo: $(VENV)/.runtime ## The main job on people who do not exist (ARGS=--once ends by itself, ARGS="--once --kafka local")
	@$(BIN)/comity demo $(ARGS)

up: $(VENV)/.runtime ## Serve an exchange from ./comity-home
	@$(BIN)/comity up $(ARGS)

check: $(VENV)/.dev ## The fast lane: lint, types, the import rule, unit tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	@$(BIN)/python schemas/bundle.py --check
	@$(BIN)/pytest -q -n 2 tests/unit $(ARGS)

test: setup ## All tests, on the real engines
	@$(MAKE) --no-print-directory check
	@$(BIN)/pytest -q -n 2 --dist loadgroup tests --ignore=tests/unit $(ARGS)

bench: $(VENV)/.dev ## Print ratios against the bare libraries
	@# A goal that is missed is printed, and ends in an error only after all were run.
	@# Anchors lie outside homes: not in the state folder of whoever runs it.
	@export COMITY_ANCHOR="$$(mktemp -d)"; missed=; for b in tests/bench/bench_*.py; do echo "== $$b"; $(BIN)/python $$b || missed="$$missed $$b"; done; \
		rm -rf "$$COMITY_ANCHOR"; test -z "$$missed" || { echo "goals missed in:$$missed" >&2; exit 1; }

faces: $(VENV)/.dev ## Accuracy on real faces (COMITY_TEST_FACES names the folder)
	@$(BIN)/python tests/faces/accuracy.py $(ARGS)

fmt: $(VENV)/.dev ## Format and sort
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

schemas: $(VENV)/.dev ## Bundle the schemas into the package
	@$(BIN)/python schemas/bundle.py

COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
lock: $(VENV)/.uv ## Resolve the locks anew
	$(COMPILE) --extra models --extra local-kafka pyproject.toml -o infra/locks/runtime.txt
	$(COMPILE) -c infra/locks/runtime.txt --extra models --extra local-kafka --group dev pyproject.toml -o infra/locks/dev.txt
	printf 'uv\n' | $(COMPILE) -c infra/locks/dev.txt - -o infra/locks/uv.txt
	printf 'uv-build\n' | $(COMPILE) -c infra/locks/dev.txt - -o infra/locks/build.txt

docs: $(VENV)/.dev ## Write the pages that are made from the code
	@$(BIN)/python tests/pages.py

clean: ## Remove the environment and what tools left here; ./comity-home and ~/.cache/comity stay
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find services tests schemas -name __pycache__ -prune -exec rm -rf {} +
