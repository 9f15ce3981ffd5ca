"""The library's folders: imports point one way, and no room or module grows without bounds."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from conftest import ROOT, imported

LIBRARY = ROOT / "src" / "voicetraits"
# From what everyone may import to what nobody does; a room imports from earlier lines alone.
FLOORS = (
    {"params", "tasks", "errors", "progress", "output"},
    {"models", "workers"},
    {"storage"},
    {"audio", "corpus", "sample"},
    {"dataset", "features", "networks", "selection"},
    {"training", "evaluation", "export", "download", "plots"},
    {"report", "recognizer"},
    {"demo", "release"},
    {"cli"},
)
# Inside a floor; params names its errors, and that is all.
BESIDE = {("params", "errors")}
MOST_ROOMS, MOST_ARROWS, MOST_LINES = 26, 100, 250
MODULES = sorted(
    path for path in LIBRARY.rglob("*.py") if path.parent != LIBRARY or path.stem[0] != "_"
)


def room(path: Path) -> str:
    """The folder of a module, or the module itself where it lies in none."""
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def arrows() -> set[tuple[str, str]]:
    """Pairs of a room and another that it imports from."""
    found = {
        (room(path), room(other))
        for path in MODULES
        for other in imported(path)
        if other.is_relative_to(LIBRARY)
    }
    return {(one, other) for one, other in found if one != other}


def test_imports_point_one_way():
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    backwards = {(one, other) for one, other in arrows() if floor[one] <= floor[other]}
    assert backwards == BESIDE


def test_the_house_stays_small():
    rooms = {room(path) for path in MODULES}
    assert rooms == set().union(*FLOORS)
    assert len(rooms) <= MOST_ROOMS
    assert len(arrows()) <= MOST_ARROWS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_no_module_is_longer_than_one_reads(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_every_room_is_named_in_the_page_and_says_what_it_is_for():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name in set().union(*FLOORS):
        folder = LIBRARY / name
        assert f"  {name}/ " in page or f"  {name}.py " in page, name
        if folder.is_dir():
            assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))), name
