PYTHON ?= python

.PHONY: format check test test-slow ci

format:  ## rewrite in the house style
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

check:  ## style and types, without changing anything
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

test:  ## the fast tests
	$(PYTHON) -m pytest

test-slow:
	$(PYTHON) -m pytest -m slow

ci:  ## everything, in fresh environments, under 30 minutes
	.ci/run
