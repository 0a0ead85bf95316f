"""Pinned archives: public files that are sources like any other, and a user's own files beside them.

The list is data (``archives.toml``): where the file is, the digest of its bytes, which column is what, and
which zone its times are in. A second file of the same form adds entries or replaces those of the same name.
"""

from __future__ import annotations

import hashlib
import io
import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from perp_pipeline.sources.base import Body, Request
from perp_pipeline.sources.errors import ChecksumMismatch, FormatChanged, NotServed, PermanentError

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

TIME_UNITS = ("s", "ms", "s_or_ms", "text")
TIME_MEANINGS = ("instant", "bar_open", "bar_close", "session")
_MS_FROM = 1e11
"""Epoch numbers from here on are milliseconds: in seconds this is the year 5138."""
_EARLIEST = pd.Timestamp("2009-01-03")
_LATEST = pd.Timestamp("2100-01-01")


@dataclass(frozen=True)
class Roll:
    """When a series of first and second months moves on to the next contract.

    Attributes:
        first: first trade date that the rule holds on.
        sessions: so many sessions before a contract's last trading day, f1 is the next contract already; 0
            if the last trading day itself is the first that shows the next contract, -1 if the day after is.
    """

    first: date
    sessions: int


@dataclass(frozen=True)
class PinnedArchive:
    """One pinned file and how to read it. ``archives.toml`` explains each field.

    Attributes:
        symbol: the venue's symbol, or the product for futures.
        columns: table column to file column.
        constants: table column to value, for what the file does not say.
        rolls: for f1 and f2 series, rules by trade date, in order of time.
        gateway_only: no public server has the file, a gateway may.
    """

    name: str
    table: str
    venue: str
    symbol: str
    url: str
    time_column: str
    time_unit: str
    time_means: str
    columns: Mapping[str, str]
    sha256: str = ""
    bin_size: str = ""
    skip_lines: int = 0
    time_format: str = ""
    time_zone: str = "UTC"
    constants: Mapping[str, float | int | str] = field(default_factory=dict)
    rolls: tuple[Roll, ...] = ()
    gateway_only: bool = False
    notes: str = ""

    def __post_init__(self) -> None:
        for value, name, known in (
            (self.time_unit, "time_unit", TIME_UNITS),
            (self.time_means, "time_means", TIME_MEANINGS),
        ):
            if value not in known:
                raise ValueError(
                    f"archive {self.name!r}: {name} = {value!r} is not one of {', '.join(known)}"
                )
        if not self.columns:
            raise ValueError("columns is empty: map at least one table column")
        if not self.sha256 and not self.is_local:
            raise ValueError("a file from the network needs its sha256")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time_zone {self.time_zone!r}") from error

    @property
    def is_local(self) -> bool:
        """The file is on this machine (file:// or a path)."""
        return urlsplit(self.url).scheme not in ("http", "https")

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.venue} {self.table} {self.symbol} (archive {self.name})"


def read_list(text: str, *, origin: str, folder: Path | None = None) -> tuple[PinnedArchive, ...]:
    """Parse a list of archives.

    Args:
        text: TOML in the form of ``archives.toml``.
        origin: name of the list, for messages.
        folder: what relative paths in ``url`` are relative to.

    Raises:
        ValueError: the list is malformed; the message names the entry and the field.
    """
    try:
        entries = tomllib.loads(text).get("archive", [])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{origin}: not valid TOML: {error}") from error
    known = {entry.name for entry in fields(PinnedArchive)}
    archives = []
    for number, entry in enumerate(entries, start=1):
        name = entry.get("name", f"number {number}")
        if unknown := sorted(set(entry) - known):
            raise ValueError(f"{origin}: archive {name!r}: unknown field {', '.join(unknown)}")
        try:
            archive = PinnedArchive(**_prepared(entry, folder))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{origin}: archive {name!r}: {error}") from error
        archives.append(archive)
    names = [archive.name for archive in archives]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{origin}: archive declared twice: {', '.join(repeated)}")
    return tuple(archives)


