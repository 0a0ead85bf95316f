"""What is built at a time: which months, and of large tables which pools.

Memory holds a month of the largest pool, not all pools and not the history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from perp_pipeline import contracts
from perp_pipeline.contracts.model import Contract
from perp_pipeline.graph import Node
from perp_pipeline.lake.lake import Lake
from perp_pipeline.lake.tables import in_order
from perp_pipeline.months import Span
from perp_pipeline.steps import Input, Step

POOL = "pool"
"""The partition by which a month is shared out."""

TOGETHER = 50_000
"""Downloaded rows of several pools that are published together; a single pool may have more."""
Share = dict[str, list[str]]
"""Partition values that are built together; empty for everything there is."""


def shared(item: Input) -> bool:
    """True where an input is read a share at a time."""
    return POOL in contracts.get(item.table).partition_by and not item.whole


def shares(step: Step, span: Span, lake: Lake) -> list[Share]:
    """The pools to build for together: as many as weigh, in bytes of input, no more than the largest alone.

    Returns:
        One share without conditions where the step's inputs or its output are not partitioned by pool.
    """
    if POOL not in step.output.partition_by:
        return [{}]
    weights: dict[str, int] = {}
    for item in step.inputs:
        if not shared(item) or item.beside:
            continue
        files = lake.partitions(contracts.get(item.table), span.widened(item.before, item.after))
        for key, path in files.items():
            pool = dict(key.values)[POOL]
            weights[pool] = weights.get(pool, 0) + int(path.stat().st_size)
    return [{POOL: pools} for pools in packed(weights)] or [{}]


def packed(weights: dict[str, int]) -> list[list[str]]:
    """Names in order, in runs whose weight is at most the largest single one."""
    runs: list[list[str]] = []
    most = max(weights.values(), default=0)
    held = 0
    for name in sorted(weights):
        if not runs or held + weights[name] > most:
            runs.append([])
            held = 0
        runs[-1].append(name)
        held += weights[name]
    return runs


def by_pool(tables: Iterable[pa.Table]) -> Iterator[tuple[Share, list[pa.Table]]]:
    """Downloaded tables of one month, whole pools together as long as they have no more than so many rows.

    Tables of one pool follow each other.
    """
    held: list[pa.Table] = []
    pools: set[str] = set()
    last: list[pa.Table] = []  # of the pool that is coming in
    own: set[str] = set()
    for table in tables:
        here = {str(pool) for pool in pc.unique(table[POOL]).to_pylist()}
        if not here & own:
            held.extend(last)
            pools |= own
            last, own = [], set()
        last.append(table)
        own |= here
        if held and sum(map(len, (*held, *last))) > TOGETHER:
            yield {POOL: sorted(pools)}, held
            held, pools = [], set()
    held.extend(last)
    last.clear()
    if held:
        yield {POOL: sorted(pools | own)}, held


def in_one(contract: Contract, tables: list[pa.Table]) -> pa.Table:
    """One table of all, sorted by key; the list is emptied.

    Columns are joined one after the other, and what they were joined from is given back: memory holds the
    rows once, and one column twice.
    """
    names = contract.schema.names
    columns = {name: [table.column(name) for table in tables] for name in names}
    tables.clear()
    whole = {}
    for name in names:
        chunks = [chunk for column in columns.pop(name) for chunk in column.chunks]
        whole[name] = pa.concat_arrays(chunks)
        del chunks
        pa.default_memory_pool().release_unused()
    return in_order(contract, pa.table(whole))


def fed(step: Step, part: Span, lake: Lake) -> bool:
    """True where the lake has some partition that the step would be built from."""
    return any(
        lake.partitions(contracts.get(item.table), part.widened(item.before, item.after))
        for item in step.inputs
        if not item.beside
    )


def with_neighbours(step: Step, span: Span, lake: Lake, nodes: Mapping[str, Node]) -> Span:
    """The span, with the months around it that are in the lake and that read into it, directly or not.

    A step that reads the months beside a month was built without them at the end of an earlier run, whether
    the lake was extended forwards or backwards.
    """
    if step.output.time is None:
        return span
    around = span.widened(_reach(step, "after", nodes), _reach(step, "before", nodes))
    held = [key.month for key in lake.partitions(step.output, around) if key.month is not None]
    return Span(min([span.first, *held]), max([span.last, *held]))


def _reach(step: Step, side: Literal["before", "after"], nodes: Mapping[str, Node]) -> int:
    """Months on one side that a month rests on, through all that its inputs rest on."""
    found = [0]
    for item in step.inputs:
        if item.whole or contracts.get(item.table).time is None:
            continue
        months = item.before if side == "before" else item.after
        node = nodes.get(item.table)
        found.append(months + (_reach(node.step, side, nodes) if node is not None and node.step else 0))
    return max(found)
