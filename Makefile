# make help | install | demo | test | check | bench | docs
.DEFAULT_GOAL := help
UV_VERSION := 0.13.8
PYTHON ?= python3.11
WORKERS ?= 2
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
VENV := .venv/bin
export UV_LINK_MODE ?= copy
# Python keeps what it compiled, whatever the surroundings say: the servers and commands that are started below would
# compile every library anew each time
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install install-all demo test check bench docs clean

help:  ## Say what the targets do
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "make %-12s %s\n", $$1, $$2}'

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# the environments are made anew only when the lock file changed
.venv/.core: pyproject.toml uv.lock | $(filter .uv/bin/uv,$(UV))
	$(UV) sync --quiet --frozen --no-default-groups --inexact
	@touch $@

.venv/.all: pyproject.toml uv.lock | $(filter .uv/bin/uv,$(UV))
	$(UV) sync --quiet --frozen --inexact --all-extras
	@touch $@ .venv/.core

install: .venv/.core  ## Install what the embedded back ends need (no torch)

install-all: .venv/.all  ## Install every back end (torch) and the development tools too

demo: .venv/.core  ## Run the whole chain on a real video: make demo [VIDEO="<url or file> ..."]
	$(VENV)/pressroom demo $(VIDEO)

test: .venv/.all  ## Run the tests: make test [WORKERS=2] [PYTEST_ARGS="..."]
	$(VENV)/pytest -n $(WORKERS) --dist loadgroup $(PYTEST_ARGS)

check: .venv/.all  ## Format, lint, types, import rules, generated docs
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/mypy
	$(VENV)/lint-imports --no-cache
	$(VENV)/python docs/generate.py --check

docs: .venv/.all  ## Regenerate docs/schema.md from the schema
	$(VENV)/python docs/generate.py

bench: .venv/.all  ## Run the benchmarks
	for file in benchmarks/*.py; do $(VENV)/python $$file || exit 1; done

clean:  ## Remove the environments
	rm -rf .venv .uv
