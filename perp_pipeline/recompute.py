"""The tables that claims read, over a window of the user's choice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.claim_reach import out_of_reach
from perp_pipeline.lake import Lake, TableMissing
from perp_pipeline.lake.tables import to_frame
from perp_pipeline.research.persistence_null import is_null
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
    *,
    simulated: Collection[str] = (),
) -> dict[str, pd.DataFrame]:
    """The same, with the rows of ``window`` in the result tables.

    A result table that states its numbers by period and has none of the window gets them, computed from the
    lake's tables, in memory; the lake stays as it is. A table that can have none of the window, since the
    data do not reach it or it is too short, is not computed.

    Args:
        window: a period of :mod:`perp_pipeline.research.periods`.
        tell: called with the name of each table that is computed again.
        simulated: tables whose simulations of the window are wanted as well.
    """
    from perp_pipeline.tables import STEPS

    steps = {step.output.name: step for step in STEPS}
    frames = {}
    for name in names:
        frame = _frame(lake, name)
        step = steps[name]
        by_period = "periods" in step.parameters
        if (
            by_period
            and not _holds(frame, window, name in simulated)
            and not out_of_reach(lake, name, window)
        ):
            tell(name)
            frame = _joined(frame, _built(lake, step, window, settings), window)
        frames[name] = frame
    return frames


def _built(lake: Lake, step: Step, window: str, settings: Settings) -> pd.DataFrame:
    inputs = {item.table: _frame(lake, item.table) for item in step.inputs}
    if all(inputs[item.table].empty for item in step.inputs if not item.beside):
        return _frame(lake, step.output.name)
    parameters = {name: getattr(settings, name) for name in step.parameters}
    built = step.build(**inputs, **(parameters | {"periods": (window,)}))
    return built.frame if isinstance(built, Built) else built


def _holds(frame: pd.DataFrame, window: str, simulated: bool) -> bool:
    own = frame[frame["period"] == window]
    return len(own) > 0 and (not simulated or bool(is_null(own).any()))


def _joined(held: pd.DataFrame, built: pd.DataFrame, window: str) -> pd.DataFrame:
    """Both tables' rows: of a period that both have, those of ``held``, and of the window, of ``built``."""
    asked = built["period"] == window
    old = held[held["period"] != window] if asked.any() else held
    new = built[asked | ~built["period"].isin(held["period"])]
    return pd.concat([old, new], ignore_index=True) if len(old) and len(new) else new if len(new) else old


def _frame(lake: Lake, name: str) -> pd.DataFrame:
    contract = contracts.get(name)
    try:
        return lake.frame(contract)
    except TableMissing:
        return to_frame(contract.schema.empty_table())
