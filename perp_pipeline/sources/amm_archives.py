"""Pinned archives of AMM pools: demeter minute files and snapshots of v2 pairs."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.contracts.model import Contract
from perp_pipeline.months import Month, Span
from perp_pipeline.sources.errors import FormatChanged, IncompleteBody
from perp_pipeline.sources.pinned import PinnedArchive, fetch_archive
from perp_pipeline.sources.pools import Pool, pool_columns

if TYPE_CHECKING:
    from datetime import datetime

    from perp_pipeline.sources.http import Http

_MINUTE_COLUMNS = {
    "net_amount0": "netAmount0",
    "net_amount1": "netAmount1",
    "in_amount0": "inAmount0",
    "in_amount1": "inAmount1",
    "current_liquidity": "currentLiquidity",
}
_SNAPSHOT_COLUMNS = {
    "reserve0": "reserve0",
    "reserve1": "reserve1",
    "total_supply": "totalSupply",
    "volume0": "volumeToken0",
    "volume1": "volumeToken1",
}
_EDGE_MINUTES = 2
"""Minutes that a file may lack at either end of its day."""


@dataclass(frozen=True)
class AmmArchive:
    """Files of one pool. ``amm_archives.toml`` explains each field.

    Attributes:
        files: the files, with the day that each holds (None: all of its history).
    """

    name: str
    kind: str
    chain: str
    pool: str
    files: tuple[tuple[date | None, PinnedArchive], ...]


def read_archives(text: str, *, origin: str) -> tuple[AmmArchive, ...]:
    """Parse a list of AMM archives.

    Raises:
        ValueError: it is malformed; the message names the entry.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{origin}: not valid TOML: {error}") from error
    found = []
    for kind in ("minutes", "snapshots"):
        for entry in content.get(kind, []):
            try:
                found.append(_archive(kind, entry))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{origin}: {kind} {entry.get('name', '?')!r}: {error!r}") from error
    return tuple(found)


@cache
def load_archives(extra: Path | None = None) -> tuple[AmmArchive, ...]:
    """The declared archives, and those of a user's own list.

    Raises:
        ValueError: a list is malformed.
        OSError: ``extra`` cannot be read.
    """
    text = resources.files("perp_pipeline.sources").joinpath("amm_archives.toml").read_text(encoding="utf-8")
    archives = read_archives(text, origin="amm_archives.toml")
    if extra is not None:
        archives += read_archives(extra.read_text(encoding="utf-8"), origin=str(extra))
    return archives


@dataclass(frozen=True)
class ArchiveRows:
    """Dataset of raw_amm_minutes or raw_amm_snapshots, from files."""

    kind: str
    archives: tuple[AmmArchive, ...]
    pools: dict[str, Pool]
    venue: str = "uniswap"

    @property
    def contract(self) -> Contract:
        """The raw table."""
        return contracts.get(f"raw_amm_{self.kind}")

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per file.

        Raises:
            SourceError: a file cannot be had, is not the pinned one, or does not read.
        """
        for archive, _, file, frame in _read(self.archives, self.kind, http, span):
            if f"{archive.chain}:{archive.pool}" in self.pools:
                yield frame.assign(chain=archive.chain, pool=archive.pool, source_url=file.url)


@dataclass(frozen=True)
class ArchiveDays:
    """Dataset of raw_amm_days, from files: which days they hold."""

    archives: tuple[AmmArchive, ...]
    pools: dict[str, Pool]
    venue: str = "uniswap"

    @property
    def contract(self) -> Contract:
        """The raw table."""
        return contracts.get("raw_amm_days")

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per file.

        Raises:
            SourceError: a file cannot be had, is not the pinned one, or does not read.
        """
        for kind, time in (("minutes", "minute"), ("snapshots", "time")):
            for archive, _, file, frame in _read(self.archives, kind, http, span):
                pool = self.pools.get(f"{archive.chain}:{archive.pool}")
                if pool is None:
                    continue
                days = frame[time].dt.tz_localize(None).dt.floor("D").value_counts().sort_index()
                yield pd.DataFrame({"day": days.index, "n_rows": days.to_numpy()}).assign(
                    kind=kind,
                    first_block=pd.NA,
                    last_block=pd.NA,
                    served=True,
                    reason=None,
                    balance0=None,
                    balance1=None,
                    **pool_columns(pool),
                    source_url=file.url,
                    download_sha256=frame["download_sha256"].iloc[0],
                )


def datasets(
    pools: tuple[Pool, ...], archives: tuple[AmmArchive, ...]
) -> tuple[ArchiveRows, ArchiveRows, ArchiveDays]:
    """The datasets of files for these pools."""
    by_label = {pool.label: pool for pool in pools if pool.is_declared}
    return (
        ArchiveRows("minutes", archives, by_label),
        ArchiveRows("snapshots", archives, by_label),
        ArchiveDays(archives, by_label),
    )


