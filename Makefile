# make run: sets all up and serves the product.   make test: sets all up and passes the tests.
PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
BIN := .venv/bin
# uv's own environment, beside the product's, so that nothing is installed outside this folder.
UV_VERSION := 0.13.9
# Modules are compiled here, once: where Python may not write beside them, each process would do it again.
UV := UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 .uv/bin/uv
# Node and npm of this machine, or those of a wheel.
WITH_NODE := PATH="$$PATH:$(CURDIR)/.uv/node/bin"
# Templates included in the middle of a line: they end without the newline that djade would add.
INLINE := ago another basis corpus_origin place
export PYTHONUNBUFFERED := 1
# uv and npm keep what they download in the home directory, unless that isn't writable.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export UV_CACHE_DIR ?= $(CURDIR)/.uv/cache
export npm_config_cache ?= $(CURDIR)/.uv/npm
endif
# Our own modules are kept compiled, too: each process compiles them otherwise, which takes half a second.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run setup test test-all lint types style screenshots real clean

run: setup
	@$(BIN)/python manage.py run --host $(HOST) --port $(PORT)

setup: .venv/.ready node_modules/.ready

test: .venv/.ready-dev node_modules/.ready-dev lint
	$(BIN)/python -m pytest -n 3 --dist loadgroup -m "not long"

# Also the scripts of benchmarks and long searches.
test-all: .venv/.ready-dev node_modules/.ready-dev lint
	$(BIN)/python -m pytest -n 3 --dist loadgroup

# Side by side, because the types take half of the time.
lint: .venv/.ready-dev node_modules/.ready-dev
	@$(MAKE) --no-print-directory --jobs 2 types style

types:
	$(BIN)/mypy

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/typos
	find templates -name '*.html' $(INLINE:%=! -path templates/includes/%.html) \
	  -exec $(BIN)/djade --check --target-version 5.2 {} +
	$(WITH_NODE) node_modules/.bin/biome lint --error-on-warnings static/js
	$(WITH_NODE) node_modules/.bin/tsc

# docs/tour.md and its pictures, of the real product in Chromium. It takes some minutes, most of them a training.
screenshots: .venv/.ready-dev node_modules/.ready
	$(BIN)/python -m tests.tour

# Bluesky's own server and a mock of Mastodon, for tests/real: 230 MB, and some minutes. Without a prebuilt SQLite, npm
# compiles one: with the headers of Node in /usr/include, npm_config_nodedir=/usr make real
real: .venv/.ready-dev
	@mkdir -p .real && cp tests/real/package.json .real/
	$(WITH_NODE) npm install --prefix .real --no-package-lock --no-audit --no-fund --loglevel=error
	$(UV) venv --quiet --allow-existing --python .uv/bin/python .real/venv
	$(UV) pip install --quiet --python .real/venv mastodon-mock==0.6.1

clean:
	rm -rf .venv .uv .real node_modules

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Bot Factory needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is another. Name one: make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	  { echo "$(PYTHON) comes without venv. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Setting up (once; TensorFlow is large) ..."
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.ready: uv.lock pyproject.toml | .uv/bin/uv
	@$(UV) sync --quiet --frozen --no-dev --inexact --python .uv/bin/python
	@touch $@

.venv/.ready-dev: uv.lock pyproject.toml | .uv/bin/uv
	@$(UV) sync --quiet --frozen --inexact --python .uv/bin/python
	@touch $@ .venv/.ready

define npm_ci
@if ! command -v npm >/dev/null; then \
  UV_PROJECT_ENVIRONMENT=.uv/node $(UV) sync --quiet --frozen --only-group node --python .uv/bin/python; fi
@$(WITH_NODE) npm ci --loglevel=error --no-audit --no-fund --ignore-scripts $(1) >/dev/null
endef

node_modules/.ready: package.json package-lock.json | .uv/bin/uv
	$(call npm_ci,--omit=dev)
	@touch $@

node_modules/.ready-dev: package.json package-lock.json | .uv/bin/uv
	$(call npm_ci)
	@touch $@ node_modules/.ready
