"""What no file of the repository may hold."""

from __future__ import annotations

import subprocess

import pytest
from conftest import ROOT

# In pieces, because this file is one of those that are looked through.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("anaconda", "org"),
        ("npmjs", "org"),
        ("pypi", "python", "org"),
        ("ghcr", "io"),
        ("docker", "io"),
    )
]


def tracked_text() -> dict[str, str]:
    """Content of every file that Git tracks, by its path."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    if listed.returncode:
        pytest.skip("there is no Git repository here")
    paths = [name for name in listed.stdout.split("\0") if (ROOT / name).is_file()]
    return {name: (ROOT / name).read_text(encoding="utf-8", errors="replace") for name in paths}


def test_no_file_names_a_package_registry():
    # Users set their own with PIP_INDEX_URL; a host in a file would send them past it.
    named = [
        (name, host)
        for name, text in tracked_text().items()
        for host in REGISTRIES
        if host in text.lower()
    ]
    assert not named


def test_no_line_of_the_guides_is_too_long():
    guides = {
        name: text
        for name, text in tracked_text().items()
        if name.endswith(".md") and name.startswith(("docs/", "CHANGELOG", "CONTRIBUTING"))
    }
    assert "docs/architecture.md" in guides
    # A row of a table cannot be broken.
    long = [
        (name, number)
        for name, text in guides.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if len(line) > 100 and not line.startswith("|")
    ]
    assert long == []
