"""Small things that several test modules share."""

# ruff: noqa: E402

from __future__ import annotations

import ast
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

from voicetraits.workers.environment import pin_environment

pin_environment()  # as every stage does, before NumPy is loaded

import av
import numpy as np
import pandas as pd
import psutil
import pytest
import soundfile

from voicetraits.corpus.clips import CLIP_COLUMNS
from voicetraits.dataset.parts import Part
from voicetraits.dataset.scaling import Scaling
from voicetraits.dataset.split import assign_parts
from voicetraits.models import ALL, Model, declared_task
from voicetraits.networks.model_folder import read_sidecar
from voicetraits.params import Params, load_params
from voicetraits.storage.shards import shard_name, write_array
from voicetraits.tasks import Task
from voicetraits.workers.pool import SCHEDULER_ADDRESS

ROOT = Path(__file__).parents[1]
COMMITTED = load_params(ROOT / "params.yaml")
GENDER = declared_task(COMMITTED, "gender")
# Keys of `frames`: each change that is made to clips takes a second to compile, and where it does
# not matter which it is, one is enough.
NOISE_ALONE = dict.fromkeys(("room", "low_pass", "high_pass", "time_masks", "frequency_masks"), 0)

# No test works on a cluster that happens to be there.
os.environ.pop(SCHEDULER_ADDRESS, None)
# As the recognizer sets it, for the tests that load onnxruntime themselves.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument.

    gzip writes the time into them, and both processes that run the tests must find the same names.
    """
    return argname if isinstance(val, bytes) else None


def language(locales: list[str]) -> Task:
    """The language task over these locales."""
    return declared_task(COMMITTED.model_copy(update={"locales": locales}), "language")


def model_of(task: Task, *, representation: str = "features", network: str = "original") -> Model:
    """A model of a task: language of all its locales, any other of es."""
    locale, locales = ("es", ("es",)) if task.column != "locale" else (ALL, task.classes)
    return Model(task, locale, locales, representation, network)


def clips_of_one_speaker(names: list[str], **columns: object) -> pd.DataFrame:
    """The clip table of one speaker's clips, all of them selected."""
    values = dict.fromkeys(CLIP_COLUMNS.names, "") | {"speaker": "s", "gender": "male"}
    values |= {"duration": np.nan, **columns}
    del values["clip"]
    return pd.DataFrame({"clip": names}, dtype=str).assign(**values)


def with_age(text: str) -> str:
    """params.yaml with its example of a further task switched on, as a user does it.

    Where that has been done already, it stays as it is.
    """
    lines = text.splitlines(keepends=True)
    start = next((number for number, line in enumerate(lines) if line.startswith("  # age:")), None)
    if start is None:
        return text
    end = lines.index("\n", start)
    return "".join(
        [*lines[:start], *(line.replace("# ", "", 1) for line in lines[start:end]), *lines[end:]]
    )


def tone(frequency: float, sample_rate: int, *, seconds: float = 1.0) -> np.ndarray:
    """A sine with a soft start and end, shape (samples,)."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return 0.5 * np.sin(2 * np.pi * frequency * time) * np.hanning(len(time))


def audio_file(signal: np.ndarray, sample_rate: int, format: str = "WAV", **options: Any) -> bytes:
    """The bytes of an audio file that holds a signal, (samples,) or (samples, channels)."""
    file = io.BytesIO()
    soundfile.write(file, signal, sample_rate, format=format, **options)
    return file.getvalue()


LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 6: "5.1", 8: "7.1"}


def recording(
    signal: np.ndarray,
    sample_rate: int,
    format: str,
    codec: str,
    *,
    others: tuple[np.ndarray, ...] = (),
    pictures: int = 0,
    title: str = "",
    options: dict[str, str] | None = None,
) -> bytes:
    """The bytes of a file that FFmpeg encodes, of a signal (samples,) or (samples, channels).

    Args:
        signal: None of it is encoded where it has no samples, and there is no audio stream.
        sample_rate: In Hz.
        format: Name of FFmpeg's muxer.
        codec: Name of FFmpeg's encoder.
        others: Signals of further audio streams.
        pictures: Frames of a video stream, which comes first.
        title: A tag.
        options: Of the muxer.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=format, options=options or {}) as container:
        container.metadata["title"] = title
        if pictures:
            video = container.add_stream("mpeg4", rate=25, width=64, height=48, pix_fmt="yuv420p")
        signals = [one for one in (signal, *others) if len(one)]
        streams = [_audio_stream(container, codec, one, sample_rate) for one in signals]
        for number in range(pictures):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 256, np.uint8))
            container.mux(video.encode(frame))
        if pictures:
            container.mux(video.encode(None))
        for stream, one in zip(streams, signals, strict=True):
            for frame in _audio_frames(stream.codec_context, one, sample_rate):
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return file.getvalue()