def parse_minutes(content: bytes, day: date) -> pd.DataFrame:
    """One day of demeter minutes.

    Raises:
        FormatChanged: the file does not have demeter's columns.
        IncompleteBody: minutes are missing inside the day, repeated, or of another day.
    """
    raw = _csv(content, ["timestamp", "closeTick", *_MINUTE_COLUMNS.values()])
    frame = pd.DataFrame({"minute": _stamps(raw["timestamp"])})
    for name, source in _MINUTE_COLUMNS.items():
        values = raw[source].str.strip()
        if not values.str.fullmatch(r"-?\d+").all():
            raise FormatChanged(f"{source}: not whole numbers")
        frame[name] = values
    ticks = pd.to_numeric(raw["closeTick"], errors="coerce")
    if ticks.isna().any() or (ticks != ticks.round()).any():
        raise FormatChanged("closeTick: not whole numbers")
    frame["close_tick"] = ticks.astype("int32")
    first, last = pd.Timestamp(day, tz="UTC"), pd.Timestamp(day, tz="UTC") + pd.Timedelta(days=1)
    edge = pd.Timedelta(minutes=_EDGE_MINUTES)
    steps = frame["minute"].diff().dropna()
    if (steps != pd.Timedelta(minutes=1)).any():
        raise IncompleteBody(f"{day}: the minutes do not follow each other one by one")
    if frame["minute"].iloc[0] - first > edge or last - frame["minute"].iloc[-1] > edge:
        raise IncompleteBody(f"{day}: the file does not span its day")
    if frame["minute"].iloc[0] < first or frame["minute"].iloc[-1] >= last:
        raise IncompleteBody(f"{day}: the file has minutes of another day")
    return frame


def parse_snapshots(content: bytes) -> pd.DataFrame:
    """Snapshots of a v2 pair.

    Raises:
        FormatChanged: the file does not have the subgraph's columns, or a value is no number.
        IncompleteBody: the snapshots do not ascend.
    """
    raw = _csv(content, ["datetime", "txCount", *_SNAPSHOT_COLUMNS.values()])
    frame = pd.DataFrame({"time": _stamps(raw["datetime"])})
    for name, source in (*_SNAPSHOT_COLUMNS.items(), ("tx_count", "txCount")):
        frame[name] = pd.to_numeric(raw[source], errors="coerce")
        if frame[name].isna().any():
            raise FormatChanged(f"{source}: not a number in line {int(frame[name].isna().argmax()) + 2}")
    if not frame["time"].is_monotonic_increasing or frame["time"].duplicated().any():
        raise IncompleteBody("the snapshots do not ascend")
    return frame.astype({"tx_count": "int64"})


def _read(
    archives: tuple[AmmArchive, ...], kind: str, http: Http, span: Span
) -> Iterator[tuple[AmmArchive, date | None, PinnedArchive, pd.DataFrame]]:
    # a pool's files follow each other, whatever order they are declared in
    for archive in sorted(archives, key=lambda archive: (archive.chain, archive.pool, archive.name)):
        if archive.kind != kind:
            continue
        for day, file in archive.files:
            if day is not None and Month(day.year, day.month) not in span:
                continue
            body = fetch_archive(http, file)
            frame = parse_snapshots(body.content) if day is None else parse_minutes(body.content, day)
            stamps = frame["time" if day is None else "minute"]
            frame = frame[(stamps >= pd.Timestamp(span.start)) & (stamps < pd.Timestamp(span.end))]
            if len(frame):
                yield archive, day, file, frame.assign(download_sha256=body.sha256)


def _csv(content: bytes, columns: list[str]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, UnicodeDecodeError, pd.errors.EmptyDataError) as error:
        raise FormatChanged(f"not a CSV file: {error}") from None
    if missing := [name for name in columns if name not in frame]:
        raise FormatChanged(f"the file has no column {', '.join(missing)}")
    if frame.empty:
        raise IncompleteBody("the file has no rows")
    return frame


def _stamps(texts: pd.Series) -> pd.Series:
    stamps = pd.to_datetime(texts, format="%Y-%m-%d %H:%M:%S", utc=True, errors="coerce")
    if stamps.isna().any():
        raise FormatChanged(f"line {int(stamps.isna().argmax()) + 2}: not a time stamp")
    return stamps.astype("datetime64[us, UTC]")


def _archive(kind: str, entry: dict[str, Any]) -> AmmArchive:
    name, chain, pool, url = (str(entry[key]) for key in ("name", "chain", "pool", "url"))

    def pinned(label: str, address: str, digest: str) -> PinnedArchive:
        return PinnedArchive(
            name=label,
            table=f"raw_amm_{kind}",
            venue=chain,
            symbol=pool.lower(),
            url=address,
            time_column="timestamp" if kind == "minutes" else "datetime",
            time_unit="text",
            time_means="instant",
            columns=_MINUTE_COLUMNS if kind == "minutes" else _SNAPSHOT_COLUMNS,
            sha256=digest,
        )

    files: list[tuple[date | None, PinnedArchive]] = []
    if kind == "minutes":
        for text, digest in sorted(entry["days"].items()):
            day = date.fromisoformat(text)
            files.append((day, pinned(f"{name} {text}", url.replace("{day}", text), str(digest))))
    else:
        files.append((None, pinned(name, url, str(entry["sha256"]))))
    return AmmArchive(name, kind, chain, pool.lower(), tuple(files))
