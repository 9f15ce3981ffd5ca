"""`dvc repro` as `make repro` runs it: quick with dvc.lock, and silent but for why it fails.

    python -P stages/_dvc.py --single-item extract@es-features

DVC writes dvc.lock anew after every stage. To keep comments, for which this file has no place, it
reads it in pure Python first: a second for one of 66 stages, 66 times.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dvc.dvcfile
import dvc.lock
from dvc.cli import main
from dvc.utils.serialize import dump_yaml, load_yaml, modify_yaml

from voicetraits.storage.files import whole_file

_LOCK_TIMEOUT = 0.3  # seconds; DVC asks six times in it, and with --wait-for-lock at that pace on


@contextmanager
def modify(path: str, fs: Any = None) -> Iterator[dict[str, Any]]:
    """What DVC's `modify_yaml` does, to the byte; dvc.lock is read by the C library.

    It is also whole at any time, so that a run may be interrupted.
    """
    if Path(path).suffix != ".lock":
        with modify_yaml(path, fs=fs) as content:
            yield content
        return
    content = load_yaml(path) if Path(path).exists() else {}
    yield content
    with whole_file(Path(path)) as temporary:
        dump_yaml(temporary, content)


if __name__ == "__main__":
    dvc.dvcfile.modify_yaml = modify
    dvc.lock.DEFAULT_TIMEOUT = _LOCK_TIMEOUT
    # --quiet would hide why it failed, too; this keeps the errors of its command line.
    logging.getLogger("dvc.cli").setLevel(logging.ERROR)
    sys.argv[0] = "dvc repro"
    sys.exit(main(["--wait-for-lock", "repro", "--quiet", *sys.argv[1:]]))
