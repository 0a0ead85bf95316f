"""Binance's archive (data.binance.vision): monthly files, each with the checksum published beside it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.checksums import fetch_with_checksum
from perp_pipeline.sources.complete import Window, require_whole, times_of
from perp_pipeline.sources.errors import FormatChanged, IncompleteBody
from perp_pipeline.sources.monthly import PUBLISHED_AFTER, MonthRows, fetch_parsed, signed, utc_from
from perp_pipeline.sources.rows import numbers
from perp_pipeline.sources.unpack import unzip_single

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

ARCHIVE = "https://data.binance.vision/data"

KLINE_NAMES = ("open_time", "open", "high", "low", "close", "volume_base")
"""The first of a kline's twelve fields."""
_FROM_MICROSECONDS = 10**14
"""Epoch numbers from here on are microseconds (as milliseconds: the year 5138)."""


def read_member(content: bytes, symbol: str) -> bytes:
    """The CSV in a zip, whose name must be of the symbol.

    Raises:
        TransientError: a damaged zip, or a file of another symbol.
        FormatChanged: another zip layout.
    """
    text = unzip_single(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        name = archive.namelist()[0]
    if not name.startswith(f"{symbol}-"):
        raise IncompleteBody(f"the zip holds {name}, which is not of {symbol}")
    return text


def read_csv(text: bytes, *, header: bool) -> pd.DataFrame:
    """A CSV with all fields as they stand.

    Raises:
        IncompleteBody: the file is empty.
        FormatChanged: it is no CSV.
    """
    try:
        return pd.read_csv(
            io.BytesIO(text), header=0 if header else None, dtype=object, keep_default_na=False
        )
    except pd.errors.EmptyDataError as error:
        raise IncompleteBody("the file is empty") from error
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise FormatChanged(f"not the documented CSV ({error})") from error


def parse_klines(content: bytes, symbol: str) -> pd.DataFrame:
    """A zipped month of klines, with or without a header; times in milliseconds to 2024-12, microseconds
    since.

    Returns:
        open_time (UTC), open, high, low, close (quote per base), volume_base.

    Raises:
        TransientError: a damaged zip, or values that are not numbers.
        FormatChanged: another zip layout or columns.
    """
    text = read_member(content, symbol)
    raw = read_csv(text, header=text[:1].isalpha())
    if len(raw.columns) < 11:
        raise FormatChanged(f"klines have 12 columns, these have {len(raw.columns)}")
    raw = raw.iloc[:, : len(KLINE_NAMES)].set_axis(list(KLINE_NAMES), axis=1)
    opened = numbers(raw, "open_time").astype("int64")
    micros = np.where(opened < _FROM_MICROSECONDS, opened * 1000, opened)
    frame = pd.DataFrame({"open_time": utc_from(micros, 1)})
    for name in KLINE_NAMES[1:]:
        frame[name] = numbers(raw, name)
    return frame


def archive_file(
    http: Http, url: str, window: Window, read: Callable[[bytes], pd.DataFrame], contract: Contract
) -> tuple[Body, pd.DataFrame, tuple[Request, ...]] | None:
    """A monthly file, verified by its checksum, and its rows; None where there is none.

    A file appears some days after its month: until then an absence is not final.
    """
    requests = request, checksum = of_archive(url)
    final = window.now >= window.month.end + PUBLISHED_AFTER
    label = f"binance {contract.name} {window.month} {window.listed.symbol}"

    def ask(check: BodyCheck) -> Body | None:
        return fetch_with_checksum(http, request, checksum, final=final, check=check, label=label)

    found = fetch_parsed(http, requests, ask, read)
    return None if found is None else (*found, requests)


def of_archive(url: str) -> tuple[Request, Request]:
    """What is asked for a file: itself and its checksum."""
    return Request(url), Request(f"{url}.CHECKSUM")


def archived_bars(
    http: Http,
    window: Window,
    contract: Contract,
    url: str,
    step: int,
    parse: Callable[[bytes], pd.DataFrame],
) -> MonthRows | None:
    """A month of bars from its file; None where there is none.

    Args:
        step: microseconds from bar to bar.
        parse: rows of the file in time order, with the column ``open_time``.

    Raises:
        SourceError: the file cannot be had, does not read, or is not whole.
    """

    def read(content: bytes) -> pd.DataFrame:
        frame = parse(content)
        require_whole(times_of(frame["open_time"]), step, window)
        return frame

    found = archive_file(http, url, window, read, contract)
    if found is None:
        return None
    body, frame, requests = found
    return MonthRows(signed(frame, body, symbol=window.listed.symbol), requests, step, step)
