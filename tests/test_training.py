"""The networks, their batches, and training: as designed, reproducible, and able to learn.

All tests that need Keras are here: it takes seconds to import and more to compile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import GENDER, ROOT, folder_bytes, language, model_of, split_and_arrays
from sklearn.preprocessing import MinMaxScaler

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)
import jax

from voicetraits.dataset.arrays import Chosen, StoredClips, read_clips_arrays
from voicetraits.dataset.parts import TEST, TRAINING, VALIDATION, Part
from voicetraits.dataset.scaling import Scaling, fit_scaling
from voicetraits.errors import InputError, NotFiniteError
from voicetraits.networks import build
from voicetraits.networks.layers import GlorotUniform, HalvingPool, MinMaxScaling
from voicetraits.networks.model_folder import PREDICTIONS, SIDECAR, load
from voicetraits.params import Train
from voicetraits.progress import RECORDS, Records
from voicetraits.storage.shards import shard_name, write_array
from voicetraits.training.batches import Batches, devices_for
from voicetraits.training.epochs import LogEpochs
from voicetraits.training.fit import balanced_weights, fit, predict, targets
from voicetraits.training.run import train_model

pytestmark = pytest.mark.slow

LANGUAGE = language(["es", "en", "fr", "de"])
FRAMES = 16  # the fewest that four poolings leave something of
TRAIN = Train(
    repeats=1,
    epochs=30,
    steps=1,
    batch_size=4,
    learning_rate=0.001,
    warmup=8,
    patience=5,
    selection_clips=100,
    memory_budget_gb=1,
)


def separable(labels: list[int], *, seed: int, mislabelled: int = 0) -> Part:
    """Clips whose class shows in which rows are loud; the last few carry a wrong label."""
    rng = np.random.default_rng(seed)
    truth = np.array(labels)
    raw = rng.uniform(0, 0.3, (len(truth), 68, FRAMES)).astype(np.float32)
    for clip, label in enumerate(truth):
        raw[clip, 16 * label : 16 * (label + 1)] += 0.5
    given = truth.copy()
    if mislabelled:
        given[-mislabelled:] = 1 - given[-mislabelled:]
    return Part(pd.DataFrame(index=range(len(truth))), raw, given)


PARTS = {
    TRAINING: separable([0, 1] * 12, seed=1),
    # Uneven classes and a number that fills no batch; wrong labels, so that a model that grows
    # ever surer of itself gets worse here.
    VALIDATION: separable([0] * 8 + [1] * 5, seed=2, mislabelled=2),
    TEST: separable([0, 1] * 5 + [0], seed=3),
}


# Their values lie between 0 and 1 as they are.
AS_IT_IS = Scaling(np.zeros((68, FRAMES), np.float32), np.ones((68, FRAMES), np.float32))


def history(live_folder, part: str, name: str) -> np.ndarray:
    table = pd.read_csv(live_folder / "plots" / "metrics" / part / f"{name}.tsv", sep="\t")
    assert table["step"].tolist() == list(range(len(table)))
    return table[name].to_numpy()


def trained_on(parts: dict[str, Part], live_folder: Path, **changes: Any) -> Any:
    """The original network, trained on these parts."""
    options = {"task": GENDER, "scaling": AS_IT_IS, "train": TRAIN, "seed": 5, **changes}
    return fit("original", parts=parts, label="x", live_folder=live_folder, **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A gender CNN and dvclive's folder of its training."""
    live_folder = tmp_path_factory.mktemp("trained") / "live"
    model = trained_on(PARTS, live_folder)
    return model, live_folder


def weighted_loss(model: Any, part: Part) -> float:
    """Cross-entropy under which both classes count the same, as early stopping watches it."""
    found = predict(model, part.arrays, batch_size=TRAIN.batch_size)
    losses = -np.log(found[np.arange(len(part.labels)), part.labels])
    return float((balanced_weights(part.labels) * losses).mean())


