# One way in: `make demo` and `make test` set up everything they need, from nothing. A second call installs nothing.

PYTHON ?= python3
MINUTES ?=
TEACHER ?=
PAIR ?= en-it
DEMO_FLAGS ?=
PIP_FLAGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_FLAGS)
# What the tests use besides the dependency group `dev` (pyproject.toml).
DEV_EXTRAS := all,argos,ray,tensorboard

.PHONY: help install demo test test-all test-lowest lint docs bench clean

help:
	@echo "make install    a virtual environment in $(VENV) with distilmt in it"
	@echo "make demo       distill a translator: PAIR=$(PAIR) MINUTES=60 TEACHER=train DEMO_FLAGS='--report_language zh'"
	@echo "make test       lint, and the tests that are quick; one installs the wheel"
	@echo "make test-all   lint, and all tests"
	@echo "make test-lowest  quick tests with the lowest versions that are allowed"
	@echo "make lint       ruff, mypy, import-linter"
	@echo "make docs       the documentation as a site, site/index.html"
	@echo "make bench      what was measured, and how"
	@echo "make clean      remove caches; runs/ and $(VENV) stay"

install: $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/distilmt demo --pair $(PAIR) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(TEACHER),--teacher $(TEACHER)) $(DEMO_FLAGS)

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# mypy uses one core, so lint runs beside the tests; what it writes is shown at the end, and either may fail the target.
TESTED := set -u; lint=$$(mktemp); $(MAKE) --no-print-directory lint > "$$lint" 2>&1 & linting=$$!; \
  trap 'kill $$linting 2>/dev/null; rm -f "$$lint"' EXIT; \
  OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal

test: $(VENV)/.installed-dev
	@$(TESTED) -m "not slow"; tests=$$?; wait $$linting; linted=$$?; cat "$$lint"; exit $$((tests ? tests : linted))

test-all: $(VENV)/.installed-dev
	@export HYPOTHESIS_PROFILE=random; $(TESTED); tests=$$?; wait $$linting; linted=$$?; cat "$$lint"; \
	  exit $$((tests ? tests : linted))

# The lower bounds of pyproject.toml, in an environment of their own; torch and ray are left out (SECURITY.md).
LOWEST := $(VENV)-lowest
LOWEST_EXTRAS := train huggingface documents serve classify langid onnx opus shortlist images pages speech
COMMA := ,
SPACE := $(subst ,, )
LOWEST_TESTS := tests/documents/test_translate_documents.py tests/labels tests/export tests/serving tests/inference \
  tests/classification/test_storage.py tests/data/test_opus.py tests/compression/test_shortlist.py \
  tests/rendering tests/pictures tests/audio tests/recordings

test-lowest: $(VENV)/.made
	@[ -x $(LOWEST)/bin/python ] || $(PYTHON) -m venv $(LOWEST)
	@$(BIN)/python packaging/lowest.py $(LOWEST_EXTRAS) > $(LOWEST)/constraints.txt
	@cat constraints.txt >> $(LOWEST)/constraints.txt
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c $(LOWEST)/constraints.txt $(PIP_FLAGS) \
	  -e ".[$(subst $(SPACE),$(COMMA),$(LOWEST_EXTRAS))]" pytest hypothesis httpx deep-translator libretranslatepy
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -q -m "not slow" $(LOWEST_TESTS)

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench:
	@if [ -f benchmarks/run.py ]; then \
	  $(MAKE) --no-print-directory $(VENV)/.installed && $(BIN)/python benchmarks/run.py; \
	elif [ -n "$$(ls benchmarks/results 2>/dev/null)" ]; then \
	  echo "benchmarks/results:" $$(ls benchmarks/results) "- made by hand: each names its command, machine and date"; \
	else \
	  echo "there are no benchmarks yet: benchmarks/results is empty"; \
	fi

clean:
	rm -rf build dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps: written last, so that an installation that was cut off is done again.
$(VENV)/.made:
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	    echo "distilmt: $(PYTHON) is not Python 3.10 or newer: name one that is, such as PYTHON=python3.12" >&2; exit 2; }; \
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "distilmt: $(PYTHON) cannot make virtual environments: install its venv package" \
	      "(Debian: python3-venv), or name another one, such as PYTHON=python3.12" >&2; exit 2; }; \
	  echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@touch $@

$(VENV)/.installed: $(VENV)/.made pyproject.toml constraints.txt
	@echo "installing distilmt into $(VENV)"
	@$(PIP) -e ".[train]"
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed $(VENV)/.pip-groups pyproject.toml constraints.txt
	@echo "installing what the tests need into $(VENV)"
	@$(PIP) -e ".[$(DEV_EXTRAS)]" --group dev
	@touch $@

# The site is built from docs/ and src/: distilmt itself need not be installed.
$(VENV)/.installed-docs: $(VENV)/.pip-groups pyproject.toml constraints.txt
	@echo "installing what the site needs into $(VENV)"
	@$(PIP) --group docs
	@touch $@

# Older versions of pip do not know --group.
$(VENV)/.pip-groups: $(VENV)/.made
	@$(BIN)/python -c 'import pip, sys; sys.exit(tuple(map(int, pip.__version__.split(".")[:2])) < (25, 1))' || \
	  $(PIP) "pip>=25.1"
	@touch $@
