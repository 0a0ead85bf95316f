"""From JSON rows to typed columns: small steps that every venue's parser shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.sources.errors import FormatChanged, IncompleteBody
from perp_pipeline.sources.unpack import parse_json


def json_rows(content: bytes, wanted: Sequence[str]) -> pd.DataFrame:
    """A JSON list of objects as a table of the wanted members; others are ignored.

    Raises:
        TransientError: not JSON, or cut off.
        FormatChanged: not a list of objects, or a wanted member is in none of them.
        IncompleteBody: a member is in some rows only.
    """
    return object_rows(parse_json(content), wanted)


def object_rows(rows: Any, wanted: Sequence[str]) -> pd.DataFrame:
    """The same from what a JSON body holds: the list itself, or a member of its envelope."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FormatChanged(f"a list of rows was expected, there is {str(rows)[:80]!r}")
    if not rows:
        return pd.DataFrame({name: [] for name in wanted})
    if missing := [name for name in wanted if name not in rows[0]]:
        raise FormatChanged(f"rows have no {', '.join(missing)}; they have {', '.join(rows[0])}")
    try:
        return pd.DataFrame({name: [row[name] for row in rows] for name in wanted}, dtype=object)
    except KeyError as error:
        raise IncompleteBody(f"a row has no {error}") from error


def numbers(frame: pd.DataFrame, column: str, *, missing: Sequence[Any] = ()) -> np.ndarray:
    """A column as float64.

    Args:
        missing: values that stand for "unknown" and become NaN; with None among them, JSON's null does.

    Raises:
        IncompleteBody: a value is not a finite number; the message names the first.
    """
    values = frame[column].to_numpy(dtype=object)
    unknown = np.zeros(len(values), dtype=bool)
    if missing:
        unknown = np.fromiter((value in missing for value in values), dtype=bool, count=len(values))
        values = np.where(unknown, np.nan, values)
    result: np.ndarray = np.asarray(pd.to_numeric(values, errors="coerce"), dtype="float64")
    bad = ~np.isfinite(result) & ~unknown
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise IncompleteBody(f"{column} is not a number in {int(bad.sum())} rows, first {values[at]!r}")
    return result


def require_symbol(frame: pd.DataFrame, symbol: str) -> None:
    """Accept rows of one symbol alone.

    Raises:
        IncompleteBody: a row is of another symbol.
    """
    others = sorted(set(map(str, frame["symbol"])) - {symbol})
    if others:
        raise IncompleteBody(f"rows of {', '.join(others[:3])} came where {symbol} was asked for")


def iso_times(frame: pd.DataFrame, column: str) -> pd.Series:
    """A column of ISO 8601 texts in UTC (``2019-01-01T00:00:00.000Z``) as UTC stamps with microseconds.

    Raises:
        IncompleteBody: a text is not a time.
    """
    texts = [str(text) for text in frame[column]]
    stamps = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    if stamps.hasnans:
        raise IncompleteBody(f"{column} is not a time: {texts[int(stamps.isna().argmax())]!r}")
    return pd.Series(stamps.as_unit("us"), index=frame.index)
