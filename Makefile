# Two commands do everything on a fresh machine with Python 3.11 to 3.13: `make book` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -eo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup browser book pdf colab course grade check test nightly bench serve clean \
  links unlocked dist recipe paper named ready pages branch binder

BOOTSTRAP := $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PYTHON := $(BIN)/python
FAST := not slow and not site and not browser
SLOW := not nightly and not ($(FAST))
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
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[book,site,course,test]'
	@touch $@

.venv/.browser: .venv/.installed tools/browser.py
	$(PYTHON) tools/browser.py
	@touch $@

# The linter and the types of the page's scripts, and what makes the slides. Node itself comes with the test packages; nobody else needs it.
NODE_PATH := PATH="$(CURDIR)/$(BIN):$$PATH"
node_modules/.installed: .venv/.installed package.json package-lock.json .npmrc
	@echo "== installing what checks the page's scripts and makes the slides"
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

course: book node_modules/.installed ## the course pack for teachers, students and graders, into _build/course
	PYTHONPATH=tools $(PYTHON) -m course

grade: setup ## every problem set through its grader; make test does it for those that changed
	PYTHONPATH=tools $(PYTHON) -m course.tried

serve: book ## open the site locally
	$(PYTHON) -m webbrowser -t http://localhost:8000 & $(PYTHON) -m http.server 8000 --bind 127.0.0.1 -d _build/html

# -- checks ----------------------------------------------------------------------------------------------------------

check: setup node_modules/.installed ## lint, types, unit and doc tests: the fast part, for every commit
	@echo "== lint"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(NODE_PATH) npm run --silent lint
	$(BIN)/zizmor --offline --quiet .github
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
	JAX_ENABLE_X64=1 $(BIN)/pytest -v -n auto --dist loadgroup --durations=25 -m "$(SLOW)"

nightly: browser book grade ## what takes too long for make test
	JAX_ENABLE_X64=1 $(BIN)/pytest -v -n auto --dist loadgroup -m nightly

bench: setup ## the benchmarks, as ratios measured in one run
	PYTHONPATH=tools $(PYTHON) -m benchmarks

# -- publishing: what the workflows call; RELEASING.md says when ------------------------------------------------------

RELEASE := PYTHONPATH=tools $(PYTHON) -m release.

named: setup ## stop while CITATION.cff holds placeholders
	@$(RELEASE)ready

ready: setup ## stop while anything that a release needs is missing
	@$(RELEASE)ready --release

dist: setup ## the package as wheel and source in dist/, tried in a new environment
	$(RELEASE)dist

recipe: dist ## the recipe for conda-forge, into _build/recipe
	$(RELEASE)recipe

paper: book ## the paper for JOSE with the book's numbers, into _build/paper
	$(RELEASE)paper

pages: book pdf ## all that is published as the site, into _build/pages
	rm -rf _build/pages
	cp -r _build/html _build/pages
	cp _build/pdf/ntkbook.pdf _build/ntkbook-site.zip _build/pages

branch: ## push _build/colab as the branch colab
	tools/branch.sh _build/colab colab

binder: setup ## ask Binder to build this commit
	$(RELEASE)binder

links: book ## do the site's external links still answer
	$(RELEASE)links

unlocked: ## the fast tests with the newest versions that are allowed
	rm -rf _build/unlocked
	$(BOOTSTRAP) -m venv _build/unlocked
	_build/unlocked/bin/pip install --quiet --disable-pip-version-check -e '.[book,site,course,test]'
	JAX_ENABLE_X64=1 _build/unlocked/bin/pytest -q $(PARALLEL) -m "$(FAST)" -k "not installed_beside_lock and not too_new"

clean: ## remove what was built (not .venv, not node_modules)
	rm -rf _build dist .pytest_cache .mypy_cache .ruff_cache
