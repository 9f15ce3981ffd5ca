"""Names in params.yaml are those of what the library has."""

from __future__ import annotations

from collections.abc import Iterable

from voicetraits.corpus.labels import LABELS
from voicetraits.dataset import SAMPLERS
from voicetraits.evaluation.metrics import FOR_TWO_CLASSES, METRICS
from voicetraits.features.representations import REPRESENTATIONS
from voicetraits.models import declared_task
from voicetraits.networks import ANY_LENGTH, ONE_LENGTH
from voicetraits.params import Params, ParamsError, unknown


def check_names(params: Params) -> None:
    """See that all representations, networks, samplers and metrics are there.

    Raises:
        ParamsError: If one is not; the message names its key and the nearest name.
    """
    for one_length, section, prefix in ((True, params, ""), (False, params.frames, "frames.")):
        known = [name for name, each in REPRESENTATIONS.items() if each.one_length == one_length]
        _known(f"{prefix}representations", section.representations, known)
        networks = ONE_LENGTH if one_length else ANY_LENGTH
        _known(f"{prefix}networks", section.networks, networks)
    for name, task in params.tasks.items():
        _known(f"tasks.{name}.undersample", [task.undersample], SAMPLERS)
        _known(f"tasks.{name}.metrics", task.metrics, METRICS)
        declared = declared_task(params, name)
        _known(f"tasks.{name}.classes", declared.merged, LABELS.get(task.label, declared.merged))
        classes = declared.classes
        for metric in FOR_TWO_CLASSES:
            if metric in task.metrics and len(classes) > 2:
                raise ParamsError(
                    f"params.yaml: tasks.{name}.metrics names {metric}, which is for two classes, "
                    f"and there are {len(classes)}: {', '.join(classes)}"
                )


def _known(key: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise ParamsError(f"params.yaml: {unknown(key, name, known)}")
