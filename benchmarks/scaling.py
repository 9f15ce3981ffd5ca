"""Time and memory of every stage as the corpus grows.

    python -m benchmarks.scaling [CLIPS ...]

Two locales of the sample corpus are blown up to the wanted number of clips by repeating them under
new names and new speakers, as Common Voice archives, and the stages run on them, one after the
other, in a fresh clone of the last commit with one representation, one epoch of training, and no
caps but that of one-sided selection (train.selection_clips). Reported are CPU time, wall time, and
the peak of memory of the largest process, workers included, beside that of a process which only
imports what the stage does.

Needs 150 kB of disk for every clip, in the folder for temporary files (TMPDIR).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import yaml

from benchmarks._measure import RESULTS, machine
from benchmarks._sample import sample_corpus
from voicetraits.models import declared_models
from voicetraits.params import ALL, Params, load_params

SIZES = (2_000, 10_000, 50_000, 100_000)  # clips of both locales together
LOCALES = ("es", "de")
SPEAKERS = 60  # of each sample locale that is repeated
RELEASE = "cv-corpus-25.0-2026-03-09"
# What a stage imports when it runs, beside its own module.
_TRAINING = "voicetraits.training.fit, dvclive, imblearn.under_sampling, sklearn.linear_model"
_LAZY = {
    "convert": "voicetraits.audio.wav as audio; audio.segment_type()",
    "train": _TRAINING,
}


def main() -> None:
    """Measure every size, print the tables, store the figures."""
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    path = RESULTS / "scaling.json"
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clone = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", Path().absolute(), clone], check=True)
        for size in sizes:
            corpus = folder / "corpus"
            corpus.mkdir(exist_ok=True)
            megabytes = sum(_blow_up(corpus, locale, size // 2) for locale in LOCALES) / 1e6
            _set_params(clone, corpus)
            found[str(size)] = {"archives_mb": round(megabytes), "stages": _measure(clone)}
            print(_table(size, found[str(size)]), flush=True)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), "clips": found}, indent=2) + "\n", "utf-8")


def _blow_up(folder: Path, locale: str, clips: int) -> int:
    """Write an archive of so many clips; return its size in bytes."""
    path = folder / f"{locale}.tar.gz"
    with tempfile.TemporaryDirectory() as name:
        corpus = sample_corpus(load_params(), locale, folder=Path(name), speakers=SPEAKERS)
        with corpus.tables() as tables:
            header, *rows = tables["validated.tsv"].read().decode().splitlines()
        place = header.split("\t").index("path")
        names = {row.split("\t")[place] for row in rows}
        mp3s = dict(corpus.clips(names))
    lines = [header]
    members = []
    for turn, fields in islice(_repeated(rows), clips):
        original = fields[place]
        # A new speaker in every turn: the caps and the split see as many as a real corpus has.
        fields[0] = hashlib.sha256(f"{turn}/{fields[0]}".encode()).hexdigest() * 2
        fields[place] = f"{turn}_{original}"
        lines.append("\t".join(fields))
        # A tag behind the sound, as ID3 has it: no two files are the same.
        members.append((fields[place], mp3s[original] + f"TAG{turn:<125}".encode()))
    with (
        gzip.open(path, "wb", compresslevel=1) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        _add(archive, f"{RELEASE}/{locale}/validated.tsv", "\n".join(lines).encode() + b"\n")
        for clip, mp3 in members:
            _add(archive, f"{RELEASE}/{locale}/clips/{clip}", mp3)
    return path.stat().st_size


def _repeated(rows: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows over and over, split into fields, each with the number of its turn."""
    for turn in count():
        for row in rows:
            yield turn, row.split("\t")


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _set_params(clone: Path, corpus: Path) -> None:
    path = clone / "params.yaml"
    params = yaml.safe_load(path.read_text("utf-8"))
    params["locales"] = list(LOCALES)
    params["corpus"]["path"] = str(corpus)
    params["select"] = {"clips_per_speaker": 10**9, "clips_per_locale": 10**9}
    params["representations"] = ["features"]  # the spectrogram has the same shape
    params["train"]["epochs"] = 1
    path.write_text(yaml.safe_dump(params, sort_keys=False), "utf-8")


def _commands(params: Params) -> Iterator[tuple[str, str]]:
    """Stage and arguments, what it depends on first."""
    for stage in ("select", "convert"):
        yield from ((stage, locale) for locale in params.locales)
    yield "explore", ""
    for representation in params.representations:
        yield from (("extract", f"{locale} {representation}") for locale in params.locales)
    models = declared_models(params)
    for split in dict.fromkeys((model.task.name, model.locale) for model in models):
        yield "split", shlex.join(split)
    for model in models:
        names = (model.task.name, model.locale, model.representation, model.network)
        yield "train", shlex.join(names)
    yield "summarise", ""


def _measure(clone: Path) -> dict[str, dict[str, float]]:
    """Costs by stage, summed over its items; of the memory, the largest."""
    costs: dict[str, dict[str, float]] = {}
    for stage, arguments in _commands(load_params(clone / "params.yaml")):
        # A pooled model is as large as the others together.
        name = f"{stage}_pooled" if f" {ALL}" in arguments else stage
        if name not in costs:
            lazy = _LAZY.get(stage)
            imports = f"import stages.{stage}" + (f", {lazy}" if lazy else "")
            _, _, bare = _run(["-c", imports], clone)
            costs[name] = {"cpu_s": 0.0, "wall_s": 0.0, "imports_mb": bare, "peak_mb": 0.0}
        cpu, wall, peak = _run(["-m", f"stages.{stage}", *shlex.split(arguments)], clone)
        cost = costs[name]
        cost["cpu_s"] = round(cost["cpu_s"] + cpu, 1)
        cost["wall_s"] = round(cost["wall_s"] + wall, 1)
        cost["peak_mb"] = max(cost["peak_mb"], peak)
    return costs


# Runs its arguments and prints what they cost. Linux starts the peak of a process at that of its
# parent, so the parent has to be this small.
_LAUNCHER = """
import os, sys, time
start = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(process, 0)
wall = time.perf_counter() - start
print(status, usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss, file=sys.stderr)
"""


def _run(arguments: list[str], folder: Path) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and the peak of memory in MB of one Python process."""
    launched = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, sys.executable, *arguments],
        cwd=folder,
        # The clone's own library, and not the one that is installed for editing.
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    status, cpu, wall, peak = launched.stderr.splitlines()[-1].split()
    if status != "0":
        raise SystemExit(f"{' '.join(arguments)}: failed\n{launched.stderr}")
    return float(cpu), float(wall), round(int(peak) / 1000)


def _table(size: int, found: dict[str, Any]) -> str:
    lines = [f"{size:,} clips, {found['archives_mb']:,} MB of archives"]
    for stage, cost in found["stages"].items():
        above = cost["peak_mb"] - cost["imports_mb"]
        lines.append(
            f"  {stage:10} {cost['cpu_s']:8.1f} s of CPU {cost['wall_s']:8.1f} s of time "
            f"{cost['peak_mb']:6.0f} MB, {above:+6.0f} over its imports"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
