"""Train and test one model: a network, by what it learns, where, and what it sees."""

from pathlib import Path

import pandas as pd

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.dataset.pitch import read_pitch
from voicetraits.models import declared_homes, declared_model
from voicetraits.params import load_params
from voicetraits.storage.places import home, shards
from voicetraits.training.run import train_model


def main(task: str, locale: str, representation: str, network: str) -> None:
    """Read data/splits/<task>-<locale>.parquet, arrays and pitch; write models/<its name>/.

    With the locale `all`, of all locales together.
    """
    params = load_params()
    model = declared_model(params, task, locale, representation, network)
    folders = {
        home(*each): shards(representation, *each) for each in declared_homes(params, model.locales)
    }
    pitch = {name: Path("data/pitch", f"{name}.parquet") for name in model.locales}
    fetch_missing([*folders.values(), *pitch.values()])
    clips = pd.read_parquet(Path("data/splits", f"{model.split}.parquet"))
    own = clips["corpus"] == ""
    clips.loc[own, "f0"] = read_pitch(clips[own], pitch)["f0"].to_numpy()
    print(train_model(model, clips, folders, params, out=Path("models", model.folder)))


if __name__ == "__main__":
    run(main)
