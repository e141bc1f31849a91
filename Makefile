PYTHON ?= python

DOCS_ENV = NO_MKDOCS_2_WARNING=1

.PHONY: docs-site dist format check test test-slow soak families families-record architectures docs ci

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

families:  ## every family of timm at every place of mixing
	MULTIMIX_FAMILIES=all $(PYTHON) -m pytest -m slow -n 0 tests/families

families-record:  ## the same, written down: the record, and the page made from it
	MULTIMIX_FAMILIES=$(or $(FAMILIES),all) MULTIMIX_FAMILIES_WRITE=1 $(PYTHON) -m pytest -m slow -n 0 tests/families
	$(MAKE) architectures

architectures:  ## docs/architectures.md, from the record
	$(PYTHON) -m tests.families.page > docs/architectures.md

docs:  ## docs/guide.md, docs/agreement.md and benchmarks/README.md, from the registry, the benchmarks' results and the README
	$(PYTHON) -m benchmarks.guide
	$(PYTHON) -m benchmarks.agreement
	$(PYTHON) -m benchmarks.aims
	$(PYTHON) -m benchmarks.data_page
	$(PYTHON) -m benchmarks.flags_page
	$(PYTHON) -m tests.layers

docs-site:  ## the documentation site, in build/site, with every warning an error
	$(DOCS_ENV) $(PYTHON) -m mkdocs build --strict --quiet

dist:  ## a source archive and a wheel, in dist/, as an index would take them
	rm -rf dist
	$(PYTHON) -m build --quiet
	$(PYTHON) -m twine check --strict dist/*

soak:  ## kill training 30 times, at random moments, and resume it (kept in docs/soak.json); 200,000 hostile inputs
	$(PYTHON) -m tests.training.soak --kills 30 --output docs/soak.json
	MULTIMIX_FUZZ=4 $(PYTHON) -m pytest -m "slow or not slow" tests/fuzz

ci:  ## everything, in fresh environments
	.ci/run
