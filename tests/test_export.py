"""Exported networks: the same probabilities as the pipeline's own way, in one small file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)

from voicetraits.audio.wav import clip_samples, fix_length, samples_of
from voicetraits.errors import InputError
from voicetraits.export.description import Answer, Description, described
from voicetraits.export.folder import export_folder
from voicetraits.export.model import export
from voicetraits.features.representations import REPRESENTATIONS
from voicetraits.features.windows import windows
from voicetraits.networks import ANY_LENGTH, NETWORKS, build
from voicetraits.networks.ensemble import mean_of
from voicetraits.networks.layers import MinMaxScaling
from voicetraits.networks.model_folder import WEIGHTS, write_sidecar
from voicetraits.networks.tdnn import frames_of
from voicetraits.params import Clip, Crops, Extract
from voicetraits.tasks import Head
from voicetraits.training.crops import SpreadCrops

pytestmark = pytest.mark.slow

RATE = 16_000
CLIP = Clip(sample_rate=RATE, seconds=3.4, longest=12.0)
EXTRACT = Extract(window=0.05, frames=68)
CROPS = Crops(frames=250, most=4, least=250)
SECONDS = (0.1, 0.7, 2.5, 2.52, 3.4, 5.0, 15.0)
GENDER, LANGUAGE = Answer("gender", ("male", "female")), Answer("language", ("de", "en", "es"))
ONE_LENGTH_INPUTS = [name for name, each in REPRESENTATIONS.items() if each.one_length]
PAIRS = [
    (representation, network)
    for network in NETWORKS
    for representation in (["mel"] if network in ANY_LENGTH else ONE_LENGTH_INPUTS)
]


class OneClip:
    """The frames of one clip, as SpreadCrops reads them."""

    def __init__(self, frames: np.ndarray) -> None:
        self._frames = frames

    def length(self, clip: int) -> int:
        """Frames of the clip."""
        return len(self._frames)

    def crop(self, clip: int, start: int, length: int) -> np.ndarray:
        """Frames from `start` on, repeated if there are too few."""
        return self._frames[(start + np.arange(length)) % len(self._frames)]


def sound(seconds: float, *, seed: int = 0) -> np.ndarray:
    """Syllables of a buzz with noise and pauses between, int16."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    loudness = np.clip(np.sin(2 * np.pi * 1.7 * time + 1), 0, None) ** 2
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.9 * time)) / RATE
    buzz = sum(np.sin(number * pitch) / number for number in range(1, 30))
    wave = loudness * (buzz + rng.normal(size=len(time))) + 1e-3 * rng.normal(size=len(time))
    return (3000 * wave).round().astype(np.int16)


