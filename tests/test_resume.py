"""What an interrupted run completed is taken over, and nothing else; the result is the same."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, audio_file, clips_of_one_speaker, folder_bytes, tone

from voicetraits.audio.convert import convert
from voicetraits.features.extract import extract
from voicetraits.params import Clip, Extract
from voicetraits.storage import resume
from voicetraits.storage.files import DiskFullError
from voicetraits.storage.shards import FRAMES, INDEX

pytestmark = pytest.mark.slow

CLIP = Clip(sample_rate=8000, seconds=0.5, longest=0.5)
NAMES = [f"clip_{number:02}.wav" for number in range(14)]
FILES = [(name, audio_file(tone(250 + 40 * n, 8000), 8000)) for n, name in enumerate(NAMES)]
FILES[1] = (NAMES[1], b"no clip")
TABLE = clips_of_one_speaker(NAMES, duration=0.5)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Four clips to a shard: 3 + 4 + 4 + 2 of them can be read."""
    monkeypatch.setattr("voicetraits.audio.convert.SHARD_CLIPS", 4)


def converted(out: Path, *, clip: Clip = CLIP, files=FILES) -> dict[str, bytes]:
    convert(TABLE, files, clip, locale="es", out=out, workers=1)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    return folder_bytes(out)


def extracted(
    wavs: Path, out: Path, representation: str = "features", *, frames: int = 16
) -> dict[str, bytes]:
    analysis = Extract(window=0.05, frames=frames)
    extract(wavs, representation, clip=CLIP, analysis=analysis, out=out, workers=1)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    return folder_bytes(out)


def killed(code: str) -> None:
    """Run Python code, and kill the process without notice when it says that it is ready."""
    paths = [str(ROOT / "src"), str(ROOT / "tests"), *sys.path]
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()


KILLED_CONVERT = """
import pathlib, time, test_resume as t
import voicetraits.audio.convert
voicetraits.audio.convert.SHARD_CLIPS = 4
def slow():
    yield from t.FILES[:9]
    print("ready", flush=True)
    time.sleep(60)
t.convert(t.TABLE, slow(), t.CLIP, locale="es", out=pathlib.Path({out!r}), workers=1)
"""
KILLED_EXTRACT = """
import pathlib, time, test_resume as t
import voicetraits.features.extract as module
read = module.read_wavs
def slow(path):
    if path.name == "00002.tar":
        print("ready", flush=True)
        time.sleep(60)
    return read(path)
module.read_wavs = slow
t.extracted(pathlib.Path({wavs!r}), pathlib.Path({out!r}), {representation!r})
"""


