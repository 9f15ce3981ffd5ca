"""`voicetraits predict`, as a user types it."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, audio_file
from exported import speech, write_model
from pyarrow import parquet

from voicetraits.cli import main
from voicetraits.cli.recordings import recordings
from voicetraits.cli.rows import COLUMNS
from voicetraits.errors import InputError

RATE = 16000
# What takes long to load, or does not belong to a recogniser.
HEAVY = (
    *("jax", "keras", "pandas", "scipy", "matplotlib", "pydantic", "sklearn", "pyarrow", "torch"),
    *("silero_vad", "tqdm", "pydub", "onnx"),
)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder that one is in, with a model and recordings."""
    monkeypatch.chdir(tmp_path)
    Path("models/tiny").mkdir(parents=True, exist_ok=True)
    write_model(Path("data/exported/tiny.onnx"))
    folder = Path("calls")
    (folder / "deep").mkdir(parents=True)
    spoken = np.round(speech() * 32767).astype(np.int16)
    (folder / "b.wav").write_bytes(audio_file(spoken, RATE))
    (folder / "deep" / "a.FLAC").write_bytes(audio_file(spoken, RATE, "FLAC"))
    (folder / "c.wav").write_bytes(audio_file(np.zeros(2 * RATE), RATE))
    (folder / "notes.txt").write_text("no recording", encoding="utf-8")
    (folder / ".hidden.wav").write_bytes(b"")
    return tmp_path


def predict(*arguments: str) -> int:
    """Run the command with the model; its exit code."""
    try:
        main(["predict", "--model", "models/tiny", *arguments])
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
            return 1
        return int(error.code or 0)
    return 0


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return json.loads(capsys.readouterr().out)


def test_a_folder_gives_a_row_for_each_recording_in_order(place, capsys):
    assert predict("--format", "json", "calls") == 0
    rows = objects(capsys)
    assert [row["path"] for row in rows] == ["calls/b.wav", "calls/c.wav", "calls/deep/a.FLAC"]
    spoken, silent, again = rows
    assert list(spoken) == list(COLUMNS)
    assert spoken["language"] == "es"
    assert spoken["language_probabilities"] == {"de": 0.1, "en": 0.2, "es": 0.6, "fr": 0.1}
    assert spoken["language_probability"] == 0.6
    assert spoken["gender"] == "male"
    assert 0 < spoken["female_probability"] < 0.5
    assert spoken["seconds"] == round(len(speech()) / RATE, 4)
    assert spoken["reason"] is spoken["error"] is None
    assert {**spoken, "path": again["path"]} == again
    assert silent == {
        "path": "calls/c.wav",
        "seconds": 2.0,
        "speech_seconds": 0.0,
        "language": "unknown",
        "language_probability": None,
        "language_probabilities": {},
        "gender": "unknown",
        "female_probability": None,
        "reason": "no speech",
        "error": None,
    }


def test_the_model_is_named_with_a_warning_where_it_is_synthetic(place, capsys):
    predict("calls/b.wav")
    assert capsys.readouterr().err.splitlines() == [
        "model tiny, trained on: nothing at all",
        "warning: it was trained on synthetic voices; what it says of people is a guess",
    ]
    write_model(Path("data/exported/tiny.onnx"), synthetic=False)
    predict("calls/b.wav")
    assert capsys.readouterr().err == "model tiny, trained on: nothing at all\n"


def test_the_table_is_plain_columns(place, capsys):
    predict("calls/b.wav", "calls/c.wav")
    head, spoken, silent = capsys.readouterr().out.splitlines()
    assert head.split() == [
        *("SECONDS", "SPEECH", "LANGUAGE", "P", "GENDER", "FEMALE", "FILE"),
    ]
    assert re.fullmatch(r" +\d\.\d +\d\.\d +es +0\.60 +male +0\.\d\d  calls/b\.wav", spoken)
    assert re.fullmatch(
        r" +2\.0 +0\.0 +unknown +- +unknown +-  calls/c\.wav  \(no speech\)", silent
    )
    assert spoken.index("calls") == silent.index("calls") == head.index("FILE")