def test_early_stopping_watches_the_validation_part_and_no_other(trained):
    model, live_folder = trained
    watched = history(live_folder, VALIDATION, "loss")[TRAIN.warmup :].min()
    assert weighted_loss(model, PARTS[VALIDATION]) == pytest.approx(watched, abs=2e-4)
    assert weighted_loss(model, PARTS[TEST]) != pytest.approx(watched, abs=2e-2)


def test_the_network_learns_from_the_training_part_and_no_other(tmp_path):
    # There, the classes are the wrong way round: who learns it is always wrong elsewhere.
    turned = replace(PARTS[TRAINING], labels=1 - PARTS[TRAINING].labels)
    clean = separable([0, 1] * 6, seed=4)
    parts = {TRAINING: turned, VALIDATION: turned, TEST: clean}
    trained_on(parts, tmp_path / "turned")
    parts[VALIDATION] = clean
    model = trained_on(parts, tmp_path / "clean")
    turned_accuracy = history(tmp_path / "turned", VALIDATION, "accuracy")
    clean_accuracy = history(tmp_path / "clean", VALIDATION, "accuracy")
    assert turned_accuracy[-1] > 0.9
    assert clean_accuracy[-1] < 0.1
    assert predict(model, clean.arrays, batch_size=4).shape == (12, 2)


def test_keras_runs_on_jax():
    assert keras.backend.backend() == "jax"


@pytest.mark.parametrize(
    "shape", [(2, 68, 68, 3), (3, 17, 9, 2), (1, 2, 2, 1), (2, 8, 5, 4), (1, 3, 12, 1)]
)
def test_the_pooling_gives_what_max_pooling_gives(shape):
    inputs = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    found = np.asarray(HalvingPool()(inputs))
    np.testing.assert_array_equal(found, np.asarray(keras.layers.MaxPooling2D(2)(inputs)))
    assert HalvingPool().compute_output_shape(shape) == found.shape


def layers_of(model: Any) -> list[tuple[str, tuple[int, ...]]]:
    return [(type(layer).__name__, layer.output.shape[1:]) for layer in model.layers]


BLOCKS = [
    ("InputLayer", (68, 68)),
    ("MinMaxScaling", (68, 68, 1)),
    ("Conv3x3", (68, 68, 16)),
    ("BatchNormalization", (68, 68, 16)),
    ("HalvingPool", (34, 34, 16)),
    ("Conv3x3", (34, 34, 32)),
    ("BatchNormalization", (34, 34, 32)),
    ("HalvingPool", (17, 17, 32)),
    ("Conv3x3", (17, 17, 64)),
    ("BatchNormalization", (17, 17, 64)),
    ("HalvingPool", (8, 8, 64)),
    ("Conv3x3", (8, 8, 128)),
    ("BatchNormalization", (8, 8, 128)),
    ("HalvingPool", (4, 4, 128)),
    ("Flatten", (2048,)),
]
SCALING_PARAMETERS = 2 * 68 * 68  # not trained
# 3 x 3 x channels in x filters + filters, and four numbers a filter of batch normalisation.
BLOCK_PARAMETERS = sum(
    9 * before * filters + filters + 4 * filters
    for before, filters in ((1, 16), (16, 32), (32, 64), (64, 128))
)


def test_the_gender_network_is_the_one_of_the_design():
    model = build("original", (68, 68), GENDER.heads, seed=0)
    assert layers_of(model) == [*BLOCKS, ("SteadyDense", (64,)), ("SteadyDense", (1,))]
    found = model.count_params() - SCALING_PARAMETERS
    assert found == BLOCK_PARAMETERS + (2048 * 64 + 64) + (64 + 1) == 229_313
    assert activations(model) == ["relu"] * 5 + ["sigmoid"]
    assert kernels(model) == {(3, 3)}


