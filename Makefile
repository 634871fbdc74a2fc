# Two commands do everything on a fresh machine with Python 3.11 to 3.13: `make book` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup browser book pdf colab check test bench serve clean

BOOTSTRAP := $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PYTHON := $(BIN)/python
FAST := not slow and not site and not browser
PARALLEL := -n auto --dist worksteal
export JUPYTER_PLATFORM_DIRS := 1

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

# -- set-up: repeated only when the pins or the package's metadata change -------------------------------------------

.venv/.python:
	@test -n "$(BOOTSTRAP)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found."; exit 1; }
	@$(BOOTSTRAP) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; $(BOOTSTRAP) is $$($(BOOTSTRAP) --version)."; exit 1; }
	@echo "== creating .venv with $(BOOTSTRAP)"
	$(BOOTSTRAP) -m venv .venv
	@touch $@

.venv/.installed: .venv/.python requirements.lock pyproject.toml
	@echo "== installing the pinned packages (a few minutes the first time)"
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[book,site,test]'
	@touch $@

.venv/.browser: .venv/.installed tools/browser.py
	$(PYTHON) tools/browser.py
	@touch $@

# The linter and the types of the page's scripts. Node itself comes with the test packages; nobody else needs it.
NODE_PATH := PATH="$(CURDIR)/$(BIN):$$PATH"
node_modules/.installed: .venv/.installed package.json package-lock.json .npmrc
	@echo "== installing the linter and the types of the page's scripts"
	$(NODE_PATH) npm ci --loglevel=error
	@touch $@

setup: .venv/.installed ## create .venv
browser: .venv/.browser ## find or install the browser of the tests

# -- the book --------------------------------------------------------------------------------------------------------

book: setup ## execute every chapter and build the site into _build/html
	@echo "== executing the chapters and building the site"
	$(BIN)/jupyter-book build . -W -n --keep-going -q $(if $(CI),--all)
	@PYTHONPATH=tools $(PYTHON) tools/offline.py
	@echo "The site: _build/html/index.html (make serve opens it)"

pdf: book browser node_modules/.installed ## print the whole book as _build/pdf/ntkbook.pdf, and check it
	@echo "== printing the book"
	PYTHONPATH=tools $(PYTHON) -m pdf

colab: book ## the chapters as notebooks for Colab, into _build/colab
	$(PYTHON) tools/notebooks.py --colab -o _build/colab

serve: book ## open the site locally
	$(PYTHON) -m webbrowser -t http://localhost:8000 & $(PYTHON) -m http.server 8000 --bind 127.0.0.1 -d _build/html

# -- checks ----------------------------------------------------------------------------------------------------------

check: setup node_modules/.installed ## lint, types, unit and doc tests: the fast part, for every commit
	@echo "== lint"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(NODE_PATH) npm run --silent lint
	@echo "== types"
	$(BIN)/mypy
	$(NODE_PATH) npm run --silent types
	@echo "== unit and doc tests, float64"
	JAX_ENABLE_X64=1 $(BIN)/pytest -q $(PARALLEL) -m "$(FAST)"

test: browser check book pdf ## every check
	@echo "== unit and doc tests, float32"
	JAX_ENABLE_X64=0 $(BIN)/pytest -q $(PARALLEL) -m "$(FAST)"
	@echo "== executed outputs against the expected ones"
	$(PYTHON) tools/check_outputs.py
	@echo "== site, notebooks, slow tests; pages in these engines:"
	@$(PYTHON) tools/browser.py
	JAX_ENABLE_X64=1 $(BIN)/pytest -v -n auto --dist loadgroup --durations=25 -m "not ($(FAST))"

bench: setup ## the benchmarks, as ratios measured in one run
	PYTHONPATH=tools $(PYTHON) -m benchmarks

clean: ## remove what was built (not .venv, not node_modules)
	rm -rf _build dist .pytest_cache .mypy_cache .ruff_cache