def random_network(name: str, representation: str, heads: tuple[Answer, ...], *, seed: int) -> Any:
    """A network as after training: its normalisation and scaling fit what it sees."""
    shape = (64, None) if name in ANY_LENGTH else (68, 68)
    outputs = tuple(Head(head.task, len(head.classes)) for head in heads)
    network = build(name, shape, outputs, seed=seed)
    rng = np.random.default_rng(seed)
    seen = np.concatenate(
        [
            represented(sound(seconds, seed=number), representation, least=CROPS.frames)
            for number, seconds in enumerate((0.5, 1.5, 2, 3, 4, 6), start=20)
        ]
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.1  # one call below brings the statistics near those of what it sees
            gamma, beta, *statistics = layer.get_weights()
            gamma *= rng.uniform(0.7, 1.3, gamma.shape)
            layer.set_weights([gamma, beta + rng.normal(0, 0.2, beta.shape), *statistics])
        elif isinstance(layer, MinMaxScaling):
            low, high = (edge(seen, axis=(0, 2)) for edge in (np.min, np.max))
            rows = (np.repeat(each[:, None], 68, axis=1) for each in (low, 1 / (high - low)))
            layer.set_weights(list(rows))
    network(seen, training=True)
    return network


def represented(signal: np.ndarray, representation: str, *, least: int | None = None) -> np.ndarray:
    """What a network sees of a clip, as predictions make it: shape (crops, rows, frames)."""
    function, one_length = REPRESENTATIONS[representation]
    if not one_length:
        clips = OneClip(function(signal, RATE).T)
        shown = CROPS if least is None else CROPS._replace(least=least)
        frames = shown.length(clips.length(0))
        return SpreadCrops(clips, [0], frames=frames, crops=CROPS.most)[:]
    window, hop = windows(CLIP, EXTRACT)
    fixed = samples_of(fix_length(signal, RATE, samples=clip_samples(CLIP)))
    return function(fixed, RATE, window=window, hop=hop)[None].astype(np.float32)


def by_keras(network: Any, signal: np.ndarray, representation: str) -> list[np.ndarray]:
    """Probabilities of every head, by the pipeline's way."""
    outputs = network.predict_on_batch(represented(signal, representation))
    means = [
        np.asarray(each, np.float64).mean(axis=0)
        for each in (outputs if isinstance(outputs, list) else [outputs])
    ]
    return [np.append(1 - mean, mean) if len(mean) == 1 else mean for mean in means]


def exported(network: Any, representation: str, heads: tuple[Answer, ...], **options: Any) -> Any:
    """The exported model."""
    return export(
        network,
        representation=representation,
        clip=CLIP,
        extract=EXTRACT,
        crops=None if REPRESENTATIONS[representation].one_length else CROPS,
        description=Description("some-model", heads, synthetic=True, trained_on="Made-up sounds."),
        **options,
    )


def session_of(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """The model, ready to run."""
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def by_file(session: onnxruntime.InferenceSession, signal: np.ndarray) -> list[np.ndarray]:
    """Probabilities of every head, by the exported file."""
    return session.run(None, {"samples": (signal / 2**15).astype(np.float32)})


def differences(
    network: Any, model: onnx.ModelProto, representation: str, signals: list[np.ndarray]
) -> Iterator[float]:
    """The largest difference of each clip."""
    session = session_of(model)
    for signal in signals:
        found, expected = by_file(session, signal), by_keras(network, signal, representation)
        for one, other in zip(found, expected, strict=True):
            assert one.shape == other.shape and one.dtype == np.float32
            assert one.sum() == pytest.approx(1, abs=1e-6)
            yield float(np.abs(one - other).max())


@pytest.mark.parametrize("heads", [(GENDER,), (LANGUAGE,), (LANGUAGE, GENDER)])
@pytest.mark.parametrize(("representation", "name"), PAIRS)
def test_the_file_gives_the_probabilities_of_the_pipeline(representation, name, heads):
    network = random_network(name, representation, heads, seed=3)
    model = exported(network, representation, heads)
    signals = [sound(seconds, seed=number) for number, seconds in enumerate(SECONDS)]
    assert max(differences(network, model, representation, signals)) < 1e-5
    answers = [by_keras(network, signal, representation)[0] for signal in signals]
    assert np.ptp(answers, axis=0).max() > 0.01  # clips are told apart


@pytest.mark.parametrize("representation", ["mel", "spectrogram"])
def test_silence_and_single_samples_get_probabilities_too(representation):
    name = "tdnn" if representation == "mel" else "original"
    network = random_network(name, representation, (GENDER,), seed=4)
    model = exported(network, representation, (GENDER,))
    odd = [np.zeros(RATE, np.int16), np.array([7], np.int16), sound(0.025), sound(0.01)]
    assert max(differences(network, model, representation, odd)) < 1e-5


@pytest.mark.parametrize(
    "crops", [Crops(50, 1, 50), Crops(120, 2, 120), Crops(31, 7, 31), Crops(300, 2, 40)]
)
def test_crops_are_those_of_spread_crops(crops, monkeypatch):
    monkeypatch.setitem(globals(), "CROPS", crops)
    network = random_network("tdnn", "mel", (LANGUAGE,), seed=5)
    model = exported(network, "mel", (LANGUAGE,))
    signals = [sound(seconds, seed=9) for seconds in (0.3, 0.56, 1.21, 2, 6)]
    assert max(differences(network, model, "mel", signals)) < 1e-5


def test_the_mean_of_several_networks_is_exported_as_one():
    heads = (LANGUAGE, GENDER)
    members = [random_network("tdnn", "mel", heads, seed=seed) for seed in (1, 2)]
    network = mean_of(members)
    model = exported(network, "mel", heads)
    assert max(differences(network, model, "mel", [sound(1), sound(6)])) < 1e-5
    alone = by_keras(members[0], sound(6), "mel")[0]
    assert np.abs(alone - by_file(session_of(model), sound(6))[0]).max() > 1e-3


def test_networks_that_begin_with_the_same_layers_share_them():
    members = [random_network("tdnn_context", "mel", (LANGUAGE,), seed=seed) for seed in (1, 2)]
    apart = exported(mean_of(members), "mel", (LANGUAGE,), small=True)
    frames_of(members[1]).set_weights(frames_of(members[0]).get_weights())
    network = mean_of(members)
    shared = exported(network, "mel", (LANGUAGE,), small=True)
    whole = exported(network, "mel", (LANGUAGE,))
    assert max(differences(network, whole, "mel", [sound(4)])) < 1e-5
    assert max(differences(network, shared, "mel", [sound(4)])) < 5e-2
    convolutions = {
        name: sum(node.op_type == "Conv" for node in model.graph.node)
        for name, model in {"apart": apart, "shared": shared}.items()
    }
    assert convolutions == {"apart": 12, "shared": 8}
    assert len(shared.SerializeToString()) < len(apart.SerializeToString()) - 150_000


def test_small_weights_take_less_than_a_fifth_of_the_bytes():
    heads = (LANGUAGE, GENDER)
    network = random_network("tdnn", "mel", heads, seed=6)
    small, whole = (
        len(exported(network, "mel", heads, small=small).SerializeToString())
        for small in (True, False)
    )
    assert 5 * small < whole + 4 * 60_000  # what is no weight stays as large


@pytest.mark.parametrize(("representation", "name"), PAIRS)
def test_small_weights_change_little(representation, name):
    network = random_network(name, representation, (LANGUAGE,), seed=6)
    model = exported(network, representation, (LANGUAGE,), small=True)
    signals = [sound(seconds, seed=number) for number, seconds in enumerate(SECONDS)]
    assert 1e-6 < max(differences(network, model, representation, signals)) < 5e-2


@pytest.mark.parametrize("head", [GENDER, LANGUAGE])
def test_the_temperature_divides_the_logarithms(head):
    network = random_network("tdnn", "mel", (head,), seed=7)
    warm = Answer(head.task, head.classes, threshold=0.4, temperature=1.7)
    expected = by_keras(network, sound(3), "mel")[0] ** (1 / 1.7)
    (found,) = by_file(session_of(exported(network, "mel", (warm,))), sound(3))
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-5)


def test_the_shift_moves_where_two_classes_meet():
    network = random_network("tdnn", "mel", (GENDER,), seed=7)
    moved = Answer(GENDER.task, GENDER.classes, temperature=1.3, shift=0.7)
    expected = by_keras(network, sound(3), "mel")[0] ** (1 / 1.3) * np.exp([0.7, 0])
    (found,) = by_file(session_of(exported(network, "mel", (moved,))), sound(3))
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-5)


