"""Refuse an unknown key or an impossible value of params.yaml before any work."""

from pathlib import Path

from stages._run import run
from voicetraits.params import ParamsError, load_params


def main() -> None:
    """Read params.yaml; write data/params-are-valid."""
    corpus = Path(load_params().corpus.path)
    # The sample corpus is yet to be made; DVC would refuse any other with less of a message.
    if corpus != Path("data/sample") and not corpus.is_dir():
        raise ParamsError(
            f"params.yaml: corpus.path = {str(corpus)!r} is not a folder; name one that holds "
            "<locale>.tar.gz, <locale>.tar or <locale>/"
        )
    # Always the same bytes: a change of params.yaml reruns this check, and only the stages that
    # read the changed section after it.
    Path("data").mkdir(exist_ok=True)
    Path("data/params-are-valid").write_text("params.yaml was read without errors\n")


if __name__ == "__main__":
    run(main)
