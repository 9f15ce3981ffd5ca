# Any of Python 3.11, 3.12 and 3.13: `make repro PYTHON=python3.13`. Read when .venv is made.
PYTHON ?= python3.11
# Named, so that old versions of make look for commands on the PATH set below.
SHELL := /bin/bash
# So that `python` and `dvc`, here and in dvc.yaml, are those of the environment. A link is
# followed, because Python looks for its packages from the folder it is started in.
export PATH := $(or $(shell CDPATH= cd -P .venv/bin 2>/dev/null && pwd),$(CURDIR)/.venv/bin):$(PATH)
# They name the packages of another Python.
unexport PYTHONHOME PYTHONPATH
# Some systems set it to the name of the machine, which is none for an experiment.
ifeq ($(origin NAME),environment)
unexport NAME
endif

# What `make metrics-diff` compares with: any commit, branch or tag.
BASE ?= HEAD

.PHONY: .venv/ready repro released plots experiment demo help test test-fast lint check-lock \
    metrics-diff bench bench-leakage bench-stages bench-scaling requirements requirements-bench \
    requirements-pico clean

repro: .venv/ready ## set up the environment and run the whole pipeline
	@python -m stages._repro
	@echo
	@voicetraits results
	@printf '%s\n' '' 'Next:' \
	    '  make plots                                       look at it; report.html has all on a page' \
	    '  git add --all && git commit                      make it what others are compared with' \
	    '                  (plots/explore/ shows clips: not for a public repository if they are real)' \
	    '  make experiment NAME=shorter SET=train.epochs=3  change a parameter and compare'

# Needs the folders of real clips that released.yaml names, a C compiler, and an hour. Two steps at a
# time.
released: .venv/ready data/released/ttspico/ready ## train the released model from real clips, and write its file and card
	dvc repro sample
	PYTHONPATH=data/released/ttspico python -m stages.released speak
	python -m stages.released gather
	python -m stages.released steps first | xargs -P 2 -L 1 python -m stages.released
	python -m stages.released steps then | xargs -P 2 -L 1 python -m stages.released
	python -m stages.released card

plots: .venv/ready ## write the page of plots, and open it where there is a desktop
	@dvc plots show
	@$(if $(or $(DISPLAY),$(WAYLAND_DISPLAY),$(filter Darwin,$(shell uname))), \
	    python -m webbrowser -t "file://$(CURDIR)/dvc_plots/index.html" >/dev/null 2>&1 || true)

# The variables reach it through the environment, which leaves their quotes as they are.
experiment: .venv/ready ## NAME=shorter SET='clip.seconds=2 train.epochs=8': run changed, keep, compare
	@python -m stages._experiment

# MODEL may also be a folder models/<name>; without it, the released model.
demo: .venv/ready ## MODEL=model.onnx: serve a page that records a voice and shows what is recognised
	@voicetraits demo $${MODEL:+--model "$$MODEL"}

# From the comments behind the targets.
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' Makefile

# A file of tests stays in one process: its tests share what takes long to make.
test: .venv/ready ## run all tests and print what they cover
	python -m pytest --numprocesses=2 --dist=loadfile --cov --cov-report=term:skip-covered

test-fast: .venv/ready ## run the tests that are not slow, in under a minute
	python -m pytest -m "not slow"

lint: .venv/ready ## check format, lint and types
	ruff format --check .
	ruff check .
	mypy

# `check` and `report` are always run. Every other stage that DVC would run is stale. The data need
# not be there.
check-lock: .venv/ready ## see whether dvc.lock fits the code and the parameters
	@set -o pipefail; dvc repro --allow-missing --dry | awk '{ print } \
	    /^Running stage/ && $$3 !~ /^.(check|report).:$$/ { stale = 1 } END { exit stale }' || { \
	    echo "error: dvc.lock does not fit; run make repro and commit dvc.lock" >&2; exit 1; }

metrics-diff: .venv/ready ## compare the metrics with those of BASE (the last commit), as Markdown
	@found=$$(dvc metrics diff --md $(BASE)) && printf '%s\n' "$$found" | awk '{ rows = rows $$0 "\n" } \
	    END { printf "%s", NR < 3 ? "No metric differs from those of $(BASE).\n" : rows }'

# A quarter of an hour. Each benchmark replaces its figures in benchmarks/results/, after printing
# them beside the new. TensorFlow, which training is held against, has an environment of its own.
bench: .venv/ready .venv-bench/ready ## measure speed, as ratios against a baseline of the same run
	python -m benchmarks.short_term
	python -m benchmarks.decode
	python -m benchmarks.whole_path
	python -m benchmarks.training

bench-stages: .venv/ready ## measure CPU and wall time of every stage
	python -m benchmarks.stages

# Six times the training of `make repro`, whose data it needs: the figures of docs/leakage.md.
bench-leakage: .venv/ready ## measure what the original protocol's leakage is worth
	python -m benchmarks.leakage

# Half an hour and 15 GB of disk: the figures of docs/scaling.md.
bench-scaling: .venv/ready ## measure time and memory as the corpus grows
	python -m benchmarks.scaling

# An extra alone, without what the pipeline needs.
define pin
	python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	    print(*project["optional-dependencies"]["$1"], sep="\n")' \
	    | uv pip compile - --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-annotate \
	    --custom-compile-command "make requirements-$1" --output-file requirements-$1.txt
endef

# Writes requirements-bench.txt anew from the extra `bench` alone.
requirements-bench: .venv/ready ## pin the environment of `make bench` anew
	$(call pin,bench)

# Writes requirements.txt anew from pyproject.toml; needs `uv` on the path.
requirements: ## pin the environment anew (needs uv)
	uv pip compile pyproject.toml --extra dev --extra speech --universal --python-version 3.11.4 \
	    --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	    --output-file requirements.txt

# Writes requirements-pico.txt anew from the extra `pico` alone.
requirements-pico: .venv/ready ## pin the synthesiser of `make released` anew
	$(call pin,pico)

clean: ## remove the environments and what the pipeline makes; downloads stay
	rm -rf .venv .venv-bench models .cache report.html $(addprefix data/, params-are-valid sample clips wav \
	    example features pitch spectrogram mel splits beside exported)

.venv-bench/ready: requirements-bench.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet --require-hashes -r requirements-bench.txt
	touch .venv-bench/ready

# In a folder beside the environment, which has no need of it.
data/released/ttspico/ready: requirements-pico.txt
	pip install --quiet --upgrade --no-deps --require-hashes --target $(@D) -r requirements-pico.txt
	touch $@

# Phony, because more than dates tells whether the environment is whole, and that of this folder.
.venv/ready:
	@$(SHELL) set_up.sh "$(PYTHON)"
