"""The clip table as a file: one row per row of the corpus's own table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from voicetraits.corpus.layout import CorpusError
from voicetraits.storage.files import whole_file

CLIP_COLUMNS = pa.schema(
    [
        ("clip", pa.string()),  # file name inside clips/; "" in a broken row
        ("speaker", pa.string()),  # speaker_hash(client_id); "" where there is none
        ("gender", pa.string()),  # one of GENDERS, or "" where not given
        ("age", pa.string()),  # as Common Voice spells it, e.g. "twenties", "fourties"; or ""
        ("accent", pa.string()),  # the first that the speaker names; or ""
        ("source", pa.string()),  # where the clip comes from, if the corpus has several; or ""
        ("sentence", pa.string()),  # what is read aloud in a clip that is used; or ""
        ("duration", pa.float32()),  # seconds, as the tables give it; NaN where unknown
        ("part", pa.string()),  # training, validation or test, of Common Voice's splits; or ""
        ("excluded", pa.string()),  # why the clip is not used; "" for a selected clip
    ]
)


def write_clips(table: pd.DataFrame, path: str | Path) -> None:
    """Write a clip table as Parquet: the same table gives the same bytes.

    The sentences of clips that are not used, most of a large corpus, are left out.
    """
    table = table.assign(sentence=table["sentence"].where(table["excluded"] == "", ""))
    arrow = pa.Table.from_pandas(table, schema=CLIP_COLUMNS, preserve_index=False)
    with whole_file(Path(path)) as partial:
        # Without pandas' own metadata, which names its version.
        pq.write_table(arrow.replace_schema_metadata(None), partial, compression="zstd")


def read_clips(path: str | Path) -> pd.DataFrame:
    """Read a clip table, with CLIP_COLUMNS.

    Raises:
        CorpusError: If the file is missing or holds no clip table.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise CorpusError(f"{path}: no clip table ({error}); run the select stage") from error
    if table.schema != CLIP_COLUMNS:
        raise CorpusError(f"{path}: a table with other columns; run the select stage")
    return table.to_pandas()
