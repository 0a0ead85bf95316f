"""What a report says about the run it reports on, given by whoever ran it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TableCount:
    """A table of the lake: its rows, partitions, and first and last time (texts, empty for none)."""

    name: str
    rows: int
    partitions: int = 0
    first: str = ""
    last: str = ""
    doc: str = ""


@dataclass(frozen=True)
class SourceCount:
    """A source: stored bodies, how many of them have a sha256 on record, their bytes, and the hosts asked."""

    name: str
    bodies: int
    sha256: int
    size: int = 0
    hosts: str = ""


@dataclass(frozen=True)
class ReportContext:
    """The circumstances of a report.

    Attributes:
        span: months of the lake, ``2016-05..2026-06``.
        simulated: the lake was filled by the simulated market.
        command: what was run.
        tables: what the lake holds.
        sources: what it was built from.
        software: package -> version.
        dropped: rows that cleaning kept out: (table, reason, rows).
        definitions: claim number -> how it is computed.
    """

    span: str
    simulated: bool = False
    command: str = ""
    tables: Sequence[TableCount] = ()
    sources: Sequence[SourceCount] = ()
    software: Mapping[str, str] = field(default_factory=dict)
    dropped: Sequence[tuple[str, str, int]] = ()
    definitions: Mapping[int, str] = field(default_factory=dict)
