# Two commands do everything on a fresh machine: `make demo` and `make test`. Nothing else has to be installed by hand.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
BIN := $(VENV)/bin
# Where `make bundle` puts what a machine without a network needs.
BUNDLE ?= build/comity
# The first Python of 3.11 or newer; `make PYTHON=…` chooses another, and the environment is then made with that one.
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
else
NAMED := --named
endif
comma := ,
# Makes the environment, or says in a sentence why not: the standard library alone, so it runs before anything is there.
SETUP = "$(PYTHON)" -E -s infra/setup --venv "$(VENV)" $(NAMED)
ARGS ?=
# Numeric libraries start a thread per core otherwise, and the small machine's two fight.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help python runtime dev setup browser bundle demo up test browserless check fmt bench faces lock schemas docs clean

help: ## List what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "comity needs Python 3.11 or newer$(if $(PYTHON),$(comma) which $(PYTHON) is not,$(comma) and none is on the path): install it, or say make PYTHON=/path/to/python3.11" >&2; exit 1; }

runtime dev: python
	@$(SETUP) $@

setup: dev ## Everything for development: libraries, models, browser
	@$(BIN)/comity models
	@$(SETUP) browser || true # which says what is left out then

browser: python ## Debian's Chromium, for the browser tests
	@$(SETUP) browser

bundle: python ## One folder to set up from without a network (BUNDLE=FOLDER)
	@$(SETUP) bundle "$(BUNDLE)"

demo: runtime ## The main job on people who do not exist (ARGS=--once ends by itself, ARGS="--once --kafka local")
	@$(BIN)/comity demo $(ARGS)

up: runtime ## Serve an exchange from ./comity-home
	@$(BIN)/comity up $(ARGS)

check: dev ## The fast lane: lint, types, the import rule, unit tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports
	@$(BIN)/python schemas/bundle.py --check
	@$(BIN)/pytest -q -n 2 tests/unit $(ARGS)

test: setup ## All tests, on the real engines
	@$(MAKE) --no-print-directory check
	@$(BIN)/pytest -q -n 2 --dist loadgroup tests --ignore=tests/unit $(ARGS)

browserless: dev ## All tests but the browser's
	@$(BIN)/comity models
	@$(MAKE) --no-print-directory check
	@$(BIN)/pytest -q -n 2 --dist loadgroup tests --ignore=tests/unit -m "not browser" $(ARGS)

bench: dev ## Print ratios against the bare libraries
	@# A goal that is missed is printed, and ends in an error only after all were run.
	@# Anchors lie outside homes: not in the state folder of whoever runs it.
	@export COMITY_ANCHOR="$$(mktemp -d)"; missed=; for b in tests/bench/bench_*.py; do echo "== $$b"; $(BIN)/python $$b || missed="$$missed $$b"; done; \
		rm -rf "$$COMITY_ANCHOR"; test -z "$$missed" || { echo "goals missed in:$$missed" >&2; exit 1; }

faces: dev ## Accuracy on real faces (COMITY_TEST_FACES names the folder)
	@$(BIN)/python tests/faces/accuracy.py $(ARGS)

fmt: dev ## Format and sort
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

schemas: dev ## Bundle the schemas into the package
	@$(BIN)/python schemas/bundle.py

COMPILE = $(SETUP) run-uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
lock: python ## Resolve the locks anew
	$(COMPILE) --extra models --extra local-kafka pyproject.toml -o infra/locks/runtime.txt
	$(COMPILE) -c infra/locks/runtime.txt --extra models --extra local-kafka --group dev pyproject.toml -o infra/locks/dev.txt
	printf 'uv\n' | $(COMPILE) -c infra/locks/dev.txt - -o infra/locks/uv.txt
	printf 'uv-build\n' | $(COMPILE) -c infra/locks/dev.txt - -o infra/locks/build.txt

docs: dev ## Write the pages that are made from the code
	@$(BIN)/python tests/pages.py

clean: ## Remove the environment and what tools left here; ./comity-home and ~/.cache/comity stay
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find services tests schemas infra -name __pycache__ -prune -exec rm -rf {} +
