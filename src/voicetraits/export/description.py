"""What an exported file says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import onnx

from voicetraits.export.contract import KEY, SAMPLE_RATE, VERSION


@dataclass(frozen=True)
class Answer:
    """What one output of a network says.

    Attributes:
        task: Name of the output.
        classes: In the order of its probabilities.
        threshold: A largest probability below it means that the class is unknown.
        temperature: By which the logarithms of the probabilities are divided.
        shift: Added to that of the first class, then; it moves where two classes meet.
    """

    task: str
    classes: tuple[str, ...]
    threshold: float = 0.5
    temperature: float = 1.0
    shift: float = 0.0


@dataclass(frozen=True)
class Description:
    """What an exported file says of itself.

    Attributes:
        name: Of the model.
        heads: One for every output of the network, in their order.
        synthetic: Whether all voices that it was trained on are synthetic.
        trained_on: The same for people, as one sentence.
    """

    name: str
    heads: tuple[Answer, ...]
    synthetic: bool
    trained_on: str

    def metadata(self) -> dict[str, str]:
        """The metadata of the file."""
        found = {"version": VERSION, "sample_rate": SAMPLE_RATE, **asdict(self)}
        return {KEY: json.dumps(found, ensure_ascii=False)}


def described(model: onnx.ModelProto) -> Mapping[str, object]:
    """What an exported model says of itself."""
    found = {each.key: each.value for each in model.metadata_props}
    return dict(json.loads(found[KEY]))
