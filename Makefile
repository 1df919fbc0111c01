# `make run` and `make test` are all that a fresh machine with Python 3.11 to 3.13 needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATE ?= .headwater
SAMPLES ?= samples
FUZZ_SECONDS ?= 10
AXE_VERSION := 4.14.1
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)
QUESTION ?= how much annual leave do I earn

.PHONY: run test test-proofs test-browser fuzz clean

run: $(VENV)/installed
	$(BIN)/headwater ingest $(SAMPLES) --state $(STATE)
	$(BIN)/headwater search "$(QUESTION)" -k 3 --state $(STATE)

test: $(VENV)/installed-for-tests
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m "not proof"

# What takes minutes to show: whole runs and their alerts, the commands of the README, `headwater up`,
# kills, outages, two at once, erasing, eight snapshots, remote stores, other machines.
test-proofs: $(VENV)/installed-for-tests
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m proof

# The dashboard in a real browser. Gets Playwright from PyPI, Chromium from Debian and axe-core from
# npm if they are not there; leaves pictures of all pages in build/screenshots.
test-browser: $(VENV)/installed-for-browser-tests
	$(BIN)/pytest -q -rs tests/flows/dashboard/browse_dashboard.py

# Damaged documents for every parser, so many seconds for each type.
fuzz: $(VENV)/installed-for-tests
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/pytest -q -rs tests/parsers/fuzz_parsers.py

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-for-tests: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

$(VENV)/installed-for-browser-tests: $(VENV)/installed-for-tests
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[browser]'
	command -v chromium || $(AS_ROOT) sh -c 'apt-get update -qq && apt-get install -yqq --no-install-recommends chromium' \
		|| echo 'Chromium cannot be installed: what needs it is skipped'
	npm install --silent --no-fund --no-audit --prefix $(VENV)/browser axe-core@$(AXE_VERSION) \
		|| echo 'axe-core cannot be installed: what needs it is skipped'
	touch $@

clean:
	rm -rf $(VENV) $(STATE)
