# `make run` and `make test` are all that a fresh machine with Python 3.11 to 3.13 needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATE ?= .headwater
SAMPLES ?= samples
FUZZ_SECONDS ?= 10
QUESTION ?= how much annual leave do I earn

.PHONY: run test test-proofs fuzz clean

run: $(VENV)/installed
	$(BIN)/headwater ingest $(SAMPLES) --state $(STATE)
	$(BIN)/headwater search "$(QUESTION)" -k 3 --state $(STATE)

test: $(VENV)/installed-for-tests
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 2 --dist loadfile -m "not proof"

# What takes minutes to show: kills, outages, two at once, erasing, eight snapshots.
test-proofs: $(VENV)/installed-for-tests
	$(BIN)/pytest --numprocesses 2 --dist loadfile -m proof

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

clean:
	rm -rf $(VENV) $(STATE)
