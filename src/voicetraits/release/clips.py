"""The clips of several corpora as one table, with their log-mel."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from voicetraits.audio.convert import convert
from voicetraits.corpus.open import Corpus, open_corpus
from voicetraits.features.extract import extract
from voicetraits.params import Extract
from voicetraits.release.recipe import Recipe, ReleasedCorpus
from voicetraits.selection.caps import cap_clips
from voicetraits.selection.clip_table import read_clip_table
from voicetraits.storage.places import home
from voicetraits.storage.shards import INDEX

FOREIGN = "foreign"
REPRESENTATION = "mel"


def gather(
    recipe: Recipe, work: Path, *, analysis: Extract
) -> tuple[pd.DataFrame, dict[str, Path]]:
    """Convert all clips, and extract what the network sees.

    Args:
        recipe: Which corpora, and what of them.
        work: Folder for WAV and array shards, which are made anew: the recipe may have changed.
        analysis: Of no matter to log-mel; `extract` asks for it.

    Returns:
        The index of all clips, with corpus, source, `language` (one of the recipe, or FOREIGN),
        and synthetic; and the folder of array shards by its `home`.
    """
    tables, folders = [], {}
    for corpus in recipe.corpora:
        for locale in corpus.locales:
            here = work / corpus.name / locale
            opened = open_corpus(corpus.path, locale)
            _prepare(opened, corpus, recipe, here, analysis=analysis)
            index = pd.read_parquet(here / "wav" / INDEX)
            folders[home(locale, corpus.name)] = here / REPRESENTATION
            language = locale if locale in recipe.languages else FOREIGN
            tables.append(
                index.assign(corpus=corpus.name, language=language, synthetic=corpus.synthetic)
            )
    # A clip that two corpora hold counts once, as the first has it.
    clips = pd.concat(tables, ignore_index=True)
    return clips.drop_duplicates("checksum", ignore_index=True), folders


def _prepare(
    opened: Corpus, corpus: ReleasedCorpus, recipe: Recipe, here: Path, *, analysis: Extract
) -> None:
    table = read_clip_table(opened, told_by=corpus.source)
    if corpus.sources:
        other = table["excluded"].eq("") & ~table["source"].isin(list(corpus.sources))
        table.loc[other, "excluded"] = "of a source that is not used"
    table = cap_clips(
        table, per_speaker=recipe.clips_per_speaker, per_locale=len(table) + 1, seed=recipe.seed
    )
    wanted = set(table.loc[table["excluded"] == "", "clip"])
    convert(
        table,
        opened.clips(wanted),
        recipe.clip,
        locale=opened.locale,
        out=here / "wav",
        unread=opened.unread,
    )
    extract(
        here / "wav",
        REPRESENTATION,
        clip=recipe.clip,
        analysis=analysis,
        out=here / REPRESENTATION,
    )