def test_every_format_tells_the_same(place, capsys):
    predict("--format", "json", "calls")
    expected = objects(capsys)
    predict("--format", "jsonl", "calls")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == expected
    predict("--format", "csv", "calls")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    for row, one in zip(rows, expected, strict=True):
        assert json.loads(row.pop("language_probabilities")) == one["language_probabilities"]
        for name, text in row.items():
            assert text == ("" if one[name] is None else str(one[name]))
    predict("--format", "parquet", "--output", "rows.parquet", "calls")
    table = parquet.read_table("rows.parquet").to_pylist(maps_as_pydicts="strict")
    assert table == expected


def test_the_ending_of_the_output_says_the_format(place, capsys):
    predict("--format", "jsonl", "calls")
    expected = objects_of_lines(capsys.readouterr().out)
    predict("--output", "rows.jsonl", "calls")
    assert objects_of_lines(Path("rows.jsonl").read_text(encoding="utf-8")) == expected
    predict("--output", "rows.PARQUET", "calls")
    assert parquet.read_table("rows.PARQUET").num_rows == len(expected)
    for arguments in (["--output", "rows.txt"], ["--output", "rows.csv", "--format", "table"]):
        predict(*arguments, "calls")
        assert "FILE" in Path(arguments[1]).read_text(encoding="utf-8").splitlines()[0]


def objects_of_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_files_that_a_folder_holds_beside_recordings_are_counted(place, capsys):
    predict("calls")
    passed_over = re.search(r"passed over: (.+) not end as audio or video", capsys.readouterr().err)
    assert passed_over[1] == "1 file that does"


def test_a_wrong_number_of_workers_is_said_before_any_row(place, capsys, monkeypatch):
    monkeypatch.setenv("VOICETRAITS_WORKERS", "many")
    assert predict("calls") == 1
    text = capsys.readouterr()
    assert text.out == ""
    assert text.err.startswith("error: VOICETRAITS_WORKERS=many")


def test_no_row_is_an_empty_array_and_a_file_appears_only_whole(place, capsys):
    predict("--format", "json", "--output", "out/rows.json", "calls/b.wav")
    assert capsys.readouterr().out == ""
    (row,) = json.loads(Path("out/rows.json").read_text(encoding="utf-8"))
    assert list(row) == list(COLUMNS)
    assert row["path"] == "calls/b.wav"
    assert os.listdir("out") == ["rows.json"]  # noqa: PTH208
    assert predict("--output", "calls/b.wav/rows", "calls/b.wav") == 1
    assert "calls/b.wav/rows: cannot be written" in capsys.readouterr().err


def test_one_bad_file_is_a_row_and_the_others_go_on(place, capsys):
    Path("calls/bad.mp3").write_bytes(b"no sound at all")
    Path("calls/empty.wav").write_bytes(b"")
    Path("calls/gone.wav").symlink_to("nowhere")
    assert predict("--format", "json", "calls") == 1
    text = capsys.readouterr()
    rows = {row["path"]: row for row in json.loads(text.out)}
    assert len(rows) == 6
    assert rows["calls/bad.mp3"]["error"]
    assert rows["calls/empty.wav"]["error"] == "empty file"
    assert "No such file" in rows["calls/gone.wav"]["error"]
    assert {tuple(row) for row in rows.values()} == {COLUMNS}
    assert rows["calls/gone.wav"]["language"] == rows["calls/gone.wav"]["gender"] == "unknown"
    assert [row["language"] for row in rows.values() if not row["error"]].count("es") == 2
    assert text.err.endswith("3 of 6 recordings could not be read\n")
    predict("calls/empty.wav", "calls/b.wav")
    assert "calls/empty.wav  (error: empty file)" in capsys.readouterr().out


