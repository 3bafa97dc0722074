# `make` alone lists the targets. Needs only Python 3.11+ with venv, git and make.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo test unit check bench lock clean

help:  ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.demo  ## prepare .venv with everything the product needs
demo: setup  ## run the whole product on this machine
	$(BIN)/tapewatch demo $(ARGS)

test: $(VENV)/.dev  ## every check and every test
	$(MAKE) --no-print-directory check
	$(BIN)/pytest $(ARGS)

unit: $(VENV)/.dev  ## the tests that need no server, in seconds
	$(BIN)/pytest tests/unit $(ARGS)

check: $(VENV)/.dev  ## format, lint, types, import rule
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.dev  ## cpu-µs a message, as ratios within one run
	$(BIN)/python -m benchmarks $(ARGS)

lock:  ## renew requirements/*.txt from pyproject.toml (needs uv)
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
	  --extra demo --group build pyproject.toml -o requirements/demo.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
	  --extra demo --group build --group dev pyproject.toml -c requirements/demo.txt -o requirements/dev.txt

clean:  ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist build

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "tapewatch needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V 2>&1). Type: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "This Python has no venv module. Type: sudo apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(VENV)/bin/python
	@echo "Preparing $(VENV) (once; about 100 MB of packages)"
	$(BIN)/pip --disable-pip-version-check install --quiet --progress-bar on --require-hashes -r requirements/demo.txt
	$(BIN)/pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.demo
	$(BIN)/pip --disable-pip-version-check install --quiet --require-hashes -r requirements/dev.txt
	@touch $@
