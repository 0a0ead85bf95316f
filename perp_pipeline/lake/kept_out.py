"""The record of rows that cleaning kept out of a table: which, from where, and why."""

from __future__ import annotations

import io

import pandas as pd

from perp_pipeline.lake import files
from perp_pipeline.lake.lake import Lake

FOLDER = "_kept_out"
COLUMNS = ("table", "key", "reason")


def record_kept_out(lake: Lake, built: str, dropped: pd.DataFrame) -> None:
    """Add rows to the record of the table that was built without them. Known rows are not repeated.

    Args:
        built: the table that lacks the rows.
        dropped: table they came from, their key as text, the reason.
    """
    if dropped.empty:
        return
    path = lake.root / FOLDER / f"{built}.csv"
    known = kept_out(lake, built)
    rows = pd.concat([known[list(COLUMNS)], dropped[list(COLUMNS)].astype(str)], ignore_index=True)
    rows = rows.drop_duplicates().sort_values(list(COLUMNS), ignore_index=True)
    content = rows.to_csv(index=False, lineterminator="\n").encode()
    if not (path.exists() and path.read_bytes() == content):
        files.put(lake.root, path, content)


def kept_out(lake: Lake, built: str | None = None) -> pd.DataFrame:
    """Rows kept out of one table, or of all: ``built`` without them, ``table``, ``key``, ``reason``."""
    folder = lake.root / FOLDER
    found = sorted(folder.glob(f"{built or '*'}.csv")) if folder.exists() else []
    frames = [
        pd.read_csv(io.BytesIO(path.read_bytes()), dtype=str, keep_default_na=False).assign(built=path.stem)
        for path in found
    ]
    empty = pd.DataFrame(columns=["built", *COLUMNS], dtype=str)
    return pd.concat([empty, *frames], ignore_index=True)[["built", *COLUMNS]]
