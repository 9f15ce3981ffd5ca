"""Progress: a bar on a terminal, a line now and then elsewhere, never in the way of the items."""

from __future__ import annotations

import re
import sys
import time

import pytest

from voicetraits.progress import RECORDS, Records, open_with_progress, progress, record


class Clock:
    """A clock that a test turns."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_short_work_says_nothing_when_piped(capsys):
    assert list(progress(iter("abc"), label="convert es", unit="shards", total=3)) == list("abc")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_long_work_says_now_and_then_how_far_it_is_when_piped(capsys, clock):
    for _ in progress(range(50), label="convert es", unit="shards", total=50):
        clock.now += 1
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert 4 <= len(lines) <= 5
    assert lines[0] == "convert es: 10 of 50 shards"
    assert "\r" not in captured.err


def test_an_unknown_total_is_left_out(capsys, clock):
    for _ in progress(iter(range(11)), label="read", unit="clips"):
        clock.now += 5
    assert capsys.readouterr().err.splitlines()[0] == "read: 2 clips"


def test_a_terminal_gets_a_bar_on_standard_error(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(progress(range(3), label="convert es", unit="shards", total=3)) == [0, 1, 2]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "convert es" in captured.err
    assert "/3" in captured.err


@pytest.mark.parametrize("terminal", [True, False])
def test_items_are_not_taken_ahead_and_errors_pass_through(capsys, monkeypatch, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)

    def items():
        yield 1
        raise ValueError("the second")

    shown = progress(items(), label="read", unit="clips", total=2)
    assert next(shown) == 1
    with pytest.raises(ValueError, match="the second"):
        next(shown)


@pytest.fixture
def archive(tmp_path):
    """A file of 12.5 MB whose every byte depends on its place."""
    path = tmp_path / "es.tar.gz"
    path.write_bytes(bytes(range(250)) * 50_000)
    return path


def read_all(path, clock=None):
    pieces = []
    with open_with_progress(path) as file:
        while piece := file.read(100_000):
            pieces.append(piece)
            if clock:
                clock.now += 0.5
    return b"".join(pieces)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_file_is_read_as_it_is(capsys, monkeypatch, archive, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    content = archive.read_bytes()
    assert read_all(archive) == content
    with open_with_progress(archive) as file:
        assert file.peek(2).startswith(content[:2])
        assert file.read() == content
    assert capsys.readouterr().out == ""


def test_reading_fast_says_nothing_when_piped(capsys, archive):
    read_all(archive)
    assert capsys.readouterr().err == ""


def test_reading_long_says_now_and_then_how_many_bytes_when_piped(capsys, clock, archive):
    read_all(archive, clock)
    lines = capsys.readouterr().err.splitlines()
    assert 5 <= len(lines) <= 6  # 62 seconds
    done = [re.fullmatch(r"es\.tar\.gz: (\d+\.\d) of 12\.5 MB", line) for line in lines]
    shown = [float(match[1]) for match in done if match]
    assert len(shown) == len(lines)
    assert shown == sorted(shown)
    assert 0 < shown[0] < shown[-1] <= 12.5


def test_a_large_file_is_counted_in_gigabytes(capsys, clock, tmp_path):
    path = tmp_path / "en.tar.gz"
    with path.open("wb") as file:
        file.truncate(94 * 10**9)  # takes no room on the disk
    with open_with_progress(path) as file:
        clock.now += 11
        file.read(1000)
    assert capsys.readouterr().err.splitlines() == ["en.tar.gz: 0.0 of 94.0 GB"]


def test_a_terminal_gets_a_bar_of_bytes_on_standard_error(capsys, monkeypatch, archive):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    read_all(archive)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "es.tar.gz" in captured.err
    assert "/12.5M" in captured.err


def test_a_file_is_closed_after_an_error_of_its_reader(archive):
    with pytest.raises(ValueError, match="of the reader"), open_with_progress(archive) as file:
        raise ValueError("of the reader")
    with pytest.raises(ValueError, match="closed"):
        file.read()


@pytest.fixture
def records(tmp_path, monkeypatch):
    """What is shown by who has started this process."""
    monkeypatch.setenv(RECORDS, str(tmp_path / "records"))
    return Records(tmp_path / "records")


@pytest.mark.parametrize("terminal", [True, False])
def test_beside_other_jobs_progress_goes_into_records_alone(
    capsys, monkeypatch, clock, archive, records, terminal
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert records.jobs() == []
    seen = []
    for _ in progress(range(5), label="convert es", unit="shards", total=5):
        clock.now += 1
        seen += records.jobs()
    assert seen == [f"convert es {done} of 5 shards" for done in range(1, 5)]
    assert records.jobs() == []
    with open_with_progress(archive) as file:
        clock.now += 1
        file.read(1)
        assert records.jobs() == ["es.tar.gz 1.0 of 12.5 MB"]
    assert records.jobs() == []
    assert capsys.readouterr() == ("", "")


def test_several_jobs_are_told_apart_and_half_a_record_is_left_for_later(tmp_path, records):
    record("es spectrogram", "epoch 3")
    record("en features", "epoch 1")
    record("es spectrogram", "epoch 4")
    with (tmp_path / "records").open("ab") as file:
        file.write(b'["en features", "epo')
        file.flush()
        assert records.jobs() == ["es spectrogram epoch 4", "en features epoch 1"]
        file.write(b'ch 2"]\n')
    assert records.jobs() == ["es spectrogram epoch 4", "en features epoch 2"]
    record("es spectrogram", "")
    assert records.jobs() == ["en features epoch 2"]


def test_work_goes_on_when_nobody_shows_its_progress_any_more(tmp_path, monkeypatch, clock):
    monkeypatch.setenv(RECORDS, str(tmp_path / "gone" / "records"))
    for _ in progress(range(3), label="convert es", unit="shards"):
        clock.now += 1
