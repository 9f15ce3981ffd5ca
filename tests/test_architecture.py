"""docs/architecture.md and docs/extend.md say what is so."""

from __future__ import annotations

import re
from importlib import import_module
from types import ModuleType

import networkx
import numpy as np
import pytest
import yaml
from conftest import GENDER, ROOT, language, with_age
from test_house import FLOORS, arrows

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
EXTEND = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def house() -> str:
    """The rooms by floors, and the arrows that no longer way replaces, as Mermaid."""
    graph = networkx.transitive_reduction(networkx.DiGraph(arrows()))
    lines = ["```mermaid", "flowchart TD"]
    for number, rooms in enumerate(reversed(FLOORS)):
        lines += [f"  subgraph floor{number} [ ]"]
        lines += [f"    {room}" for room in sorted(rooms)]
        lines += ["  end"]
    lines += [f"  {one} --> {other}" for one, other in sorted(graph.edges)]
    return "\n".join([*lines, "```"])


def test_the_picture_is_drawn_from_the_imports():
    shown = ARCHITECTURE.split("<!-- house -->")[1].split("<!-- /house -->")[0].strip()
    # Where this fails: put what it expects between the markers.
    assert shown == house()


@pytest.mark.parametrize("name", re.findall(r"`((?:voicetraits|stages)(?:\.\w+)+)`", ARCHITECTURE))
def test_every_function_that_is_named_is_there(name):
    try:
        import_module(name)
    except ModuleNotFoundError:
        module, _, function = name.rpartition(".")
        assert callable(getattr(import_module(module), function))


def rows() -> list[list[str]]:
    """Columns of the table of a clip's way."""
    table = ARCHITECTURE.split("## The way of a clip")[1].split("\n\n")[1].splitlines()[2:]
    return [[column.strip() for column in row.split("|")[1:-1]] for row in table]


def test_the_way_of_a_clip_goes_through_every_stage():
    named = {stage for row in rows() for stage in re.findall(r"`(\w+)`", row[0])}
    assert named == set(STAGES) - {"check", "explore", "report"}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_stage_leaves_what_the_table_says(row):
    stage = re.findall(r"`(\w+)`", row[0])[0]
    body = STAGES[stage].get("do", STAGES[stage])
    outs = [out for kind in ("outs", "metrics", "plots") for out in body.get(kind, [])]
    paths = [out if isinstance(out, str) else next(iter(out)) for out in outs]
    start = re.findall(r"`([a-z]+/(?:[a-z]+/)?)", row[2])[0]
    assert any(path.startswith(start.partition("<")[0]) for path in paths)


def block(heading: str) -> ModuleType:
    """The Python code below a heading of docs/extend.md, as a module."""
    code = EXTEND.split(f"## {heading}\n")[1].split("```python\n")[1].split("```")[0]
    module = ModuleType("recipe")
    exec(compile(code, f"docs/extend.md: {heading}", "exec"), vars(module))
    return module


@pytest.mark.slow
@pytest.mark.parametrize("task", [GENDER, language(["es", "en", "fr"])], ids=["gender", "language"])
def test_the_network_of_the_page_can_be_built(task):
    build = block("A network").build
    network = build((68, 16), task.heads, seed=1)
    found = np.asarray(network(np.ones((2, 68, 16), np.float32)))
    assert found.shape == (2, task.heads[0].units)
    again = build((68, 16), task.heads, seed=1)
    for one, other in zip(network.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_representation_of_the_page_gives_rows_and_frames():
    signal = np.random.default_rng(0).normal(size=1600)
    found = block("A representation").envelope(signal, 16000, window=400, hop=100)
    assert found.shape == (68, 13)
    assert np.isfinite(found).all()


def test_the_files_that_recipes_change_are_there_and_new_ones_have_a_folder():
    table = EXTEND.split("| you add |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) == 5
    for row in table:
        new, changed = (re.findall(r"`(.+?)`", column) for column in row.split("|")[2:4])
        assert changed[-1] == "params.yaml"
        for name in changed:
            assert (ROOT / "src/voicetraits" / name).is_file() or (ROOT / name).is_file(), name
        for name in new:
            assert (ROOT / "src/voicetraits" / name).parent.is_dir(), name


def test_the_task_of_the_page_is_the_one_of_params_yaml():
    page = yaml.safe_load(EXTEND.split("```yaml\n")[1].split("```")[0])
    declared = yaml.safe_load(with_age((ROOT / "params.yaml").read_text(encoding="utf-8")))
    assert declared["tasks"]["age"] == page["tasks"]["age"]
