"""What a step reads and makes: its inputs from the lake, its frame, whole or a piece at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.ahead import Frames
from perp_pipeline.contracts.model import Contract
from perp_pipeline.lake import TableMissing
from perp_pipeline.lake.tables import to_frame
from perp_pipeline.months import Span
from perp_pipeline.portions import Share, shared
from perp_pipeline.steps import DROPPED_COLUMNS, PROVENANCE, Built, Input, Step

if TYPE_CHECKING:
    from perp_pipeline.runner import Context


def built(
    step: Step,
    span: Span,
    share: Share,
    whole: Mapping[str, pd.DataFrame],
    context: Context,
    kept_out: Frames,
) -> pd.DataFrame | None:
    """The step's frame, None where it has no input rows.

    Args:
        share: what to read of inputs that are read a share at a time.
        whole: inputs that are read whole, once for all months.
        kept_out: takes the rows that cleaning kept out.
    """
    inputs = {item.table: _input(item, span, share, whole, context) for item in step.inputs}
    if step.inputs and all(inputs[item.table].empty for item in step.inputs if not item.beside):
        return None
    return _frame(step, inputs, context, kept_out)


def built_apart(
    step: Step,
    span: Span,
    share: Share,
    whole: Mapping[str, pd.DataFrame],
    context: Context,
    kept_out: Frames,
) -> Iterator[pd.DataFrame]:
    """The step's frames by pieces of its large input; arguments as of :func:`built`."""
    large = next(item for item in step.inputs if is_large(item))
    beside = {
        item.table: _input(item, span, share, whole, context) for item in step.inputs if item is not large
    }
    contract = contracts.get(large.table)
    for rows in context.lake.pieces(contract, span, share, _columns(large, contract), apart=step.apart):
        yield _frame(step, {large.table: to_frame(rows), **beside}, context, kept_out)


def _frame(step: Step, inputs: dict[str, pd.DataFrame], context: Context, kept_out: Frames) -> pd.DataFrame:
    parameters = {name: getattr(context.settings, name) for name in step.parameters}
    built = step.build(**inputs, **parameters)
    if not isinstance(built, Built):
        built = Built(built, pd.DataFrame(columns=list(DROPPED_COLUMNS)))
    kept_out.append(built.dropped)
    return built.frame


def _input(
    item: Input, span: Span, share: Share, whole: Mapping[str, pd.DataFrame], context: Context
) -> pd.DataFrame:
    return whole[item.table] if item.whole else load(item, span, context, share if shared(item) else {})


def is_large(item: Input) -> bool:
    """True where a table is read a month at a time."""
    return contracts.get(item.table).large and not item.whole


def _columns(item: Input, contract: Contract) -> list[str]:
    left_out = {*item.without, *(() if item.provenance else PROVENANCE)}
    return [name for name in contract.schema.names if name not in left_out]


def load(item: Input, span: Span, context: Context, where: Share | None = None) -> pd.DataFrame:
    """An input's rows; none of an optional table, or of one that this run found empty.

    Raises:
        TableMissing: the lake has no such table.
    """
    contract = contracts.get(item.table)
    wanted = None if item.whole or contract.time is None else span.widened(item.before, item.after)
    columns = _columns(item, contract)
    try:
        return context.lake.frame(contract, wanted, where, columns)
    except TableMissing:
        if item.optional or item.table in context.made or context.lake.partitions(contract):
            return to_frame(contract.schema.empty_table().select(columns))
        raise