def test_the_language_network_is_the_one_of_the_design():
    model = build("original", (68, 68), LANGUAGE.heads, seed=0)
    dense = [("SteadyDense", (units,)) for units in (128, 32, 4)]
    assert layers_of(model) == [*BLOCKS, *dense]
    dense = (2048 * 128 + 128) + (128 * 32 + 32) + (32 * 4 + 4)
    found = model.count_params() - SCALING_PARAMETERS
    assert found == BLOCK_PARAMETERS + dense == 364_644
    assert activations(model) == ["relu"] * 6 + ["softmax"]


def activations(model: Any) -> list[str]:
    return [layer.activation.__name__ for layer in model.layers if hasattr(layer, "activation")]


def kernels(model: Any) -> set[tuple[int, int]]:
    return {layer.kernel_size for layer in model.layers if hasattr(layer, "kernel_size")}


@pytest.mark.parametrize("shape", [(3, 3, 16, 32), (2048, 64)])
def test_kernels_start_in_the_range_that_keras_gives_them(shape):
    ours = GlorotUniform(0)(shape, "float32")
    stock = np.asarray(keras.initializers.GlorotUniform(seed=0)(shape))
    assert ours.dtype == np.float32
    assert abs(ours).max() == pytest.approx(abs(stock).max(), rel=0.01)
    assert abs(ours).max() <= abs(stock).max() * 1.01
    assert ours.std() == pytest.approx(stock.std(), rel=0.05)
    assert abs(ours.mean()) < 0.05 * ours.std()


def test_the_seed_decides_the_first_weights_and_no_two_kernels_share_them():
    def weights(seed: int) -> list[np.ndarray]:
        return build("original", (68, FRAMES), LANGUAGE.heads, seed=seed).get_weights()

    one, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    kernels = [number for number, values in enumerate(one) if values.ndim > 1 and values.std() > 0]
    assert len(kernels) == 7
    assert not any(np.array_equal(one[number], other[number]) for number in kernels)
    # Each goes on where the one before stopped.
    assert not np.array_equal(one[kernels[0]].ravel()[:16], one[kernels[1]].ravel()[:16])


def batches_of(clips: int, batch_size: int, **options: Any) -> Batches:
    """Batches of clips whose input, target and weight say which clip they are."""
    number = np.arange(clips, dtype=np.float32)
    inputs = np.tile(number[:, None, None, None], (1, 2, 2, 1))
    return Batches(inputs, number[:, None], 1 + number, batch_size=batch_size, **options)


