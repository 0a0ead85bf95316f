"""The tables that claims read, over a window of the user's choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.lake import Lake, TableMissing
from perp_pipeline.lake.tables import to_frame
from perp_pipeline.settings import Settings
from perp_pipeline.steps import Built, Step


def claim_tables(lake: Lake, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Frames of the named tables; those that the lake lacks are empty."""
    return {name: _frame(lake, name) for name in names}


def claim_tables_over(
    lake: Lake,
    names: Iterable[str],
    window: str,
    settings: Settings,
    tell: Callable[[str], None] = lambda table: None,
) -> dict[str, pd.DataFrame]:
    """The same, with the rows of ``window`` in the result tables.

    A result table that states its numbers by period and has none of the window gets them, computed from the
    lake's tables, in memory; the lake stays as it is.

    Args:
        window: a period of :mod:`perp_pipeline.research.periods`.
        tell: called with the name of each table that is computed again.
    """
    from perp_pipeline.tables import STEPS

    steps = {step.output.name: step for step in STEPS}
    frames = {}
    for name in names:
        frame = _frame(lake, name)
        step = steps[name]
        if "periods" in step.parameters and not (frame["period"] == window).any():
            tell(name)
            frame = _joined(frame, _built(lake, step, window, settings))
        frames[name] = frame
    return frames


def _built(lake: Lake, step: Step, window: str, settings: Settings) -> pd.DataFrame:
    inputs = {item.table: _frame(lake, item.table) for item in step.inputs}
    if all(inputs[item.table].empty for item in step.inputs if not item.beside):
        return _frame(lake, step.output.name)
    parameters = {name: getattr(settings, name) for name in step.parameters}
    built = step.build(**inputs, **(parameters | {"periods": (window,)}))
    return built.frame if isinstance(built, Built) else built


def _joined(held: pd.DataFrame, built: pd.DataFrame) -> pd.DataFrame:
    """Both tables' rows; those of ``held`` where both have a period."""
    new = built[~built["period"].isin(held["period"])] if len(held) else built
    return pd.concat([held, new], ignore_index=True) if len(held) and len(new) else new if len(new) else held


def _frame(lake: Lake, name: str) -> pd.DataFrame:
    contract = contracts.get(name)
    try:
        return lake.frame(contract)
    except TableMissing:
        return to_frame(contract.schema.empty_table())
