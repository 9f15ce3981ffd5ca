"""Small corpora, and the stages from the archive to the converted clips run on them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT, audio_file, tone

from stages import convert, select
from voicetraits.corpus.clips import read_clips
from voicetraits.corpus.layout import CorpusError
from voicetraits.selection.findings import selection_counts
from voicetraits.storage.shards import EXCLUDED, INDEX, read_wavs

HEADER = "client_id\tpath\tsentence\tgender\n"
GOOD = audio_file(tone(300, 32000), 32000, "MP3")
Member = tuple[tarfile.TarInfo, bytes]


def make_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder whose corpus is in cv/, inside another folder that must stay as it is."""
    folder = tmp_path / "outer" / "project"
    (folder / "cv").mkdir(parents=True)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["corpus"]["path"] = "cv"
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def member(name: str, content: bytes = b"", **header: object) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in header.items():
        setattr(info, key, value)
    return info, content


def rows(*clips: str) -> bytes:
    """validated.tsv that lists these clips, each of a speaker of its own."""
    lines = [f"speaker {n}\t{clip}\tUn.\tfemale\n" for n, clip in enumerate(clips)]
    return (HEADER + "".join(lines)).encode()


def pack(*members: Member) -> Path:
    path = Path("cv/es.tar.gz")
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT, compresslevel=1) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return path


def pack_clips(clips: dict[str, bytes], *, listed: bytes | None = None) -> Path:
    """An archive of these clips; validated.tsv lists them, if nothing else is given."""
    table = rows(*clips) if listed is None else listed
    return pack(
        member("validated.tsv", table),
        *(member(f"clips/{name}", data) for name, data in clips.items()),
    )


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def run() -> tuple[dict[str, int], list[str], dict[str, str]]:
    """Select and convert; see that no clip is lost and nothing written elsewhere.

    Returns:
        The counts of the selection, the converted clips, and those excluded with the reason.
    """
    outer = Path.cwd().parents[1]
    before = files_below(outer)
    select.main("es")
    convert.main("es")
    out = Path("data/wav/es")
    index, excluded = pd.read_parquet(out / INDEX), pd.read_parquet(out / EXCLUDED)
    counts = selection_counts(read_clips("data/clips/es.parquet"))
    assert counts["selected"] == len(index) + len(excluded)
    assert sum(len(list(read_wavs(path))) for path in out.glob("*.tar")) == len(index)
    places = ("outer/project/data/clips/es.parquet", "outer/project/data/wav/es/")
    assert all(name.startswith(places) for name in files_below(outer) - before)
    return counts, list(index["clip"]), dict(excluded.itertuples(index=False))


def stops(match: str) -> None:
    """Select, or else convert, stops with one line, and leaves nothing half-written."""
    before = files_below(Path.cwd().parents[1])
    with pytest.raises(CorpusError, match=match) as error:
        select.main("es")
        before = files_below(Path.cwd().parents[1])
        convert.main("es")
    assert "\n" not in str(error.value)
    assert "\0" not in str(error.value)
    assert files_below(Path.cwd().parents[1]) == before
