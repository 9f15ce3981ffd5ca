"""The clip table: every version is read, every row is accounted for, the selection is fair."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from voicetraits.corpus.clips import CLIP_COLUMNS, read_clips, write_clips
from voicetraits.corpus.layout import CorpusError
from voicetraits.corpus.open import open_corpus
from voicetraits.selection.caps import cap_clips
from voicetraits.selection.clip_table import read_clip_table, read_validated
from voicetraits.selection.findings import selection_counts
from voicetraits.selection.rows import read_durations, speaker_hash

# Columns of validated.tsv by the versions of Common Voice that brought them.
HEADERS = {
    "1-4": "client_id path sentence up_votes down_votes age gender accent",
    "5-7": "client_id path sentence up_votes down_votes age gender accent locale segment",
    "8-13": "client_id path sentence up_votes down_votes age gender accents locale segment",
    "14-16": "client_id path sentence up_votes down_votes age gender accents variant locale "
    "segment",
    "17-25": "client_id path sentence_id sentence sentence_domain up_votes down_votes age gender "
    "accents variant locale segment",
}


def tsv(*rows: dict[str, str], columns: str = "client_id path gender age accents") -> bytes:
    lines = [columns.split(), *([row.get(name, "") for name in columns.split()] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines).encode()


def validated(content: bytes) -> pd.DataFrame:
    return read_validated(io.BytesIO(content), source="es: validated.tsv")


def row(clip: str = "a.mp3", client_id: str = "ann", **more: str) -> dict[str, str]:
    return {"client_id": client_id, "path": clip, **more}


def unpack(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


class TestReadValidated:
    def test_a_sentence_that_is_not_known_is_blank(self):
        table = validated(
            tsv(
                *(row(f"{n}.mp3", sentence=said) for n, said in enumerate(["Hola.", "", " NaN"])),
                columns="client_id path sentence",
            )
        )
        assert table["sentence"].tolist() == ["Hola.", "", ""]
        assert validated(tsv(row(), columns="client_id path"))["sentence"].tolist() == [""]

    @pytest.mark.parametrize("columns", HEADERS.values(), ids=HEADERS)
    def test_every_version_is_read_by_header(self, columns):
        values = {"age": "fourties", "gender": "female", "accent": "Rioplatense"}
        values |= {"accents": values["accent"], "sentence": "locale", "up_votes": "2"}
        table = validated(tsv(row(**values), columns=columns))
        assert table.drop(columns="duration").to_dict("records") == [
            {
                "clip": "a.mp3",
                "speaker": speaker_hash("ann"),
                "gender": "female",
                "age": "fourties",
                "accent": "Rioplatense",
                "source": "",
                "sentence": "locale",
                "part": "",
                "excluded": "",
            }
        ]
        assert table["duration"].isna().all()

    def test_only_client_id_and_path_are_required(self):
        table = validated(tsv(row(), columns="path client_id"))
        assert table.loc[0, ["gender", "age", "accent", "excluded"]].tolist() == [""] * 4

    @pytest.mark.parametrize("left", ["client_id", "path"])
    def test_a_missing_column_is_named_with_those_that_are_there(self, left):
        with pytest.raises(CorpusError, match=rf"es: validated\.tsv: no column .*has {left}, age$"):
            validated(tsv(row(), columns=f"{left} age"))

    def test_a_column_that_is_there_twice_is_an_error(self):
        table = b"client_id\tpath\tgender\tage\tgender\na\tb.mp3\tmale\t\t\n"
        with pytest.raises(CorpusError, match=r"has the column gender twice; keep one of each"):
            validated(table)
        assert len(validated(b"\tclient_id\tpath\t\n0\ta\tb.mp3\t\n")) == 1

    def test_an_empty_file_is_an_error_and_one_with_a_header_is_not(self):
        with pytest.raises(CorpusError, match="no column client_id, path; the header has nothing"):
            validated(b"")
        empty = validated(tsv())
        assert list(empty.columns) == CLIP_COLUMNS.names
        assert selection_counts(empty) == {"rows": 0, "selected": 0}

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_the_encodings_and_line_ends_of_spreadsheets_are_read(self, encoding, end):
        plain = tsv(row("niño.mp3", gender="male", accents="a"), row("b.mp3"))
        saved = plain.decode().replace("\n", end).encode(encoding)
        pd.testing.assert_frame_equal(validated(saved), validated(plain))

    def test_a_table_compressed_on_its_own_is_read(self):
        plain = tsv(row(), row("b.mp3"))
        pd.testing.assert_frame_equal(validated(gzip.compress(plain)), validated(plain))
        with pytest.raises(CorpusError, match=r"es: validated\.tsv: broken or cut off"):
            validated(gzip.compress(plain)[:-9])

    def test_a_carriage_return_inside_a_row_of_others_is_a_character(self):
        table = validated(tsv(row(accents="a\rb"), row("b.mp3")))
        assert table["clip"].tolist() == ["a.mp3", "b.mp3"]

    def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(self):
        plain = tsv(row(gender="male", accents="a"), row("b.mp3"))
        table = validated(b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n"))
        pd.testing.assert_frame_equal(table, validated(plain))

    @pytest.mark.parametrize(
        ("spelling", "label"),
        [
            ("male", "male"),
            ("male_masculine", "male"),
            ("female", "female"),
            ("female_feminine", "female"),
            (" Female ", "female"),
            ("other", "other"),
            ("transgender", "other"),
            ("non-binary", "other"),
            ("intersex", "other"),
            ("do_not_wish_to_say", "other"),
            ("a spelling of version 30", "other"),
            ("", ""),
            ("NaN", ""),
            ("nan", ""),
            ("None", ""),
            ("<NA>", ""),
        ],
    )
    def test_every_spelling_of_gender_becomes_one_of_four(self, spelling, label):
        table = validated(tsv(row(gender=spelling)))
        assert table.loc[0, ["gender", "excluded"]].tolist() == [label, ""]

    @pytest.mark.parametrize(
        ("accents", "first"),
        [
            ("Rioplatense", "Rioplatense"),
            (" Andino , Caribe", "Andino"),
            ("Andino|Caribe", "Andino"),
            ("India (India, Pakistan, Sri Lanka), other", "India (India, Pakistan, Sri Lanka)"),
            ("nan", ""),
        ],
    )
    def test_the_first_accent_counts(self, accents, first):
        assert validated(tsv(row(accents=accents))).loc[0, "accent"] == first

    @pytest.mark.parametrize(
        ("path", "clip"),
        [
            ("ab12", "ab12.mp3"),  # Common Voice 1 and 2
            ("ab12.mp3", "ab12.mp3"),
            ("ab12.WAV", "ab12.WAV"),
            ("ab12.flac", "ab12.flac"),
            ("ab12.ogg", "ab12.ogg"),
            ("v1.2", "v1.2.mp3"),
        ],
    )
    def test_a_path_without_an_audio_ending_is_an_mp3(self, path, clip):
        assert validated(tsv(row(path))).loc[0, ["clip", "excluded"]].tolist() == [clip, ""]

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            (row(client_id=""), "no speaker id"),
            (row(client_id=" NaN"), "no speaker id"),
            (row(""), "no file name"),
            (row("nan"), "no file name"),
            (row("../a.mp3"), "unsafe file name"),
            (row("clips/a.mp3"), "unsafe file name"),
            (row("/etc/passwd"), "unsafe file name"),
            (row("..\\a.mp3"), "unsafe file name"),
            (row(".."), "unsafe file name"),
            (row("a\x1b.mp3"), "unsafe file name"),
            (row("a\0.mp3"), "broken row"),
        ],
    )
    def test_an_unusable_row_is_kept_with_its_reason(self, given, reason):
        table = validated(tsv(row("first.mp3"), given, row("last.mp3")))
        assert table["excluded"].tolist() == ["", reason, ""]

    @pytest.mark.parametrize(
        "line",
        [
            b"ann\ttoo-few.mp3\n",
            b"ann\tx.mp3\ta tab\tin the sentence\tmale\ttwenties\t\n",
            b"ann\t\xff\xfe.mp3\tmale\ttwenties\t\n",
            b"lonely end of a sentence with a line break\n",
            b"\t\n",
        ],
    )
    def test_a_broken_row_is_counted_and_the_rest_is_read(self, line):
        table = validated(tsv(row("first.mp3")) + line + tsv(row("last.mp3")).split(b"\n", 1)[1])
        assert table["clip"].tolist() == ["first.mp3", "", "last.mp3"]
        assert selection_counts(table) == {"rows": 3, "selected": 2, "broken row": 1}

    def test_quotation_marks_are_plain_characters(self):
        columns = "client_id path sentence gender"
        rows = [row(f"{n}.mp3", sentence=text) for n, text in enumerate(['"open', "b", 'close"'])]
        table = validated(tsv(*rows, columns=columns))
        assert table["clip"].tolist() == ["0.mp3", "1.mp3", "2.mp3"]

    def test_quotation_marks_around_every_field_are_taken_off(self):
        columns = "client_id path sentence gender"
        rows = [row(sentence='say ""hello""', gender="male"), row("b.mp3", sentence='no"end')]
        quoted = "\n".join(
            "\t".join(f'"{field}"' for field in line.split("\t"))
            for line in tsv(*rows, columns=columns).decode().splitlines()
        )
        expected = validated(tsv(*rows, columns=columns))
        # Inside such a field, a mark is doubled.
        expected["sentence"] = ['say "hello"', 'no"end']
        pd.testing.assert_frame_equal(validated(quoted.encode()), expected)

    def test_empty_fields_that_an_editor_has_trimmed_are_filled_in(self):
        columns = "client_id path sentence up_votes age gender accents"
        rows = [
            row(sentence="s", up_votes="2", gender="male"),
            row("b.mp3", sentence="s", up_votes="2"),
        ]
        whole = tsv(*rows, columns=columns)
        trimmed = "".join(f"{line.rstrip()}\n" for line in whole.decode().splitlines())
        assert len(trimmed) < len(whole)
        pd.testing.assert_frame_equal(validated(trimmed.encode()), validated(whole))

    def test_a_row_too_short_to_be_trimmed_is_broken(self):
        columns = "client_id path sentence up_votes gender"
        whole = tsv(row(sentence="s", up_votes="2", gender="male"), columns=columns)
        for line in (b"ann\tb.mp3\n", b"ann\tb.mp3\tsentence\n"):
            assert validated(whole + line)["excluded"].tolist() == ["", "broken row"]

    @pytest.mark.parametrize(
        ("separator", "name"), [(",", "commas"), (";", "semicolons"), (" ", "blanks")]
    )
    def test_another_separator_is_named(self, separator, name):
        table = tsv(row()).replace(b"\t", separator.encode())
        with pytest.raises(CorpusError, match=rf"no column client_id, path; .*separated by {name}"):
            validated(table)

    def test_a_table_without_its_header_does_not_show_a_speaker(self):
        speaker = "9f" * 64
        with pytest.raises(CorpusError, match="no column client_id") as error:
            validated(f"{speaker}\ta.mp3\n".encode())
        assert speaker not in str(error.value)

    def test_a_spreadsheet_is_named(self):
        with pytest.raises(CorpusError, match="a spreadsheet; save it as tab-separated text"):
            validated(b"PK\x03\x04 and more\n")

    def test_of_rows_that_agree_on_a_file_the_first_is_used(self):
        table = validated(tsv(row(), row("b.mp3"), row(), row("a")))
        assert table["excluded"].tolist() == ["", "", "duplicate file name", "duplicate file name"]

    @pytest.mark.parametrize("other", [row(client_id="bob"), row(gender="male")])
    def test_of_rows_that_disagree_on_a_file_none_is_used(self, other):
        table = validated(tsv(row(gender="female"), row("b.mp3"), other))
        assert table["excluded"].tolist() == ["conflicting rows", "", "conflicting rows"]

    def test_a_row_that_is_no_use_anyway_spoils_no_other(self):
        table = validated(tsv(row(client_id=""), row()))
        assert table["excluded"].tolist() == ["no speaker id", ""]

    def test_the_rows_stay_in_the_order_of_the_file_across_batches(self, monkeypatch):
        monkeypatch.setattr("voicetraits.selection.rows._ROWS_AT_ONCE", 3)
        names = [f"{n}.mp3" for n in (5, 3, 9, 1, 7, 0, 2)]
        assert validated(tsv(*map(row, names)))["clip"].tolist() == names


def test_a_client_id_appears_only_as_its_hash(tmp_path):
    table = validated(tsv(row(client_id="ann-the-speaker"), row("", client_id="ann-the-speaker")))
    write_clips(table, tmp_path / "es.parquet")
    assert "ann-the-speaker" not in table.to_csv()
    assert b"ann-the-speaker" not in (tmp_path / "es.parquet").read_bytes()
    assert table["speaker"].nunique() == 1
    assert table["speaker"].str.fullmatch("[0-9a-f]{16}").all()
    # A plain hash could be looked up in tables of other projects.
    assert table.loc[0, "speaker"] != hashlib.sha256(b"ann-the-speaker").hexdigest()[:16]


class TestDurations:
    def read(self, content: bytes) -> dict[str, float]:
        wanted = {"a.mp3", "b.mp3"}
        return read_durations(io.BytesIO(content), clips=wanted, source="clip_durations.tsv")

    def test_milliseconds_become_seconds_for_the_wanted_clips(self):
        assert self.read(b"clip\tduration[ms]\na.mp3\t4572\nz.mp3\t1\n") == {"a.mp3": 4.572}

    @pytest.mark.parametrize("value", [b"", b"long", b"nan", b"inf", b"0", b"-5", b"\xff", b"1\t2"])
    def test_what_is_no_duration_is_unknown(self, value):
        table = b"clip\tduration[ms]\na.mp3\t" + value + b"\nb.mp3\t2000\n"
        assert self.read(table) == {"b.mp3": 2.0}

    def test_a_missing_column_is_an_error(self):
        with pytest.raises(CorpusError, match=r"no column duration\[ms\]; the header has clip, ms"):
            self.read(b"clip\tms\n")

    def test_the_table_of_the_corpus_is_used(self, tmp_path):
        files = {
            "clips/a.wav": b"",
            "validated.tsv": tsv(row("a.wav"), row("b.wav")),
            "clip_durations.tsv": b"clip\tduration[ms]\na.wav\t9000\n",
        }
        unpack(tmp_path / "es", files)
        durations = read_clip_table(open_corpus(tmp_path, "es"))["duration"]
        assert durations.dtype == np.float32
        assert durations[0] == 9.0
        assert math.isnan(durations[1])

    def test_without_the_table_they_are_unknown_and_no_clip_is_read(self, tmp_path, monkeypatch):
        unpack(tmp_path / "es", {"clips/a.wav": b"", "validated.tsv": tsv(row("a.wav"))})
        corpus = open_corpus(tmp_path, "es")
        monkeypatch.setattr(corpus, "clips", lambda wanted: pytest.fail("clips were read"))
        assert math.isnan(read_clip_table(corpus).loc[0, "duration"])


class TestCommonVoicesSplits:
    def read(self, folder: Path, **splits: bytes) -> pd.DataFrame:
        """The table of clips a, b, c and d and a row without a speaker, given some splits."""
        files = {f"{name}.tsv": tsv() for name in ("train", "dev", "test")}
        files |= {f"{name}.tsv": content for name, content in splits.items()}
        listed = tsv(*map(row, ["a.mp3", "b.mp3", "c", "d.mp3"]), row("x.mp3", client_id=""))
        unpack(folder / "es", {"clips/a.mp3": b"", "validated.tsv": listed, **files})
        return read_clip_table(open_corpus(folder, "es"), splits="common_voice").set_index("clip")

    def test_each_clip_gets_its_part_and_those_without_one_are_excluded(self, tmp_path):
        unlisted = row("e.mp3")  # in a split, and not validated
        table = self.read(
            tmp_path, train=tsv(row("a.mp3"), unlisted), dev=tsv(row("b.mp3")), test=tsv(row("c"))
        )
        assert table["part"].to_dict() == {
            "a.mp3": "training",
            "b.mp3": "validation",
            "c.mp3": "test",
            "d.mp3": "",
            "x.mp3": "",
        }
        assert selection_counts(table.reset_index()) == {
            "rows": 5,
            "selected": 3,
            "no speaker id": 1,
            "not in Common Voice's splits": 1,
        }

    def test_a_clip_in_two_of_them_is_in_none(self, tmp_path):
        both = tsv(row("a.mp3"), row("a.mp3"), row("b.mp3"))
        table = self.read(tmp_path, train=both, test=tsv(row("b.mp3")))
        assert table.loc["a.mp3", ["part", "excluded"]].tolist() == ["training", ""]
        reason = "in two of Common Voice's splits"
        assert table.loc["b.mp3", ["part", "excluded"]].tolist() == ["", reason]

    def test_a_broken_row_of_a_split_costs_its_clip_alone(self, tmp_path):
        broken = tsv(row("a.mp3")) + b"b.mp3\n" + tsv(row("c")).split(b"\n", 1)[1]
        table = self.read(tmp_path, train=broken)
        assert table.loc[table["excluded"] == ""].index.tolist() == ["a.mp3", "c.mp3"]

    def test_a_split_without_paths_is_an_error(self, tmp_path):
        with pytest.raises(CorpusError, match=r"es: dev\.tsv: no column path"):
            self.read(tmp_path, dev=b"client_id\n")

    def test_ours_asks_for_none_of_them(self, tmp_path):
        unpack(tmp_path / "es", {"clips/a.mp3": b"", "validated.tsv": tsv(row("a.mp3"))})
        table = read_clip_table(open_corpus(tmp_path, "es"), splits="ours")
        assert table[["part", "excluded"]].to_numpy().tolist() == [["", ""]]


def many(clips_of: dict[str, int]) -> pd.DataFrame:
    rows = [row(f"{who}-{n}.mp3", who) for who, count in clips_of.items() for n in range(count)]
    return validated(tsv(*rows))


class TestClipFile:
    def test_the_same_table_gives_the_same_bytes(self, tmp_path):
        for name in ("one", "two"):
            table = cap_clips(many({"ann": 5, "bob": 3}), per_speaker=3, per_locale=9, seed=1)
            write_clips(table, tmp_path / "new" / name)
        assert (tmp_path / "new/one").read_bytes() == (tmp_path / "new/two").read_bytes()
        assert {file.name for file in (tmp_path / "new").iterdir()} == {"one", "two"}

    @pytest.mark.parametrize("clips_of", [{}, {"ann": 3}], ids=["empty", "three"])
    def test_a_table_comes_back_as_it_was_written(self, tmp_path, clips_of):
        table = many(clips_of)
        write_clips(table, tmp_path / "es.parquet")
        back = read_clips(tmp_path / "es.parquet")
        pd.testing.assert_frame_equal(back, table)
        # Columns alone: metadata would name the version of pandas.
        assert pq.read_schema(tmp_path / "es.parquet").equals(CLIP_COLUMNS, check_metadata=True)

    def test_sentences_of_clips_that_are_not_used_are_left_out(self, tmp_path):
        table = many({"ann": 2}).assign(sentence=["one", "two"], excluded=["", "over the cap"])
        write_clips(table, tmp_path / "es.parquet")
        assert read_clips(tmp_path / "es.parquet")["sentence"].tolist() == ["one", ""]

    def test_a_missing_or_foreign_file_names_the_remedy(self, tmp_path):
        path = tmp_path / "es.parquet"
        with pytest.raises(CorpusError, match=r"es\.parquet: no clip table .*run the select stage"):
            read_clips(path)
        path.write_bytes(b"no table")
        with pytest.raises(CorpusError, match="no clip table"):
            read_clips(path)
        pq.write_table(pa.table({"clip": ["a.mp3"]}), path)
        with pytest.raises(CorpusError, match="other columns"):
            read_clips(path)
