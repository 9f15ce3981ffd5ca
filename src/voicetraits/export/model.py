"""From a trained network to one ONNX file, which takes samples and gives probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from voicetraits.audio.wav import clip_samples
from voicetraits.errors import InputError
from voicetraits.export.contract import SAMPLE_RATE
from voicetraits.export.crops import spread_crops
from voicetraits.export.description import Answer, Description
from voicetraits.export.graph import Graph
from voicetraits.export.layers import add_network
from voicetraits.export.mel import log_mel_frames, log_mel_image
from voicetraits.export.short_term import short_term_features
from voicetraits.export.signal import ROWS, exactly
from voicetraits.features.representations import REPRESENTATIONS
from voicetraits.features.windows import windows
from voicetraits.params import Clip, Crops, Extract, unknown

# Added to a probability before its logarithm is taken.
_LEAST = np.float32(1e-30)
_OF_ANY_LENGTH: dict[str, Callable[[Graph, str, int], str]] = {"mel": log_mel_frames}
_OF_ONE_LENGTH: dict[str, Callable[..., str]] = {
    "features": short_term_features,
    "spectrogram": log_mel_image,
}


def export(
    network: Any,
    *,
    representation: str,
    clip: Clip,
    extract: Extract,
    crops: Crops | None,
    description: Description,
    small: bool = False,
) -> onnx.ModelProto:
    """One graph from samples to probabilities.

    Its input `samples` has shape (n,), float32, mono at 16 kHz, in [-1, 1]; n is 1 or more. Its
    outputs are named by their tasks, shape (classes,), float32, and sum to one.

    Args:
        network: A trained keras.Model.
        representation: What it sees: a name in REPRESENTATIONS.
        clip: Sample rate, and the one length of representations that have one. Of any other, the
            whole signal counts, whatever `longest` says.
        extract: Their windows.
        crops: What a network on clips of any length is shown of them, None for any other.
        description: What the file says of itself, and the temperatures, which the graph applies to
            the logarithms of the mean over all crops.
        small: Store the weights in less than a fifth of the bytes. Of the released model,
            probabilities change by 0.06 at most, and one answer, on 200 clips of people.

    Raises:
        InputError: If there is no graph for the representation or for a layer, or the sample rate
            is another.
    """
    if clip.sample_rate != SAMPLE_RATE:
        raise InputError(
            f"params.yaml: clip.sample_rate = {clip.sample_rate}, but only networks for "
            f"{SAMPLE_RATE} Hz are exported; train one with that rate"
        )
    graph = Graph(small=small)
    wave = graph.cast("samples", np.float64)
    if representation in _OF_ANY_LENGTH:
        if crops is None:
            raise InputError(f"{representation}: crops are lacking, whose mean is the answer")
        found = spread_crops(graph, _OF_ANY_LENGTH[representation](graph, wave, SAMPLE_RATE), crops)
    elif representation in _OF_ONE_LENGTH:
        window, hop = windows(clip, extract)
        wave = exactly(graph, wave, clip_samples(clip))
        found = _OF_ONE_LENGTH[representation](graph, wave, SAMPLE_RATE, window=window, hop=hop)
        found = graph.add("Unsqueeze", found, ROWS)
    else:
        raise InputError(unknown("representation", representation, REPRESENTATIONS))
    outputs = add_network(graph, network, [found])
    for output, answer in zip(outputs, description.heads, strict=True):
        graph.name(_probabilities(graph, output, answer), answer.task)
    lengths = {answer.task: len(answer.classes) for answer in description.heads}
    return graph.model(lengths, metadata=description.metadata())


def _probabilities(graph: Graph, output: str, answer: Answer) -> str:
    """Probabilities of all classes, shape (classes,), from an output of shape (crops, units)."""
    found = graph.add("ReduceMean", output, ROWS, keepdims=0)
    if len(answer.classes) == 2:
        # The output is the probability of the second.
        found = graph.add("Concat", graph.add("Sub", np.float32(1), found), found, axis=0)
    if (answer.temperature, answer.shift) == (1, 0):
        return found
    logits = graph.add("Log", graph.add("Add", found, _LEAST))
    logits = graph.add("Div", logits, np.float32(answer.temperature))
    shift = np.zeros(len(answer.classes), np.float32)
    shift[0] = answer.shift
    return graph.add("Softmax", graph.add("Add", logits, shift), axis=0)
