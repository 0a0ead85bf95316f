"""What a step of the pipeline is: one table, the tables it is built from, and the function that builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from perp_pipeline.contracts.model import Contract

DROPPED_COLUMNS = ("table", "key", "reason")

PROVENANCE = ("source_url", "download_sha256")
"""Where a raw row came from: columns that a step gets only where it asks for them."""


@dataclass(frozen=True)
class Built:
    """What a builder returns when cleaning kept rows out.

    Attributes:
        frame: the table, with the contract's columns.
        dropped: one row per row kept out: ``table`` it came from, its ``key`` as text, and the ``reason``.
    """

    frame: pd.DataFrame
    dropped: pd.DataFrame


@dataclass(frozen=True)
class Input:
    """A table that a step reads.

    Attributes:
        before, after: months of context read on either side of the months being built.
        whole: read the table's whole history, whatever the months.
        optional: a lake without the table gives an empty frame rather than an error.
        beside: it only accompanies the others: without their rows there is nothing to build.
        provenance: read :data:`PROVENANCE` as well, which are most of a raw table's bytes.
        without: columns that the step has no use for, and that would fill memory.
    """

    table: str
    before: int = 0
    after: int = 0
    whole: bool = False
    optional: bool = False
    beside: bool = False
    provenance: bool = False
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One table of the pipeline.

    Attributes:
        build: pure function whose keyword arguments are named after the input tables (pandas frames)
            and which returns the table's frame, or :class:`Built`.
        parameters: names of settings that ``build`` takes as keyword arguments as well.
        chapter: the part of the pipeline it belongs to: raw, funding, rates, amm, research.
        apart: a column of the large input: rows that differ in it are built without each other, so that a
            month is built a piece at a time.
        together: tables that tell of the same computation: whoever selects this one builds them too.
    """

    output: Contract
    build: Callable[..., pd.DataFrame | Built]
    inputs: tuple[Input, ...]
    parameters: tuple[str, ...] = ()
    chapter: str = "research"
    together: tuple[str, ...] = ()
    apart: str = ""
