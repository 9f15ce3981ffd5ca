"""Outputs are whole or absent, and nothing half-written stays behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import folder_bytes

from voicetraits.storage.files import DiskFullError, fresh_folder, whole_file


def test_a_file_appears_when_its_block_has_ended_well(tmp_path):
    out = tmp_path / "deep" / "out.png"
    with whole_file(out) as partial:
        partial.write_text("new")
        assert not out.exists()
        # Not to be taken for the output by a pattern such as *.png, nor shown by `ls`.
        assert partial.name == ".out.png.partial"
    assert folder_bytes(tmp_path) == {"deep/out.png": b"new"}


def test_a_file_replaces_the_earlier_one(tmp_path):
    out = tmp_path / "out.txt"
    for text in ("old and long", "new"):
        with whole_file(out) as partial:
            partial.write_text(text)
    assert folder_bytes(tmp_path) == {"out.txt": b"new"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("begun", [True, False])
def test_a_failure_leaves_the_earlier_file_and_no_half_written_one(tmp_path, error, begun):
    out = tmp_path / "out.txt"
    out.write_text("old")
    with pytest.raises(error), whole_file(out) as partial:
        if begun:
            partial.write_text("half")
        raise error
    assert folder_bytes(tmp_path) == {"out.txt": b"old"}


def test_files_that_differ_in_their_ending_do_not_get_in_each_others_way(tmp_path):
    first, second = tmp_path / "00000.tar", tmp_path / "00000.npy"
    with whole_file(first) as one, whole_file(second) as other:
        one.write_text("tar")
        other.write_text("npy")
    assert folder_bytes(tmp_path) == {"00000.npy": b"npy", "00000.tar": b"tar"}


def test_several_may_make_the_same_file(tmp_path):
    out = tmp_path / "out"
    with whole_file(out, by_several=True) as lost:
        lost.write_text("half")
        with whole_file(out, by_several=True) as other:
            other.write_text("whole")
        assert folder_bytes(tmp_path) == {"out": b"whole", lost.name: b"half"}
        assert lost.name.startswith(".out.") and lost.name.endswith(".partial")
        lost.write_text("whole")
    assert folder_bytes(tmp_path) == {"out": b"whole"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_full_disk_is_one_line_and_keeps_the_earlier_file(tmp_path):
    out = tmp_path / "out.txt"
    out.write_text("old")
    expected = (
        r"out\.txt: cannot be written, no space left .* MB free\); make room and run the same"
    )
    with pytest.raises(DiskFullError, match=expected), whole_file(out) as partial:
        partial.symlink_to("/dev/full")
        partial.write_text("new")
    assert folder_bytes(tmp_path) == {"out.txt": b"old"}


def test_another_error_of_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(IsADirectoryError), whole_file(tmp_path / "out") as partial:
        tmp_path.write_text("a folder")
    assert not partial.exists()


def test_a_folder_appears_when_its_block_has_ended_well(tmp_path):
    out = tmp_path / "deep" / "out"
    with fresh_folder(out) as folder:
        (folder / "a").write_text("new")
        assert not out.exists()
    assert folder_bytes(tmp_path) == {"deep/out/a": b"new"}


def test_a_folder_replaces_the_earlier_one_as_a_whole(tmp_path):
    out = tmp_path / "out"
    for name in ("old", "new"):
        with fresh_folder(out) as folder:
            (folder / name).write_text(name)
    assert folder_bytes(tmp_path) == {"out/new": b"new"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_earlier_folder_and_no_half_written_one(tmp_path, error):
    out = tmp_path / "out"
    with fresh_folder(out) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(error), fresh_folder(out) as folder:
        (folder / "a").write_text("half")
        raise error
    assert folder_bytes(tmp_path) == {"out/a": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_run_left_behind_does_not_get_into_the_next(tmp_path):
    out = tmp_path / "out"
    with fresh_folder(out) as folder:
        name = folder.name
    (tmp_path / name).mkdir()
    (tmp_path / name / "stale").write_text("stale")
    with fresh_folder(out) as folder:
        (folder / "a").write_text("new")
    assert folder_bytes(tmp_path) == {"out/a": b"new"}
