"""Folders of shards that an interrupted run leaves for the next to go on with.

Such a folder grows in `.<name>.partial/`, beside its own place, which holds

    files/  what is to become the folder
    notes/  a note for each complete shard: what it was made from, its checksum, its result

A shard whose note fits is not made again. A note says all that went into its shard, down to the
code, so that no other one can be taken for it; the checksum finds the shard that was renamed but
had not reached the disk when the power failed.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from voicetraits.errors import InputError
from voicetraits.progress import progress
from voicetraits.storage.files import (
    DiskFullError,
    beside,
    clear_when_full,
    replace_folder,
    whole_file,
)
from voicetraits.workers.pool import map_ordered

# Packages whose version can change the bytes of a shard.
_PACKAGES = (
    *("numpy", "scipy", "soundfile", "soxr", "av", "pydub"),
    *("pyAudioAnalysis", "praat-parselmouth"),
)
_MOST_TRIES = 3  # of a shard in one run


class ShardJob(Protocol):
    """A shard to make."""

    @property
    def path(self) -> Path:
        """Of the shard, in the folder that `resumable_folder` gives."""

    def made_from(self) -> Iterator[str | bytes]:
        """All that can change the shard or the result of the job, but for the code."""


Job = TypeVar("Job", bound=ShardJob)


@contextmanager
def resumable_folder(out: Path) -> Iterator[Path]:
    """A temporary folder that becomes `out` when the block ends well, and stays otherwise.

    Args:
        out: Replaced as a whole. The parent folder is made if it is missing.

    Yields:
        An absolute path, which has the same meaning on all machines that share the file system.

    Raises:
        DiskFullError: If there was no space for a file.
    """
    with _unfinished(out) as files:
        yield files
        replace_folder(files, out)


@contextmanager
def resumable_file(out: Path) -> Iterator[Path]:
    """The same for one file that is made of shards, which are removed when it is whole.

    Args:
        out: Replaced. The block writes it, under its name, into the folder.

    Yields:
        The folder of the shards.

    Raises:
        DiskFullError: If there was no space for a file.
    """
    with _unfinished(out) as files:
        yield files
        (files / out.name).replace(out)


@contextmanager
def _unfinished(out: Path) -> Iterator[Path]:
    """The folder that grows beside `out`; removed, with the notes, when the block ends well."""
    work = beside(out.absolute())
    files = work / "files"
    try:
        with clear_when_full(f"{out} or {tempfile.gettempdir()}", on=out.parent):
            for folder in (files, work / "notes"):
                folder.mkdir(parents=True, exist_ok=True)
            yield files
    except DiskFullError as error:
        raise DiskFullError(f"{error}, which goes on with the complete shards") from error
    shutil.rmtree(work)


def map_shards(
    make: Callable[[Job], Any],
    jobs: Iterable[Job],
    folder: Path,
    *,
    label: str,
    total: int,
    workers: int | None = None,
) -> Iterator[Any]:
    """Make the shards of a folder, except those that are complete; yield the results in order.

    Args:
        make: A module-level function that writes the shard of a job; what it returns must have a
            form in JSON, in which it is kept and given here.
        jobs: One for each shard.
        folder: Of the shards, from `resumable_folder`. What no job asks for is removed from it.
        label: What the work is, for the progress, e.g. "convert es".
        total: Number of jobs, for the progress.
        workers: As for `map_ordered`.

    Raises:
        InputError: If a worker cannot see the folder or differs from this process in code or
            packages, if a worker of this machine died, or if a shard has taken three of a cluster
            with it.
    """
    once = partial(_make_once, make, code_and_packages(), secrets.token_hex(4))
    results = map_ordered(once, jobs, workers=workers)
    complete = 0
    names = set()
    for name, result, kept in progress(results, label=label, unit="shards", total=total):
        names.add(name)
        complete += kept
        yield result
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()
    if complete:
        print(f"{label}: {complete} of {len(names)} shards were complete already", file=sys.stderr)


def _make_once(make: Callable[[Job], Any], code: str, run: str, job: Job) -> tuple[str, Any, bool]:
    """On the worker: name of the shard, result, and whether both were there already."""
    _check_worker(job.path.parent, code)
    note = job.path.parent.with_name("notes") / f"{job.path.name}.json"
    made_from = digest([code, *job.made_from()])
    kept = _read_note(note)
    if kept and kept["made_from"] == made_from and kept["checksum"] == _checksum(job.path):
        return job.path.name, kept["result"], True

    note.unlink(missing_ok=True)
    job.path.unlink(missing_ok=True)
    tries = note.with_suffix(".tries")
    _count_try(tries, run, job.path)
    result = make(job)
    made = {"made_from": made_from, "checksum": _checksum(job.path), "result": result}
    text = json.dumps(made)
    with whole_file(note, by_several=True) as temporary:
        temporary.write_text(text, encoding="utf-8")
    tries.unlink(missing_ok=True)
    return job.path.name, json.loads(text)["result"], False


def _check_worker(folder: Path, code: str) -> None:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: not there on the worker {socket.gethostname()}; all machines of a cluster "
            "must have the repository at the same path of a shared file system"
        )
    if code_and_packages() != code:
        raise InputError(
            f"the worker {socket.gethostname()} runs other code or other versions of packages "
            "than this process; give all machines the same environment and restart the workers"
        )


def _read_note(note: Path) -> dict[str, Any] | None:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # none, or not one: zeros, after a power failure
        return None


def _checksum(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _count_try(tries: Path, run: str, shard: Path) -> None:
    """Stop before a shard takes one worker of a cluster after the other with it.

    Dask counts, too, but blames the shards as well that had only been waiting for that worker.
    """
    with tries.open("a+", encoding="utf-8") as file:
        file.write(f"{run}\n")
        file.flush()
        file.seek(0)
        if file.read().split().count(run) > _MOST_TRIES:
            raise InputError(
                f"{shard.parent.parent}: shard {shard.name} was begun {_MOST_TRIES} times, and "
                "each time its worker died; does a worker have enough memory?"
            )


def digest(parts: Iterable[str | bytes]) -> str:
    """One checksum of several parts, each told from its neighbours."""
    total = hashlib.sha256()  # for which processors have instructions
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big"))
        total.update(data)
    return total.hexdigest()


@cache
def code_and_packages() -> str:
    """A checksum of all our source files and of the packages that decode and compute."""
    from importlib.metadata import version

    package = Path(__file__).parents[1]
    sources = sorted(package.rglob("*.py"))
    return digest(
        [
            sys.version,
            *(f"{name} {version(name)}" for name in _PACKAGES),
            *(str(path.relative_to(package)) for path in sources),
            *(path.read_bytes() for path in sources),
        ]
    )
