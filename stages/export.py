"""Export every trained network as one ONNX file, for `voicetraits predict --model`."""

from pathlib import Path

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.export.folder import export_folder
from voicetraits.models import declared_models
from voicetraits.networks.model_folder import WITHOUT_FIGURES, read_sidecar
from voicetraits.params import load_params
from voicetraits.storage.files import fresh_folder

SAMPLE = Path("data/sample")


def main() -> None:
    """Read models/; write data/exported/<model>.onnx."""
    params = load_params()
    corpora = [params.corpus.path, *(corpus.path for corpus in params.beside)]
    synthetic = all(Path(path) == SAMPLE for path in corpora)
    kind = "synthetic voices of the sample" if synthetic else f"clips of {', '.join(corpora)}"
    folders = {model.folder: model for model in declared_models(params)}
    fetch_missing(Path("models", name) for name in folders)
    with fresh_folder(Path("data/exported")) as out:
        for name, model in folders.items():
            folder = Path("models", name)
            if any(read_sidecar(folder)[status] for status in WITHOUT_FIGURES):
                continue
            export_folder(
                folder,
                out / f"{name}.onnx",
                synthetic=synthetic,
                trained_on=f"{kind}, {', '.join(model.locales)}",
            )
    print(f"{len(list(Path('data/exported').iterdir()))} of {len(folders)} models exported")


if __name__ == "__main__":
    run(main)
