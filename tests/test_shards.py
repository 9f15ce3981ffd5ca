"""Shards and tables: whole or not at all, in order, and the same bytes every time."""

from __future__ import annotations

import tarfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import folder_bytes

from voicetraits.storage.files import DiskFullError
from voicetraits.storage.shards import (
    read_wavs,
    shard_name,
    write_array,
    write_table,
    write_wavs,
)


def test_shard_names_sort_in_the_order_of_their_numbers():
    names = [shard_name(number, "tar") for number in (0, 2, 10, 99_999)]
    assert names == ["00000.tar", "00002.tar", "00010.tar", "99999.tar"]


def test_wavs_come_back_in_order(tmp_path):
    wavs = [
        ("b.mp3", b"second letter"),
        ("a.mp3", b"first"),
        ("ä_1.mp3", b""),
        ("c.mp3", b"\0" * 9),
    ]
    path = tmp_path / "00000.tar"
    write_wavs(path, wavs)
    assert list(read_wavs(path)) == [data for _, data in wavs]
    with tarfile.open(path) as tar:
        assert tar.getnames() == [f"{name}.wav" for name, _ in wavs]
    assert [file.name for file in tmp_path.iterdir()] == ["00000.tar"]


def test_a_shard_of_no_clips_is_a_shard(tmp_path):
    write_wavs(tmp_path / "00000.tar", [])
    assert list(read_wavs(tmp_path / "00000.tar")) == []


def test_files_do_not_depend_on_when_or_by_whom_they_were_written(tmp_path, monkeypatch):
    table = pd.DataFrame({"clip": ["a", "b"], "row": [0, 1]})
    written = []
    for moment in (1e9, 1.7e9):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        folder = tmp_path / str(moment)
        folder.mkdir()
        write_wavs(folder / "00000.tar", [("a", b"1"), ("b", b"2")])
        write_array(folder / "00000.npy", np.arange(6.0).reshape(2, 3))
        write_table(folder / "index.parquet", table)
        written.append(folder_bytes(folder))
    assert written[0] == written[1]
    with tarfile.open(tmp_path / "1000000000.0" / "00000.tar") as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
            assert (member.uname, member.gname) == ("", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize(
    ("write", "content"),
    [
        (write_wavs, [("a.mp3", b"wav" * 1000)]),
        (write_array, np.zeros((3, 68, 5))),
        (write_table, pd.DataFrame({"clip": ["a"]})),
    ],
)
def test_a_full_disk_is_told_whatever_is_written(tmp_path, monkeypatch, write, content):
    monkeypatch.setattr("voicetraits.storage.files.secrets.token_hex", lambda _: "token")
    for name in (".out.partial", ".out.token.partial"):
        (tmp_path / name).symlink_to("/dev/full")
    with pytest.raises(DiskFullError, match="out: cannot be written, no space left"):
        write(tmp_path / "out", content)
    assert not (tmp_path / "out").exists()


def test_a_table_is_written_whole_into_a_new_folder(tmp_path):
    table = pd.DataFrame({"clip": ["b", "a"], "reason": ["", "empty file"]}, index=[5, 3])
    path = tmp_path / "deep" / "table.parquet"
    write_table(path, table)
    pd.testing.assert_frame_equal(pd.read_parquet(path), table.reset_index(drop=True))
    assert [file.name for file in path.parent.iterdir()] == ["table.parquet"]
