"""params.yaml as one typed, validated object."""

from voicetraits.params.load import ParamsError, load_params
from voicetraits.params.sections import (
    Beside,
    Clip,
    Corpus,
    Extract,
    Frames,
    Params,
    Protocol,
    Sample,
    Split,
    Train,
)
from voicetraits.params.tasks import ALL, JOINED, LOCALES
from voicetraits.params.values import STEP, Crops, Ending, Locale, Section, unknown

__all__ = [
    "ALL",
    "JOINED",
    "LOCALES",
    "STEP",
    "Beside",
    "Clip",
    "Corpus",
    "Crops",
    "Ending",
    "Extract",
    "Frames",
    "Locale",
    "Params",
    "ParamsError",
    "Protocol",
    "Sample",
    "Section",
    "Split",
    "Train",
    "load_params",
    "unknown",
]