def test_the_file_says_what_it_is():
    network = random_network("tdnn", "mel", (LANGUAGE, GENDER), seed=8)
    model = exported(network, "mel", (LANGUAGE, GENDER))
    assert described(model) == {
        "version": 1,
        "name": "some-model",
        "sample_rate": 16000,
        "heads": [
            {
                "task": "language",
                "classes": ["de", "en", "es"],
                "threshold": 0.5,
                "temperature": 1,
                "shift": 0,
            },
            {
                "task": "gender",
                "classes": ["male", "female"],
                "threshold": 0.5,
                "temperature": 1,
                "shift": 0,
            },
        ],
        "synthetic": True,
        "trained_on": "Made-up sounds.",
    }
    session = session_of(model)
    stated = session.get_modelmeta().custom_metadata_map["voicetraits"]
    assert json.loads(stated) == described(model)
    (samples,) = session.get_inputs()
    assert (samples.name, samples.type, samples.shape) == ("samples", "tensor(float)", ["n"])
    outputs = [(each.name, each.type, each.shape) for each in session.get_outputs()]
    assert outputs == [("language", "tensor(float)", [3]), ("gender", "tensor(float)", [2])]


def test_what_has_no_onnx_is_named():
    inputs = keras.Input((64, None))
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Permute((2, 1))(inputs))
    network = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(pooled))
    with pytest.raises(
        InputError, match=r"no ONNX for the class GlobalAveragePooling1D; .*export/layers\.py"
    ):
        exported(network, "mel", (GENDER,))