def test_a_timeline_has_start_and_end(place, capsys):
    pause = np.zeros(3 * RATE, np.float32)
    Path("long.wav").write_bytes(audio_file(np.concatenate([speech(), pause, speech()]), RATE))
    predict("--segments", "--format", "json", "long.wav", "calls/c.wav")
    first, second, silent = objects(capsys)
    assert list(first) == ["path", "start", "end", *COLUMNS[1:]]
    assert first["end"] + 2 < second["start"] < second["end"]
    assert first["seconds"] == pytest.approx(first["end"] - first["start"], abs=1e-3)
    assert (silent["start"], silent["end"], silent["reason"]) == (0, 2, "no speech")
    predict("--segments", "long.wav")
    assert capsys.readouterr().out.split()[:2] == ["START", "END"]
    Path("bad.wav").write_bytes(b"bad")
    assert predict("--segments", "--format", "csv", "bad.wav") == 1
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (row["start"], row["end"]) == ("", "")


def test_locales_and_thresholds_reach_the_model(place, capsys):
    predict("--locale", "en", "--locale", "fr", "--format", "json", "calls/b.wav")
    (row,) = objects(capsys)
    assert row["language_probabilities"] == {"en": 0.6667, "fr": 0.3333}
    predict(
        "--language-threshold", "0.7", "--gender-threshold", "1", "--format=json", "calls/b.wav"
    )
    (row,) = objects(capsys)
    assert (row["language"], row["gender"]) == ("unknown", "unknown")
    assert row["language_probability"] == 0.6


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--language-threshold", "50%", "50% is no number; give one from 0 to 1"),
        ("--model", "", "names nothing; give an ONNX file, or a folder models/<name>"),
    ],
)
def test_what_an_option_cannot_be_is_said(option, value, why, capsys):
    assert predict(option, value, "calls") == 2
    assert f"error: argument {option}: {why}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["none.wav"], "error: none.wav: no such file or folder"),
        ([""], "error: '': no such file or folder"),
        (["calls/*.ogg"], "error: calls/*.ogg: no file fits this pattern"),
        (["models"], "error: models: no recording in this folder"),
        (["--locale", "xx", "calls"], "error: locale xx: not in the model"),
        (["--model", "none", "calls"], "error: none: the model cannot be read"),
        (["--model", "calls/b.wav", "calls"], "error: calls/b.wav: not a model"),
        (["--model", "calls", "calls"], "error: calls: nothing has been exported from this folder"),
        (["--output", "models", "calls"], "error: models: a folder"),
        (["--output", "", "calls"], "error: .: a folder"),
        (["--output", "x.xlsx", "calls"], "error: x.xlsx: name a file that ends in .json, "),
        (["--output", "calls/x.wav", "calls"], "error: calls/x.wav: name a file that ends in"),
        (
            ["--format", "csv", "--output", "calls/x.wav", "calls"],
            "error: calls/x.wav: --output writes no recording",
        ),
    ],
)
def test_what_cannot_work_is_one_line(place, capsys, arguments, why):
    assert predict(*arguments) == 1
    text = capsys.readouterr()
    assert text.out == ""
    assert text.err.startswith(why)
    assert text.err.count("\n") == 1


def test_what_is_written_never_replaces_a_recording_a_link_or_a_device(place, capsys):
    before = Path("calls/b.wav").read_bytes()
    Path("named").write_bytes(before)
    assert predict("--output", "named", "named") == 1
    assert "named: is one of the recordings" in capsys.readouterr().err
    assert Path("named").read_bytes() == before
    Path("link.json").symlink_to("target.json")
    assert predict("--output", "link.json", "calls/b.wav") == 0
    assert Path("link.json").is_symlink()
    assert len(json.loads(Path("target.json").read_text("utf-8"))) == 1
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert predict("--output", "pipe", "calls/b.wav") == 0
    assert b"b.wav" in os.read(reader, 10_000)
    os.close(reader)
    assert not Path("pipe").is_file()


def test_a_pipe_in_a_folder_is_passed_over_and_a_broken_link_is_a_row(place, capsys):
    os.mkfifo("calls/a.wav")
    Path("calls/d.wav").symlink_to("gone")
    assert predict("--format", "json", "calls") == 1
    text = capsys.readouterr()
    assert [row["path"] for row in json.loads(text.out) if row["error"]] == ["calls/d.wav"]
    assert "passed over: 2 files" in text.err


