# make repro         set up the environment and run the whole pipeline
# make test          set up the environment and run the tests
# make lint          format, lint and types
# make bench         speed, as ratios against a baseline of the same run
# make bench-stages  CPU and wall time of every stage
# make bench-scaling time and memory as the corpus grows
# make requirements  pin the environment anew; make requirements-bench that of `make bench`
# make clean         remove the environments and what the pipeline makes; downloads stay

# Any of Python 3.11, 3.12 and 3.13: `make repro PYTHON=python3.13`. Read when .venv is made.
PYTHON ?= python3.11
# Named, so that old versions of make look for commands on the PATH set below.
SHELL := /bin/bash
# So that `python` and `dvc`, here and in dvc.yaml, are those of the environment. A link is
# followed, because Python looks for its packages from the folder it is started in.
export PATH := $(or $(shell CDPATH= cd -P .venv/bin 2>/dev/null && pwd),$(CURDIR)/.venv/bin):$(PATH)
# They name the packages of another Python.
unexport PYTHONHOME PYTHONPATH

.PHONY: .venv/ready repro test lint bench bench-stages bench-scaling requirements \
    requirements-bench clean

repro: .venv/ready
	@python -m stages._repro
	@echo
	@voicetraits results

test: .venv/ready
	python -m pytest

lint: .venv/ready
	ruff format --check .
	ruff check .
	mypy

# A quarter of an hour. Each benchmark replaces its figures in benchmarks/results/, after printing
# them beside the new. TensorFlow, which training is held against, has an environment of its own.
bench: .venv/ready .venv-bench/ready
	python -m benchmarks.short_term
	python -m benchmarks.decode
	python -m benchmarks.whole_path
	python -m benchmarks.training

bench-stages: .venv/ready
	python -m benchmarks.stages

# Half an hour and 15 GB of disk: the figures of docs/scaling.md.
bench-scaling: .venv/ready
	python -m benchmarks.scaling

# Writes requirements-bench.txt anew from the extra `bench` alone, without what the pipeline needs.
requirements-bench: .venv/ready
	python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	    print(*project["optional-dependencies"]["bench"], sep="\n")' \
	    | uv pip compile - --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-annotate \
	    --custom-compile-command "make requirements-bench" --output-file requirements-bench.txt

# Writes requirements.txt anew from pyproject.toml; needs `uv` on the path.
requirements:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11.4 \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	    --output-file requirements.txt

clean:
	rm -rf .venv .venv-bench models .cache $(addprefix data/, params-are-valid sample clips wav \
	    example features spectrogram splits)

.venv-bench/ready: requirements-bench.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --require-hashes -r requirements-bench.txt
	touch .venv-bench/ready

# Phony, because more than dates tells whether the environment is whole, and that of this folder.
.venv/ready:
	@$(SHELL) set_up.sh "$(PYTHON)"
