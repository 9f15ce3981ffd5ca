"""params.yaml as one typed, validated object."""

from voicetraits.params.load import ParamsError, load_params
from voicetraits.params.sections import (
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
from voicetraits.params.tasks import ALL, LOCALES
from voicetraits.params.values import Ending, Locale, Section, unknown

__all__ = [
    "ALL",
    "LOCALES",
    "Clip",
    "Corpus",
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