@pytest.mark.parametrize(("clips", "size"), [(12, 4), (13, 4), (3, 4), (1, 4), (5, 1)])
def test_unshuffled_batches_are_full_and_hold_every_clip_once_in_order(clips, size):
    batches = batches_of(clips, size)
    inputs, targets, weights = (
        np.concatenate(part)
        for part in zip(*(batches[number] for number in range(len(batches))), strict=True)
    )
    assert len(batches) == -(-clips // size)
    assert inputs.shape == (len(batches) * size, 2, 2, 1)
    assert inputs[:clips, 0, 0, 0].tolist() == list(range(clips))
    assert targets[:clips, 0].tolist() == list(range(clips))
    assert (weights[clips:] == 0).all()
    # In proportion to what was given, and so that filling up does not change the mean.
    np.testing.assert_allclose(weights[:clips] / weights[0], 1 + np.arange(clips))
    assert weights.mean() == pytest.approx(np.mean(1 + np.arange(clips)))


@pytest.mark.parametrize(("clips", "size"), [(12, 4), (13, 4), (3, 4), (5, 1)])
def test_shuffled_batches_are_full_and_hold_no_clip_twice(clips, size):
    batches = batches_of(clips, size, shuffle_seed=0)
    size = min(size, clips)
    assert len(batches) == clips // size
    seen = []
    for number in range(len(batches)):
        inputs, targets, weights = batches[number]
        assert len(inputs) == len(targets) == len(weights) == size
        np.testing.assert_array_equal(inputs[:, 0, 0, 0], targets[:, 0])
        np.testing.assert_array_equal(weights, 1 + targets[:, 0])
        seen += targets[:, 0].tolist()
    assert len(set(seen)) == len(seen) == clips // size * size


def test_a_small_training_set_is_passed_again_until_an_epoch_has_its_steps():
    batches = batches_of(10, 4, steps=7, shuffle_seed=0)
    assert len(batches) == 7
    seen = np.concatenate([batches[number][1][:, 0] for number in range(7)])
    first, second, rest = seen[:10], seen[10:20], seen[20:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert not np.array_equal(first, second)
    assert len(set(rest)) == 8
    assert len(batches_of(10, 4, steps=2, shuffle_seed=0)) == 2  # enough without


def test_every_epoch_has_a_new_order_that_the_seed_decides():
    def orders(seed: int) -> list[list[float]]:
        batches = batches_of(30, 30, shuffle_seed=seed)
        found = []
        for _ in range(3):
            found.append(batches[0][1][:, 0].tolist())
            batches.on_epoch_end()
        return found

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
    assert len({tuple(order) for order in orders(1)}) == 3


def test_targets_fit_the_end_of_the_network():
    labels = np.array([1, 0, 3])
    assert targets(labels[:2], GENDER.heads[0]).tolist() == [[1.0], [0.0]]
    assert targets(labels, LANGUAGE.heads[0]).tolist() == np.eye(4)[labels].tolist()


def test_weights_make_every_class_count_the_same():
    labels = np.array([0, 0, 0, 0, 0, 2, 2, 3])
    weights = balanced_weights(labels)
    assert weights.mean() == pytest.approx(1)
    assert np.bincount(labels, weights=weights)[[0, 2, 3]] == pytest.approx(8 / 3)
    assert balanced_weights(np.zeros(4, int)).tolist() == [1, 1, 1, 1]


def test_a_separable_problem_is_learned(trained):
    model, live_folder = trained
    test = PARTS[TEST]
    found = predict(model, test.arrays, batch_size=4)
    assert (found.argmax(axis=1) == test.labels).all()
    assert history(live_folder, TRAINING, "accuracy")[-1] > 0.95


def test_every_epoch_is_written_down(trained):
    _, live_folder = trained
    curves = [
        history(live_folder, part, name)
        for part in (TRAINING, VALIDATION)
        for name in ("loss", "accuracy")
    ]
    assert len({len(curve) for curve in curves}) == 1
    assert all(np.isfinite(curve).all() for curve in curves)
    assert set(folder_bytes(live_folder)) == {
        "metrics.json",
        *(f"plots/metrics/{p}/{n}.tsv" for p in PARTS if p != TEST for n in ("loss", "accuracy")),
    }


def test_training_stops_early_and_keeps_the_best_weights_after_the_warmup(trained):
    model, live_folder = trained
    curve = history(live_folder, VALIDATION, "loss")
    best = TRAIN.warmup + curve[TRAIN.warmup :].argmin()
    assert len(curve) == best + 1 + TRAIN.patience < TRAIN.epochs
    assert curve[-1] > curve[best]

    # The written loss is the mean over the clips, every class counting the same.
    validation = PARTS[VALIDATION]
    likelihood = predict(model, validation.arrays, batch_size=4)[
        np.arange(len(validation.labels)), validation.labels
    ]
    by_class = [-np.log(likelihood[validation.labels == label]).mean() for label in (0, 1)]
    assert np.mean(by_class) == pytest.approx(curve[best], abs=0.001)


def test_training_twice_gives_the_same_bits(trained, tmp_path):
    model, live_folder = trained
    again = trained_on(PARTS, tmp_path / "live")
    assert folder_bytes(tmp_path / "live") == folder_bytes(live_folder)
    for found, expected in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_clips_on_disk_train_the_same_network_to_the_bit(tmp_path):
    raw = np.concatenate([PARTS[name].arrays for name in PARTS]) * 30 - 5
    shards = np.split(raw, [20, 40])
    for number, arrays in enumerate(shards):
        write_array(tmp_path / shard_name(number, "npy"), arrays)
    rows = [(number, row) for number, arrays in enumerate(shards) for row in range(len(arrays))]
    index = pd.DataFrame(rows, columns=["shard", "row"]).assign(locale="es")
    stored = StoredClips(index, {"es": tmp_path})
    in_memory, on_disk, start = {}, {}, 0
    for name, part in PARTS.items():
        here = np.arange(start, start + len(part.labels))
        start += len(here)
        in_memory[name] = replace(part, arrays=raw[here])
        on_disk[name] = replace(part, arrays=Chosen(stored, here))
    train = TRAIN.model_copy(update={"epochs": 6, "warmup": 1})
    weights, predictions, lives = [], [], []
    for number, parts in enumerate((in_memory, on_disk)):
        lives.append(tmp_path / f"live-{number}")
        scaling = fit_scaling(parts[TRAINING].arrays)
        model = trained_on(parts, lives[-1], scaling=scaling, train=train)
        weights.append(model.get_weights())
        predictions.append(predict(model, parts[TEST].arrays, batch_size=4))
    for found, expected in zip(*weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(*predictions)
    assert folder_bytes(lives[0]) == folder_bytes(lives[1])


def test_the_first_layer_scales_as_scikit_learn_does(trained):
    arrays = PARTS[TRAINING].arrays * 30 - 5
    arrays[:, 3] = 7  # values that never change
    layer = MinMaxScaling()
    layer.build((None, 68, FRAMES))
    layer.set_weights(list(fit_scaling(arrays)))
    for clips in (arrays, PARTS[TEST].arrays * 30):
        theirs = MinMaxScaler().fit(arrays.reshape(len(arrays), -1))
        expected = theirs.transform(clips.reshape(len(clips), -1)).reshape(*clips.shape, 1)
        np.testing.assert_allclose(np.asarray(layer(clips)), expected, atol=1e-5)
    model, _ = trained
    low, scale = model.layers[1].get_weights()
    np.testing.assert_array_equal(low, AS_IT_IS.low)
    np.testing.assert_array_equal(scale, AS_IT_IS.scale)


IN_A_PROCESS_OF_ITS_OWN = """
import json, sys
from pathlib import Path
sys.path.insert(0, "tests")
from test_training import PARTS, SHORT, TEST, jax, np, predict, separable, trained_on
from voicetraits.networks.layers import HalvingPool
from voicetraits.errors import InputError

jax.config.update("jax_num_cpu_devices", 4)  # simulated
shares = set()
pool = HalvingPool.call
def call(self, inputs):
    jax.debug.inspect_array_sharding(
        inputs, callback=lambda found: shares.add((inputs.shape, found.shard_shape(inputs.shape)))
    )
    return pool(self, inputs)
HalvingPool.call = call

out = Path(sys.argv[1])
model = trained_on(PARTS, out / "live", train=SHORT)
model.save_weights(out / "model.weights.h5")
np.save(out / "predicted.npy", predict(model, PARTS[TEST].arrays, batch_size=4))
try:
    six = SHORT.model_copy(update={"batch_size": 6})
    trained_on(PARTS, out / "refused", train=six)
except InputError as error:
    refused = str(error)
few = {name: separable([0, 1, 0], seed=1) for name in PARTS}
trained_on(few, out / "few", train=SHORT)
variables = [variable.value for variable in model.weights + model.optimizer.variables]
print(json.dumps({
    "devices": jax.device_count(),
    "shares": sorted(shares),
    "copies": sorted({len(v.sharding.device_set) * v.sharding.is_fully_replicated
                      for v in variables}),
    "refused": refused,
}))
"""
SHORT = TRAIN.model_copy(update={"epochs": 5, "warmup": 1, "patience": 2})


def test_four_devices_share_every_batch_and_train_what_one_trains(tmp_path):
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        # Empty: what is not compiled cannot be inspected.
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "jax"),
    }
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS_OF_ITS_OWN, str(tmp_path)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["devices"] == 4
    # Inside the compiled steps: four clips in all, one on each device.
    first_pool = [share for share in found["shares"] if share[0][1:] == [68, FRAMES, 16]]
    assert first_pool == [[[4, 68, FRAMES, 16], [1, 68, FRAMES, 16]]]
    assert found["copies"] == [4]  # of every weight
    assert found["refused"].startswith(
        "train.batch_size = 6 cannot be shared equally by the 4 devices"
    )
    assert not (tmp_path / "refused").exists()

    assert jax.device_count() == 1
    one = trained_on(PARTS, tmp_path / "one", train=SHORT)
    for part in (TRAINING, VALIDATION):
        for name in ("loss", "accuracy"):
            of_four, of_one = (history(tmp_path / n, part, name) for n in ("live", "one"))
            np.testing.assert_allclose(of_four, of_one, atol=0.002)
    predicted = np.load(tmp_path / "predicted.npy")
    np.testing.assert_allclose(
        predicted, predict(one, PARTS[TEST].arrays, batch_size=4), atol=0.002
    )
    # What four devices have saved, one can read.
    one.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_allclose(predicted, predict(one, PARTS[TEST].arrays, batch_size=4), atol=1e-6)


def test_one_device_takes_any_batch_size_and_nothing_is_distributed(trained):
    assert devices_for(7) == 1
    assert keras.distribution.distribution() is None


@pytest.mark.parametrize(
    ("clips", "size", "devices", "expected"),
    [(40, 8, 4, 8), (6, 8, 4, 4), (3, 8, 4, 4), (9, 8, 2, 8), (3, 8, 2, 2)],
)
def test_small_training_sets_still_give_every_device_as_much(clips, size, devices, expected):
    batches = batches_of(clips, size, shuffle_seed=0, devices=devices, steps=3)
    assert len(batches) >= 3
    for number in range(len(batches)):
        inputs, targets, _ = batches[number]
        assert len(inputs) == expected
        np.testing.assert_array_equal(inputs[:, 0, 0, 0], targets[:, 0])


def test_predictions_come_in_the_order_of_the_clips_and_do_not_depend_on_the_batch(trained):
    model, _ = trained
    inputs = PARTS[VALIDATION].arrays
    found = predict(model, inputs, batch_size=4)
    assert found.shape == (13, 2)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(found[:, 1], np.asarray(model(inputs))[:, 0], atol=1e-5)
    order = np.random.default_rng(0).permutation(13)
    np.testing.assert_allclose(predict(model, inputs[order], batch_size=4), found[order], atol=1e-5)
    assert predict(model, inputs[:1], batch_size=4) == pytest.approx(found[:1], abs=1e-5)


class Recorder:
    """In place of a network: keeps what it is given to learn from."""

    def compile(self, **options: Any) -> None:
        self.options = options

    def fit(self, training: Batches, *, validation_data: Batches, **_: Any) -> None:
        self.epochs = []
        for _ in range(2):
            self.epochs.append(np.concatenate([training[n][0] for n in range(len(training))]))
            training.on_epoch_end()
        self.validation = np.concatenate(
            [validation_data[n][0] for n in range(len(validation_data))]
        )

    layers = ()

    def get_weights(self) -> list[np.ndarray]:
        return []


def test_training_clips_are_shuffled_every_epoch_and_all_validation_clips_watched(
    tmp_path, monkeypatch
):
    network = Recorder()
    monkeypatch.setattr("voicetraits.training.fit.build", lambda *_, **__: network)
    trained_on(PARTS, tmp_path / "live")
    given = PARTS[TRAINING].arrays
    first, second = network.epochs
    for epoch in (first, second):
        assert not np.array_equal(epoch, given)
        assert {clip.tobytes() for clip in epoch} == {clip.tobytes() for clip in given}
    assert not np.array_equal(first, second)
    watched = PARTS[VALIDATION].arrays
    np.testing.assert_array_equal(network.validation[: len(watched)], watched)
    assert network.options["loss"] == "binary_crossentropy"


def test_the_learning_rate_rises_then_falls_to_zero_over_the_epochs(tmp_path, monkeypatch):
    network = Recorder()
    monkeypatch.setattr("voicetraits.training.fit.build", lambda *_, **__: network)
    trained_on(PARTS, tmp_path / "live")
    optimizer, found = network.options["optimizer"], []
    steps = TRAIN.epochs * len(PARTS[TRAINING].labels) // TRAIN.batch_size
    for share in (0, 0.05, 0.1, 0.55, 1):
        optimizer.iterations.assign(round(share * steps))
        found.append(float(optimizer.learning_rate))
    np.testing.assert_allclose(found, [0, 0.0005, 0.001, 0.0005, 0], atol=1e-8)


def test_another_number_of_epochs_or_rate_compiles_nothing_anew(trained, tmp_path):
    compiled = []

    def listen(event: str, **_: Any) -> None:
        if event == "/jax/compilation_cache/cache_misses":
            compiled.append(event)

    # A rate that nobody has compiled for: the cache outlives a run of the tests.
    rate = float(np.random.default_rng().uniform(0.001, 0.002))
    other = TRAIN.model_copy(update={"epochs": 3, "warmup": 1, "learning_rate": rate})
    jax.monitoring.register_event_listener(listen)
    trained_on(PARTS, tmp_path / "live", train=other)
    jax.monitoring.unregister_event_listener(listen)
    assert compiled == []


class Watched:
    """Clips that count how often they are asked for."""

    def __init__(self, arrays: np.ndarray) -> None:
        self.arrays, self.shape, self.asked = arrays, arrays.shape, 0

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, places: Any) -> np.ndarray:
        self.asked += 1
        return self.arrays[places]


