"""Refuse an unknown key or an impossible value of params.yaml before any work."""

from pathlib import Path

from stages._run import run
from voicetraits.params import load_params


def main() -> None:
    """Read params.yaml; write data/params-are-valid."""
    load_params()
    # Always the same bytes: a change of params.yaml reruns this check, and only the stages that
    # read the changed section after it.
    Path("data").mkdir(exist_ok=True)
    Path("data/params-are-valid").write_text("params.yaml was read without errors\n")


if __name__ == "__main__":
    run(main)
