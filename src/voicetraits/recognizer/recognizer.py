"""Language and gender of recordings."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np

from voicetraits.errors import InputError
from voicetraits.export.contract import SAMPLE_RATE
from voicetraits.recognizer.decision import (
    NO_SPEECH,
    Answer,
    Recognition,
    decide,
    recognition,
    renormalised,
    restricted,
)
from voicetraits.recognizer.model import ExportedModel
from voicetraits.recognizer.recording import Source, recording_of
from voicetraits.recognizer.speech import Speech, find_speech
from voicetraits.recognizer.windows import stretches, windows

_TASKS = ("language", "gender")


class Recognizer:
    """Recognises the language of a recording and the gender of its voice.

    Several threads may use one at the same time.

    Attributes:
        model: What it runs.
    """

    def __init__(
        self,
        model: ExportedModel,
        *,
        locales: str | Collection[str] = (),
        language_threshold: float | None = None,
        gender_threshold: float | None = None,
    ) -> None:
        """Use a model that is loaded; see `load`."""
        self.model = model
        self._heads = dict(model.heads)
        if locales:
            locales = [locales] if isinstance(locales, str) else locales
            if "language" not in self._heads:
                raise InputError(f"model {model.name} tells no languages apart; give no locale")
            self._heads["language"] = restricted(self._heads["language"], locales)
        for task, threshold in zip(_TASKS, (language_threshold, gender_threshold), strict=True):
            if threshold is None:
                continue
            if not 0 <= threshold <= 1:
                raise InputError(f"{task} threshold {threshold:g}: give a number from 0 to 1")
            if task in self._heads:
                self._heads[task] = self._heads[task]._replace(threshold=threshold)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        locales: str | Collection[str] = (),
        language_threshold: float | None = None,
        gender_threshold: float | None = None,
    ) -> Recognizer:
        """Load a model.

        Args:
            path: An ONNX file that voicetraits has exported, or models/<name>; by
                default, the released model.
            locales: The only language or languages that are possible, where that is known.
            language_threshold: The least probability of an answer; by default, the model's own.
            gender_threshold: Likewise.

        Raises:
            InputError: If the model cannot be used, or something does not fit it.
        """
        return cls(
            ExportedModel(None if path is None else Path(path)),
            locales=locales,
            language_threshold=language_threshold,
            gender_threshold=gender_threshold,
        )

    def predict(self, recording: Source, *, sample_rate: int | None = None) -> Recognition:
        """Recognise a recording as a whole.

        Args:
            recording: A path, the bytes of an audio file, or samples: shape (n,) or (n, channels),
                floats with 1 as full scale, or integers as WAV has them (uint8, int16, int32).
            sample_rate: Of samples, in Hz.

        Raises:
            InputError: If it cannot be read, or samples come without a rate or are not finite.
        """
        heard = recording_of(recording, sample_rate)
        speech = find_speech(heard.samples)
        return self._recognise(heard.samples, speech, start=0.0, end=heard.seconds)

    def segments(self, recording: Source, *, sample_rate: int | None = None) -> list[Recognition]:
        """Recognise a recording piece by piece, as a timeline.

        A piece ends where nobody speaks for a second, or after 12 s of speech at the latest.

        Args:
            recording: As for `predict`.
            sample_rate: Likewise.

        Returns:
            The pieces with speech, in order; a recording without speech is one piece.

        Raises:
            InputError: As `predict` does.
        """
        heard = recording_of(recording, sample_rate)
        speech = find_speech(heard.samples)
        if not speech.enough:
            return [self._recognise(heard.samples, speech, start=0.0, end=heard.seconds)]
        return list(self._timeline(heard.samples, speech))

    def _timeline(self, samples: np.ndarray, speech: Speech) -> Iterator[Recognition]:
        for stretch in stretches(speech.parts):
            for window in windows(samples, stretch):
                start, end = window.start / SAMPLE_RATE, window.end / SAMPLE_RATE
                within = speech.between(window.start, window.end)
                yield self._recognise(samples, within, start=start, end=end)

    def _recognise(
        self, samples: np.ndarray, speech: Speech, *, start: float, end: float
    ) -> Recognition:
        if speech.enough:
            found = self._probabilities(samples, speech)
            language, gender = (self._answer(task, found) for task in _TASKS)
        else:
            language = gender = Answer(reason=NO_SPEECH)
        return recognition(
            language,
            gender,
            start=start,
            end=end,
            speech_seconds=speech.seconds,
            speech=tuple((one.start / SAMPLE_RATE, one.end / SAMPLE_RATE) for one in speech.parts),
        )

    def _probabilities(self, samples: np.ndarray, speech: Speech) -> dict[str, np.ndarray]:
        """Mean of the probabilities of all windows, each with the weight of its length.

        Of the probabilities, not of the logits: one window of which the model is wrongly sure, such
        as a stretch of music, then has no more say than its length gives it.
        """
        cut = list(windows(samples, speech.parts))
        weights = [len(window.samples) for window in cut]
        by_window = [self.model.probabilities(window.samples) for window in cut]
        return {
            task: np.average([found[task] for found in by_window], axis=0, weights=weights)
            for task in self.model.heads
        }

    def _answer(self, task: str, found: Mapping[str, np.ndarray]) -> Answer:
        if task not in found:
            return Answer(reason=f"{task}: not told by this model")
        head = self._heads[task]
        chances = renormalised(found[task], of=self.model.heads[task], to=head)
        return decide(task, head, chances)
