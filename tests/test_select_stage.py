"""The select stage, run as DVC runs it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from stages import _run, select
from voicetraits.corpus.clips import read_clips
from voicetraits.corpus.layout import CorpusError
from voicetraits.params import ParamsError

REPOSITORY = Path(__file__).parents[1]
HEADER = "client_id\tpath\tgender\n"
DURATIONS = "clip\tduration[ms]\n"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working folder with the repository's params.yaml, and the corpus in cv/."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["corpus"]["path"] = "cv"
    params["select"] = {"clips_per_speaker": 2, "clips_per_locale": 1000}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "cv").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pack(path: Path, rows: str) -> None:
    texts = {"validated.tsv": HEADER + rows, "clip_durations.tsv": DURATIONS, "clips/a.mp3": "?"}
    with tarfile.open(path, "w:gz") as tar:
        for name, text in texts.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))


def run_stage(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stages.select", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}/src{os.pathsep}{REPOSITORY}"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_clip_table_is_written_and_every_row_is_told(project, capsys):
    rows = "".join(f"ann\t{n}.mp3\tmale\n" for n in range(5))
    pack(project / "cv/es.tar.gz", rows + "bob\tb.mp3\tfemale\n\tx.mp3\t\n")
    select.main("es")
    assert capsys.readouterr().out.splitlines() == [
        "es: 7 rows, 3 selected, 1 no speaker id, 3 over the speaker's cap",
    ]
    table = read_clips("data/clips/es.parquet")
    assert len(table) == 7
    assert (table["excluded"] == "").sum() == 3


def test_the_same_corpus_gives_the_same_bytes(project):
    pack(project / "cv/es.tar.gz", "".join(f"ann\t{n}.mp3\tmale\n" for n in range(5)))
    written = []
    for _ in range(2):
        select.main("es")
        written.append(Path("data/clips/es.parquet").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("", "its table has a header and no rows"),
        ("\ta.mp3\tmale\n", r"0 of 1 rows can be used \(1 no speaker id\); the column client_id"),
        ("x y\n" * 5, r"0 of 5 rows can be used \(5 broken row\); was the table cut off"),
        (
            "ann\tes/clips/a.mp3\tmale\n",
            r"0 of 1 .*1 unsafe file name\); the table is to list",
        ),
        ("ann\ta.mp3\tmale\n" + "x y\n" * 9, r"1 of 10 rows can be used \(9 broken row\)"),
        (
            "".join(f"{who}\t{n}.mp3\tmale\n" for who in ("ann", "bob") for n in range(3)),
            r"0 of 6 rows can be used \(6 conflicting rows\)",
        ),
    ],
)
def test_a_table_of_which_nothing_or_next_to_nothing_is_usable_stops_the_run(project, rows, told):
    pack(project / "cv/es.tar.gz", rows)
    with pytest.raises(CorpusError, match=rf"^cv/es\.tar\.gz: {told}"):
        select.main("es")
    assert not Path("data").exists()


def test_some_broken_rows_are_no_broken_table(project, capsys):
    pack(project / "cv/es.tar.gz", "ann\ta.mp3\tmale\n" + "x y\n" * 8)
    select.main("es")
    assert capsys.readouterr().out == "es: 9 rows, 1 selected, 8 broken row\n"


def test_a_speaker_with_two_labels_keeps_neither_and_that_is_told(project, capsys):
    labels = ["male", "female", "male", ""]
    rows = "".join(f"ann\t{n}.mp3\t{label}\n" for n, label in enumerate(labels))
    pack(project / "cv/es.tar.gz", rows + "bob\tb.mp3\tfemale\nbob\tc.mp3\tother\n")
    select.main("es")
    table = read_clips("data/clips/es.parquet")
    assert table["gender"].tolist() == [*["contradictory"] * 3, "", "female", "other"]
    assert capsys.readouterr().out.splitlines()[1] == (
        "es: 3 clips of 1 speakers labelled both female and male: kept, but without a gender"
    )


def test_a_label_that_the_release_has_lost_is_told(project, capsys):
    rows = "".join(f"speaker {n}\t{n}.mp3\t{'female' if n % 2 else ''}\n" for n in range(30))
    pack(project / "cv/es.tar.gz", rows)
    select.main("es")
    (warning,) = capsys.readouterr().out.splitlines()[1:]
    assert warning.startswith("es: warning: ")
    assert "not one is male" in warning
    assert "Common Voice 6.0" in warning


def test_common_voices_splits_are_a_parameter(project, capsys):
    pack(project / "cv/es.tar.gz", "ann\ta.mp3\tmale\n")
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params["corpus"]["splits"] = "common_voice"
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    with pytest.raises(CorpusError, match=r"holds no train\.tsv.*set corpus\.splits to ours"):
        select.main("es")
    assert not Path("data").exists()


def test_a_broken_corpus_ends_the_process_with_one_line(project):
    pack(project / "cv/es.tar.gz", "ann\ta.mp3\tmale\n")
    archive = (project / "cv/es.tar.gz").read_bytes()
    (project / "cv/es.tar.gz").write_bytes(archive[: len(archive) // 2])
    process = run_stage(project, "es")
    assert process.returncode == 1
    assert process.stderr.startswith("error: cv/es.tar.gz: broken or cut off")
    assert process.stderr.count("\n") == 1
    assert not Path("data").exists()


class TestRun:
    @pytest.fixture
    def arguments(self, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["/somewhere/stages/gender.py", "es", "features"])

    def test_the_arguments_of_the_command_line_are_passed_on(self, arguments):
        seen = []
        _run.run(lambda locale, representation: seen.append((locale, representation)))
        assert seen == [("es", "features")]

    @pytest.mark.parametrize("kind", [CorpusError, ParamsError])
    def test_an_error_in_what_was_given_is_its_message_alone(self, arguments, kind):
        def main(locale: str, representation: str) -> None:
            raise kind("what is wrong")

        with pytest.raises(SystemExit, match=r"^error: what is wrong$"):
            _run.run(main)

    def test_a_fault_of_ours_keeps_its_traceback(self, arguments):
        def main(locale: str, representation: str) -> None:
            raise ValueError("a bug")

        with pytest.raises(ValueError, match="a bug"):
            _run.run(main)

    def test_wrong_arguments_show_the_right_ones(self, arguments):
        def main(locale: str) -> None:
            pytest.fail("called with arguments that do not fit")

        with pytest.raises(SystemExit, match=r"^usage: python -m stages\.gender LOCALE$"):
            _run.run(main)
