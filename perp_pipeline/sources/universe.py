"""What is followed: instruments and price series, as data (``universe.toml``), extendable by the user."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from perp_pipeline.months import Month, Span

CONTRACT_TYPES = ("linear", "inverse", "quanto")
Kind = TypeVar("Kind", bound="Listed")


@dataclass(frozen=True)
class Listed:
    """Something that a venue has had from one moment to another.

    Attributes:
        listed_from: the first row.
        listed_to: the last row; None while it goes on.
        seen_to: a row up to which the history is known to be whole; None where nothing is known.
        follow: False takes an entry of an earlier list out.
        closes: when its venue closes for good.
    """

    venue: str
    symbol: str
    base: str
    listed_from: datetime
    listed_to: datetime | None = None
    seen_to: datetime | None = None
    follow: bool = True
    closes: datetime | None = None

    def months(self, span: Span, now: datetime) -> tuple[Month, ...]:
        """The months of ``span`` in which it was listed, as far as they have begun."""
        first = max(span.first, Month.of(self.listed_from))
        ends = [Month.of(end) for end in (now, self.listed_to, self.closes) if end is not None]
        last = min(span.last, *ends)
        return tuple(Span(first, last)) if first <= last else ()


@dataclass(frozen=True)
class Instrument(Listed):
    """One perpetual swap. ``universe.toml`` explains each field."""

    contract_type: str = "linear"
    margin_asset: str = "USDT"

    def __post_init__(self) -> None:
        if self.contract_type not in CONTRACT_TYPES:
            raise ValueError(
                f"contract_type {self.contract_type!r} is not one of {', '.join(CONTRACT_TYPES)}"
            )


@dataclass(frozen=True)
class Bars(Listed):
    """One series of price bars of ``step_hours`` hours on the spot or perpetual market."""

    market: str = "spot"
    quote: str = "USD"
    step_hours: int = 1

    @property
    def bin_size(self) -> str:
        """``1h`` or ``1d``, as venues write it."""
        return f"{self.step_hours // 24}d" if self.step_hours % 24 == 0 else f"{self.step_hours}h"


@dataclass(frozen=True)
class Universe:
    """All that is followed.

    Attributes:
        announced_ahead: intervals between the moment a rate is fixed and its payment, by venue.
    """

    instruments: tuple[Instrument, ...]
    bars: tuple[Bars, ...] = ()
    announced_ahead: Mapping[str, int] = field(default_factory=dict)

    def instruments_of(self, venue: str) -> tuple[Instrument, ...]:
        """The perpetual swaps of one venue."""
        return tuple(entry for entry in self.instruments if entry.venue == venue)

    def bars_of(self, venue: str, market: str) -> tuple[Bars, ...]:
        """The price series of one venue and market."""
        return tuple(entry for entry in self.bars if (entry.venue, entry.market) == (venue, market))

    def extended(self, other: Universe) -> Universe:
        """This universe with the entries of another added; those of the same identity are replaced."""
        instruments = {
            (entry.venue, entry.symbol): entry for entry in (*self.instruments, *other.instruments)
        }
        bars = {(b.venue, b.symbol, b.market, b.step_hours): b for b in (*self.bars, *other.bars)}
        ahead = {**self.announced_ahead, **other.announced_ahead}
        return Universe(
            tuple(entry for entry in instruments.values() if entry.follow),
            tuple(entry for entry in bars.values() if entry.follow),
            ahead,
        )

    def frame(self) -> pd.DataFrame:
        """Instruments as a table: venue, symbol, base, contract_type, margin_asset, listed_from, listed_to
        (UTC, null while listed) and announced_ahead (intervals)."""
        rows = [
            (i.venue, i.symbol, i.base, i.contract_type, i.margin_asset, i.listed_from, i.listed_to)
            for i in self.instruments
        ]
        names = ["venue", "symbol", "base", "contract_type", "margin_asset", "listed_from", "listed_to"]
        frame = pd.DataFrame(rows, columns=names)
        for name in ("listed_from", "listed_to"):
            frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
        frame["announced_ahead"] = frame["venue"].map(dict(self.announced_ahead)).fillna(0).astype("int64")
        return frame


def parse_universe(text: str, *, origin: str) -> Universe:
    """Read a universe from TOML in the form of ``universe.toml``.

    Raises:
        ValueError: the text is malformed; the message names the entry.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{origin}: not valid TOML: {error}") from error
    if unknown := sorted(set(content) - {"venues", "instrument", "bars", "gap"}):
        raise ValueError(f"{origin}: unknown table {', '.join(unknown)}")
    ahead = {
        venue: int(entry.get("announced_ahead", 0)) for venue, entry in content.get("venues", {}).items()
    }
    closes = {
        venue: entry["closes"] for venue, entry in content.get("venues", {}).items() if "closes" in entry
    }
    return Universe(
        tuple(_entry(Instrument, _closing(entry, closes), origin) for entry in content.get("instrument", [])),
        tuple(_entry(Bars, _closing(entry, closes), origin) for entry in content.get("bars", [])),
        ahead,
    )


def _closing(entry: dict[str, Any], closes: Mapping[str, datetime]) -> dict[str, Any]:
    venue = str(entry.get("venue"))
    return entry | {"closes": closes[venue]} if venue in closes else entry


def _entry(kind: type[Kind], entry: dict[str, Any], origin: str) -> Kind:
    what = f"{origin}: {entry.get('venue', '?')} {entry.get('symbol', '?')}"
    for name in ("listed_from", "listed_to", "seen_to", "closes"):
        moment = entry.get(name)
        if moment is not None and (not isinstance(moment, datetime) or moment.tzinfo is None):
            raise ValueError(f"{what}: {name} must be a time with a zone, such as 2019-09-10T08:00:00Z")
    try:
        return kind(**{key: _utc(value) for key, value in entry.items()})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: {error}") from error


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


@cache
def load_universe(extra: Path | None = None) -> Universe:
    """The project's universe, extended by a file of the user's own.

    Raises:
        ValueError: a file is malformed.
        OSError: ``extra`` cannot be read.
    """
    text = resources.files("perp_pipeline.sources").joinpath("universe.toml").read_text(encoding="utf-8")
    universe = parse_universe(text, origin="universe.toml")
    if extra is None:
        return universe
    return universe.extended(parse_universe(extra.read_text(encoding="utf-8"), origin=str(extra)))
