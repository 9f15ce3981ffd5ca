"""Networks in ONNX files, run on one core each."""

from __future__ import annotations

import os
from typing import Any

# Or onnxruntime sends reports of its use to its makers. It looks at this once, when it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

_FATAL = 4


class NotOnnxError(ValueError):
    """Bytes that onnxruntime cannot run."""


def session(content: bytes) -> Any:
    """An onnxruntime session of the network, whose `run` several threads may call at once.

    Raises:
        NotOnnxError: If it is no network in ONNX, or one that this onnxruntime does not know.
    """
    onnxruntime.set_default_logger_severity(_FATAL)  # it warns of processors that it cannot name
    options = onnxruntime.SessionOptions()
    # Several recordings share the cores; threads inside one would wait for each other.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each kind, with no common parent
        first = str(error).partition("\n")[0]
        raise NotOnnxError(first) from error