def spoiled(part: str, value: float) -> dict[str, Part]:
    """The parts, one of them with inputs that no network takes."""
    arrays = Watched(np.full_like(PARTS[part].arrays, value))
    return {**PARTS, part: replace(PARTS[part], arrays=arrays)}


def test_training_stops_at_the_first_loss_that_is_no_number(tmp_path):
    parts = spoiled(TRAINING, np.inf)
    train = TRAIN.model_copy(update={"steps": 500})
    with pytest.raises(NotFiniteError, match=r"the training loss is nan.*train\.learning_rate"):
        trained_on(parts, tmp_path / "live", train=train)
    assert parts[TRAINING].arrays.asked < 20


def test_a_validation_loss_that_is_no_number_ends_the_training(tmp_path):
    with pytest.raises(NotFiniteError, match="the validation loss is nan"):
        trained_on(spoiled(VALIDATION, np.inf), tmp_path / "live")


def test_weights_that_are_no_numbers_are_no_result(tmp_path, monkeypatch):
    network = Recorder()
    network.get_weights = lambda: [np.ones(3), np.array([1, np.nan])]
    monkeypatch.setattr("voicetraits.training.fit.build", lambda *_, **__: network)
    with pytest.raises(NotFiniteError, match=r"weights are not finite.*train\.learning_rate"):
        trained_on(PARTS, tmp_path / "live")


