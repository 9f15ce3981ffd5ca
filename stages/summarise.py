"""Gather the results of all models into metrics/ and plots/."""

import json
from pathlib import Path

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.models import declared_models, judged_models
from voicetraits.params import load_params
from voicetraits.report.summary import (
    draw_undersampling,
    read_reasons,
    write_corpus,
    write_results,
)


def main() -> None:
    """Read models/, data/clips/, data/wav/ and data/splits/; write metrics/ and plots/."""
    params = load_params()
    models = declared_models(params)
    fetch_missing(
        [Path("data/clips", f"{locale}.parquet") for locale in params.locales]
        + [Path("data/wav", locale) for locale in params.locales]
        + [Path("data/splits", f"{model.split}.parquet") for model in models]
        + [Path("models", model.folder) for model in models]
    )
    corpus = write_corpus(params.locales)
    judged = judged_models(params)
    reasons = read_reasons(judged)
    headline = write_results(judged, reasons, corpus, seed=params.seed)
    # From clips of any length, classes are drawn equally often, and none is left out.
    sampled = [model for model in models if model.network in params.networks]
    draw_undersampling(sampled, reasons, undersample=params.protocol.undersample)
    print(json.dumps(headline, indent=2))


if __name__ == "__main__":
    run(main)
