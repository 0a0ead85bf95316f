"""The record of rows that cleaning kept out of a table: which, from where, why, and when it was built."""

from __future__ import annotations

import io

import pandas as pd

from perp_pipeline.lake import files
from perp_pipeline.lake.lake import Lake
from perp_pipeline.months import Span

FOLDER = "_kept_out"
KEY = ["table", "key", "reason"]
COLUMNS = ("table", "key", "reason", "months")


def record_kept_out(lake: Lake, built: str, dropped: pd.DataFrame, span: Span | None) -> None:
    """Bring the record of a table up to date with a build of it.

    Rows recorded by builds of no other months are forgotten unless this build keeps them out as well.

    Args:
        built: the table that lacks the rows.
        dropped: table they came from, their key as text, the reason.
        span: the months that were built; None for a table that is always built whole.
    """
    known = kept_out(lake, built)[list(COLUMNS)]
    if dropped.empty and known.empty:
        return
    elsewhere = known[[not _within(months, span) for months in known["months"]]]
    new = dropped[KEY].astype(str).assign(months=str(span or ""))
    rows = pd.concat([elsewhere, new], ignore_index=True).drop_duplicates(KEY, keep="last")
    content = rows.sort_values(KEY, ignore_index=True).to_csv(index=False, lineterminator="\n").encode()
    path = lake.root / FOLDER / f"{built}.csv"
    if not (path.exists() and path.read_bytes() == content):
        files.put(lake.root, path, content)


def kept_out(lake: Lake, built: str | None = None) -> pd.DataFrame:
    """Rows kept out of one table, or of all.

    Returns:
        ``built`` without them, ``table``, ``key``, ``reason``, and the ``months`` of the build; empty for a
        table that is always built whole.
    """
    folder = lake.root / FOLDER
    found = sorted(folder.glob(f"{built or '*'}.csv")) if folder.exists() else []
    frames = [
        pd.read_csv(io.BytesIO(path.read_bytes()), dtype=str, keep_default_na=False).assign(built=path.stem)
        for path in found
    ]
    empty = pd.DataFrame(columns=["built", *COLUMNS], dtype=str)
    return pd.concat([empty, *frames], ignore_index=True)[["built", *COLUMNS]].fillna("")


def _within(months: str, span: Span | None) -> bool:
    """Whether a build of ``months`` is repeated by one of ``span``; one that names none always is."""
    if span is None or not months:
        return True
    first, _, last = months.partition("..")
    told = Span.parse(first, last or first)
    return told.first in span and told.last in span
