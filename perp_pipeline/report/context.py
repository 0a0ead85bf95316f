"""What a report says about the run it reports on, given by whoever ran it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from perp_pipeline.report.caveats import Caveat, derived_sources

if TYPE_CHECKING:
    from perp_pipeline.lake import Lake

SOFTWARE = ("perp-pipeline", "pandas", "numpy", "pyarrow", "statsmodels", "matplotlib", "great-expectations")
"""Packages whose versions a report states."""


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
    """A host that was asked: stored bodies, how many of them have a sha256 on record, and their bytes."""

    name: str
    bodies: int
    sha256: int
    size: int = 0


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
        caveats: what is derived of what the lake was built from.
    """

    span: str
    simulated: bool = False
    command: str = ""
    tables: Sequence[TableCount] = ()
    sources: Sequence[SourceCount] = ()
    software: Mapping[str, str] = field(default_factory=dict)
    dropped: Sequence[tuple[str, str, int]] = ()
    definitions: Mapping[int, str] = field(default_factory=dict)
    caveats: Sequence[Caveat] = ()

    @classmethod
    def of(cls, lake: Lake, command: str = "") -> ReportContext:
        """What a lake says about itself: its tables, the bodies it was built from, the claims' definitions.

        Reads Parquet footers and the manifest of the stored bodies, no rows.
        """
        counts = _table_counts(lake)
        months = [text for count in counts for text in (count.first, count.last) if text]
        return cls(
            span=f"{min(months)}..{max(months)}" if months else "no months",
            simulated=is_simulated(lake),
            command=command,
            tables=counts,
            sources=_source_counts(lake),
            software={"Python": platform.python_version()} | {name: _version(name) for name in SOFTWARE},
            dropped=_dropped(lake),
            definitions=_definitions(),
            caveats=_caveats(lake),
        )


def is_simulated(lake: Lake) -> bool:
    """The lake was filled by the simulated market."""
    return (lake.market() or "").startswith("simulated")


def _table_counts(lake: Lake) -> list[TableCount]:
    import pyarrow.parquet as pq

    from perp_pipeline import contracts

    counts = []
    for contract in contracts.tables().values():
        partitions = lake.partitions(contract)
        if not partitions:
            continue
        rows = 0
        for path in partitions.values():
            with path.open("rb") as file:
                rows += pq.read_metadata(file).num_rows
        months = sorted(str(key.month) for key in partitions if key.month is not None)
        ends = (months[0], months[-1]) if months else ("", "")
        counts.append(TableCount(contract.name, rows, len(partitions), *ends, contract.grain))
    return counts


def _dropped(lake: Lake) -> list[tuple[str, str, int]]:
    from perp_pipeline.lake.kept_out import kept_out

    rows = kept_out(lake).groupby(["built", "reason"]).size()
    return [(str(table), str(reason), int(count)) for (table, reason), count in rows.items()]


def _source_counts(lake: Lake) -> list[SourceCount]:
    from perp_pipeline.sources.store import BodyStore

    store = BodyStore(lake.root / "raw" / "_downloads")
    entries = [entry for entry in store.entries() if not entry.is_absence]
    hosts: dict[str, list[int]] = {}
    for entry in entries:
        hosts.setdefault(urlsplit(entry.url).netloc, []).append(entry.bytes)
    return [SourceCount(host, len(sizes), len(sizes), sum(sizes)) for host, sizes in sorted(hosts.items())]


def _caveats(lake: Lake) -> tuple[Caveat, ...]:
    from perp_pipeline.sources.pinned import load_archives
    from perp_pipeline.sources.store import BodyStore
    from perp_pipeline.tables import STEPS

    store = BodyStore(lake.root / "raw" / "_downloads")
    return derived_sources(load_archives(), {entry.sha256 for entry in store.entries()}, STEPS)


def _definitions() -> dict[int, str]:
    from perp_pipeline.research.claims.register import register

    return {claim.id: f"{claim.definition}\n\nCode: {claim.code}" for claim in register()}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
