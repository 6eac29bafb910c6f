# make: the environment, then everything up to results/index.html.   make test: the quick tests.
# make test-all: what make test leaves out: slow ones, those of a browser, those on data from outside.
# make golden: R's answers to the made-up data sets, again (tests/golden/inside).
# make docs: the documents as a site.
# Both take CORES=n and, for another interpreter than python3, PYTHON=...
# Programs are called as modules: a script's first line cannot hold a path with a space.
PYTHON ?= python3
CORES ?= all
WORKERS := $(if $(filter all,$(CORES)),auto,$(CORES))
PY := .venv/bin/python
STAMP := .venv/.stamp

.PHONY: all test test-all golden check e2e docs clean environment
.DEFAULT_GOAL := all

all: $(STAMP)
	@$(PY) -m snakemake --cores $(CORES)

test: $(STAMP)
	@$(PY) -m pytest -q -m "not (slow or browser or outside or e2e or slurm)" -n $(WORKERS) --dist loadfile

test-all: $(STAMP)
	@$(PY) -m pytest -q -m "(slow or browser or outside) and not (e2e or slurm)" -n $(WORKERS) --dist loadfile

golden: $(STAMP)
	@$(PY) tests/golden/write_golden.py

e2e: $(STAMP)
	@$(PY) -m pytest -m e2e -n $(WORKERS) --dist loadfile

check: $(STAMP)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m snakefmt --check Snakefile workflow
	@.venv/bin/hadolint Containerfile

docs: $(STAMP)
	@$(PY) -m sphinx -W --keep-going -j auto -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

environment: $(STAMP)

# Remade when the lock or the package's metadata change; the sources are linked, not copied. A
# folder that was moved or copied is told by its stamp: its links still lead to the old place.
$(STAMP): requirements.lock pyproject.toml tools/environment.sh
	@PYTHON="$(PYTHON)" sh tools/environment.sh
	@pwd -P > $(STAMP)

ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

clean:
	rm -rf .venv .snakemake results/* data/processed/* logs docs/_build docs/_made
