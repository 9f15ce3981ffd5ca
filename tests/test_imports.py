"""A stage starts at once: it loads no large package that it has no use for.

Packages that only a part of a stage's work needs (Keras, scikit-learn, pyAudioAnalysis) are
imported where that part begins.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow

TABLES = {"numpy", "pandas", "pyarrow"}
PICTURES = {*TABLES, "matplotlib"}
# What each stage may load when it is imported, of the packages that take long.
MAY_LOAD = {
    "check": {"numpy"},
    "sample": {"numpy", "scipy"},
    "select": TABLES,
    "explore": PICTURES,
    "convert": TABLES,
    "extract": {"numpy", "pyarrow"},
    "pitch": {"numpy", "pyarrow"},
    "split": TABLES,
    "train": TABLES,
    "summarise": PICTURES,
    "report": PICTURES,
    "evaluate": PICTURES,
    "export": {*TABLES, "jax", "keras", "scipy", "scipy.stats", "sklearn"},
    "released": TABLES,
}
SLOW = PICTURES | {
    "dask",
    "distributed",
    "dvc",
    "dvclive",
    "imblearn",
    "jax",
    "keras",
    "matplotlib.pyplot",
    "parselmouth",
    "pyAudioAnalysis",
    "scipy",
    "scipy.signal",
    "scipy.stats",
    "sklearn",
}


def printed(code: str, **environment: str) -> str:
    """What Python prints in a process of its own."""
    command = [sys.executable, "-c", code]
    env = {**os.environ, **environment}
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=True
    ).stdout


def test_every_stage_is_in_the_table():
    modules = {path.stem for path in (ROOT / "stages").glob("[!_]*.py")}
    assert modules == set(MAY_LOAD)


@pytest.mark.parametrize("stage", MAY_LOAD)
def test_a_stage_loads_no_slow_package_that_it_has_no_use_for(stage):
    code = f"import sys, stages.{stage}; print(*sys.modules)"
    loaded = set(printed(code).split())
    assert f"stages.{stage}" in loaded
    assert loaded & SLOW <= MAY_LOAD[stage]


def test_a_stage_runs_numeric_libraries_in_one_thread():
    code = """
import os
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.pop(name, None)
import stages.split
print(*(os.environ[f"{name}_NUM_THREADS"] for name in ("OMP", "OPENBLAS", "MKL")))
"""
    assert printed(code, OPENBLAS_NUM_THREADS="3").split() == ["1", "1", "1"]


def test_a_package_imported_without_another_does_not_load_it():
    code = """
import sys
from voicetraits.workers.imports import without
with without("colorsys", "email", "email.charset"):
    import colorsys, email.charset
    from email.charset import QP
    assert colorsys.rgb_to_hsv is None and QP is None
import colorsys, email.charset
assert colorsys.rgb_to_hsv and email.charset.QP
with without("colorsys"):
    assert colorsys.rgb_to_hsv
    import colorsys
    assert colorsys.rgb_to_hsv
print("fine")
"""
    assert printed(code) == "fine\n"


def test_the_command_line_starts_without_what_only_a_download_needs():
    code = "import sys, voicetraits.cli; print('datacollective' in sys.modules)"
    assert printed(code) == "False\n"


def test_training_and_features_start_without_pictures():
    code = """
import sys
import numpy
from voicetraits.networks.backend import keras
from voicetraits.features.short_term import short_term_features
short_term_features(numpy.arange(1600), 16000, window=800, hop=800)
print("keras" in sys.modules, "matplotlib" in sys.modules, "scipy.signal" in sys.modules)
"""
    assert printed(code).split() == ["True", "False", "False"]