@pytest.mark.parametrize(("stream", "arguments"), [("stdin", ["-"]), ("stdout", ["calls/b.wav"])])
def test_a_closed_stream_is_one_line(place, capsys, monkeypatch, stream, arguments):
    monkeypatch.setattr(sys, stream, None)
    with pytest.raises(SystemExit) as ended:
        main(["predict", "--model", "models/tiny", *arguments])
    told = f"{ended.value.code}{capsys.readouterr().out if stream == 'stdin' else ''}"
    assert f"standard {stream.removeprefix('std')}put is closed" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device is Linux's")
@pytest.mark.parametrize("form", ["table", "parquet"])
def test_a_full_disk_is_one_line(place, monkeypatch, form):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit, match="standard output: cannot be written"):
            main(["predict", "--model", "models/tiny", "--format", form, "calls/b.wav"])


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"voicetraits {version('voicetraits')}\n"


def test_a_recording_without_permission_is_a_row(place, capsys, monkeypatch):
    read = Path.read_bytes

    def refuse(path):
        if path.name == "b.wav":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert predict("--format", "json", "calls/b.wav", "calls/c.wav") == 1
    first, second = objects(capsys)
    assert first["error"] == "calls/b.wav: Permission denied"
    assert second["error"] is None


def test_a_folder_without_permission_is_named_and_in_a_folder_it_is_a_row(
    place, capsys, monkeypatch
):
    walk = os.walk

    def closed(folder, onerror):
        onerror(PermissionError(13, "Permission denied", refused))
        return walk(folder)

    monkeypatch.setattr(os, "walk", closed)
    refused = "calls"
    with pytest.raises(InputError, match="calls: Permission denied"):
        recordings(["calls"])
    refused = "calls/deep"
    assert predict("--format", "json", "calls") == 1
    errors = {row["path"]: row["error"] for row in objects(capsys)}
    assert errors.pop("calls/deep")
    assert set(errors.values()) == {None} and "calls/b.wav" in errors


def test_a_path_that_cannot_be_looked_at_is_a_row(place, capsys):
    assert predict("--format", "json", "x" * 300, "calls/b.wav") == 1
    first, second = objects(capsys)
    assert "name too long" in first["error"]
    assert second["error"] is None


def test_a_pattern_finds_broken_links_as_a_folder_does(place):
    Path("calls/d.wav").symlink_to("gone")
    assert recordings(["calls/*.wav"])[0] == ["calls/b.wav", "calls/c.wav", "calls/d.wav"]