def _audio_stream(container: Any, codec: str, signal: np.ndarray, sample_rate: int) -> Any:
    stream = container.add_stream(codec, rate=sample_rate)
    stream.codec_context.layout = LAYOUTS[signal.reshape(len(signal), -1).shape[1]]
    stream.codec_context.bit_rate = 12200 if "amr" in codec else 128_000
    stream.codec_context.options = {"strict": "experimental"}
    stream.codec_context.open()
    return stream


def _audio_frames(encoder: Any, signal: np.ndarray, sample_rate: int) -> Iterator[av.AudioFrame]:
    samples = np.ascontiguousarray(signal, dtype=np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, format="flt", layout=encoder.layout)
    frame.sample_rate, frame.pts = sample_rate, 0
    frame.time_base = Fraction(1, sample_rate)
    resampler = av.AudioResampler(
        format=encoder.format,
        layout=encoder.layout,
        rate=sample_rate,
        frame_size=encoder.frame_size or 1024,
    )
    yield from resampler.resample(frame)
    yield from resampler.resample(None)


def wait_for(condition: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def is_running(file: Path) -> bool:
    """Whether there is a process of the number that a file holds."""
    try:
        return psutil.Process(int(file.read_text())).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def folder_bytes(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="session")
def edited_params() -> Callable[..., Params]:
    """The committed parameters with some changed: `edited_params(train={"epochs": 2})`."""
    committed = COMMITTED.model_dump()

    def edited(**changes: Any) -> Params:
        merged = {
            name: {**committed[name], **change} if isinstance(change, dict) else change
            for name, change in changes.items()
        }
        return Params.model_validate({**committed, **merged})

    return edited


def split_and_arrays(
    task: Task,
    params: Params,
    folder: Path,
    *,
    speakers: dict[tuple[str, str], int],
    frames: int = 4,
) -> tuple[pd.DataFrame, dict[str, Path]]:
    """A split table and small array shards of four clips a speaker.

    The pitch is 200 Hz, more or less, of voices labelled female, and 120 Hz of all others.

    Args:
        task: In a clip of its class number n, rows n, n + 10, n + 20 ... are louder.
        params: Shares and seed of the split.
        folder: For a folder of shards per locale.
        speakers: Number of speakers by locale and gender.
        frames: Of every clip.
    """
    rng = np.random.default_rng(0)
    rows = [
        (f"{locale}_{gender}_{speaker}_{clip}.mp3", locale, f"{locale}{gender}{speaker}", gender)
        for (locale, gender), count in speakers.items()
        for speaker in range(count)
        for clip in range(4)
    ]
    index = pd.DataFrame(rows, columns=["clip", "locale", "speaker", "gender"], dtype=str)
    place = index.groupby("locale").cumcount()
    f0 = np.where(index["gender"] == "female", 200, 120) * rng.uniform(0.9, 1.1, len(index))
    index = index.assign(shard=place // 10, row=place % 10, f0=f0)
    folders = {locale: folder / locale for locale in index["locale"].unique()}
    for (locale, shard), part in index.groupby(["locale", "shard"]):
        arrays = rng.uniform(0, 1, (len(part), 68, frames)).astype(np.float32)
        for clip, label in enumerate(part[task.column]):
            if label in task.classes:
                arrays[clip, task.classes.index(label) :: 10] += 0.4
        folders[locale].mkdir(parents=True, exist_ok=True)
        write_array(folders[locale] / shard_name(shard, "npy"), arrays)
    by, seed = params.protocol.split_by, params.seed
    return one_split(
        assign_parts(task.labelled(index), task, params.split, by=by, seed=seed)
    ), folders


def one_split(clips: pd.DataFrame) -> pd.DataFrame:
    """Assigned clips as a split table of the one corpus, without further splits."""
    return clips.assign(corpus="", source="", left_out="", repeat=1)


class LoudestRow:
    """In place of a network: the louder of the first rows, the likelier that class."""

    def __init__(self, *classes: int) -> None:
        self.classes = classes

    def predict(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Class probabilities of clips, (clips, 68, frames), for every head."""
        found = [np.clip(inputs[:, :n].mean(axis=2), 0.01, None) for n in self.classes]
        return [loudness / loudness.sum(axis=1, keepdims=True) for loudness in found]

    def save_weights(self, path: Path) -> None:
        """Write something where the weights would be."""
        path.write_bytes(b"weights")


@pytest.fixture
def without_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are trained within milliseconds, by one that needs no training."""
    replace_training(monkeypatch)


def replace_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put LoudestRow in the place of voicetraits.training.fit."""
    training = ModuleType("voicetraits.training.fit")

    def fit(
        network: str,
        task: Task,
        parts: dict[str, Part],
        scaling: Scaling | None,
        *_: Any,
        live_folder: Path,
        **__: Any,
    ) -> Any:
        for part, loss in (("training", 0.5), ("validation", 0.75)):
            folder = live_folder / "plots" / "metrics" / part
            folder.mkdir(parents=True)
            for name, value in (("loss", loss), ("accuracy", 1 - loss)):
                rows = [f"{epoch}\t{value / (1 + epoch)}\n" for epoch in range(3)]
                (folder / f"{name}.tsv").write_text("".join([f"step\t{name}\n", *rows]))
        return LoudestRow(*(head.classes for head in task.heads))

    training.fit = fit  # type: ignore[attr-defined]
    training.predict_heads = lambda model, inputs, **_: model.predict(inputs[:])  # type: ignore[attr-defined]
    training.predict = lambda model, inputs, **_: model.predict(inputs[:])[0]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "voicetraits.training.fit", training)
    on_crops = ModuleType("voicetraits.training.fit_frames")

    def fit_frames(network: str, task: Task, *_: Any, live_folder: Path, **__: Any) -> Any:
        return fit(network, task, {}, None, live_folder=live_folder)

    on_crops.fit_frames = fit_frames  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "voicetraits.training.fit_frames", on_crops)

    def load(folder: Path) -> LoudestRow:
        task = read_sidecar(folder)["task"]
        return LoudestRow(*(len(each["classes"]) for each in task["joined"] or [task]))

    monkeypatch.setattr("voicetraits.report.evaluate.load", load)


def imported(path: Path) -> Iterator[Path]:
    """Our own modules that a module imports, at its top or in its functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [(f"{node.module}.{alias.name}", node.module) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [(alias.name, alias.name) for alias in node.names]
        else:
            continue
        for name, package in names:
            if module := source_of(name) or source_of(package):
                yield module


def source_of(name: str) -> Path | None:
    """File of one of our own modules or packages by its dotted name; none of any other."""
    for folder in (ROOT, ROOT / "src"):
        module = folder.joinpath(*name.split("."))
        for file in (module.with_suffix(".py"), module / "__init__.py"):
            if file.is_file():
                return file
    return None