def identities(folder: Path) -> dict[str, tuple[int, int]]:
    """What changes where a file is made anew."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_killed_conversion_goes_on_where_it_was(tmp_path, capfd):
    expected = converted(tmp_path / "whole" / "es")
    assert capfd.readouterr().err == ""
    out = tmp_path / "killed" / "es"
    killed(KILLED_CONVERT.format(out=str(out)))
    done = identities(tmp_path / "killed" / ".es.partial" / "files")
    assert list(done) and set(done) == {"00000.tar", "00001.tar"}
    assert converted(out) == expected
    assert done.items() <= identities(out).items()
    assert capfd.readouterr().err == "convert es: 2 of 4 shards were complete already\n"


@pytest.mark.parametrize("representation", ["features", "mel"])
def test_a_killed_extraction_goes_on_where_it_was(tmp_path, capfd, representation):
    wavs = tmp_path / "wav" / "es"
    converted(wavs)
    expected = extracted(wavs, tmp_path / "whole" / "es", representation)
    # Of clips of any length, those of the first shards have to be known from the run before, too.
    assert (FRAMES in expected) is (representation == "mel")
    out = tmp_path / "killed" / "es"
    given = {"wavs": str(wavs), "out": str(out), "representation": representation}
    killed(KILLED_EXTRACT.format(**given))
    done = identities(tmp_path / "killed" / ".es.partial" / "files")
    assert set(done) == {"00000.npy", "00001.npy"}
    assert extracted(wavs, out, representation) == expected
    assert done.items() <= identities(out).items()
    assert capfd.readouterr().err == "extract killed es: 2 of 4 shards were complete already\n"


@pytest.fixture
def interrupted(tmp_path) -> Path:
    """The output of a conversion that broke off in the third shard of four."""

    def breaks_off():
        yield from FILES[:9]
        raise OSError("the network is gone")

    out = tmp_path / "interrupted" / "es"
    with pytest.raises(OSError, match="the network is gone"):
        convert(TABLE, breaks_off(), CLIP, locale="es", out=out, workers=1)
    return out


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-512])


def turn_one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("files/00001.tar", cut),
        ("files/00001.tar", turn_one_bit),
        ("files/00001.tar", zero),
        ("files/00001.tar", Path.unlink),
        ("notes/00001.tar.json", cut),
        ("notes/00001.tar.json", zero),
        ("notes/00001.tar.json", Path.unlink),
    ],
)
def test_a_damaged_leftover_is_made_anew(interrupted, tmp_path, capfd, name, damage):
    damage(interrupted.with_name(".es.partial") / name)
    assert converted(interrupted) == converted(tmp_path / "whole" / "es")
    assert capfd.readouterr().err == "convert es: 1 of 4 shards were complete already\n"


def test_what_does_not_belong_to_the_folder_is_removed(interrupted, tmp_path):
    files = interrupted.with_name(".es.partial") / "files"
    # Of a writer that was killed; of a longer selection; of a run that was killed at the very end.
    for name in (".00002.tar.0123abcd.partial", "00007.tar", INDEX):
        (files / name).write_bytes(b"left over")
    assert converted(interrupted) == converted(tmp_path / "whole" / "es")


def other_format(_: pytest.MonkeyPatch) -> dict:
    return {"clip": Clip(sample_rate=8000, seconds=0.75, longest=0.75)}


def other_bytes(_: pytest.MonkeyPatch) -> dict:
    return {"files": [(name, FILES[5][1]) for name, _ in FILES]}


def other_names(_: pytest.MonkeyPatch) -> dict:
    return {"files": [*FILES[1::-1], FILES[3], FILES[2], *FILES[7:3:-1], *FILES[8:]]}


def other_code(monkeypatch: pytest.MonkeyPatch) -> dict:
    monkeypatch.setattr(resume, "code_and_packages", lambda: "other")
    return {}


@pytest.mark.parametrize("change", [other_format, other_bytes, other_names, other_code])
def test_what_was_made_from_anything_else_is_not_taken_over(
    interrupted, tmp_path, monkeypatch, capfd, change: Callable[[pytest.MonkeyPatch], dict]
):
    changes = change(monkeypatch)
    found = converted(interrupted, **changes)
    assert found == converted(tmp_path / "whole" / "es", **changes)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("changed", ["frames", "wavs", "nothing"])
def test_arrays_of_other_parameters_or_clips_are_not_taken_over(
    tmp_path, monkeypatch, capfd, changed
):
    wavs, out = tmp_path / "wav" / "es", tmp_path / "interrupted" / "es"
    converted(wavs)
    hidden = (wavs / "00002.tar").rename(tmp_path / "00002.tar")
    with pytest.raises(FileNotFoundError):
        extracted(wavs, out)
    hidden.rename(wavs / "00002.tar")
    if changed == "wavs":
        converted(wavs, files=[(name, FILES[5][1]) for name, _ in FILES])
    frames = 17 if changed == "frames" else 16
    whole = extracted(wavs, tmp_path / "whole" / "es", frames=frames)
    assert extracted(wavs, out, frames=frames) == whole
    said = "extract interrupted es: 2 of 4 shards were complete already\n"
    assert capfd.readouterr().err == (said if changed == "nothing" else "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_keeps_the_complete_shards(tmp_path, monkeypatch, capfd):
    out = tmp_path / "full" / "es"
    files = out.with_name(".es.partial") / "files"
    files.mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr("voicetraits.storage.files.secrets.token_hex", lambda _: "token")
        (files / ".00001.tar.token.partial").symlink_to("/dev/full")
        expected = (
            r"00001\.tar: cannot be written, no space left .*; make room and run the same command "
            "again, which goes on with the complete shards"
        )
        with pytest.raises(DiskFullError, match=expected):
            converted(out)
    assert converted(out) == converted(tmp_path / "whole" / "es")
    assert capfd.readouterr().err == "convert es: 1 of 4 shards were complete already\n"


def test_a_full_disk_is_told_wherever_it_shows(tmp_path):
    expected = r"es or /.*: cannot be written, no space left .*, which goes on with the complete"
    with pytest.raises(DiskFullError, match=expected), resume.resumable_folder(tmp_path / "es"):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")


def test_every_source_file_of_ours_counts(tmp_path, monkeypatch):
    package = tmp_path / "package"
    (package / "deep").mkdir(parents=True)
    monkeypatch.setattr(resume, "__file__", str(package / "resume.py"))
    found = set()
    for name, text in [("a.py", "1"), ("a.py", "2"), ("deep/b.py", "2"), ("deep/b.py", "")]:
        (package / name).write_text(text)
        found.add(resume.code_and_packages.__wrapped__())
    assert len(found) == 4


def test_parts_are_told_from_their_neighbours():
    parts = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], [b"abc", "\udcff"]]
    assert len({resume.digest(part) for part in parts}) == len(parts)


def test_dvc_does_not_see_what_is_being_made(tmp_path):
    from dvc.repo import Repo

    (tmp_path / ".dvcignore").write_bytes((ROOT / ".dvcignore").read_bytes())
    for name in ("es/00000.tar", ".es.partial/files/00000.tar", ".index.parquet.partial"):
        path = tmp_path / "data" / "wav" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        seen = list(repo.dvcignore.find(repo.fs, str(tmp_path / "data")))
    assert seen == [str(tmp_path / "data/wav/es/00000.tar")]