def test_another_sample_rate_is_refused():
    with pytest.raises(InputError, match=r"clip\.sample_rate = 8000"):
        export(
            None,
            representation="mel",
            clip=CLIP.model_copy(update={"sample_rate": 8000}),
            extract=EXTRACT,
            crops=CROPS,
            description=Description("x", (GENDER,), synthetic=True, trained_on=""),
        )


def model_folder(folder: Path, **sidecar: Any) -> Any:
    """Write a folder as training does, and return its network."""
    network = random_network("tdnn", "mel", (LANGUAGE,), seed=9)
    folder.mkdir()
    network.save_weights(folder / WEIGHTS)
    written = {
        "task": {"name": "language", "classes": list(LANGUAGE.classes), "joined": []},
        "representation": "mel",
        "network": "tdnn",
        "shape": [64, None],
        "members": 1,
        "clip": CLIP.model_dump(),
        "extract": EXTRACT.model_dump(),
        "frames": {"crop": CROPS.frames, "crops": CROPS.most},
        "skipped": "",
        "failed": "",
    }
    write_sidecar(folder, written | sidecar)
    return network


def test_a_model_folder_becomes_a_file(tmp_path):
    network = model_folder(tmp_path / "language-all-mel-tdnn")
    out = tmp_path / "new" / "voice.onnx"
    export_folder(
        tmp_path / "language-all-mel-tdnn",
        out,
        synthetic=False,
        trained_on="Voices.",
        thresholds={"language": 0.6},
        temperatures={"language": 1.2},
    )
    model = onnx.load(out)
    assert described(model)["name"] == "language-all-mel-tdnn"
    assert described(model)["heads"] == [
        {
            "task": "language",
            "classes": ["de", "en", "es"],
            "threshold": 0.6,
            "temperature": 1.2,
            "shift": 0,
        }
    ]
    expected = by_keras(network, sound(4), "mel")[0] ** (1 / 1.2)
    np.testing.assert_allclose(
        by_file(session_of(model), sound(4))[0], expected / expected.sum(), atol=1e-5
    )
    assert [path.name for path in out.parent.iterdir()] == ["voice.onnx"]


@pytest.mark.parametrize(
    ("sidecar", "options", "message"),
    [
        ({"frames": None}, {}, r"model\.json: no frames\.crop, .*`make repro`"),
        ({"frames": {"crop": 250}}, {}, r"model\.json: no frames\.crops, "),
        ({"skipped": "too few"}, {}, "no trained network: skipped: too few"),
        ({}, {"thresholds": {"age": 0.5}}, "has no task age; it has language"),
    ],
)
def test_a_folder_that_cannot_be_exported_is_named(tmp_path, sidecar, options, message):
    model_folder(tmp_path / "some", **sidecar)
    out = tmp_path / "voice.onnx"
    with pytest.raises(InputError, match=message):
        export_folder(tmp_path / "some", out, synthetic=True, trained_on="", **options)
    assert not out.exists()