def test_what_a_library_says_of_a_damaged_mp3_is_not_shown(place):
    damaged = bytearray(audio_file(np.sin(np.arange(32_000) / 20), 16_000, "MP3"))
    damaged[len(damaged) // 2 : len(damaged) // 2 + 300] = bytes(300)
    Path("damaged.mp3").write_bytes(damaged)
    for arguments in (["damaged.mp3"], ["damaged.mp3", "calls/b.wav"]):
        told = run(*arguments)
        assert told.returncode == 0
        assert [line.split(b" ")[0] for line in told.stderr.splitlines()] == [b"model", b"warning:"]


def test_patterns_folders_and_files_come_in_the_order_of_the_names(place):
    found, passed_over = recordings(["calls/notes.txt", "calls/*.wav", "-", "calls/deep"])
    assert found == [
        *("calls/notes.txt", "calls/b.wav", "calls/c.wav", "-", "calls/deep/a.FLAC"),
    ]
    assert passed_over == 0
    assert recordings(["calls/**/*.FLAC"]) == (["calls/deep/a.FLAC"], 0)
    with pytest.raises(InputError, match="no file fits this pattern"):
        recordings([f"{place}/c*/deep"])  # a folder, and no file


def run(*arguments: str | bytes, **options) -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own."""
    code = "from voicetraits.cli import main; main()"
    command = [sys.executable, "-c", code, "predict", "--model", "models/tiny", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, capture_output=True, env=environment, check=False, **options)


def test_a_recording_comes_by_standard_input(place):
    done = run("--format", "jsonl", "-", input=Path("calls/b.wav").read_bytes())
    row = json.loads(done.stdout)
    assert (row["path"], row["language"], done.returncode) == ("-", "es", 0)


def test_names_that_are_no_utf8_work(place):
    name = b"calls/\xe9t\xe9.wav"
    Path(os.fsdecode(name)).write_bytes(Path("calls/b.wav").read_bytes())
    (row,) = json.loads(run("--format", "json", name).stdout)
    assert os.fsencode(row["path"]) == name
    for form in ("table", "csv"):
        assert name in run("--format", form, name).stdout
    assert run("--format", "parquet", "--output", "out", name).returncode == 0
    assert parquet.read_table("out")["path"].to_pylist() == ["calls/\\xe9t\\xe9.wav"]
    assert run("--format", "csv", "--output", "rows.csv", name).returncode == 0
    assert name in Path("rows.csv").read_bytes()


def test_a_carriage_return_in_a_name_does_not_break_csv(place):
    name = "calls/a\rb.wav"
    shutil.copy("calls/b.wav", name)
    assert run("--format", "csv", "--output", "rows.csv", name, "calls/b.wav").returncode == 0
    assert pd.read_csv("rows.csv")["path"].to_list() == [name, "calls/b.wav"]


def test_a_name_does_not_break_the_table(place, capsys):
    Path("two\nlines\x1b[2J.wav").write_bytes(b"")
    predict("two\nlines\x1b[2J.wav")
    assert "two\\x0alines\\x1b[2J.wav  (error: empty file)" in capsys.readouterr().out


def test_parquet_goes_to_a_pipe_but_not_to_a_terminal(place, capsys, monkeypatch):
    table = parquet.read_table(io.BytesIO(run("--format", "parquet", "calls").stdout))
    assert table["language"].to_pylist() == ["es", "unknown", "es"]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert predict("--format", "parquet", "calls") == 1
    assert "name a file with --output" in capsys.readouterr().err


def test_nobody_who_reads_ends_the_command_without_a_word(place):
    code = "from voicetraits.cli import main; main()"
    command = f"'{sys.executable}' -c '{code}' predict --model models/tiny calls | true"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(["sh", "-c", command], capture_output=True, env=environment, check=True)
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


def test_the_order_is_that_of_the_paths_on_any_number_of_cores(place, capsys, monkeypatch):
    for number in range(40):
        # A long recording first: the short ones after it are ready before it is.
        signal = np.tile(speech(), 1 if number % 10 else 4)
        Path(f"calls/{number:02}.wav").write_bytes(audio_file(signal, RATE))
    found = []
    for cores in ("1", "4"):
        monkeypatch.setenv("VOICETRAITS_WORKERS", cores)
        predict("--format", "jsonl", "calls")
        found.append(capsys.readouterr().out)
    assert found[0] == found[1]
    paths = [json.loads(line)["path"] for line in found[0].splitlines()]
    assert paths == recordings(["calls"])[0]


def test_ctrl_c_ends_without_a_traceback_and_leaves_no_half_file(place, monkeypatch, capsys):
    def stop(self, source):
        raise KeyboardInterrupt

    monkeypatch.setattr("voicetraits.recognizer.recognizer.Recognizer.predict", stop)
    assert predict("--output", "rows", "calls") == 130
    assert "Traceback" not in capsys.readouterr().err
    assert [path.name for path in place.iterdir() if "rows" in path.name] == []


def test_the_first_answer_loads_nothing_heavy(place):
    code = f"""
import sys
import voicetraits
assert "numpy" not in sys.modules
from voicetraits.cli import main
main(["predict", "--model", "models/tiny", "calls/b.wav"])
print([name for name in {HEAVY} if name in sys.modules])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_example_of_the_page_works(place, capsys):
    page = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    code = code.replace("Recognizer.load()", "Recognizer.load('models/tiny')")
    exec(compile(code, "docs/predict.md", "exec"), {})
    assert capsys.readouterr().out.startswith("es 0.60 male")
