"""What a result was made from: commit and changes, packages, machine."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from voicetraits.workers.pool import machine_cores

# What the pipeline writes and Git tracks: changed there, a file is a result to be committed.
_RESULTS = ("dvc.lock", "metrics/", "plots/")
# The packages that figures come from, by the names that pip has for them.
PACKAGES = (
    *("keras", "jax", "jaxlib", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn"),
    *("imbalanced-learn", "soundfile", "soxr", "av", "matplotlib", "dvc"),
)


class State(NamedTuple):
    """The state of the repository, as Git sees it."""

    commit: str
    date: str  # of the commit, ISO 8601
    changed: tuple[str, ...]  # tracked files of code, parameters and docs that differ from it
    results: int  # tracked files of results that differ from it
    untracked: int  # files; their names may tell what is nobody's business


def repository_state(folder: Path) -> State | None:
    """Commit and changes of a work tree; nothing where there is no commit."""
    head = _git(folder, "show", "--no-patch", "--format=%H %cI", "HEAD")
    if head is None:
        return None
    commit, date = head.split()
    status = (
        _git(folder, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all") or ""
    )
    entries = [(entry[:2], entry[3:]) for entry in status.split("\0") if entry]
    tracked = [name for code, name in entries if code != "??"]
    changed = tuple(name for name in tracked if not name.startswith(_RESULTS))
    untracked = len(entries) - len(tracked)
    return State(commit, date, changed, len(tracked) - len(changed), untracked)


def _git(folder: Path, *arguments: str) -> str | None:
    """What Git says; nothing where it is not there or refuses."""
    # Reading takes no lock, which a `git commit` beside it would stumble over.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError:
        return None
    return None if done.returncode else done.stdout.decode("utf-8", "replace")


def packages() -> dict[str, str]:
    """Versions of PACKAGES, of those that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """Processor, cores, system and Python of this machine; not its name."""
    return {
        "processor": _processor(),
        "cores": str(machine_cores()),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    names = [line.partition(":")[2] for line in text.splitlines() if line.startswith("model name")]
    return names[0].strip() if names else platform.processor() or platform.machine()
