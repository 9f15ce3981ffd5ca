"""Selected clips of a corpus to WAV shards, each clip at its own length."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from voicetraits.audio.decode import AudioError, decode
from voicetraits.audio.example import ExampleClip
from voicetraits.audio.wav import segment_of, wav_bytes
from voicetraits.params import Clip
from voicetraits.storage.resume import map_shards, resumable_folder
from voicetraits.storage.shards import (
    EXCLUDED,
    INDEX,
    SHARD_CLIPS,
    shard_name,
    write_table,
    write_wavs,
)
from voicetraits.workers.pool import workers_for

# With two workers, starting them pays from four shards on.
_SHARDS_PER_WORKER = 2
# A shard's files travel to a worker in one piece. 256 read sentences have 10 MB.
_SHARD_BYTES = 2**26
NOT_IN_CORPUS = "listed in the table, not in the corpus"
SAME_BYTES = "the same file as another clip of its speaker"
_OF_THE_TABLE = ("speaker", "gender", "age", "accent", "source", "sentence", "part")
INDEX_COLUMNS = [
    *("clip", "locale", *_OF_THE_TABLE),
    *("duration", "checksum", "note", "shard", "row"),
]
# Fewer usable clips than one in so many are no corpus with some broken clips, but a broken corpus.
_USABLE_OF = 10
_REASONS_TOLD = 3


class _Job(NamedTuple):
    """One shard to make: where, in which format, from which files."""

    path: Path
    clip: Clip
    files: list[tuple[str, bytes]]

    def made_from(self) -> Iterator[str | bytes]:
        """The format and the clips."""
        yield self.clip.model_dump_json()
        for file in self.files:
            yield from file


def convert(
    table: pd.DataFrame,
    files: Iterable[tuple[str, bytes]],
    clip: Clip,
    *,
    locale: str,
    out: Path,
    workers: int | None = None,
    unread: Mapping[str, str] = MappingProxyType({}),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Convert the selected clips of one locale to mono WAV, in shards.

    A clip that cannot be decoded, or that the corpus lacks, is excluded with its reason, and the
    others go on: selected = converted + excluded. A run that was interrupted goes on with the
    shards that are complete.

    Args:
        table: Clip table of the locale; the rows with nothing in `excluded` are selected.
        files: (file name, bytes) of the selected clips, in any fixed order.
        clip: Sample rate, how much is kept, and where late sound begins to be late.
        locale: Written to the index.
        out: Folder for the shards, `index.parquet`, `excluded.parquet` and the example clip
            of ExampleClip; replaced as a whole.
        workers: Processes, where there is no cluster; by default one per core where that pays.
            The output is the same.
        unread: Reason by name of clips that `files` leaves out; looked at after the last file.

    Returns:
        The index of the converted clips (INDEX_COLUMNS; duration of the file in seconds or NaN,
        checksum of the file, note of Sound; no sentence where it was cut) and the table of those
        excluded (clip, reason). Both are sorted by clip, so that nothing after them depends on the
        order of the archive. Of several files of one speaker that are the same, the first by name
        is converted.
    """
    selected = table.loc[table["excluded"] == "", ["clip", *_OF_THE_TABLE]]
    selected = selected.set_index("clip")
    example = ExampleClip(table)
    rows: list[tuple[str, float, str, int, int]] = []
    reasons: list[tuple[str, str]] = []
    with resumable_folder(out) as folder:
        jobs = _jobs(example.watch(files), clip, folder)
        shards = -(-len(selected) // SHARD_CLIPS)
        workers = workers or workers_for(shards, jobs_per_worker=_SHARDS_PER_WORKER)
        label = f"convert {locale}"
        for number, (converted, broken) in enumerate(
            map_shards(_convert_shard, jobs, folder, label=label, total=shards, workers=workers)
        ):
            rows += [(*made, number, row) for row, made in enumerate(converted)]
            reasons += broken
        found = {name for name, *_ in rows} | {name for name, _ in reasons}
        reasons += [
            (name, unread.get(name, NOT_IN_CORPUS)) for name in selected.index if name not in found
        ]

        columns = ["clip", "duration", "checksum", "note", "shard", "row"]
        index = pd.DataFrame(rows, columns=columns)
        index = index.astype({"clip": str, "duration": "float32", "checksum": str, "note": str})
        index = index.sort_values("clip", ignore_index=True).join(selected, on="clip")
        index.insert(1, "locale", locale)
        # Of what is cut, the sentence goes on where the clip ends.
        index["sentence"] = index["sentence"].where(index["duration"] <= clip.longest, "")
        again = index.duplicated(["speaker", "checksum"])
        reasons += [(name, SAME_BYTES) for name in index.loc[again, "clip"]]
        index = index.loc[~again, INDEX_COLUMNS].reset_index(drop=True)
        excluded = pd.DataFrame(reasons, columns=["clip", "reason"]).astype(str)
        excluded = excluded.sort_values("clip", ignore_index=True)
        write_table(folder / INDEX, index)
        write_table(folder / EXCLUDED, excluded)
        example.write(folder, sample_rate=clip.sample_rate)
    return index, excluded


def why_useless(index: pd.DataFrame, excluded: pd.DataFrame, *, stray: str) -> str:
    """Why the conversion of a corpus has failed as a whole; empty where it has not.

    Args:
        index: Of the converted clips.
        excluded: Those excluded.
        stray: A file that lies among the clips and is none of those listed, or "".
    """
    excluded = excluded[excluded["reason"] != SAME_BYTES]
    selected = len(index) + len(excluded)
    if len(index) * _USABLE_OF >= max(selected, 1):
        return ""
    counts = excluded["reason"].value_counts().head(_REASONS_TOLD)
    reasons = "; ".join(f"{count:,} {reason}" for reason, count in counts.items())
    example = excluded.loc[excluded["reason"] == counts.index[0], "clip"].iloc[0]
    told = f"{len(index):,} of {selected:,} selected clips could be converted ({reasons}), "
    if counts.index[0] == NOT_IN_CORPUS:
        there = f"there is {stray}" if stray else "other clips are not there"
        return (
            f"{told}such as {example}, while {there}; do tables and clips belong together, and are "
            "all clips there?"
        )
    return f"{told}such as {example}; do the clips play? If not, fetch or unpack the corpus again"


def _jobs(files: Iterable[tuple[str, bytes]], clip: Clip, folder: Path) -> Iterator[_Job]:
    for number, batch in enumerate(_batches(files)):
        yield _Job(folder / shard_name(number, "tar"), clip, batch)


def _batches(files: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """The files of one shard after the other: of SHARD_CLIPS clips, or fewer large ones."""
    batch: list[tuple[str, bytes]] = []
    size = 0
    for name, data in files:
        batch.append((name, data))
        size += len(data)
        if len(batch) == SHARD_CLIPS or size >= _SHARD_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _convert_shard(job: _Job) -> tuple[list[tuple[str, float, str, str]], list[tuple[str, str]]]:
    """Write one shard; return its clips (name, duration, checksum, note), and those excluded."""
    converted: list[tuple[str, float, str, str]] = []
    wavs: list[tuple[str, bytes]] = []
    excluded: list[tuple[str, str]] = []
    rate, seconds = job.clip.sample_rate, job.clip.seconds
    samples = round(job.clip.longest * rate)
    for name, data in job.files:
        try:
            sound = decode(
                data, name=name, sample_rate=rate, seconds=seconds, longest=job.clip.longest
            )
        except AudioError as error:
            excluded.append((name, str(error)))
            continue
        wavs.append((name, wav_bytes(segment_of(sound.signal[:samples], rate))))
        checksum = hashlib.blake2b(data, digest_size=16).hexdigest()
        converted.append((name, sound.duration, checksum, sound.note))
    write_wavs(job.path, wavs)
    return converted, excluded
