"""What happens beside the training: every epoch is written down, and a hopeless one is the last."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from voicetraits.dataset.parts import TRAINING, VALIDATION
from voicetraits.errors import NotFiniteError
from voicetraits.networks.backend import keras
from voicetraits.progress import record, records_wanted

_EPOCHS_BETWEEN_LINES = 5  # of progress, when piped


class LogEpochs(keras.callbacks.Callback):
    """Hand every epoch's figures to dvclive, and say now and then how far the training is."""

    def __init__(self, live: Any, *, label: str, epochs: int) -> None:
        super().__init__()
        self._live, self._label, self._epochs = live, label, epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log one epoch."""
        figures = {
            f"{VALIDATION if name.startswith('val_') else TRAINING}/{name.removeprefix('val_')}": (
                round(float(value), 4)
            )
            for name, value in _common(logs).items()
        }
        for name, value in figures.items():
            self._live.log_metric(name, value)
        self._live.next_step()
        line = (
            f"{self._label}: epoch {epoch + 1} of at most {self._epochs}, "
            f"validation loss {figures[f'{VALIDATION}/loss']:.3f}"
        )
        if records_wanted():
            record(self._label, f"epoch {epoch + 1}")
        elif sys.stderr.isatty():
            print(f"\r{line}", end="", file=sys.stderr, flush=True)
        elif (epoch + 1) % _EPOCHS_BETWEEN_LINES == 0:
            print(line, file=sys.stderr, flush=True)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Leave the line of the last epoch standing."""
        if records_wanted():
            record(self._label, "")
        elif sys.stderr.isatty():
            print(file=sys.stderr)


class StopWhereNotFinite(keras.callbacks.Callback):
    """End the training with the first loss that is infinite or no number: none follows that is.

    Args:
        rate: Key of params.yaml that a smaller value of may help.
    """

    def __init__(self, rate: str) -> None:
        super().__init__()
        self._rate = rate
        self._before: Any = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss up to the batch before, which needs no waiting for this one."""
        self._require_finite(self._before, TRAINING)
        self._before = (logs or {})["loss"]

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the losses of the epoch."""
        for name, part in (("loss", TRAINING), ("val_loss", VALIDATION)):
            self._require_finite((logs or {})[name], part)

    def _require_finite(self, loss: Any, part: str) -> None:
        if not np.isfinite(float(loss)):
            raise NotFiniteError(
                f"the {part} loss is {float(loss)}; a smaller {self._rate} may help"
            )


def _common(logs: dict[str, float] | None) -> dict[str, float]:
    """Loss and accuracy; of several heads, the mean of their accuracies."""
    found = {name: value for name, value in (logs or {}).items() if name in ("loss", "val_loss")}
    for prefix in ("", "val_"):
        values = [
            value
            for name, value in (logs or {}).items()
            if name.endswith("accuracy") and name.startswith("val_") == bool(prefix)
        ]
        if values:
            found[f"{prefix}accuracy"] = float(np.mean(values))
    return found
