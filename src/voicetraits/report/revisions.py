"""Results of a commit, an experiment or the work tree, and what they were made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicetraits.errors import InputError

WORK_TREE = (".", "workspace")
_MODELS = "models/"
_REQUIREMENTS = "requirements.txt"
_CODE = ("src/", "stages/")


class RevisionError(InputError):
    """A revision that is not there, or whose results are not."""


@dataclass(frozen=True)
class Stage:
    """What DVC has recorded of a stage when it ran.

    Attributes:
        command: That it ran.
        params: Values by dotted name, e.g. train.epochs.
        code: Checksums of our own source files and folders.
        inputs: Checksums of what it read, but for code.
        outputs: Checksums of what it wrote.
        after: Names of the stages whose outputs it used, directly or not.
    """

    command: str
    params: Mapping[str, Any]
    code: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    after: frozenset[str]


@dataclass(frozen=True)
class Revision:
    """One state of the repository.

    Attributes:
        name: As it was asked for.
        commit: Its checksum in Git; empty of the work tree.
        stages: By name.
        requirements: The pinned environment; empty where there is none.
        changed: In the work tree, the parameters and code that changed after the results were made.
        cache: Where DVC keeps outputs by their checksum.
    """

    name: str
    commit: str
    stages: Mapping[str, Stage]
    requirements: str
    changed: tuple[str, ...]
    cache: Path

    @property
    def title(self) -> str:
        """The name with the start of the commit's checksum, for people."""
        if not self.commit:
            return "the work tree"
        return self.name if self.commit.startswith(self.name) else f"{self.name} ({self.commit:.7})"

    @property
    def models(self) -> dict[str, str]:
        """Names of the trained models, each with the name of its stage."""
        return {
            path.removeprefix(_MODELS): name
            for name, stage in self.stages.items()
            for path, checksum in stage.outputs.items()
            if path.startswith(_MODELS) and checksum
        }

    def file(self, model: str, name: str) -> Path | None:
        """Where a file of a model's folder lies; none if the folder has no such file.

        Raises:
            RevisionError: If the folder, or the file in it, is not on this machine.
        """
        folder = f"{_MODELS}{model}"
        if not self.commit:
            if not Path(folder).is_dir():
                raise RevisionError(
                    f"{folder}: not there; run `make repro`, or `dvc pull` where there is a remote"
                )
            return path if (path := Path(folder, name)).is_file() else None
        listed = self._cached(self.stages[self.models[model]].outputs[folder], folder)
        for each in json.loads(listed.read_text(encoding="utf-8")):
            if each["relpath"] == name:
                return self._cached(each["md5"], f"{folder}/{name}")
        return None

    def _cached(self, checksum: str, what: str) -> Path:
        path = self.cache / checksum[:2] / checksum[2:]
        if not path.is_file():
            raise RevisionError(
                f"{self.title}: {what} is not in DVC's cache; check it out and run `make repro`, "
                "or, where a DVC remote has it, run `dvc fetch --all-commits`"
            )
        return path


def read_revision(name: str) -> Revision:
    """Read what DVC has recorded of a revision; the folder is that of the repository.

    Args:
        name: A commit, tag, branch or experiment, or one of WORK_TREE.

    Raises:
        RevisionError: If it is not there, or has no pipeline with results.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo
    from dvc.scm import RevError, resolve_rev

    if not name:
        raise _absent("''", "it names none")
    try:
        with Repo() as repo:
            commit = "" if name in WORK_TREE else resolve_rev(repo.scm, name)
            if commit:  # and not a file or a folder, which have checksums, too
                commit = resolve_rev(repo.scm, f"{commit}^{{commit}}")
            with repo.switch(commit or "workspace"):
                found = Revision(
                    name=name,
                    commit=commit,
                    stages=dict(_stages(repo)),
                    requirements=_text(repo, _REQUIREMENTS),
                    changed=() if commit else tuple(sorted(set(_changed(repo)))),
                    cache=Path(repo.cache.local.path),
                )
    except RevError as error:
        raise _absent(name, error) from error
    except NotDvcRepoError as error:
        raise RevisionError(
            f"{Path.cwd()}: not in a clone of the repository; go to the folder of dvc.yaml"
        ) from error
    except DvcException as error:
        raise RevisionError(f"{name}: its pipeline cannot be read: {error}") from error
    if not found.models:
        raise RevisionError(
            f"{found.title}: dvc.lock records no model; run `make repro` there and commit dvc.lock"
        )
    return found


def _absent(name: str, why: object) -> RevisionError:
    return RevisionError(
        f"{name}: no commit, tag, branch or experiment of this name ({why}); see `git log` and "
        "`dvc exp list --all-commits`"
    )


def _stages(repo: Any) -> Iterator[tuple[str, Stage]]:
    import networkx

    for stage in repo.index.stages:
        params: dict[str, Any] = {}
        code, inputs = {}, {}
        for dep in stage.deps:
            if dep.hash_info.name == "params":
                params |= flat(dep.hash_info.value or {})
            elif _is_code(dep.def_path):
                code[dep.def_path] = dep.hash_info.value or ""
            else:
                inputs[dep.def_path] = dep.hash_info.value or ""
        yield (
            stage.name,
            Stage(
                command=str(stage.cmd),
                params=params,
                code=code,
                inputs=inputs,
                outputs={out.def_path: out.hash_info.value or "" for out in stage.outs},
                after=frozenset(
                    each.name for each in networkx.descendants(repo.index.graph, stage)
                ),
            ),
        )


def _changed(repo: Any) -> Iterator[str]:
    """Parameters and code that are no longer those that the models were made from.

    Raises:
        RevisionError: If the models are those of another revision.
    """
    for stage in repo.index.stages:
        models = [out for out in stage.outs if out.def_path.startswith(_MODELS)]
        if not models:
            continue
        for out in models:
            if "modified" in out.status().values():
                raise RevisionError(
                    f"{out.def_path}: not what dvc.lock records; run `dvc checkout` or `make repro`"
                )
        for dep in stage.deps:
            if dep.hash_info.name == "params":
                before, now = flat(dep.hash_info.value or {}), flat(dep.read_params())
                yield from (key for key in {*before, *now} if before.get(key) != now.get(key))
            elif _is_code(dep.def_path) and dep.status():
                yield dep.def_path


def _is_code(path: str) -> bool:
    return path.startswith(_CODE)


def _text(repo: Any, name: str) -> str:
    path = repo.fs.join(repo.root_dir, name)
    return str(repo.fs.read_text(path, encoding="utf-8")) if repo.fs.exists(path) else ""


def flat(values: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Nested values by their dotted names.

    >>> flat({"train": {"epochs": 3}, "split.min_speakers": 4})
    {'train.epochs': 3, 'split.min_speakers': 4}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{start}{name}.")
        else:
            found[f"{start}{name}"] = value
    return found
