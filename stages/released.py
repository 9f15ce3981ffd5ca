"""Make the released model from real clips: `make released`.

    python -m stages.released speak              synthesise the speech of Pico
    python -m stages.released gather             convert the clips that released.yaml names
    python -m stages.released steps              print the steps that come next, in any order
    python -m stages.released final language     train the network of a task that is released
    python -m stages.released tested language    the same without some sources, and try it on them
    python -m stages.released card               calibrate them, write their file and its card

What the steps leave is in data/released/.
"""

from pathlib import Path

import pandas as pd

from stages._run import run
from voicetraits.errors import InputError
from voicetraits.networks.model_folder import LIVE, WEIGHTS
from voicetraits.params import load_params
from voicetraits.release.build import assign, assign_spoken, predict, train
from voicetraits.release.calibrate import FINAL, ROWS, TESTED, WORSE
from voicetraits.release.clips import FOREIGN, gather
from voicetraits.release.recipe import Recipe, read_recipe
from voicetraits.release.worse import WorseClips, predict_worse, worse_clips
from voicetraits.sample.phones import phone_numbers
from voicetraits.storage.files import fresh_folder
from voicetraits.storage.shards import write_table
from voicetraits.tasks import Task

WORK = Path("data/released")
CLIPS = WORK / "clips.parquet"
STEPS = (FINAL, TESTED)  # of each task


def main(step: str, task: str = "") -> None:
    """Do one step."""
    recipe = read_recipe(Path("released.yaml"))
    if step == "speak":
        from voicetraits.sample.pico import write_pico

        for locale in recipe.languages:
            count = write_pico(locale, WORK / "pico" / locale, **recipe.pico.model_dump())
            print(f"pico {locale}: {count:,} clips")
    elif step == "gather":
        clips, folders = gather(recipe, WORK / "corpora", analysis=load_params().extract)
        write_table(CLIPS, _with_phones(clips, recipe))
        write_table(WORK / "folders.parquet", pd.Series(folders).astype(str).reset_index())
        print(clips.groupby(["corpus", "language"]).size().to_string())
    elif step == "steps":
        print(*(f"{name} {each.name}" for each in recipe.tasks for name in STEPS), sep="\n")
    elif step == "card":
        from voicetraits.release.write import write_release  # loads Keras

        write_release(recipe, WORK)
    elif step in STEPS and task in (known := {each.name: each for each in recipe.tasks}):
        _train(recipe, known[task], step)
    else:
        raise InputError(
            f"{step} {task}: no such step; `python -m stages.released steps` lists all"
        )


def _with_phones(clips: pd.DataFrame, recipe: Recipe) -> pd.DataFrame:
    """Clips with the phones of their sentence, where a network learns these."""
    of = {name for each in recipe.tasks for name in recipe.learned_phones(each)}
    useful = clips["sentence"].where(clips["corpus"].isin(of), "")
    phones = phone_numbers(clips.assign(sentence=useful))
    return clips.assign(phones=pd.Series(phones, index=clips.index)).drop(columns="sentence")


def read_folders() -> dict[str, Path]:
    """Folder of array shards by its `home`, as the first step left them."""
    table = pd.read_parquet(WORK / "folders.parquet")
    return {home: Path(path) for home, path in table.itertuples(index=False)}


def spoilt(clips: pd.DataFrame, recipe: Recipe) -> WorseClips:
    """Clips under every condition."""
    params = load_params().model_copy(update={"seed": recipe.seed, "clip": recipe.clip})
    return worse_clips(clips, params, corpora=WORK / "corpora")


def _train(recipe: Recipe, task: Task, name: str) -> None:
    """Train the network of a task, and predict what was left out."""
    table, leave_out = pd.read_parquet(CLIPS), name == TESTED
    clips = assign(table, recipe, task, leave_out=leave_out)
    spoken = assign_spoken(table, recipe, task, leave_out=leave_out)
    with fresh_folder(WORK / name / task.name) as folder:
        network = train(
            clips,
            read_folders(),
            recipe,
            task,
            live_folder=folder / LIVE,
            label=f"{name} {task.name}",
            spoken=spoken,
        )
        network.save_weights(folder / WEIGHTS)
        if name == TESTED:
            tested = predict(network, clips, read_folders(), recipe, task)
            write_table(folder / ROWS, tested)
            own = tested[tested["language"].ne(FOREIGN) & tested[task.column].isin(task.classes)]
            worse = predict_worse(network, spoilt(own, recipe), recipe, task)
            write_table(folder / WORSE, worse)
    print(f"{name} {task.name}: trained")


if __name__ == "__main__":
    run(main)