def _prepared(entry: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """The fields of an entry, with a local path made absolute and the rolls typed."""
    entry = entry | {"rolls": tuple(Roll(**rule) for rule in _in_time_order(entry.get("rolls", [])))}
    url = str(entry.get("url", ""))
    if not url or urlsplit(url).scheme in ("http", "https", "file"):
        return entry
    path = Path(url).expanduser()
    return entry | {
        "url": (path if path.is_absolute() or folder is None else folder / path).resolve().as_uri()
    }


def _in_time_order(rules: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    first = [day for rule in rules if isinstance(day := rule.get("first"), date)]
    if len(first) < len(rules) or first != sorted(first):
        raise ValueError("rolls need dates in `first`, earliest first")
    return rules


@cache
def load_archives(extra: Path | None = None) -> tuple[PinnedArchive, ...]:
    """The declared archives, with those of a user's own list added or, by name, replaced.

    Raises:
        ValueError: a list is malformed.
        OSError: ``extra`` cannot be read.
    """
    text = resources.files("perp_pipeline.sources").joinpath("archives.toml").read_text(encoding="utf-8")
    archives = {archive.name: archive for archive in read_list(text, origin="archives.toml")}
    if extra is not None:
        own = read_list(extra.read_text(encoding="utf-8"), origin=str(extra), folder=extra.parent)
        archives |= {archive.name: archive for archive in own}
    return tuple(archives.values())


def archives_for(
    archives: tuple[PinnedArchive, ...], table: str, venue: str | None = None, symbol: str | None = None
) -> tuple[PinnedArchive, ...]:
    """Those of one table, in the order of the list; optionally of one venue and symbol."""
    return tuple(
        archive
        for archive in archives
        if archive.table == table and venue in (None, archive.venue) and symbol in (None, archive.symbol)
    )


def available(http: Http, archive: PinnedArchive) -> bool:
    """Whether a file can be had at all: one that only gateways have needs a gateway, or must be stored."""
    if not archive.gateway_only or http.has_gateway:
        return True
    if http.store.entry(Request(archive.url)) is not None:
        return True
    _log.info("%s: left out, since only a gateway has it", archive.label)
    return False


def fetch_archive(http: Http, archive: PinnedArchive) -> Body:
    """The file's bytes, with their digest verified.

    Raises:
        ChecksumMismatch: the bytes are not the pinned ones (after retries, for a file from the network).
        SourceError: the file cannot be had.
    """
    if archive.is_local:
        return _read_local(archive)
    body: Body | None = http.fetch(
        Request(archive.url), final=True, sha256=archive.sha256, label=archive.label
    )
    if body is None:
        raise NotServed(f"{archive.label}: no file at {archive.url}")
    return body


def _read_local(archive: PinnedArchive) -> Body:
    parts = urlsplit(archive.url)
    path = Path(unquote(parts.path) if parts.scheme == "file" else archive.url)
    try:
        content = path.read_bytes()
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as error:
        raise PermanentError(f"{archive.label}: cannot read {path}: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    if archive.sha256 and digest != archive.sha256:
        raise ChecksumMismatch(
            f"{archive.label}: {path} has sha256 {digest}, the list says {archive.sha256}; "
            "if the file was changed on purpose, write its new digest into the list"
        )
    return Body(Request(archive.url), content, digest, 200, changed)


def parse_archive(
    archive: PinnedArchive, content: bytes, *, text: tuple[str, ...] = (), allow_missing: bool = False
) -> pd.DataFrame:
    """Read a file into its declared columns, rows in file order.

    Args:
        text: table columns to read as text; all others are numbers.
        allow_missing: empty numbers become NaN instead of an error.

    Returns:
        ``time`` (UTC; for ``time_means = "session"`` a naive date), the mapped columns and the constants.

    Raises:
        FormatChanged: a declared column is not there, or a value does not read; the message names the line.
    """
    raw = _read_csv(archive, content, text)
    frame = pd.DataFrame({"time": _times(archive, raw[archive.time_column])})
    for column, source in archive.columns.items():
        values = raw[source]
        frame[column] = values.str.strip() if column in text else _numbers(archive, values, allow_missing)
    for column, value in archive.constants.items():
        frame[column] = value
    return frame


def _read_csv(archive: PinnedArchive, content: bytes, text: tuple[str, ...]) -> pd.DataFrame:
    """The needed columns; numbers as the nearest double to the printed decimals, empty ones NaN."""
    texts = {source for column, source in archive.columns.items() if column in text}
    if archive.time_unit == "text":
        texts.add(archive.time_column)
    wanted = dict.fromkeys([archive.time_column, *archive.columns.values()])
    lines = io.BytesIO(content)
    try:
        heading = pd.read_csv(lines, skiprows=archive.skip_lines, nrows=0, index_col=False).columns
        if missing := [name for name in wanted if name not in heading.str.strip()]:
            raise FormatChanged(
                f"{archive.label}: no column {', '.join(map(repr, missing))}; "
                f"the file has {', '.join(heading)}"
            )
        lines.seek(0)
        raw: pd.DataFrame = pd.read_csv(
            lines,
            skiprows=archive.skip_lines + 1,
            names=list(heading.str.strip()),
            usecols=list(wanted),
            dtype=dict.fromkeys(texts, "str"),
            index_col=False,
            keep_default_na=False,
            na_values={name: [""] for name in wanted if name not in texts},
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise FormatChanged(f"{archive.label}: not the declared CSV: {error}") from error
    if raw.empty:
        raise FormatChanged(f"{archive.label}: the file has no rows")
    return raw


def _fail(archive: PinnedArchive, values: pd.Series, bad: np.ndarray) -> FormatChanged:
    row = int(np.flatnonzero(bad)[0])
    line = row + archive.skip_lines + 2
    return FormatChanged(
        f"{archive.label}: line {line}: {values.name} = {values.iloc[row]!r} does not read "
        f"({int(bad.sum())} such of {len(values)} lines)"
    )


def _numbers(archive: PinnedArchive, values: pd.Series, allow_missing: bool) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    bad = ~np.isfinite(numbers.to_numpy())
    if allow_missing:
        bad &= values.notna().to_numpy()
    if bad.any():
        raise _fail(archive, values, bad)
    return numbers


def _times(archive: PinnedArchive, values: pd.Series) -> pd.Series:
    if archive.time_unit == "text":
        return _text_times(archive, values)
    numbers = _numbers(archive, values, allow_missing=False).to_numpy()
    fixed = {"s": 1e6, "ms": 1e3}.get(archive.time_unit)
    scale = fixed if fixed is not None else np.where(numbers < _MS_FROM, 1e6, 1e3)
    stamps = pd.Series(np.rint(numbers * scale).astype("int64").astype("datetime64[us]"), index=values.index)
    if (outside := ((stamps < _EARLIEST) | (stamps > _LATEST)).to_numpy()).any():
        raise _fail(archive, values, outside)
    return stamps.dt.normalize() if archive.time_means == "session" else stamps.dt.tz_localize("UTC")


def _text_times(archive: PinnedArchive, values: pd.Series) -> pd.Series:
    times = pd.to_datetime(values.str.strip(), format=archive.time_format or "ISO8601", errors="coerce")
    if (bad := times.isna().to_numpy()).any():
        raise _fail(archive, values, bad)
    if archive.time_means == "session":
        return times.dt.normalize().astype("datetime64[us]")
    if times.dt.tz is None:
        # An hour that the clock change repeats or skips cannot be told apart: refuse rather than guess.
        times = times.dt.tz_localize(archive.time_zone, ambiguous="NaT", nonexistent="NaT")
        if (bad := times.isna().to_numpy()).any():
            raise _fail(archive, values, bad)
    return times.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
