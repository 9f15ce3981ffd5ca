"""Make the released model from real clips: `make released`.

    python -m stages.released gather     convert the clips that released.yaml names
    python -m stages.released steps      print the steps that come next, in any order
    python -m stages.released round 1    train without the first left-out sources, predict them
    python -m stages.released final 0    train the network that is released
    python -m stages.released card       calibrate it, write its file and its card

What the steps leave is in data/released/.
"""

from pathlib import Path

import pandas as pd

from stages._run import run
from voicetraits.dataset.parts import TEST
from voicetraits.networks.model_folder import LIVE, WEIGHTS
from voicetraits.params import load_params
from voicetraits.release.build import assign, tasks, train
from voicetraits.release.clips import FOREIGN, gather
from voicetraits.release.recipe import Recipe, read_recipe
from voicetraits.release.worse import predict_worse
from voicetraits.storage.files import fresh_folder
from voicetraits.storage.shards import write_table

WORK = Path("data/released")
CLIPS = WORK / "clips.parquet"


def main(step: str, number: str = "0") -> None:
    """Do one step."""
    recipe = read_recipe(Path("released.yaml"))
    if step == "gather":
        clips, folders = gather(recipe, WORK / "corpora", analysis=load_params().extract)
        write_table(CLIPS, clips)
        write_table(WORK / "folders.parquet", pd.Series(folders).astype(str).reset_index())
        print(clips.groupby(["corpus", "language"]).size().to_string())
    elif step == "steps":
        print("final 0", *(f"round {n + 1}" for n in range(len(recipe.left_out))), sep="\n")
    elif step in ("round", "final"):
        _train(recipe, int(number))
    elif step == "card":
        from voicetraits.release.write import write_release

        write_release(recipe, WORK)


def read_folders() -> dict[str, Path]:
    """Folder of array shards by its `home`, as the first step left them."""
    table = pd.read_parquet(WORK / "folders.parquet")
    return {home: Path(path) for home, path in table.itertuples(index=False)}


def _train(recipe: Recipe, number: int) -> None:
    """Train without the left-out sources of a round, or, with 0, with all."""
    left_out = recipe.left_out[number - 1] if number else []
    name = f"round-{number}" if number else "final"
    clips = assign(pd.read_parquet(CLIPS), recipe, left_out=left_out)
    with fresh_folder(WORK / name) as folder:
        network, tested = train(
            clips,
            read_folders(),
            recipe.of_one_network() if number else recipe,
            live_folder=folder / LIVE,
            label=name,
        )
        network.save_weights(folder / WEIGHTS)
        for task, rows in tested.items():
            write_table(folder / f"{task}.parquet", rows)
        if number:
            own = clips[clips["part"].eq(TEST) & clips["language"].ne(FOREIGN)]
            shared = {"seed": recipe.seed, "clip": recipe.clip, "frames": recipe.frames}
            params = load_params().model_copy(update=shared)
            worse = predict_worse(network, own, tasks(recipe), params, corpora=WORK / "corpora")
            for task, rows in worse.items():
                write_table(folder / f"{task}-worse.parquet", rows)
    print(f"{name}: trained")


if __name__ == "__main__":
    run(main)
