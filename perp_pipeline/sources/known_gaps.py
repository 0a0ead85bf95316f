"""Holes that histories really have, as data (``known_gaps.toml``), extendable by the user."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path


@dataclass(frozen=True)
class KnownGap:
    """One declared hole of one table.

    Attributes:
        first, last: the last row before the hole and the first after it.
    """

    table: str
    venue: str
    symbols: tuple[str, ...]
    first: datetime
    last: datetime
    reason: str


@dataclass(frozen=True)
class KnownGaps:
    """All declared holes."""

    gaps: tuple[KnownGap, ...] = ()

    def of(self, table: str, venue: str, symbol: str) -> tuple[KnownGap, ...]:
        """Those of one series."""
        return tuple(g for g in self.gaps if g.table == table and g.venue == venue and symbol in g.symbols)


def parse_known_gaps(text: str, *, origin: str) -> KnownGaps:
    """Read holes from TOML in the form of ``known_gaps.toml``.

    Raises:
        ValueError: the text is malformed; the message names the entry.
    """
    try:
        entries = tomllib.loads(text).get("gap", [])
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{origin}: not valid TOML: {error}") from error
    gaps = []
    for number, entry in enumerate(entries, start=1):
        what = f"{origin}: gap number {number}"
        wanted = {"table", "venue", "symbols", "from", "to", "reason"}
        if set(entry) != wanted:
            raise ValueError(f"{what}: the fields are {', '.join(sorted(wanted))}, not {', '.join(entry)}")
        bounds = [entry["from"], entry["to"]]
        if any(not isinstance(moment, datetime) or moment.tzinfo is None for moment in bounds):
            raise ValueError(f"{what}: from and to must be times with a zone, such as 2019-09-10T08:00:00Z")
        first, last = (moment.astimezone(UTC) for moment in bounds)
        if not first < last:
            raise ValueError(f"{what}: from must be before to")
        gaps.append(
            KnownGap(entry["table"], entry["venue"], tuple(entry["symbols"]), first, last, entry["reason"])
        )
    return KnownGaps(tuple(gaps))


@cache
def load_known_gaps(extra: Path | None = None) -> KnownGaps:
    """The project's list of holes, with the ``[[gap]]`` entries of a user's own universe file added.

    Raises:
        ValueError: a file is malformed.
        OSError: ``extra`` cannot be read.
    """
    text = resources.files("perp_pipeline.sources").joinpath("known_gaps.toml").read_text(encoding="utf-8")
    gaps = parse_known_gaps(text, origin="known_gaps.toml").gaps
    if extra is not None:
        gaps += parse_known_gaps(extra.read_text(encoding="utf-8"), origin=str(extra)).gaps
    return KnownGaps(gaps)
