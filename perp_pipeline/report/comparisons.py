"""Mean funding of venues, and of pairs of venues, beside each other with 95 % intervals.

The first is figure 2 of "Perp Funding Rate Fraud" (Nov 2022). Rates come in as fractions a year and are
drawn in percent a year.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from perp_pipeline.report.intervals import MINUS, IntervalRow, interval_figure
from perp_pipeline.report.series import (
    BASES,
    ESSAY_PERIOD,
    METHOD_NAMES,
    labelled,
    period_words,
    venue_name,
)
from perp_pipeline.report.style import venue_colour
from perp_pipeline.research.periods import parse_period

if TYPE_CHECKING:
    from matplotlib.figure import Figure


ESSAY_VENUES = ("binance", "bitmex", "cme")


def averages_figure(
    averages: pd.DataFrame,
    *,
    period: str = ESSAY_PERIOD,
    bases: Sequence[str] = BASES,
    source: str = "out_funding_averages",
) -> Figure:
    """Figure 2: average annual funding by venue and symbol, and the CME rate by method, with 95 % intervals.

    Args:
        averages: out_funding_averages (estimates in fractions a year).
        period: one of the table's periods.
        source: what the source line says.
    """
    rows = labelled(averages[averages["period"] == period])
    return interval_figure(
        [(base, _average_rows(rows[rows["base"] == base], period)) for base in bases],
        title=f"Average annual funding by venue, {period_words(period)}",
        subtitle="Percent a year, simple annualisation; positive: longs pay. Mean and 95 % interval "
        "(Newey-West, fixed-b).",
        unit="percent a year",
        footer=f"Source: {source}. n: days with complete funding; for CME, trading days.",
    )


def _average_rows(rows: pd.DataFrame, period: str) -> list[IntervalRow]:
    others = tuple(rows["venue"].unique())
    return [
        IntervalRow(
            label=row["label"],
            estimate=100 * row["estimate"],
            low=100 * row["ci_low"],
            high=100 * row["ci_high"],
            n=int(row["n"]),
            colour=venue_colour(row["venue"], others),
            note=_late_start(row, period),
        )
        for row in rows.to_dict("records")
    ]


def _late_start(row: dict[Any, Any], period: str) -> str:
    """Says so where data begin or end more than a month inside the window."""
    span = parse_period(period)
    if span is None or "window_start" not in row or pd.isna(row["window_start"]):
        return ""
    first, last = pd.Timestamp(row["window_start"]), pd.Timestamp(row["window_end"])
    if first.tz is None:
        first, last = first.tz_localize("UTC"), last.tz_localize("UTC")
    month = pd.Timedelta(days=31)
    if last < pd.Timestamp(span.end) - month:
        return f"to {last:%Y-%m}" if first < span.start + month else f"{first:%Y-%m}–{last:%Y-%m}"
    return f"from {first:%Y-%m}" if first > pd.Timestamp(span.start) + month else ""


def spreads_figure(
    spreads: pd.DataFrame,
    *,
    period: str = ESSAY_PERIOD,
    bases: Sequence[str] = BASES,
    source: str = "out_venue_spreads",
) -> Figure:
    """Mean difference of annual funding between pairs of venues, with 95 % intervals.

    The pairs of :func:`shown_pairs`.

    Args:
        spreads: out_venue_spreads (estimates in fractions a year).
    """
    rows = shown_pairs(spreads[spreads["period"] == period])
    panels = []
    for base in bases:
        own = rows[rows["base"] == base]
        panels.append((base, [_spread_row(row, period) for row in own.to_dict("records")]))
    return interval_figure(
        panels,
        title=f"Mean funding difference between venues, {period_words(period)}",
        subtitle="Percentage points a year, first venue minus second. Mean and 95 % interval "
        "(Newey-West, fixed-b).",
        unit="percentage points a year",
        footer=f"Source: {source}. n: days that both venues have.",
    )


def headline_pairs(spreads: pd.DataFrame) -> pd.DataFrame:
    """Headline rows of out_venue_spreads, and the other CME methods of the same contracts."""
    sides = spreads[["venue_a", "symbol_a", "venue_b", "symbol_b", "base", "period"]].apply(tuple, axis=1)
    chosen = set(sides[spreads["headline"].astype(bool)])
    rows = spreads[[side in chosen for side in sides]]
    return rows.sort_values(
        ["base", "period", "venue_a", "venue_b", "headline", "method_a", "method_b"],
        ascending=[True, True, True, True, False, True, True],
        kind="stable",
    )


def shown_pairs(spreads: pd.DataFrame) -> pd.DataFrame:
    """Of the headline pairs those that a figure has room for.

    The essay's venues against each other, with every CME method, and Binance against each other venue.
    """
    rows = headline_pairs(spreads)
    among = rows["venue_a"].isin(ESSAY_VENUES) & rows["venue_b"].isin(ESSAY_VENUES)
    against = rows["headline"].astype(bool) & rows[["venue_a", "venue_b"]].eq(ESSAY_VENUES[0]).any(axis=1)
    chosen = rows[among | against]
    return chosen if len(chosen) else rows


def pair_label(row: dict[Any, Any]) -> str:
    """``Binance - CME calendar × 12`` with a real minus sign."""
    sides = [
        venue_name(row[f"venue_{side}"])
        + ("" if row[f"method_{side}"] == "funding" else f" {METHOD_NAMES.get(row[f'method_{side}'], '')}")
        for side in "ab"
    ]
    return f"{sides[0]} {MINUS} {sides[1]}".rstrip()


def _spread_row(row: dict[Any, Any], period: str) -> IntervalRow:
    return IntervalRow(
        label=pair_label(row),
        estimate=100 * row["estimate"],
        low=100 * row["ci_low"],
        high=100 * row["ci_high"],
        n=int(row["n"]),
        colour=venue_colour(str(row["venue_b"])),
        note=_late_start(row, period),
    )
