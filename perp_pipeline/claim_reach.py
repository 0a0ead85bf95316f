"""Whether a lake's data reach a window that claims are asked over, told before anything is computed."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from perp_pipeline import contracts
from perp_pipeline.lake import Lake
from perp_pipeline.months import FIRST_MONTH, Month, Span
from perp_pipeline.research.claims import Claim
from perp_pipeline.research.claims.lengths import TABLES, too_short
from perp_pipeline.research.periods import parse_period
from perp_pipeline.steps import Step


def months_held(lake: Lake, table: str) -> Span | None:
    """First and last month of a table's rows, or of what it is made from where it is not kept by month.

    None where the lake has nothing of it. Of the inputs those that only accompany others do not count.
    """
    contract = contracts.get(table)
    if contract.time is None:
        step = _steps().get(table)
        inputs = [item.table for item in step.inputs if not item.beside] if step else []
        spans = [months_held(lake, name) for name in inputs]
    else:
        months = {key.month for key in lake.partitions(contract)}
        known = [month for month in months if month is not None]
        spans = [Span(min(known), max(known))] if known else []
    held = [span for span in spans if span is not None]
    if not held:
        return None
    return Span(min(span.first for span in held), max(span.last for span in held))


def out_of_reach(lake: Lake, table: str, window: str) -> str:
    """Why a table can have no row of a window; empty where it may have some.

    Args:
        table: one that claims read.
        window: a period of :mod:`~perp_pipeline.research.periods`.
    """
    asked = parse_period(window)
    if asked is None:
        return ""
    held = months_held(lake, table)
    if held is not None and _outside(asked, held):
        return f"{_beyond(window, asked, held)} for {TABLES.get(table, table)}, which reach over {held}"
    return too_short(table, {}, window)


def without_numbers(lake: Lake, claim: Claim, window: str, now: datetime) -> str:
    """Why nothing of a claim can be computed over a window, as far as that shows, and what to ask for.

    Args:
        now: the present: a run can fetch no month that has not begun.
    """
    asked = parse_period(window)
    why = list(dict.fromkeys(told for table in claim.tables if (told := out_of_reach(lake, table, window))))
    spans = [span for table in claim.tables if (span := months_held(lake, table)) is not None]
    if asked is None or not spans or not why:
        return (
            f"nothing of it can be computed over {window}: its reason says what is missing. "
            f"Without --window it is told over {claim.window}"
        )
    held = Span(min(span.first for span in spans), max(span.last for span in spans))
    if not _outside(asked, held):
        return f"{'; '.join(why)}. Ask for a longer window, such as --window {str(asked.first)[:4]}"
    told = f"{_beyond(window, asked, held)} behind the numbers, which reach over {held}. "
    told += f"Ask for a window inside these months, such as --window {_inside(held)}"
    # Where the lake has other data of the months asked for, this source is known to have none.
    whole = months_held(lake, "core_funding_payments")
    if whole is not None and _outside(asked, whole) and asked.last >= FIRST_MONTH and asked.last.start <= now:
        told += f"; or fetch those asked for: perp run --from {asked.first} --to {asked.last}"
    return told


def _beyond(window: str, asked: Span, held: Span) -> str:
    return f"{window} lies {'after' if held.last < asked.first else 'before'} the lake's data"


def _outside(asked: Span, held: Span) -> bool:
    return held.last < asked.first or asked.last < held.first


def _inside(held: Span) -> str:
    """The last whole calendar year of some months; all of them where they have none."""
    year = held.last.year if held.last.month == 12 else held.last.year - 1
    return str(year) if Month(year, 1) in held else str(held)


@cache
def _steps() -> dict[str, Step]:
    from perp_pipeline.tables import STEPS

    return {step.output.name: step for step in STEPS}
