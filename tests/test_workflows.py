"""The workflows of GitHub run the commands that people run, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from conftest import ROOT
from test_makefile import rules

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKE = re.compile(
    r"make( --silent)? (?P<target>[\w./-]+)( [A-Z]+=\S*(\$\{\{ [\w.]+ \}\})?)?( > [\w.]+)?"
)


def load(name: str) -> dict[str, Any]:
    """A workflow by its name."""
    return yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps of all its jobs."""
    for job in workflow["jobs"].values():
        yield from job["steps"]


def target(step: dict[str, Any]) -> str:
    """The target of `make` that a step runs."""
    command = MAKE.fullmatch(step["run"])
    assert command, step["run"]
    return command["target"]


def test_there_are_two_workflows():
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "metrics.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_runs_is_a_target_of_make(path):
    ran = {target(step) for step in steps(load(path.name)) if "run" in step}
    assert ran
    assert ran <= rules().keys()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_their_major_version(path):
    used = [step["uses"] for step in steps(load(path.name)) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used), used


def test_ci_checks_lint_the_tests_and_the_lock():
    assert {target(step) for step in steps(load("ci.yml")) if "run" in step} == {
        "lint",
        "test",
        "check-lock",
    }


def test_ci_tests_every_python_that_the_package_allows():
    versions = load("ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert versions == ["3.11", "3.12", "3.13"]
    assert 'requires-python = ">=3.11.4,<3.14"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_base_of_a_pull_request_is_there_to_compare_with():
    checkout = next(step for step in steps(load("metrics.yml")) if "checkout" in step["uses"])
    assert checkout["with"]["fetch-depth"] == 0


def test_the_local_ci_lints_then_tests():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("make")] == ["make lint", "make test"]
