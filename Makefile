# make repro   set up the environment and run the whole pipeline
# make test    set up the environment and run the tests
# make lint    what CI checks besides: format, lint, types

# Any of Python 3.11, 3.12 and 3.13: `make repro PYTHON=python3.13`.
PYTHON ?= python3.11
# Named, so that old versions of make look for commands on the PATH set below.
SHELL := /bin/bash
CORES := $(shell getconf _NPROCESSORS_ONLN)
# So that `python` and `dvc`, here and in dvc.yaml, are those of the environment. Quoted, because
# the folder may have spaces in its name.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: repro test lint requirements clean

# Everything up to the splits is parallel inside. Cells and pictures use one core each and so run
# beside each other, the longest (language) first; the last call does what is left.
repro: .venv/ready
	dvc repro extract split_gender split_language
	dvc stage list --name-only | grep -E '^(explore|gender|language)@' | sort -r \
	    | xargs -P $(CORES) -n 1 dvc --wait-for-lock repro --single-item --quiet
	dvc repro
	@echo
	dvc metrics show metrics/gender metrics/language

test: .venv/ready
	python -m pytest

lint: .venv/ready
	ruff format --check .
	ruff check .
	mypy

# Writes requirements.txt anew from pyproject.toml; needs `uv` on the path.
requirements:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	    --output-file requirements.txt

clean:
	rm -rf .venv data models .cache

# The stamp is written last, so that an interrupted set-up starts again.
.venv/ready: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --require-hashes -r requirements.txt
	python -m pip install --quiet --no-build-isolation --no-deps --editable .
	python -m voicetraits.plots_page .dvc/plots/page.html
	dvc config --local plots.html_template plots/page.html
	touch .venv/ready