def test_four_languages_are_trained_and_predicted(tmp_path):
    parts = {name: separable([0, 1, 2, 3] * 4, seed=n) for n, name in enumerate(PARTS)}
    train = TRAIN.model_copy(update={"epochs": 12, "warmup": 20, "patience": 1})
    model = trained_on(parts, tmp_path / "live", task=LANGUAGE, train=train, seed=1)
    # A warm-up that is never over: all epochs are run, and the last weights stay.
    assert len(history(tmp_path / "live", TRAINING, "loss")) == 12
    found = predict(model, parts[TEST].arrays, batch_size=4)
    assert found.shape == (16, 4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    assert (found.argmax(axis=1) == parts[TEST].labels).mean() > 0.9


@pytest.mark.parametrize("task", [GENDER, LANGUAGE], ids=["gender", "language"])
def test_a_loaded_network_gives_the_predictions_that_were_written_to_the_bit(
    task, edited_params, tmp_path
):
    params = edited_params(
        seed=4,
        split={"min_speakers": 3},
        train={"epochs": 2, "steps": 2, "batch_size": 4, "warmup": 0},
    )
    locales = ["es"] if task is GENDER else list(task.classes)
    speakers = {(locale, gender): 5 for locale in locales for gender in GENDER.classes}
    split, folders = split_and_arrays(
        task, params, tmp_path / "arrays", speakers=speakers, frames=FRAMES
    )
    model = model_of(task)
    train_model(model, split, folders, params, out=tmp_path / model.name)
    written = pd.read_parquet(tmp_path / model.name / PREDICTIONS)
    written = written[(written["estimator"] == "network") & (written["part"] == TEST)]
    test = split[split["part"] == TEST]
    assert written["clip"].tolist() == test["clip"].tolist()
    raw = read_clips_arrays(test, folders)
    assert raw.max() > 1.1  # unscaled
    found = predict(load(tmp_path / model.name), raw, batch_size=params.train.batch_size)
    np.testing.assert_array_equal(found, written[list(task.classes)].to_numpy())


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"skipped": "2 female speakers"}, "no trained network: skipped: 2 female speakers"),
        ({"failed": "the loss is nan"}, "no trained network: failed: the loss is nan"),
        ({"network": "orignal"}, r"network names 'orignal', .* did you mean 'original'\?"),
        ({}, r"model\.weights\.h5: weights cannot be read"),
    ],
)
def test_a_folder_without_a_network_is_refused_with_the_reason(tmp_path, changes, why):
    task = {"name": "gender", "classes": ["male", "female"], "joined": []}
    sidecar = {"task": task, "shape": [68, FRAMES], "members": 1}
    sidecar |= {"network": "original", "skipped": "", "failed": "", **changes}
    (tmp_path / SIDECAR).write_text(json.dumps(sidecar), encoding="utf-8")
    with pytest.raises(InputError, match=why):
        load(tmp_path)
    if not changes:
        (tmp_path / "model.weights.h5").write_bytes(b"no weights")
        with pytest.raises(InputError, match=why):
            load(tmp_path)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere/model\.json: no model to read"):
        load(tmp_path / "nowhere")


def test_a_run_says_now_and_then_how_far_it_is(capsys, monkeypatch, tmp_path):
    class Live:
        def __init__(self) -> None:
            self.logged: list[tuple[str, float]] = []
            self.steps = 0

        def log_metric(self, name: str, value: float) -> None:
            self.logged.append((name, value))

        def next_step(self) -> None:
            self.steps += 1

    live = Live()
    callback = LogEpochs(live, label="es-features", epochs=40)
    for epoch in range(25):
        callback.on_epoch_end(epoch, {"loss": 0.25, "val_loss": 1 / (epoch + 1)})
    callback.on_train_end()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"es-features: epoch {epoch} of at most 40, validation loss {1 / epoch:.3f}"
        for epoch in (5, 10, 15, 20, 25)
    ]
    assert live.steps == 25
    monkeypatch.setenv(RECORDS, str(tmp_path / "records"))
    records = Records(tmp_path / "records")
    callback.on_epoch_end(3, {"loss": 0.25, "val_loss": 0.5})
    assert records.jobs() == ["es-features epoch 4"]
    callback.on_train_end()
    assert records.jobs() == []
    assert capsys.readouterr() == ("", "")
    assert live.logged[:2] == [("training/loss", 0.25), ("validation/loss", 1.0)]
