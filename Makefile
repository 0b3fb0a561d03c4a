# Everything runs from the project's own .venv, made on first use from Python >= 3.11 and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEED ?= 1
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
NPM := $(VENV)/npm
NPM_RIVALS := bittorrent-dht@11.0.12 flood@4.11.0

.PHONY: demo test snapshots pictures check format interop browser clients sim bench clean
.DELETE_ON_ERROR:

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: Python 3.11 or newer is needed (set PYTHON=...)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(RUNTIME): pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(DEV): $(RUNTIME)
	$(BIN)/python -m pip install --quiet --group dev --group rivals
	@touch $@

demo: $(RUNTIME)  ## tracker, seeder and leechers on loopback: real files, every byte verified
	$(BIN)/starling demo

test: $(DEV)  ## unit, contract, simulation and rivals from the package index
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/architecture tests/unit tests/contract tests/fuzz tests/simulation tests/tui tests/snapshots tests/e2e

snapshots: $(DEV)  ## keep how the screens of the interface look now, and its table of verbs; look at them before
	STARLING_RECORD=1 $(BIN)/python -m pytest -n 2 tests/snapshots

pictures: $(DEV)  ## the tour's pictures
	$(BIN)/python tests/snapshots/make_pictures.py

check: $(DEV)  ## format, lint, types, borders
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(NPM)/.installed: Makefile | $(BIN)/pip
	@if npm install --silent --no-audit --no-fund --no-save --ignore-scripts --prefix $(NPM) $(NPM_RIVALS); \
	then touch $@; else echo "no $(NPM_RIVALS) from npm: what needs it is skipped" >&2; fi

interop: $(DEV) $(NPM)/.installed  ## other clients, in network namespaces where they need one
	$(BIN)/python -m pytest -n 4 tests/interop

browser: $(DEV)  ## the tracker's status page in headless Chromium
	$(BIN)/python -m pytest tests/browser

clients: $(DEV) $(NPM)/.installed  ## programs that steer the daemon, with torrents that move
	$(BIN)/python -m pytest -n 2 tests/clients

sim: $(DEV)  ## the simulated swarms with another seed, ONLY=FILE::TEST for one of them
	STARLING_SEED=$(SEED) $(BIN)/python -m pytest $(if $(ONLY),'tests/simulation/$(ONLY)',-n 2 --dist loadfile tests/simulation)

bench: $(DEV)
	$(BIN)/python benchmarks/hashing.py
	$(BIN)/python benchmarks/transfer.py
	$(BIN)/python benchmarks/dht.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist
