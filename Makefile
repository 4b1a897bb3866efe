# The same targets serve people and CI. `make help` lists them.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8080
DATA ?= ./data
BIN := .venv/bin
REQUESTS ?= 20000
SEED ?= 1
FUZZ_SECONDS ?= 60
RUN_STAMP := .venv/.installed
DEV_STAMP := .venv/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help install serve demo test thorough chaos compat schema fuzz lint audit bench screenshots clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Assay needs Python 3.11 or newer; say PYTHON=… to name one")'
	$(PYTHON) -m venv .venv

$(RUN_STAMP): $(BIN)/python requirements.txt sdk/pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(DEV_STAMP): $(RUN_STAMP) requirements-dev.txt requirements-team.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

install: $(RUN_STAMP)  ## make .venv and install what the platform needs

serve: install  ## run the platform (HOST, PORT, DATA)
	$(BIN)/python manage.py serve --host $(HOST) --port $(PORT) --data-dir $(DATA)

demo: install  ## run the sample evaluation, then serve (ONCE=1: end after it)
	$(BIN)/python examples/demo.py --host $(HOST) --port $(PORT) --data-dir $(DATA) $(if $(ONCE),--once)

# Bytecode is kept, whatever the environment says: each of the many processes would compile the platform anew.
test: $(DEV_STAMP)  ## run the test suite (make lint reads the imports)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --ignore tests/test_layers.py \
		-m "not thorough"

thorough: $(DEV_STAMP)  ## run the tests that make test leaves out: long stories, and the same on other databases
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m thorough

chaos: $(DEV_STAMP)  ## kill the platform's parts, many times more than make test does
	ASSAY_CHAOS=full $(BIN)/python -m pytest tests/chaos -rP

compat: $(DEV_STAMP)  ## drive a running platform with the real clients
	$(BIN)/python tests/compat/run.py $(addprefix --only ,$(ONLY))

schema: $(DEV_STAMP)  ## hold a running platform to /openapi.json by schemathesis (REQUESTS, SEED)
	$(BIN)/python tests/schema/run.py --requests $(REQUESTS) --seed $(SEED)

fuzz: $(DEV_STAMP)  ## try what reads untrusted bytes with inputs that nobody has seen (FUZZ_SECONDS, SEED)
	ASSAY_FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m tests.fuzz --seed $(SEED)

lint: $(DEV_STAMP)  ## ruff, types, import rules, migrations, openapi.json
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	mkdir -p .types && ln -sfn .. .types/assay && $(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py
	ASSAY_DATA_DIR=.lint-data $(BIN)/python manage.py makemigrations --check --dry-run
	ASSAY_DATA_DIR=.lint-data $(BIN)/python manage.py openapi --check

audit: $(DEV_STAMP)  ## bandit over the code, pip-audit over what is installed
	$(BIN)/bandit -q -c pyproject.toml -r accounts platform workspaces secrets filesets evaluator jobs operations ui sdk/assay_sdk examples manage.py assay.py
	$(BIN)/python -m pip freeze --exclude-editable > .lint-data/installed.txt && $(BIN)/pip-audit --no-deps --disable-pip -r .lint-data/installed.txt

bench: $(DEV_STAMP)  ## measure; writes benchmarks/results.md
	$(BIN)/python -m benchmarks

screenshots: $(DEV_STAMP)  ## take a picture of every page, light and dark, into screenshots/
	$(BIN)/python -m tests.ui.screenshots screenshots

clean:  ## remove what make made, except data
	rm -rf .venv .compat .types .lint-data .mypy_cache .ruff_cache .pytest_cache
