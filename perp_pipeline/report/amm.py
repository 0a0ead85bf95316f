"""Exhibits of liquidity providers' profit: by pool and year, by mark; and of pool against exchange prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.report import amm_convexity, amm_cumulative, cells
from perp_pipeline.report.amm_convexity import convexity_figure
from perp_pipeline.report.amm_cumulative import cumulative_figure
from perp_pipeline.report.amm_pools import (
    HEADLINE_MARK,
    dates,
    judged,
    pool_label,
    profit_by_pool,
    single_days,
    years,
)
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.grids import Line, Panel, grid_figure
from perp_pipeline.report.intervals import IntervalRow, interval_figure, number
from perp_pipeline.report.style import colour
from perp_pipeline.research.amm_profit import MIN_DAYS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "TABLES", "convexity_figure", "cumulative_figure"]

MARKS = ("0", "1min", "5min", "1h", "4h", "1d", "7d")
_BP = "bp of volume"
_PROFIT = "out_amm_profit_per_volume"
_GAP = "out_amm_price_gap"
_SHARES = {
    "share_within_fee": ("as quoted", "blue"),
    "share_within_fee_centred": ("less the month's median gap", "green"),
}


def years_figure(profit: pd.DataFrame, *, source: str = _PROFIT) -> Figure:
    """Profit per volume by pool and calendar year, valued at the day's end.

    Args:
        profit: out_amm_profit_per_volume (basis points of volume).
    """
    marked = profit_by_pool(profit[profit["mark"] == HEADLINE_MARK])
    panels = []
    for label, own in judged(marked):
        rows = [
            IntervalRow(
                dates(row),
                row["estimate"],
                row["ci_low"],
                row["ci_high"],
                int(row["n"]),
                colour("ink" if row["period"] == "all" else "blue"),
            )
            for row in years(own).to_dict("records")
        ]
        panels.append((label, rows))
    return interval_figure(
        panels,
        title="Liquidity providers' profit per volume, by pool and year",
        subtitle="Basis points of volume, valued at the day's end; 95 % interval (bootstrap of day blocks).",
        unit="basis points of volume",
        footer=f"Source: {source}. n: days with swaps; below {MIN_DAYS} by Student's t. "
        + single_days(marked),
        digits=1,
        column="bp  [95 % interval]",
    )


def marks_figure(profit: pd.DataFrame, *, source: str = _PROFIT) -> Figure:
    """Profit per volume by the time at which flows are valued: pool price, and exchange price.

    Args:
        profit: out_amm_profit_per_volume (basis points of volume).
    """
    panels = []
    for label, own in judged(profit_by_pool(profit)):
        rows = own[own["period"] == "all"].set_index("mark").reindex(list(MARKS))
        lines = [
            Line(
                "pool price",
                colour("blue"),
                rows["estimate"].tolist(),
                rows["ci_low"].tolist(),
                rows["ci_high"].tolist(),
            ),
            Line(
                "exchange price",
                colour("vermillion"),
                rows["estimate_exchange"].tolist(),
                rows["ci_low_exchange"].tolist(),
                rows["ci_high_exchange"].tolist(),
            ),
        ]
        ticks = [f"{mark}\n{'no data' if pd.isna(n) else f'n = {int(n):,}'}" for mark, n in rows["n"].items()]
        panels.append(Panel(label, ticks, lines, f"fees {number(rows['fee_bp'].median())} bp; n: days"))
    return grid_figure(
        panels,
        title="Profit per volume depends on when flows are valued",
        subtitle="Basis points of volume, all days; 95 % by bootstrap of day blocks.",
        footer=f"Source: {source}. 0: right after the swap; 1d: the end of its UTC day; 7d: six days later. "
        f"Exchange: between hourly closes, interpolated. Fewer than {MIN_DAYS} days: by Student's t.",
        unit="bp",
        x_title="time from the swap to the valuation (before the Merge block times within the hour are "
        "interpolated)",
        columns=1,
        tall=252,
    )


def gap_figure(gaps: pd.DataFrame, *, source: str = _GAP) -> Figure:
    """Share of hours in which the pool's price is within its fee of the exchanges', by pool and year.

    Args:
        gaps: out_amm_price_gap (shares and fractions of the price).
    """
    panels = []
    for _, own in gaps.groupby(["chain", "pool"], sort=True):
        rows = []
        for row in years(own[own["quantity"] == "share_within_fee"]).to_dict("records"):
            for name, (words, tone) in _SHARES.items():
                found = own[(own["quantity"] == name) & (own["period"] == row["period"])]
                for one in found.to_dict("records"):
                    heading = f"{one['period']}, {words}" if name == "share_within_fee" else f"    {words}"
                    ends = (100 * one["ci_low"], 100 * one["ci_high"])
                    rows.append(
                        IntervalRow(heading, 100 * one["estimate"], *ends, int(one["n"]), colour(tone))
                    )
        panels.append((pool_label(own.iloc[0].to_dict(), "pool_fee_bp"), rows))
    return interval_figure(
        panels,
        title="How often pool prices are within the fee of the exchanges' price",
        subtitle="Per cent of hours, at their ends; 95 % interval (Newey-West).",
        unit="per cent of hours",
        footer=f"Source: {source}. n: hours that both sides have. Bars close with a trade of the hour.",
        digits=1,
        column="%  [95 % interval]",
    )


def _say_years(tables: Tables) -> str:
    parts = []
    for label, own in judged(profit_by_pool(tables[_PROFIT])):
        for row in years(own[own["mark"] == HEADLINE_MARK]).to_dict("records"):
            ends = cells.interval(row["ci_low"], row["ci_high"], _BP)
            parts.append(f"{label}, {row['period']}: {cells.amount(row['estimate'], _BP)} ({ends})")
    return "; ".join(parts)


def _say_marks(tables: Tables) -> str:
    parts = []
    for label, own in judged(profit_by_pool(tables[_PROFIT])):
        rows = own[own["period"] == "all"].set_index("mark")
        told = [
            f"{mark} {cells.amount(rows.loc[mark, 'estimate'], _BP)} (n {int(rows.loc[mark, 'n']):,})"
            for mark in MARKS
            if mark in rows.index
        ]
        parts.append(f"{label}: " + ", ".join(told))
    return "; ".join(parts)


def _say_gaps(tables: Tables) -> str:
    parts = []
    for _, own in tables[_GAP].groupby(["chain", "pool"], sort=True):
        for row in years(own[own["quantity"] == "share_within_fee"]).to_dict("records"):
            ends = cells.interval(row["ci_low"], row["ci_high"], "share")
            label = pool_label(row, "pool_fee_bp")
            parts.append(f"{label}, {row['period']}: {cells.amount(row['estimate'], 'share')} ({ends})")
    return "; ".join(parts)


def _profit(tables: Tables) -> cells.TableView:
    """The headline table: pools, years and marks down."""
    printed = []
    for label, own in profit_by_pool(tables[_PROFIT]):
        rows = own[own["period"].str.fullmatch(r"\d{4}|all")]
        order = rows["mark"].map(MARKS.index)
        for row in rows.assign(order=order).sort_values(["period", "order"]).to_dict("records"):
            printed.append(
                [
                    label,
                    row["period"],
                    row["mark"],
                    cells.amount(row["estimate"], _BP, suffix=False),
                    cells.amount(row["se"], _BP, suffix=False),
                    cells.interval(row["ci_low"], row["ci_high"], _BP),
                    *(
                        _with_error(row[f"{name}_bp"], row[f"{name}_se"])
                        for name in ("fee", "convexity_flow", "convexity_formula", "convexity_gap")
                    ),
                    _with_error(row["estimate_exchange"], row["se_exchange"]),
                    cells.amount(row["volume_usd"] / 1e6, "USD a day", suffix=False),
                    cells.amount(row["pnl_usd"] / 1e6, _BP, suffix=False),
                    f"{int(row['n_days']):,}",
                    _with_error(100 * row["win_share"], 100 * row["win_share_se"], 1),
                ]
            )
    headings = [
        *("Pool", "Period", "Mark", "Profit, bp", "Std. error", "95 % interval", "Fees, bp"),
        *("Convexity, flows", "Convexity, formula", "Flows less formula", "Profit at exchange prices, bp"),
        *("Volume, m$", "Profit, m$", "Days", "Winning days, %"),
    ]
    return cells.texts(headings, printed, numeric_from=3)


_GAPS = {
    "share_within_fee": ("hours within the fee", "share"),
    "share_within_fee_centred": ("hours within the fee, less the median gap", "share"),
    "mean_gap": ("mean gap", "fraction"),
    "mean_absolute_gap": ("mean absolute gap", "fraction"),
    "mean_absolute_gap_centred": ("mean absolute gap, less the median gap", "fraction"),
}


def _gaps(tables: Tables) -> cells.TableView:
    """Pools, quantities and years down."""
    printed = []
    for _, own in tables[_GAP].groupby(["chain", "pool"], sort=True):
        for quantity, (words, unit) in _GAPS.items():
            for row in years(own[own["quantity"] == quantity]).to_dict("records"):
                printed.append(
                    [
                        pool_label(row, "pool_fee_bp"),
                        words,
                        dates(row),
                        cells.amount(row["estimate"], unit),
                        cells.interval(row["ci_low"], row["ci_high"], unit),
                        cells.amount(row["se"], unit),
                        f"{int(row['n']):,}",
                        f"{int(row['hac_lags']):,}",
                    ]
                )
    headings = ["Pool", "Quantity", "Period", "Estimate", "95 % interval", "Std. error", "Hours", "Lags"]
    return cells.texts(headings, printed, numeric_from=3)


def _with_error(value: float, error: float, digits: int = 2) -> str:
    """``5.01 (0.02)``; the number alone where it has no error."""
    if pd.isna(value):
        return cells.MISSING
    text = number(value, digits)
    return text if pd.isna(error) else f"{text} ({number(error, digits)})"


FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "amm-profit",
        "A",
        "Profit per volume by pool and year",
        "What swaps brought into the pool, fees included, at the price of the day's end, per dollar traded.",
        (46, 47, 49, 51),
        (_PROFIT,),
        lambda tables, source: years_figure(tables[_PROFIT], source=source),
        _say_years,
        headline=True,
    ),
    FigureExhibit(
        "amm-marks",
        "A",
        "Profit per volume by mark",
        "Right after a swap a pool has earned its fee; what better informed traders take shows as the price "
        "moves on. Exchange prices from one hour on, interpolated between hourly closes: the time to the "
        "valuation is right on average over swaps, and up to an hour off for a single one. Marks differ in "
        "their days: minute files do not show single swaps, and a flow whose mark lies in a day that the "
        "lake lacks has none.",
        (47,),
        (_PROFIT,),
        lambda tables, source: marks_figure(tables[_PROFIT], source=source),
        _say_marks,
    ),
    FigureExhibit(
        "amm-price-gap",
        "A",
        "Pool prices against exchange prices",
        "Share of hours at whose end the pool's price is within its fee of the exchanges' last close. A "
        "pool is left alone inside its fee and arbitraged beyond. The month's median gap is the "
        "exchange's dollar or a wrapped token's discount, not the pool's lag: without it the share is "
        "that of the lag alone.",
        (32,),
        (_GAP,),
        lambda tables, source: gap_figure(tables[_GAP], source=source),
        _say_gaps,
    ),
    *amm_cumulative.FIGURES,
    *amm_convexity.FIGURES,
)

TABLES: tuple[TableExhibit, ...] = (
    TableExhibit(
        "table-amm",
        "Profit per volume by pool, year and mark",
        "Basis points of volume; errors, in brackets where not in a column, and intervals from a "
        f"bootstrap of day blocks, below {MIN_DAYS} days by Student's t; a single day has none.",
        (_PROFIT,),
        _profit,
        folded=True,
        essay="A",
        claims=(46, 47, 48, 49, 51),
    ),
    TableExhibit(
        "table-amm-price-gap",
        "Pool prices against exchange prices, by pool and year",
        "Gap: pool price over exchange price at the ends of hours, in logs; Newey-West errors.",
        (_GAP,),
        _gaps,
        folded=True,
        essay="A",
        claims=(32,),
    ),
    *amm_convexity.TABLES,
    *amm_cumulative.TABLES,
)
