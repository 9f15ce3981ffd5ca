"""What one answer of the recogniser costs, against the same networks run by Keras.

    python -m benchmarks.predict

Both decode the file and find its speech with the same code. What follows, log-mel and networks, is
one ONNX graph here, and NumPy and Keras on JAX there; the weights are of no matter. The recordings
are 5 s of a synthetic voice as WAV, as a phone records it (AAC) and as a browser does (Opus). The
threads of BLAS are as many as they are for users: what they cost while they wait counts.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks._measure import OURS, alternate, compare, cpu_seconds, report
from benchmarks._sample import sample_corpus
from voicetraits import Recognizer
from voicetraits.audio.decode import decode
from voicetraits.export.contract import SAMPLE_RATE
from voicetraits.features.mel import BANDS, log_mel_frames
from voicetraits.params import load_params
from voicetraits.recognizer.recording import recording_of
from voicetraits.recognizer.speech import find_speech
from voicetraits.selection.clip_table import read_clip_table
from voicetraits.tasks import Head
from voicetraits.workers.environment import pin_environment

KERAS = "Keras on JAX"
SECONDS = 5
ROUNDS = 9
REPEATS = 10  # answers in a round, for a time the clock can resolve
STARTS = 5
# By name: container and codec.
FORMATS = {"WAV": ("wav", "pcm_s16le"), "m4a": ("ipod", "aac"), "webm": ("webm", "libopus")}
_COMMAND = "from voicetraits.cli import main; main()"
_LIBRARY = "import os; os.environ['KERAS_BACKEND'] = 'jax'; import keras"


def main() -> None:
    """Measure and report."""
    pin_environment()
    with tempfile.TemporaryDirectory() as name:
        signal = _voice(Path(name))
        recordings = {form: _encoded(signal, *kind) for form, kind in FORMATS.items()}
        (Path(name) / "call.m4a").write_bytes(recordings["m4a"])
        comparisons = {"first answer of a new process": _first(Path(name) / "call.m4a")}
    recognizer, by_keras = Recognizer.load(), _keras()
    for form, content in recordings.items():
        assert recognizer.predict(content).speech
        by_keras(content)
        sides = {KERAS: by_keras, OURS: recognizer.predict}
        costs = alternate(
            {name: partial(_cpu_ms, side, content) for name, side in sides.items()},
            rounds=ROUNDS,
        )
        comparisons[f"5 s as {form}"] = compare(
            costs, unit="ms of CPU an answer", baseline=KERAS, target=1
        )
    report("predict", comparisons)


def _voice(folder: Path) -> np.ndarray:
    """5 s of one voice of the sample corpus, at 16 kHz."""
    corpus = sample_corpus(load_params(), "es", folder=folder, speakers=3)
    names = set(read_clip_table(corpus)["clip"])
    spoken = [
        decode(content, name=name, sample_rate=SAMPLE_RATE).signal
        for name, content in corpus.clips(names)
    ]
    return np.concatenate(spoken)[: SECONDS * SAMPLE_RATE]


def _encoded(signal: np.ndarray, container: str, codec: str) -> bytes:
    file, rate = io.BytesIO(), 48_000 if codec == "libopus" else SAMPLE_RATE
    pcm = np.clip(signal * 32767, -32768, 32767).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    with av.open(file, "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return file.getvalue()


def _first(path: Path) -> dict[str, Any]:
    """Wall time of the command, against that of starting Keras alone."""
    commands = {
        KERAS: [sys.executable, "-c", _LIBRARY],
        OURS: [sys.executable, "-c", _COMMAND, "predict", str(path)],
    }
    sides = {name: partial(_wall_ms, command) for name, command in commands.items()}
    return compare(alternate(sides, rounds=STARTS), unit="ms", baseline=KERAS, target=5)


def _wall_ms(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return 1000 * (time.perf_counter() - start)


def _cpu_ms(answer: Callable[[bytes], Any], content: bytes) -> float:
    return 1000 * cpu_seconds(lambda: [answer(content) for _ in range(REPEATS)]) / REPEATS


def _keras() -> Callable[[bytes], Any]:
    """The same answers by our own modules and Keras, with weights that nobody has trained."""
    from voicetraits.networks import build
    from voicetraits.training.crops import spread_starts

    frames = load_params().frames
    heads = (Head("language", 4), Head("gender", 2))
    networks = [build("tdnn", (BANDS, None), (head,), seed=0) for head in heads]

    def answer(content: bytes) -> list[np.ndarray]:
        heard = recording_of(content)
        speech = find_speech(heard.samples)
        spoken = np.concatenate([heard.samples[part.start : part.end] for part in speech.parts])
        mel = log_mel_frames((spoken * 32767).astype(np.int16), SAMPLE_RATE)
        starts = spread_starts(mel.shape[1], frames=frames.crop, crops=frames.crops)
        crops = np.stack([mel[:, start : start + frames.crop] for start in starts])
        return [network.predict_on_batch(crops).mean(axis=0) for network in networks]

    return answer


if __name__ == "__main__":
    main()
