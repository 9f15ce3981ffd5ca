"""Make the released model from real clips: `make released`.

    python -m stages.released speak              synthesise the speech of Pico
    python -m stages.released gather             convert the clips that released.yaml names
    python -m stages.released steps first        print the steps that come next, in any order
    python -m stages.released steps then         print those that come after them
    python -m stages.released phones language    teach layers phones, for the networks of a task
    python -m stages.released final language     train the network of a task that is released
    python -m stages.released tested language    the same without some sources, and try it on them
    python -m stages.released card               calibrate them, write their file and its card

What the steps leave is in data/released/.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from stages._run import run
from voicetraits.errors import InputError
from voicetraits.networks.model_folder import LIVE, WEIGHTS
from voicetraits.params import load_params
from voicetraits.release.build import assign, assign_spoken, learn_phones, predict, train
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
KNOWN = "weights.npz"
PHONES = "phones"
STEPS = (FINAL, TESTED)  # of each task, after PHONES if its networks learn them


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
    elif step == "steps" and task in ("first", "then"):
        print(*_steps(recipe, first=task == "first"), sep="\n")
    elif step == "card":
        from voicetraits.release.write import write_release  # loads Keras

        write_release(recipe, WORK)
    elif step in (PHONES, *STEPS) and task in (known := {each.name: each for each in recipe.tasks}):
        (_learn_phones if step == PHONES else _train)(recipe, known[task], step)
    else:
        raise InputError(f"{step} {task}: no such step; the head of stages/released.py lists them")


def _steps(recipe: Recipe, *, first: bool) -> list[str]:
    """What can be done at once, or after that: what takes longest comes first."""
    begun = [each.name for each in recipe.tasks if recipe.learned_phones(each)]
    others = [each.name for each in recipe.tasks if each.name not in begun]
    at_once = [f"{PHONES} {name}" for name in begun]
    networks = [f"{step} {name}" for name in (others if first else begun) for step in STEPS]
    return at_once + networks if first else networks


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


def _learn_phones(recipe: Recipe, task: Task, name: str) -> None:
    """Teach layers phones, with which all networks of a task begin."""
    spoken = assign_spoken(pd.read_parquet(CLIPS), recipe, task)
    with fresh_folder(WORK / name / task.name) as folder:
        weights = learn_phones(
            *(spoken, read_folders(), recipe, task),
            live_folder=folder / LIVE,
            label=f"{name} for {task.name}",
        )
        np.savez(folder / KNOWN, *weights)


def _phones_known(recipe: Recipe, task: Task) -> list[np.ndarray] | None:
    """What the step before has left."""
    if not recipe.learned_phones(task):
        return None
    with np.load(WORK / PHONES / task.name / KNOWN) as weights:
        return list(weights.values())


def _train(recipe: Recipe, task: Task, name: str) -> None:
    """Train the network of a task, and predict what was left out."""
    clips = assign(pd.read_parquet(CLIPS), recipe, task, leave_out=name == TESTED)
    with fresh_folder(WORK / name / task.name) as folder:
        network = train(
            clips,
            read_folders(),
            recipe,
            task,
            live_folder=folder / LIVE,
            label=f"{name} {task.name}",
            begin=_phones_known(recipe, task),
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
