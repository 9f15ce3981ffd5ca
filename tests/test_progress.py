"""Progress: a bar on a terminal, a line now and then elsewhere, never in the way of the items."""

from __future__ import annotations

import sys
import time

import pytest

from voicetraits.progress import progress


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
