"""Train and test one model: a network, by what it learns, where, and what it sees."""

from pathlib import Path

import pandas as pd

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.dataset.pitch import read_pitch
from voicetraits.models import Model, declared_homes, declared_model
from voicetraits.networks import ANY_LENGTH
from voicetraits.params import load_params
from voicetraits.sample.phones import phone_numbers
from voicetraits.storage.places import home, shards
from voicetraits.training.on_frames import PHONES
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
    if model.network in ANY_LENGTH and params.frames.phones and _tells_languages(model):
        clips[PHONES] = _phones(clips)
    print(train_model(model, clips, folders, params, out=Path("models", model.folder)))


def _tells_languages(model: Model) -> bool:
    """Whether the network learns languages, which phones make easier."""
    return any(task.column == "locale" for task in model.task.tasks)


def _phones(clips: pd.DataFrame) -> list[list[int]]:
    """Phones of every clip by number. A clip counts once, in however many splits it is."""
    names = clips[["corpus", "locale", "clip"]]
    once = names.drop_duplicates()
    numbers = dict(
        zip(
            once.itertuples(index=False, name=None),
            phone_numbers(clips.loc[once.index]),
            strict=True,
        )
    )
    return [numbers[each] for each in names.itertuples(index=False, name=None)]


if __name__ == "__main__":
    run(main)
