"""Try trained networks on worse recordings, other languages and slices of their test clips."""

from pathlib import Path

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.models import judged_models
from voicetraits.params import load_params
from voicetraits.report.evaluate import evaluate, write_evaluation


def main() -> None:
    """Read models/ and data/wav/; write metrics/ and plots/."""
    params = load_params()
    models = [(model, Path("models", model.folder)) for model in judged_models(params)]
    fetch_missing([Path("data/wav", locale) for locale in params.locales])
    fetch_missing({folder for _, folder in models})
    found = evaluate(models, params, wavs=Path("data/wav"))
    write_evaluation(found)
    print(f"{len(found['calibration'])} models tried; see plots/evaluation/")


if __name__ == "__main__":
    run(main)
