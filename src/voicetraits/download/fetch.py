"""Common Voice archives, downloaded from Mozilla Data Collective.

Its client resumes a broken download by the name of the archive with `.part`. Whether an archive is
whole is checked here, against the SHA-256 of the catalogue.

Source: https://github.com/Mozilla-Data-Collective/datacollective-python (docs/index.md, "Automatic
Download Resume")
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from voicetraits.download.arguments import require_usable
from voicetraits.download.catalogue import (
    SITE,
    FetchError,
    Release,
    cause,
    clear_errors,
    client_with_key,
    find_release,
)
from voicetraits.params import Ending
from voicetraits.progress import open_with_progress

TERMS = f"""\
Terms of Common Voice: do not try to find out who a speaker is, and do not re-host or re-share the
archives or their clips. All terms: on the page of each dataset, and at {SITE}/terms/consumers"""


def download(wanted: dict[str, str | None], folder: Path) -> None:
    """Download the archive of each locale as `<folder>/<locale>.tar.gz`.

    An archive that is there and whole is left as it is. What is under way lies in a hidden folder
    beside it and is taken up by the next call. Everything that can be found out beforehand is, so
    that hours of downloading do not end in an error known from the start.

    Args:
        wanted: The dataset by locale; None stands for the newest release.
        folder: Made if it is missing.

    Raises:
        FetchError: If the folder is none for `require_usable`, the client or the key is missing,
            a release cannot be found or may not be fetched, the disk is too small, another file is
            in the way, the connection breaks, or what came is not what the catalogue announced.
    """
    require_usable(folder)
    client = client_with_key()
    releases = [find_release(client, locale, dataset) for locale, dataset in wanted.items()]
    missing = [release for release in releases if not _is_there(release, folder)]
    if not missing:
        return
    for release in missing:
        _prepare(release, folder)
    _check_disk(missing, folder)
    print(TERMS)
    for release in missing:
        print(f"{release.label}, {_size(release.size)}, {release.page}", flush=True)
        _fetch(client, release, folder)


def _is_there(release: Release, folder: Path) -> bool:
    """Whether the archive is there and whole."""
    target = _target(release, folder)
    for other in (folder / f"{release.locale}{ending}" for ending in get_args(Ending)):
        if other != target and other.exists():
            raise FetchError(
                f"{other}: is in the way of {target.name}; a locale is read from one of the two"
            )
    if not target.exists():
        return False
    if difference := _difference(target, release):
        raise FetchError(
            f"{target}: is not {release.name} ({difference}); move it away to download that, "
            f"or name its own dataset: {release.locale}=<dataset id>"
        )
    print(f"{release.label} is there and whole: {target}", flush=True)
    return True


def _prepare(release: Release, folder: Path) -> None:
    """Make the folder of a download under way, and clear what is left of another release."""
    work = _work(release, folder)
    with _writable(folder):
        work.mkdir(parents=True, exist_ok=True)
        for path in work.iterdir():
            if not path.name.startswith(release.filename):
                path.unlink()


def _check_disk(releases: Sequence[Release], folder: Path) -> None:
    """Refuse to begin what cannot end."""
    needed = sum(max(0, (release.size or 0) - _done(release, folder)) for release in releases)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise FetchError(
            f"{folder}: {_size(needed)} still to download, {_size(free)} free on this disk; make "
            "room, or name a folder on another disk"
        )


def _fetch(client: Any, release: Release, folder: Path) -> None:
    """Download one archive, check it, and put it in its place."""
    from datacollective.errors import DownloadError

    work, part = _work(release, folder), _part(release, folder)
    with _writable(folder):
        # Stopped after the last byte: the client would ask for the bytes after it, and be refused.
        if release.size and part.exists() and part.stat().st_size >= release.size:
            part.replace(work / release.filename)
    on_terminal = sys.stdout.isatty()
    try:
        with clear_errors(release.label, release.page):
            archive = client.download_dataset(release.dataset, str(work), show_progress=on_terminal)
    except DownloadError as error:
        if on_terminal:
            print()  # the progress bar leaves its line open
        done = f"{_size(_done(release, folder))} of {_size(release.size)}"
        raise FetchError(
            f"{release.label}: broken off at {done} ({cause(error.__cause__)}); the same command "
            "goes on from there"
        ) from error
    print(f"{release.locale}: checking what came", flush=True)
    difference = _difference(archive, release)
    with _writable(folder):
        if difference:
            archive.unlink()
            raise FetchError(
                f"{release.label}: what came is not what was announced ({difference}) and is "
                "removed; the same command fetches it anew"
            )
        archive.replace(_target(release, folder))
        shutil.rmtree(work)


def _difference(archive: Path, release: Release) -> str:
    """What tells a file from the archive of the catalogue; empty if nothing does."""
    with _writable(archive):
        size = archive.stat().st_size
        if release.size and size != release.size:
            return f"{size} bytes instead of {release.size}"
        if release.sha256:
            with open_with_progress(archive) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if digest != release.sha256:
                return f"SHA-256 {digest} instead of {release.sha256}"
    return ""


def _target(release: Release, folder: Path) -> Path:
    return folder / f"{release.locale}.tar.gz"


def _work(release: Release, folder: Path) -> Path:
    """Where a download under way lies: hidden, and on the disk of its destination."""
    return folder / f".{release.locale}.tar.gz.partial"


def _part(release: Release, folder: Path) -> Path:
    """The client's name for what it has of an archive."""
    return _work(release, folder) / f"{release.filename}.part"


def _done(release: Release, folder: Path) -> int:
    """Bytes that are there already."""
    parts = (_part(release, folder), _work(release, folder) / release.filename)
    return sum(path.stat().st_size for path in parts if path.exists())


def _size(count: int | None) -> str:
    """A number of bytes to read, e.g. "48.3 GB"."""
    if count is None:
        return "size unknown"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Turn what the disk raises into one line."""
    try:
        yield
    except OSError as error:
        raise FetchError(f"{path}: cannot be used: {error}") from error
