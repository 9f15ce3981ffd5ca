"""Clips by place: the same from memory and from disk, in order, and never all at once from disk."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MinMaxScaler

from voicetraits.dataset.arrays import Chosen, StoredClips, chunks, read_clips_arrays
from voicetraits.dataset.scaling import fit_scaling
from voicetraits.storage.shards import shard_name, write_array
from voicetraits.training.baselines import mean_and_deviation

CLIP_BYTES = 68 * 5 * 4


@pytest.fixture
def stored(tmp_path):
    """Array shards of two locales; every clip's values hold its own number."""
    rng = np.random.default_rng(0)
    rows = []
    for locale, shards in (("es", (3, 2)), ("en", (4,))):
        (tmp_path / locale).mkdir()
        for shard, clips in enumerate(shards):
            arrays = rng.random((clips, 68, 5), dtype=np.float32)
            arrays[:, 0, 0] = np.arange(clips) + len(rows)
            rows += [{"locale": locale, "shard": shard, "row": row} for row in range(clips)]
            write_array(tmp_path / locale / shard_name(shard, "npy"), arrays)
    index = pd.DataFrame(rows)
    return index, {"es": tmp_path / "es", "en": tmp_path / "en"}


def test_arrays_are_gathered_in_the_order_of_the_index(stored):
    index, folders = stored
    everything = read_clips_arrays(index, folders)
    assert everything.shape == (9, 68, 5)
    assert everything.dtype == np.float32
    assert everything[:, 0, 0].tolist() == list(range(9))
    order = np.random.default_rng(1).permutation(9)
    # As after filtering and shuffling: the index labels are no positions any more.
    shuffled = read_clips_arrays(index.iloc[order], folders)
    np.testing.assert_array_equal(shuffled, everything[order])
    some = read_clips_arrays(index.iloc[[7, 1]], folders)
    np.testing.assert_array_equal(some, everything[[7, 1]])


@pytest.mark.parametrize(
    "places",
    [
        np.array([8, 0, 4, 3]),
        np.array([2, 5, 2, 2]),
        np.array([6]),
        np.array([], dtype=int),
        slice(2, 7),
        slice(None),
        slice(7, 100),
    ],
    ids=["shuffled", "repeated", "one", "none", "slice", "all", "beyond the end"],
)
def test_any_places_hold_the_same_clips_on_disk_and_in_memory(stored, places):
    index, folders = stored
    order = np.random.default_rng(2).permutation(9)
    on_disk = StoredClips(index.iloc[order], folders)
    in_memory = read_clips_arrays(index, folders)[order]
    assert on_disk.shape == in_memory.shape
    assert len(on_disk) == len(in_memory)
    found = on_disk[places]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, in_memory[places])
    chosen = np.array([5, 0, 8, 1, 3, 2, 2, 7, 4])
    for arrays in (on_disk, in_memory):
        view = Chosen(arrays, chosen)
        assert view.shape == (9, 68, 5)
        np.testing.assert_array_equal(view[places], in_memory[chosen][places])


def test_clips_are_in_memory_up_to_the_budget_and_stay_on_disk_beyond(stored):
    index, folders = stored
    size = 9 * CLIP_BYTES / 1e9
    assert isinstance(read_clips_arrays(index, folders, budget_gb=size), np.ndarray)
    for budget in (0, size - 1e-9):
        assert isinstance(read_clips_arrays(index, folders, budget_gb=budget), StoredClips)


def test_no_clips_are_an_error_and_not_an_empty_array(stored):
    index, folders = stored
    with pytest.raises(ValueError, match="no clips"):
        read_clips_arrays(index.iloc[:0], folders)


def test_a_shard_that_is_not_what_the_index_says_is_named(stored):
    index, folders = stored
    clips = StoredClips(index, folders)
    path = folders["es"] / shard_name(1, "npy")
    whole = np.load(path)
    for wrong, message in (
        (whole[:1], "00001.npy: no clip in row 1"),
        (whole[:, :, :4], "00001.npy: clips are not"),
        (whole.astype(np.float64), "00001.npy: not float32"),
        (np.asfortranarray(whole), "00001.npy: not float32, clip after clip"),
    ):
        write_array(path, wrong)
        with pytest.raises(ValueError, match=message):
            clips[:]
    write_array(path, whole)
    np.testing.assert_array_equal(clips[3:5], whole)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"00001\.npy: no clip in row 1"):
        clips[:]
    path.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"00001\.npy: not an array shard"):
        clips[:]


def test_chunks_are_all_clips_once_and_in_order():
    clips = np.arange(1300)
    found = list(chunks(clips))
    assert len(found) > 1
    for places, some in found:
        np.testing.assert_array_equal(clips[places], some)
    np.testing.assert_array_equal(np.concatenate([some for _, some in found]), clips)


def read_in_batches(arrays):
    for number in range(0, len(arrays), 16):
        arrays[np.arange(number, number + 16)[::-1]]


@pytest.mark.parametrize("use", [fit_scaling, mean_and_deviation, read_in_batches])
def test_what_works_on_clips_on_disk_never_holds_them_all(tmp_path, use):
    shard = np.random.default_rng(0).random((1000, 68, 20), dtype=np.float32)
    write_array(tmp_path / shard_name(0, "npy"), shard)
    index = pd.DataFrame({"locale": "es", "shard": 0, "row": np.tile(range(1000), 16)})
    clips = StoredClips(index, {"es": tmp_path})
    use(shard[:512])  # loads the packages that it needs
    tracemalloc.start()
    try:
        use(clips)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * shard.nbytes / 2


def test_the_scaling_and_the_linear_baseline_see_the_same_bits_on_disk_and_in_memory(tmp_path):
    shard = np.random.default_rng(0).normal(3, 40, (900, 68, 5)).astype(np.float32)
    write_array(tmp_path / shard_name(0, "npy"), shard)
    index = pd.DataFrame({"locale": "es", "shard": 0, "row": range(900)})
    clips = StoredClips(index, {"es": tmp_path})
    values = shard.astype(np.float64)
    expected = np.hstack([values.mean(axis=2), values.std(axis=2)])  # all at once
    whole = MinMaxScaler().fit(shard.reshape(900, -1))
    for arrays in (clips, shard):
        np.testing.assert_array_equal(mean_and_deviation(arrays), expected)
        low, scale = (found.ravel() for found in fit_scaling(arrays))
        np.testing.assert_array_equal(low, whole.data_min_.astype(np.float32))
        np.testing.assert_array_equal(scale, whole.scale_.astype(np.float32))
