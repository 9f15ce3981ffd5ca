"""The stages of dvc.yaml, one module each.

They take the library from beside them, wherever an environment has another copy installed: DVC
hashes the code of this work tree, so that is the code to run (a copy of a clone, a Git worktree,
`dvc exp run --temp` and `--queue` all borrow the environment of another folder).
"""

import sys
from importlib.util import find_spec
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src"
sys.path.insert(0, str(SOURCE))

if find_spec("pydantic") is None:
    sys.exit(
        f"error: {sys.executable} lacks the packages of the pipeline; activate the environment "
        "(source .venv/bin/activate), which `make .venv/ready` makes"
    )

import voicetraits  # noqa: E402

if not Path(str(voicetraits.__file__)).is_relative_to(SOURCE):
    sys.exit(
        f"error: the library was loaded from {voicetraits.__file__}, not from {SOURCE}, whose "
        "checksums DVC records; start the stage in a process of its own: python -m stages.<name>"
    )

from voicetraits.workers.environment import pin_environment  # noqa: E402
from voicetraits.workers.memory import keep_freed_memory  # noqa: E402

# Here, because this comes before any stage's import of NumPy, and before the first thread, which
# would get an arena of its own.
pin_environment()
keep_freed_memory()
