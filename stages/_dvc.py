"""`dvc repro` as `make repro` runs it: quick with dvc.lock, and silent but for why it fails.

    python -P stages/_dvc.py --single-item extract@es-features

After every stage, DVC reads and writes all of dvc.lock in pure Python, which takes two seconds for
66 stages. Here the C library reads it, and only the stage that has changed is written anew.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dvc.dvcfile
import dvc.lock
from dvc.cli import main
from dvc.utils.serialize import dumps_yaml, load_yaml, loads_yaml, modify_yaml

from voicetraits.storage.files import whole_file

_LOCK_TIMEOUT = 0.3  # seconds; DVC asks six times in it, and with --wait-for-lock at that pace on


@contextmanager
def modify(path: str, fs: Any = None) -> Iterator[dict[str, Any]]:
    """What DVC's `modify_yaml` does, to the byte; dvc.lock is also whole at any time."""
    file = Path(path)
    if file.suffix != ".lock":
        with modify_yaml(path, fs=fs) as content:
            yield content
        return
    content = load_yaml(path) if file.exists() else {}
    before = dict(content.get("stages", {}))
    yield content
    stages = content.get("stages", {})
    # DVC puts another object in the place of a stage, and changes none.
    changed = {name: stage for name, stage in stages.items() if stage is not before.get(name)}
    text = with_stages(file.read_text("utf-8"), changed) if before else ""
    if not text or loads_yaml(text) != content:
        text = dumps_yaml(content)
    with whole_file(file) as temporary:
        temporary.write_text(text, "utf-8")


def with_stages(lock: str, changed: Mapping[str, Any]) -> str:
    """The text of dvc.lock with some stages as they are now; new ones come last."""
    for name, stage in changed.items():
        _, _, block = dumps_yaml({"stages": {name: stage}}).partition("\n")
        head, _, _ = block.partition("\n")
        # Up to the next line that is indented no further.
        pattern = rf"^{re.escape(head)}\n(?:(?! {{0,2}}\S).*\n)*"
        old = re.search(pattern, lock, re.MULTILINE)
        lock = lock[: old.start()] + block + lock[old.end() :] if old else lock + block
    return lock


if __name__ == "__main__":
    dvc.dvcfile.modify_yaml = modify
    dvc.lock.DEFAULT_TIMEOUT = _LOCK_TIMEOUT
    # --quiet would hide why it failed, too; this keeps the errors of its command line.
    logging.getLogger("dvc.cli").setLevel(logging.ERROR)
    sys.argv[0] = "dvc repro"
    sys.exit(main(["--wait-for-lock", "repro", "--quiet", *sys.argv[1:]]))
