# One environment in .venv for everything; nothing is installed twice.
VERTICAL ?= finance
PYTHON ?= python3
PORT ?= 5000
# Handed to the shell as variables: in the text of a command, what they hold would be commands, too.
ifneq (,$(findstring $$,$(value VERTICAL)$(value PORT)))
$(error VERTICAL and PORT take names and a number)
endif
export VERTICAL PORT
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Tests wait for processes now and then, so one more than there are cores; four take 8 GB.
WORKERS = $(shell $(PYTHON) -c 'import os; print(min(4, (os.cpu_count() or 1) + 1))')

define checked
started=$$(date +%s); set -ex; \
$(BIN)/ruff check .; $(BIN)/ruff format --check .; $(BIN)/mypy; \
$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal $(1); \
set +x; seconds=$$(($$(date +%s) - started)); echo "$@: $$((seconds / 60)) min $$((seconds % 60)) s"
endef

.DEFAULT_GOAL := help
.PHONY: help run test test-all ui clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/.installed ## run a vertical: make run VERTICAL=finance (the default), or VERTICAL=all for every one
	@case "$$VERTICAL" in \
	all) set -- ;; \
	''|*[!a-z0-9_,]*) echo "VERTICAL is no name of a vertical; kedro vertical list shows them" >&2; exit 2 ;; \
	*) set -- --pipelines "$$VERTICAL" ;; \
	esac; $(BIN)/kedro run "$$@"

test: .venv/.installed-dev ## lint, types and tests
	@$(call checked)

test-all: .venv/.installed-dev ## the same with all tests, as CI runs them
	@$(call checked,--exhaustive)

ui: .venv/.installed ## open MLflow on the local store: http://127.0.0.1:5000, or another PORT
	@case "$$PORT" in ''|*[!0-9]*) echo "PORT is no number" >&2; exit 2 ;; esac; $(BIN)/kedro adopt --if-moved
	MLFLOW_DISABLE_TELEMETRY=true $(BIN)/mlflow ui --backend-store-uri sqlite:///mlflow.db --port "$$PORT"

clean: ## remove what runs have made: data sets and the local MLflow store
	rm -rf data/0[2-8]_* data/.alerts data/.locks data/.scheduler mlruns mlflow.db mlflow.db.lock

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed, $(PYTHON) is older; name another one: make run PYTHON=python3.12"; exit 2; }
	@echo "Making .venv (once)"
	@$(PYTHON) -m venv .venv

# The constrained torch comes first: what is installed later must not draw in another build of it.
.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing the pinned dependencies (some minutes, once)"
	@$(PIP) torch
	@$(PIP) --editable .
	@touch $@

.venv/.installed-dev: .venv/.installed
	@echo "Installing the tools of the tests (once)"
	@$(PIP) --editable '.[dev]'
	@touch $@
