"""Corpora as people really have them, from the archive to the converted clips.

They come renamed, packed anew, unpacked on a Mac, saved by a spreadsheet or taken from elsewhere.
What can be read without doubt is read, with the same result; all else stops with one line that says
what was found and what to do.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import shutil
import subprocess
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import yaml
from conftest import audio_file, tone
from corpora import GOOD, HEADER, make_project, member, pack, pack_clips, rows, run, stops

from stages import convert, select, split
from voicetraits.audio.convert import NOT_IN_CORPUS, SAME_BYTES
from voicetraits.corpus.clips import read_clips
from voicetraits.corpus.folder import NOT_THERE
from voicetraits.corpus.layout import SEVERAL_FILES, CorpusError
from voicetraits.storage.shards import EXCLUDED, INDEX, read_wavs, shard_name

pytestmark = pytest.mark.slow

CLIPS = ("a.mp3", "b.mp3", "c.mp3")
BOTH = ({"rows": 2, "selected": 2}, ["a.mp3", "b.mp3"], {})
# Columns of the tables of Common Voice 17 and of Spontaneous Speech 3.
FULL = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment\n"
SPONTANEOUS = (
    "client_id\taudio_id\taudio_file\tduration_ms\tprompt_id\tprompt\ttranscription\tvotes\tage\t"
    "gender\tlanguage\tsplit\tchar_per_sec\tquality_tags\n"
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make_project(tmp_path, monkeypatch)


def sound(number: int) -> bytes:
    return audio_file(tone(300 + 40 * number, 16000), 16000, "FLAC")


def full(*clips: str, locale: str = "es", start: str = "") -> str:
    """Rows of Common Voice 17: each clip of a speaker of its own."""
    return start + "".join(
        f"{locale} {clip}\t{clip}\tUn.\t2\t0\t\tfemale\t\t{locale}\t\n" for clip in clips
    )


def unpack(files: dict[str, bytes], folder: str = "cv/es") -> None:
    for name, content in files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def tar(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in files.items():
            info, _ = member(name, content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def zstandard(data: bytes) -> bytes:
    file = pa.BufferOutputStream()
    with pa.CompressedOutputStream(file, "zstd") as stream:
        stream.write(data)
    return file.getvalue().to_pybytes()


SIMPLE = {"es/validated.tsv": rows("a.mp3", "b.mp3")} | {f"es/clips/{x}.mp3": GOOD for x in "ab"}
PACKED: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "tar": tar,
    "tar.gz": lambda files: gzip.compress(tar(files)),
    "tar.gz.gz": lambda files: gzip.compress(gzip.compress(tar(files))),
    "tar.bz2": lambda files: bz2.compress(tar(files)),
    "tar.xz": lambda files: lzma.compress(tar(files)),
    "tar.zst": lambda files: zstandard(tar(files)),
    "zip": zipped,
}


class TestContainers:
    def results(self, write: Callable[[], object]) -> list[pd.DataFrame | list[bytes]]:
        """What selection, conversion and split make of a corpus, without the places of the WAVs."""
        for folder in ("cv", "data"):
            shutil.rmtree(folder, ignore_errors=True)
        Path("cv").mkdir()
        write()
        select.main("es")
        convert.main("es")
        split.main("gender", "es")
        out = Path("data/wav/es")
        index = pd.read_parquet(out / INDEX)
        wavs = [
            list(read_wavs(out / shard_name(shard, "tar")))[row]
            for shard, row in index[["shard", "row"]].itertuples(index=False)
        ]
        parts = pd.read_parquet("data/splits/gender-es.parquet")
        tables = [table.drop(columns=["shard", "row"]) for table in (index, parts)]
        excluded = pd.read_parquet(out / EXCLUDED)
        return [read_clips("data/clips/es.parquet"), excluded, *tables, wavs]

    def test_folder_and_archives_in_any_order_give_the_same_results(self, monkeypatch):
        monkeypatch.setattr("voicetraits.audio.convert.SHARD_CLIPS", 4)
        names = [f"{number}.mp3" for number in (11, 4, 1, 7, 10, 2, 9, 3, 0, 8, 5, 6)]
        table = FULL + "".join(
            f"{n}\t{clip}\tUn.\t2\t0\t\t{('female', 'male')[n % 2]}\t\tes\t\n"
            for n, clip in enumerate(names)
        )
        clips = {f"clips/{name}": sound(number) for number, name in enumerate(names)}
        clips["clips/3.mp3"] = clips["clips/9.mp3"] = b"no sound"
        files = {"validated.tsv": table.encode(), **clips}
        backwards = dict(reversed(files.items()))
        expected = self.results(lambda: unpack(files))
        assert list(expected[2]["clip"]) == sorted(set(names) - {"3.mp3", "9.mp3"})
        assert list(expected[1]["clip"]) == ["3.mp3", "9.mp3"]
        assert set(expected[3]["part"]) == {"training", "validation", "test"}
        for name, content in {
            "es.tar": tar(files),
            "es.tar.gz": gzip.compress(tar(backwards)),
            "es.zip": zipped(backwards),
        }.items():
            found = self.results(lambda: Path("cv", name).write_bytes(content))  # noqa: B023
            for one, other in zip(expected[:4], found[:4], strict=True):
                pd.testing.assert_frame_equal(one, other)
            assert found[4] == expected[4]

    @pytest.mark.parametrize("kind", PACKED)
    def test_an_archive_is_read_as_what_it_is_whatever_its_name(self, kind):
        Path("cv/es.tar.gz").write_bytes(PACKED[kind](SIMPLE))
        assert run() == BOTH

    @pytest.mark.parametrize("kind", ["tar", "tar.bz2", "tar.xz", "tar.zst", "zip"])
    def test_an_archive_may_have_the_ending_of_its_kind(self, kind):
        Path(f"cv/es.{kind}").write_bytes(PACKED[kind](SIMPLE))
        assert run() == BOTH

    @pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "tar.zst", "zip"])
    @pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
    def test_a_cut_off_archive_of_any_kind_stops_the_run(self, kind, share):
        clips = {f"clips/{n}.mp3": sound(n) for n in range(10)}
        files = {"validated.tsv": rows(*(f"{n}.mp3" for n in range(10))), **clips}
        whole = PACKED[kind](files)
        Path("cv/es.tar.gz").write_bytes(whole[: int(share * len(whole))])
        stops(r"^cv/es\.tar\.gz: broken or cut off")

    @pytest.mark.parametrize("behind", [b"\n", bytes(700), bytes(7) + b"\r\n", b"-- the end --\n"])
    def test_what_stands_behind_the_end_of_a_gzip_file_is_left_unread(self, behind, capsys):
        Path("cv/es.tar.gz").write_bytes(gzip.compress(tar(SIMPLE)) + behind)
        assert run() == BOTH
        told = "behind the end of the gzip file is left unread" in capsys.readouterr().err
        assert told == bool(behind.strip(b"\0"))

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a web page"),
            (b"\xef\xbb\xbf\n<!DOCTYPE html><html>" * 90, "a web page"),
            (gzip.compress(b"<html><body>Sign in</body></html>"), "a web page"),
            (b'{"error": "The link has expired"}', "a web page"),
            (gzip.compress(zipped(SIMPLE)), "a zip archive.*gunzip"),
            (b"7z\xbc\xaf\x27\x1c" + bytes(90), "a 7z archive.*7z x"),
            (b"Rar!\x1a\x07" + bytes(90), "a RAR archive"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        ],
    )
    def test_what_is_no_archive_is_called_by_its_name(self, content, told):
        Path("cv/es.tar.gz").write_bytes(content)
        stops(rf"^cv/es\.tar\.gz: is .*{told}")

    @pytest.mark.parametrize("outer", ["tar.gz", "zip"])
    def test_an_archive_in_an_archive_is_named_with_the_remedy(self, outer):
        inner = {"cv-corpus-25.0-2026-03-09-es.tar.gz": gzip.compress(tar(SIMPLE))}
        Path("cv/es.tar.gz").write_bytes(PACKED[outer](inner))
        stops(r"holds another archive, cv-corpus-25\.0-2026-03-09-es\.tar\.gz, .*unpack this one")

    def test_a_locked_zip_archive_says_so(self):
        content = bytearray(zipped(SIMPLE))
        content[content.index(b"PK\1\2") + 8] |= 1  # as the list of its files has it
        Path("cv/es.zip").write_bytes(content)
        stops("locked with a password")

    def test_names_in_a_zip_archive_are_read_as_its_tool_meant_them(self):
        # UTF-8 without saying so, as macOS writes it, and the backslashes of Windows.
        name = "niño.mp3"
        files = {"es\\validated.tsv": rows(name), "es\\clips\\ni__o.mp3": GOOD}
        Path("cv/es.zip").write_bytes(zipped(files).replace(b"ni__o.mp3", name.encode()))
        assert run() == ({"rows": 1, "selected": 1}, [name], {})


class TestLayouts:
    def test_files_that_macos_adds_are_not_read(self):
        extra = {"es/._validated.tsv": b"\0\5\x16\7", "es/clips/._a.mp3": b"\0\5\x16\7"}
        extra |= {"__MACOSX/es/clips/a.mp3": b"no sound", "es/clips/.DS_Store": b"\0"}
        extra |= {"__MACOSX/es/validated.tsv": b"no table"}
        pack(*(member(name, data) for name, data in (extra | SIMPLE).items()))
        assert run() == BOTH
        Path("cv/es.tar.gz").unlink()
        unpack({f"x/{name}": data for name, data in (extra | SIMPLE).items()})
        assert run() == BOTH

    @pytest.mark.parametrize("kind", ["folder", "tar.gz", "zip"])
    @pytest.mark.parametrize(
        ("tables", "clips"),
        [
            ("", "cv-corpus-25.0-2026-03-09/es/clips"),
            ("tables", "clips"),
            ("a/b/c/d", "a/b/c/clips"),
        ],
    )
    def test_tables_and_clips_may_lie_apart_and_deep(self, kind, tables, clips):
        files = {f"{tables}/validated.tsv".lstrip("/"): rows("a.mp3", "b.mp3")}
        files |= {f"{clips}/{name}.mp3": GOOD for name in "ab"}
        if kind == "folder":
            unpack(files)
        else:
            Path("cv/es.tar.gz").write_bytes(PACKED[kind](files))
        assert run() == BOTH

    @pytest.mark.parametrize("kind", ["folder", "tar.gz", "zip"])
    def test_two_releases_side_by_side_are_refused(self, kind):
        files = {f"cv-{n}/{name}": data for n in (24, 25) for name, data in SIMPLE.items()}
        if kind == "folder":
            unpack(files)
        else:
            Path("cv/es.tar.gz").write_bytes(PACKED[kind](files))
        stops(r"holds two corpora, cv-24/.* and cv-25/.*; keep one")

    def test_clips_elsewhere_than_in_their_folder_are_pointed_out(self):
        pack(member("es/validated.tsv", rows("a.mp3")), member("es/wav/a.mp3", GOOD))
        stops(r"holds no files in clips/.*; es/wav/a\.mp3 is not in a folder of that name")

    def test_splits_alone_are_read_as_one_table_and_that_is_told(self, capsys):
        tables = {"train.tsv": rows("a.mp3"), "test.tsv": rows("b.mp3", "a.mp3")}
        tables["dev.tsv"] = HEADER.encode()
        clips = {f"clips/{name}": GOOD for name in CLIPS}
        pack(*(member(name, data) for name, data in (clips | tables).items()))
        # a.mp3 is listed for two speakers.
        counts, converted, _ = run()
        assert counts == {"rows": 3, "selected": 1, "conflicting rows": 2}
        assert converted == ["b.mp3"]
        assert "no validated.tsv; taking the clips of train.tsv, dev.tsv, test.tsv" in (
            capsys.readouterr().err
        )

    @pytest.mark.parametrize("kind", ["folder", "tar.gz", "zip"])
    def test_tables_may_be_compressed_on_their_own(self, kind):
        files = {"validated.tsv.gz": gzip.compress(SIMPLE["es/validated.tsv"])}
        files |= {f"clips/{name}.mp3": GOOD for name in "ab"}
        if kind == "folder":
            unpack(files)
        else:
            Path("cv/es.tar.gz").write_bytes(PACKED[kind](files))
        assert run() == BOTH

    def test_a_folder_of_links_as_git_annex_and_dvc_make_it_is_read(self):
        unpack({"0": SIMPLE["es/validated.tsv"], "1": GOOD}, "store")
        unpack({"clips/b.mp3": GOOD})
        Path("cv/es/validated.tsv").symlink_to("../../store/0")
        Path("cv/es/clips/a.mp3").symlink_to("../../../store/1")
        assert run() == BOTH

    def test_a_link_to_what_is_no_sound_gets_nothing_of_it_into_the_outputs(self, capsys):
        unpack({"secret": b"the secret word\n"}, ".")
        unpack({"validated.tsv": rows("a.mp3", "b.mp3", "c.mp3"), "clips/a.mp3": GOOD})
        Path("cv/es/clips/b.mp3").symlink_to("../../../secret")
        Path("cv/es/clips/c.mp3").symlink_to("../../../gone")
        _, converted, excluded = run()
        assert converted == ["a.mp3"]
        assert excluded["c.mp3"] == NOT_THERE
        for path in Path("data").rglob("*"):
            assert path.is_dir() or b"secret word" not in path.read_bytes()
        assert "secret word" not in "".join(capsys.readouterr())

    def test_a_link_to_what_is_no_table_shows_nothing_of_it(self):
        unpack({"secret": b"root:x:0:0:the secret word\n"}, ".")
        unpack({"clips/a.mp3": GOOD})
        Path("cv/es/validated.tsv").symlink_to("../../secret")
        stops("^[^x]*no column client_id, path; the header has nothing that could be[^x]*$")


class TestNames:
    @pytest.mark.parametrize("kind", ["folder", "tar.gz", "zip"])
    @pytest.mark.parametrize(
        ("listed", "there"),
        [
            ("niño_1.mp3", unicodedata.normalize("NFD", "niño_1.mp3")),
            (unicodedata.normalize("NFD", "niño_1.mp3"), "niño_1.mp3"),
            ("a.mp3", "a.MP3"),
            ("a.mp3", "A.mp3"),
            ("a.mp3", "a.wav"),
            ("a.mp3", "a.flac"),
            ("a.wav", "a.mp3"),
            ("niño.mp3", "ni%C3%B1o.mp3"),
            ("a.mp3", "00/a.mp3"),
            ("Ångström.mp3", unicodedata.normalize("NFD", "ÅNGSTRÖM.OGG")),
        ],
    )
    def test_a_clip_is_found_under_a_name_that_differs_a_little(self, kind, listed, there):
        files = {"validated.tsv": rows(listed, "z.mp3"), f"clips/{there}": GOOD}
        files |= {"clips/z.mp3": sound(1), "clips/other.mp3": b"unlisted"}
        if kind == "folder":
            unpack(files)
        else:
            Path("cv/es.tar.gz").write_bytes(PACKED[kind](files))
        assert run() == ({"rows": 2, "selected": 2}, sorted([listed, "z.mp3"]), {})

    @pytest.mark.parametrize("kind", ["folder", "tar.gz", "zip"])
    def test_the_very_name_comes_before_others_and_two_others_are_no_answer(self, kind):
        listed = rows("a.mp3", "b.mp3")
        files = {"clips/a.WAV": b"no sound", "clips/a.mp3": GOOD, "clips/A.mp3": b"no sound"}
        files |= {"clips/b.wav": GOOD, "clips/b.MP3": sound(1), "validated.tsv": listed}
        if kind == "folder":
            unpack(files)
        else:
            Path("cv/es.tar.gz").write_bytes(PACKED[kind](files))
        _, converted, excluded = run()
        assert (converted, excluded) == (["a.mp3"], {"b.mp3": SEVERAL_FILES})

    def test_listed_clips_that_differ_in_case_alone_are_two(self):
        pack_clips({"a.mp3": GOOD, "A.mp3": sound(1), "a.wav": sound(2)})
        assert run()[1] == ["A.mp3", "a.mp3", "a.wav"]


class TestLanguage:
    def pack(self, table: str, *, folder: str = "es", clips: tuple[str, ...] = CLIPS) -> None:
        files = {f"{folder}/validated.tsv": table.encode()}
        files |= {f"{folder}/clips/{name}": sound(n) for n, name in enumerate(clips)}
        pack(*(member(name, data) for name, data in files.items()))

    def test_a_corpus_whose_rows_are_of_another_language_is_refused(self):
        self.pack(full("a.mp3", "b.mp3", locale="fr", start=FULL) + full("c.mp3"))
        stops(
            r"^cv/es\.tar\.gz: is of the language 'fr', as 2 of 3 rows of validated\.tsv say, and "
            r"not of 'es'; .*under the name fr\.tar\.gz"
        )

    @pytest.mark.parametrize(
        "folder",
        [
            "cv-corpus-6.1-2020-12-11/fr",
            "x/cv-corpus-25.0-delta-2026-03-09/fr",
            "cv-corpus-25.0-2026-03-09-fr",
        ],
    )
    def test_the_folder_of_a_release_gives_its_language(self, folder):
        self.pack(rows(*CLIPS).decode(), folder=folder)
        stops(r"is of the language 'fr', as .*fr.* says, and not of 'es'")

    def test_the_names_of_old_clips_give_their_language(self):
        clips = ("common_voice_fr_1.mp3", "common_voice_fr_2.mp3", "common_voice_es_3.mp3")
        self.pack(rows(*clips).decode(), clips=clips)
        stops("is of the language 'fr', as 2 of 3 rows")

    def test_what_a_link_leads_to_gives_its_language(self):
        self.pack(rows(*CLIPS).decode())
        Path("cv/es.tar.gz").rename("cv-corpus-7.0-2021-07-21-fr.tar.gz")
        Path("cv/es.tar.gz").symlink_to("../cv-corpus-7.0-2021-07-21-fr.tar.gz")
        stops(r"is of the language 'fr', as the name cv-corpus-7\.0-2021-07-21-fr\.tar\.gz says")

    def test_an_unpacked_folder_is_looked_at_in_the_same_way(self):
        unpack({"validated.tsv": full(*CLIPS, locale="fr", start=FULL).encode()})
        unpack({f"clips/{name}": GOOD for name in CLIPS})
        stops("is of the language 'fr', as 3 of 3 rows.*under the name fr$")

    def test_rows_of_another_language_in_a_mostly_right_table_are_excluded(self):
        self.pack(full("a.mp3", "b.mp3", start=FULL) + full("c.mp3", locale="fr"))
        counts = {"rows": 3, "selected": 2, "another language": 1}
        assert run() == (counts, ["a.mp3", "b.mp3"], {})

    @pytest.mark.parametrize("locale", ["", "es-MX", "ES", "es_419"])
    def test_blanks_and_regions_of_the_language_are_no_other(self, locale):
        self.pack(full(*CLIPS, locale=locale, start=FULL))
        assert run()[0] == {"rows": 3, "selected": 3}

    @pytest.mark.parametrize(("locale", "other"), [("zh-CN", "zh-TW"), ("zh-HK", "zh-CN")])
    def test_locales_that_share_a_language_code_are_told_apart(self, locale, other):
        self.pack(full(*CLIPS, locale=other, start=FULL))
        Path("cv/es.tar.gz").rename(f"cv/{locale}.tar.gz")
        with pytest.raises(CorpusError, match=f"is of the language '{other}'.*not of '{locale}'"):
            select.main(locale)


class TestSpreadsheets:
    @pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
    def test_a_table_saved_by_pandas_is_read(self, quoting):
        columns = {"client_id": ["x", "y"], "path": ["a.mp3", "b.mp3"], "sentence": ['"Un."', "d"]}
        table = pd.DataFrame({**columns, "gender": ["female", "male"]})
        saved = table.to_csv(sep="\t", index=quoting == csv.QUOTE_MINIMAL, quoting=quoting)
        pack_clips({"a.mp3": GOOD, "b.mp3": GOOD}, listed=saved.encode())
        assert run() == BOTH
        assert read_clips("data/clips/es.parquet")["gender"].tolist() == ["female", "male"]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-16-le"])
    @pytest.mark.parametrize("end", ["\r", "\r\n"])
    def test_its_encoding_and_line_ends_do_not_matter(self, encoding, end):
        text = SIMPLE["es/validated.tsv"].decode().replace("\n", end)
        mark = "\ufeff" if encoding == "utf-16-be" else ""
        pack_clips({"a.mp3": GOOD, "b.mp3": GOOD}, listed=(mark + text).encode(encoding))
        assert run() == BOTH

    def test_trimmed_tabs_are_put_back(self):
        text = full("a.mp3", start=FULL) + full("b.mp3")
        text = text.replace("female\t\tes\t\n", "\t\tes\t\n", 1).replace("\t\n", "\n")
        pack_clips({"a.mp3": GOOD, "b.mp3": GOOD}, listed=text.encode())
        assert run() == BOTH

    @pytest.mark.parametrize(("separator", "name"), [(",", "commas"), (";", "semicolons")])
    def test_another_separator_is_named(self, separator, name):
        listed = SIMPLE["es/validated.tsv"].replace(b"\t", separator.encode())
        pack_clips({"a.mp3": GOOD}, listed=listed)
        stops(f"separated by {name}, save it with tabs")


class TestNothingUsable:
    def test_clips_that_are_all_absent_stop_the_run_with_a_name_of_each_side(self):
        clips = {f"x{n}.mp3": GOOD for n in range(3)}
        pack_clips(clips, listed=rows(*(f"y{n}.mp3" for n in range(30))))
        stops(
            rf"^cv/es\.tar\.gz: 0 of 30 selected clips could be converted \(30 {NOT_IN_CORPUS}\), "
            r"such as y0\.mp3, while there is x0\.mp3; do tables and clips belong together"
        )

    def test_clips_that_are_all_broken_stop_the_run_with_their_reasons(self):
        clips = {f"{n}.mp3": b"text" for n in range(12)} | {"silent.mp3": bytes(3), "ok.mp3": GOOD}
        pack_clips(clips)
        stops(
            r"1 of 14 selected clips could be converted \(13 not readable as audio.*such as 0\.mp"
        )

    def test_a_few_good_clips_among_broken_ones_are_no_error(self):
        pack_clips({f"{n}.mp3": b"text" for n in range(9)} | {"ok.mp3": GOOD})
        assert run()[1] == ["ok.mp3"]


class TestSameFiles:
    def test_of_the_same_files_of_a_speaker_the_first_by_name_is_converted(self, capsys):
        listed = HEADER + "".join(f"ann\t{name}\tUn.\tfemale\n" for name in ("c", "b", "a"))
        listed += "bob\td\tUn.\tfemale\n"
        pack_clips({f"{name}.mp3": GOOD for name in "dcba"}, listed=listed.encode())
        select.main("es")
        convert.main("es")
        index, excluded = (pd.read_parquet(Path("data/wav/es", name)) for name in (INDEX, EXCLUDED))
        assert index["clip"].tolist() == ["a.mp3", "d.mp3"]
        assert index["checksum"].nunique() == 1
        assert dict(excluded.itertuples(index=False)) == {"b.mp3": SAME_BYTES, "c.mp3": SAME_BYTES}

    def test_the_same_files_in_two_languages_stop_the_split(self):
        params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
        Path("params.yaml").write_text(yaml.safe_dump({**params, "locales": ["es", "en"]}))
        for locale in ("es", "en"):
            silent = audio_file(0 * tone(300, 8000), 8000)  # excluded: no clip of either
            pack_clips({"a.mp3": sound(1), "b.mp3": sound(2), "silent.mp3": silent})
            if locale == "en":
                pack_clips({"a.mp3": sound(3), "x.mp3": sound(2), "silent.mp3": silent})
                Path("cv/es.tar.gz").rename("cv/en.tar.gz")
            select.main(locale)
            convert.main(locale)
        with pytest.raises(ValueError, match=r"^en and es: 1 clips .*x\.mp3 in en.*b\.mp3 in es"):
            split.main("language", "all")
        assert not Path("data/splits").exists()


class TestSpontaneousSpeech:
    def pack(self, *rows: str, reported: bytes = b"", locale: str = "es") -> None:
        folder = f"sps-corpus-3.0-2026-03-09-{locale}"
        table = SPONTANEOUS + "".join(
            f"c{n}\t{n}\tspontaneous-speech-{locale}-{n}.mp3\t3500\t1\tQ\t\t2\tteens\t{row}\n"
            for n, row in enumerate(rows)
        )
        files = {f"audios/spontaneous-speech-{locale}-{n}.mp3": GOOD for n in range(len(rows))}
        files |= {"README.md": b"x", f"ss-corpus-{locale}.tsv": table.encode()}
        files[f"ss-reported-audios-{locale}.tsv"] = reported
        pack(*(member(f"{folder}/{name}", data) for name, data in files.items()))

    def test_speakers_labels_and_durations_are_read(self, capsys):
        self.pack(
            *["female_feminine\tSpanish\ttrain\t9\t", "male_masculine\tes\tunassigned\t9\t"],
            *["\tes\tdev\t9\t", "\tes\ttest\t9\tlong-audio|dataset-language-audio-mismatch"],
            "\tes\ttest\t9\t",
            reported=b"client_id\taudio_file\nx\tspontaneous-speech-es-4.mp3\n",
        )
        counts, converted, _ = run()
        excluded = {"another language": 1, "reported by a listener": 1}
        assert counts == {"rows": 5, "selected": 3, **excluded}
        assert converted == [f"spontaneous-speech-es-{n}.mp3" for n in range(3)]
        table = read_clips("data/clips/es.parquet")
        assert table["gender"].tolist() == ["female", "male", "", "", ""]
        assert set(table["duration"]) == {3.5}
        assert set(table["age"]) == {"teens"}

    def test_its_own_splits_are_taken_where_they_are_asked_for(self):
        params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
        params["corpus"]["splits"] = "common_voice"
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        self.pack(*(f"\tes\t{part}\t9\t" for part in ("train", "dev", "test", "unassigned")))
        select.main("es")
        table = read_clips("data/clips/es.parquet")
        assert table["part"].tolist() == ["training", "validation", "test", ""]
        assert table["excluded"].tolist() == [""] * 3 + ["not in Common Voice's splits"]

    def test_one_of_another_language_is_refused(self):
        self.pack("\tFrench\ttrain\t9\t", locale="fr")
        stops(r"is of the language 'fr', as the name of its table, ss-corpus-fr\.tsv, says")

    def test_a_table_of_reports_that_cannot_be_read_is_told(self, capsys):
        self.pack("\tes\ttrain\t9\t", reported=b"x\n")
        assert run()[0] == {"rows": 1, "selected": 1}
        assert (
            "ss-reported-audios.tsv: no column audio_file; left unread" in capsys.readouterr().err
        )

    def test_both_series_in_one_corpus_are_refused(self):
        self.pack("\tes\ttrain\t9\t")
        files = {"validated.tsv": rows("a.mp3"), "ss-corpus-es.tsv": SPONTANEOUS.encode()}
        pack(*(member(name, data) for name, data in files.items()), member("clips/a.mp3", GOOD))
        stops("two corpora, of validated.tsv and of Spontaneous Speech")


def test_the_error_ends_the_process_with_1_and_one_line(project):
    pack_clips({"a.mp3": GOOD}, listed=rows())
    root = Path(__file__).parents[1]
    command = f"cd '{project}' && PYTHONPATH='{root}:{root}/src' python -m stages.select es"
    process = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert process.returncode == 1
    assert process.stderr.startswith("error: cv/es.tar.gz: its table has a header and no rows")
    assert process.stderr.count("\n") == 1
