"""Broken and hostile corpora, from the archive to the converted clips, as the stages meet them.

Each ends in one of two ways: the run goes on, with every clip accounted for, or it stops with one
line. Nothing is written but the stages' own outputs, and memory stays bounded.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from conftest import audio_file, tone
from corpora import GOOD, HEADER, Member, make_project, member, pack, pack_clips, rows, run, stops

from voicetraits.audio.convert import NOT_IN_CORPUS
from voicetraits.corpus.layout import TOO_LARGE
from voicetraits.storage.shards import INDEX

pytestmark = pytest.mark.slow

MIB = 2**20
# MPEG 1, layer III, 128 kbit/s, 44.1 kHz: one frame that only says that there are none.
EMPTY_FRAME = (b"\xff\xfb\x90\x64" + bytes(32) + b"Xing" + b"\0\0\0\1" + bytes(4)).ljust(417, b"\0")
ID3 = b"ID3\x04\0\0" + bytes([0, 0, 0, 20]) + bytes(20)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_project(tmp_path, monkeypatch)


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """What Python and NumPy hold at any time stays below this many bytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def pack_zeros(name: str, size: int, *, first: bytes = b"", then: Member | None = None) -> None:
    """A small .tar.gz whose member is `first` and then zeros, with validated.tsv in front or in it.

    Made of many gzip members, so that the zeros are compressed once.
    """
    front = tar_bytes(member("validated.tsv", rows("a.mp3", "zeros.mp3")))
    info = tarfile.TarInfo(name)
    info.size = size
    start = (b"" if name == "validated.tsv" else front) + info.tobuf(tarfile.GNU_FORMAT) + first
    missing = -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE - len(first)
    end = (tar_bytes(then) if then else b"") + bytes(2 * tarfile.BLOCKSIZE)
    block = gzip.compress(bytes(MIB))
    with Path("cv/es.tar.gz").open("wb") as file:
        file.write(gzip.compress(start))
        for _ in range(missing // MIB):
            file.write(block)
        file.write(gzip.compress(bytes(missing % MIB) + end))


def tar_bytes(entry: Member) -> bytes:
    """A member as it stands in a tar file, without the end mark."""
    info, content = entry
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def floats(signal: np.ndarray) -> bytes:
    return audio_file(signal, 16000, subtype="FLOAT")


class TestSounds:
    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "empty file"),
            (b"\xff", "not readable as audio"),
            (EMPTY_FRAME, "not readable as audio"),
            (ID3, "not readable as audio"),
            (ID3 + EMPTY_FRAME, "not readable as audio"),
            (GOOD[:100], "not readable as audio"),
            (b"<!DOCTYPE html><html><body>404 Not Found</body></html>", "not readable as audio"),
            (b"client_id\tpath\n" * 1000, "not readable as audio"),
            (np.random.default_rng(0).bytes(5000), "not readable as audio"),
            (b"#!EXTM3U\nfile:///etc/passwd\n", "not readable as audio"),
            (
                floats(np.full(16000, np.nan)),
                "samples that are not numbers",
            ),
            (
                floats(np.full(16000, 1e35)),
                "samples that are not numbers",
            ),
            (audio_file(np.zeros(16000), 16000), "silence alone"),
            (audio_file(np.zeros(32000), 32000, "MP3"), "silence alone"),
            (audio_file(np.zeros(0), 16000), "no samples"),
            (audio_file(np.ones((10, 100)), 16000), "more than 32 channels"),
        ],
        ids=[
            "empty",
            "one byte",
            "empty frame",
            "tag",
            "tag and empty frame",
            "start of a file",
            "HTML",
            "text",
            "noise",
            "playlist",
            "NaN",
            "infinite",
            "silent",
            "silent MP3",
            "no samples",
            "100 channels",
        ],
    )
    def test_a_clip_that_is_no_speech_is_excluded_and_the_others_go_on(self, data, reason):
        pack_clips({"a.mp3": GOOD, "bad.mp3": data, "z.mp3": GOOD})
        counts, converted, excluded = run()
        assert counts == {"rows": 3, "selected": 3}
        assert converted == ["a.mp3", "z.mp3"]
        assert list(excluded) == ["bad.mp3"]
        assert excluded["bad.mp3"].startswith(reason)

    @pytest.mark.parametrize("format", ["WAV", "OGG", "FLAC"])
    @pytest.mark.parametrize("channels", [1, 8])
    def test_a_mislabelled_clip_is_converted(self, format, channels):
        sound = np.tile(tone(300, 48000)[:, None], (1, channels))
        pack_clips({"a.mp3": audio_file(sound, 48000, format)})
        assert run()[1:] == (["a.mp3"], {})

    def test_a_truncated_clip_is_converted_as_far_as_it_goes(self):
        pack_clips({"a.mp3": GOOD[: len(GOOD) // 2]})
        assert run()[1:] == (["a.mp3"], {})
        assert 0.3 < pd.read_parquet(Path("data/wav/es", INDEX)).loc[0, "duration"] < 0.7

    def test_flipped_bytes_cost_no_clip_its_place(self):
        rng = np.random.default_rng(0)
        flac = audio_file(tone(300, 16000), 16000, "FLAC")
        clips = {"whole.mp3": GOOD}
        for number in range(150):
            data = bytearray(flac if number % 2 else GOOD)
            # In the first bytes, where the headers are, or anywhere.
            end = (64, 512, len(data))[number % 3]
            for place in rng.integers(0, end, size=rng.integers(1, 40)):
                data[place] = rng.integers(256)
            clips[f"{number}.mp3"] = bytes(data)
        pack_clips(clips)
        counts, converted, excluded = run()
        assert counts["selected"] == 151
        assert "whole.mp3" in converted
        assert len(converted) > 20
        assert len(excluded) > 20

    @pytest.mark.parametrize("format", ["MP3", "FLAC"])
    def test_an_hour_is_decoded_no_further_than_wanted(self, format):
        if format == "MP3":
            # The same minute again and again, without its first frame, which tells the length.
            minute = audio_file(tone(300, 16000, seconds=60), 16000, "MP3")
            start = minute.index(minute[:2], 100)
            data = minute[start:] * 60
        else:  # 58 MB of samples in a file of some kB
            hour = np.zeros(3600 * 8000, np.int16)
            hour[:8000] = 32767 * tone(300, 8000)
            data = audio_file(hour, 8000, "FLAC")
            assert len(data) < MIB
        pack_clips({"a.mp3": data, "b.mp3": GOOD})
        with memory_below(3 * len(data) + 24 * MIB):
            assert run()[1:] == (["a.mp3", "b.mp3"], {})
        index = pd.read_parquet(Path("data/wav/es", INDEX))
        assert index["duration"].tolist() == pytest.approx([3600, 1], rel=0.1)
        assert soundfile.info("data/wav/es/example.wav").duration <= 20

    def test_many_large_files_are_not_in_memory_together(self):
        names = [f"{number}.wav" for number in range(16)]
        signal = np.zeros(12 * MIB, np.int16)
        signal[:16000] = 32767 * tone(300, 16000)
        wav = audio_file(signal, 16000)  # 24 MiB, 13 minutes
        pack_clips(dict.fromkeys(names, wav), listed=rows(*names).replace(b"female", b"other"))
        # Two shards of three, and a copy or two.
        with memory_below(9 * len(wav)):
            assert run()[1] == sorted(names)


class TestArchives:
    def test_what_is_listed_and_missing_or_present_and_unlisted_is_told_apart(self):
        pack_clips({"a.mp3": GOOD, "unlisted.mp3": GOOD}, listed=rows("a.mp3", "gone.mp3"))
        assert run() == ({"rows": 2, "selected": 2}, ["a.mp3"], {"gone.mp3": NOT_IN_CORPUS})

    def test_a_path_listed_or_packed_twice_counts_once(self):
        again = member("clips/a.mp3", b"another")
        listed = rows("a.mp3") + b"speaker 0\ta.mp3\tUn.\tfemale\nspeaker 9\tb.mp3\t\tmale\n"
        listed += b"speaker 8\tb.mp3\t\tmale\n"
        pack(member("validated.tsv", listed), member("clips/a.mp3", GOOD), again)
        counts = {"rows": 4, "selected": 1, "duplicate file name": 1, "conflicting rows": 2}
        assert run() == (counts, ["a.mp3"], {})

    @pytest.mark.parametrize("name", ["../../evil.mp3", "/tmp/evil.mp3", "..", "clips/evil.mp3"])
    def test_a_listed_path_that_leads_elsewhere_is_excluded(self, name):
        pack_clips({"a.mp3": GOOD}, listed=rows("a.mp3", name))
        assert run() == ({"rows": 2, "selected": 1, "unsafe file name": 1}, ["a.mp3"], {})

    @pytest.mark.parametrize(
        "hostile",
        [
            member("../../clips/evil.mp3", GOOD),
            member("clips/../../../clips/evil.mp3", GOOD),
            member(f"{Path.cwd().root}clips/evil.mp3", GOOD),
            member("clips/evil.mp3", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            member("clips/evil.mp3", type=tarfile.SYMTYPE, linkname="a.mp3"),
            member("clips/evil.mp3", type=tarfile.LNKTYPE, linkname="clips/a.mp3"),
            member("clips/evil.mp3", type=tarfile.FIFOTYPE),
            member("clips/evil.mp3", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
            member("clips/evil.mp3", type=tarfile.BLKTYPE),
            member("clips/evil.mp3", type=tarfile.DIRTYPE),
        ],
        ids=["up", "inner up", "absolute", "out", "in", "hard", "fifo", "char", "block", "folder"],
    )
    def test_a_member_that_is_no_plain_file_in_its_place_is_not_read(self, hostile, capsys):
        table = member("validated.tsv", rows("a.mp3", "evil.mp3"))
        pack(table, hostile, member("clips/a.mp3", GOOD))
        assert run() == ({"rows": 2, "selected": 2}, ["a.mp3"], {"evil.mp3": NOT_IN_CORPUS})
        said = "files of the corpus left unread: 1 " in capsys.readouterr().out
        assert said == (hostile[0].type != tarfile.DIRTYPE)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
    def test_a_truncated_gzip_file_stops_the_run(self, share):
        path = pack_clips({f"{n}.mp3": GOOD for n in range(50)})
        os.truncate(path, int(share * path.stat().st_size))
        stops(r"cv/es\.tar\.gz: broken or cut off")

    def test_a_huge_clip_of_zeros_costs_no_memory(self, capsys):
        pack_zeros("clips/zeros.mp3", 512 * MIB, then=member("clips/a.mp3", GOOD))
        assert Path("cv/es.tar.gz").stat().st_size < 2 * MIB
        with memory_below(48 * MIB):
            assert run()[1:] == (["a.mp3"], {"zeros.mp3": TOO_LARGE})
        assert f"es: files of the corpus left unread: 1 {TOO_LARGE}" in capsys.readouterr().out

    def test_a_table_larger_than_any_stops_the_run_before_it_fills_the_disk(self, monkeypatch):
        pack_zeros("validated.tsv", 5 * 2**30, first=HEADER.encode())
        monkeypatch.setattr("shutil.copyfileobj", lambda *_: pytest.fail("the table was copied"))
        with memory_below(32 * MIB):
            stops(r"validated\.tsv has 5 GiB, which no table")

    @pytest.mark.parametrize("first", [b"", HEADER.encode()], ids=["zeros alone", "header"])
    def test_a_table_of_zeros_costs_no_memory(self, first):
        pack_zeros("validated.tsv", 200 * MIB, first=first, then=member("clips/a.mp3", GOOD))
        with memory_below(32 * MIB):
            stops("0 of 1 rows can be used .1 broken row" if first else "not UTF-8 text")

    @pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
    def test_a_huge_header_stops_the_run_before_it_fills_the_memory(self, kind):
        pack(member("validated.tsv", rows("a.mp3")), member("x", bytes(200 * MIB), type=kind))
        with memory_below(48 * MIB):
            stops("broken or cut off .a header of")


class TestTables:
    @pytest.mark.parametrize(
        ("broken", "excluded"),
        [
            (b"too\tfew\n", "broken row"),
            (b"a\tb\tc\td\te\n", "broken row"),
            (b"speaker\tb.mp3\tn\0l\tmale\n", "broken row"),
            (bytes(1000) + b"\n", "broken row"),
            ("speaker\tb.mp3\tété\tmale\n".encode("latin-1"), "broken row"),
            (b"x" * 3 * MIB + b"\n", "broken row"),
            (b'"\tb.mp3\t"\tmale\n', None),
            (b'"speaker\tb.mp3\t"no end\t"male\n', None),
        ],
        ids=["few", "many", "NUL", "zeros", "Latin-1", "long", "quotes", "unpaired quotes"],
    )
    def test_a_broken_row_is_counted_and_the_next_is_read(self, broken, excluded):
        listed = rows("a.mp3") + broken + b"speaker\tz.mp3\tUn.\tmale\n"
        pack_clips(dict.fromkeys(("a.mp3", "b.mp3", "z.mp3"), GOOD), listed=listed)
        counts, converted, _ = run()
        assert counts.get("broken row", 0) == (excluded is not None)
        assert converted == (["a.mp3", "z.mp3"] if excluded else ["a.mp3", "b.mp3", "z.mp3"])

    @pytest.mark.parametrize(
        ("table", "match"),
        [
            (b"", "no column client_id, path; the header has nothing"),
            ("identité\tpath\n".encode("latin-1"), "not UTF-8 text; save it as UTF-8"),
            (rows("a.mp3").replace(b"\t", b","), "no column client_id, path; the header has"),
            (rows("a.mp3").replace(b"path", b"file"), "no column path; the header has client_id"),
            (b"x" * 3 * MIB, "not UTF-8 text"),
        ],
        ids=["empty", "Latin-1", "commas", "no path", "one long line"],
    )
    def test_a_table_that_cannot_be_read_stops_the_run(self, table, match):
        pack_clips({"a.mp3": GOOD}, listed=table)
        stops(rf"^cv/es\.tar\.gz: validated\.tsv: {match}")

    def test_a_table_without_rows_stops_the_run(self):
        pack_clips({"a.mp3": GOOD}, listed=rows())
        stops("its table has a header and no rows")

    def test_a_table_of_endless_rows_stops_the_run(self, monkeypatch):
        monkeypatch.setattr("voicetraits.selection.tsv._MOST_ROWS", 1000)
        pack_clips({"a.mp3": GOOD}, listed=HEADER.encode() + b"x\n" * 1001)
        stops("more than 1,000 rows")
