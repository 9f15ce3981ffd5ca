"""The examples in the docstrings of the library do what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest
from conftest import ROOT

SOURCE = ROOT / "src"
MODULES = [
    ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed


def test_there_are_examples_in_several_rooms():
    rooms = {name.split(".")[1] for name in MODULES}
    assert {"corpus", "evaluation", "features", "selection", "storage"} <= rooms
