"""Exhibits of liquidity providers' profit: by pool and year, by mark, and added up over the days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.grids import Line, Panel, grid_figure
from perp_pipeline.report.intervals import IntervalRow, interval_figure, number
from perp_pipeline.report.style import WIDTH, canvas, colour, date_axis, house_style, moved_apart, place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKS = ("0", "1min", "5min", "1h", "4h", "1d", "7d")
HEADLINE_MARK = "1d"
_BP = "bp of volume"
_SUMS = {
    "fees_usd": ("fees", "green"),
    "convexity_flow_usd": ("convexity, from flows", "vermillion"),
    "convexity_formula_usd": ("convexity, by formula", "ochre"),
    "pnl_usd": ("net", "blue"),
}


def pool_label(row: dict[Any, Any], fee: str) -> str:
    """``WBTC-WETH 30 bp, ethereum 0xcbcd``; ``fee`` names the column of the fee in basis points."""
    return f"{row['token0']}-{row['token1']} {row[fee]:g} bp, {row['chain']} {row['pool'][:6]}"


def _pools(profit: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Rows in dollars by pool, the pools with most volume first."""
    rows = profit[profit["numeraire"] == "USD"]
    found = [
        (pool_label(own.iloc[0].to_dict(), "pool_fee_bp"), own)
        for _, own in rows.groupby(["chain", "pool"], sort=True)
    ]
    return sorted(found, key=lambda item: -item[1]["volume_usd"].max())


def _years(rows: pd.DataFrame) -> pd.DataFrame:
    """Calendar years and all, in that order."""
    chosen = rows[rows["period"].str.fullmatch(r"\d{4}|all")]
    return chosen.sort_values("period", kind="stable")


def years_figure(profit: pd.DataFrame, *, source: str = "out_amm_profit_per_volume") -> Figure:
    """Profit per volume by pool and calendar year, valued at the day's end.

    Args:
        profit: out_amm_profit_per_volume (basis points of volume).
    """
    panels = []
    for label, own in _pools(profit):
        rows = [
            IntervalRow(
                _days(row),
                row["estimate"],
                row["ci_low"],
                row["ci_high"],
                int(row["n"]),
                colour("ink" if row["period"] == "all" else "blue"),
            )
            for row in _years(own[own["mark"] == HEADLINE_MARK]).to_dict("records")
        ]
        panels.append((label, rows))
    return interval_figure(
        panels,
        title="Liquidity providers' profit per volume, by pool and year",
        subtitle="Basis points of volume, valued at the day's end; 95 % interval (bootstrap of day blocks).",
        unit="basis points of volume",
        footer=f"Source: {source}. n: days with swaps.",
        digits=2,
        column="bp  [95 % interval]",
    )


def _days(row: dict[Any, Any]) -> str:
    """The year, or the months of it that the lake has."""
    first, last = (pd.Timestamp(row[end]) for end in ("window_start", "window_end"))
    if row["period"] != "all" and (last - first).days >= 360:
        return str(row["period"])
    ends = f"{first:%Y-%m} to {last:%Y-%m}"
    return f"all, {ends}" if row["period"] == "all" else ends


def marks_figure(profit: pd.DataFrame, *, source: str = "out_amm_profit_per_volume") -> Figure:
    """Profit per volume by the time at which flows are valued: pool price, and exchange price.

    Args:
        profit: out_amm_profit_per_volume (basis points of volume).
    """
    panels = []
    for label, own in _pools(profit):
        rows = own[own["period"] == "all"].set_index("mark").reindex(list(MARKS))
        spread = 1.96 * rows["se_exchange"]
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
                (rows["estimate_exchange"] - spread).tolist(),
                (rows["estimate_exchange"] + spread).tolist(),
            ),
        ]
        note = f"n = {int(rows['n'].max()):,} days; fees {number(rows['fee_bp'].median())} bp"
        panels.append(Panel(label, MARKS, lines, note))
    return grid_figure(
        panels,
        title="Profit per volume depends on when flows are valued",
        subtitle="Basis points of volume, all days; 95 % by bootstrap (exchange: ± 1.96 of its errors).",
        footer=f"Source: {source}. 0: right after the swap; 1d: the end of its UTC day; 7d: six days later.",
        unit="bp",
        x_title="time from the swap to the valuation",
        columns=1,
        tall=230,
    )


def cumulative_figure(pool_days: pd.DataFrame, *, source: str = "core_amm_pool_day") -> Figure:
    """Fees, convexity by both routes, and the net of fees and flows, added up over the days of each pool.

    Args:
        pool_days: core_amm_pool_day (dollars).
    """
    from matplotlib import dates

    library: Any = dates
    pools = [
        (pool_label(own.iloc[0].to_dict(), "fee_bp"), own.sort_values("day"))
        for _, own in pool_days.groupby(["chain", "pool"], sort=True)
    ]
    pools.sort(key=lambda item: -item[1]["volume_usd"].sum())
    head, tall, left, right = 62, 240, 62, 212
    with house_style():
        figure = canvas(
            head + tall * len(pools) + 34,
            "Cumulative fees, convexity and net of liquidity providers",
            "Million dollars since the pool's first day in the lake; net = fees less convexity from flows.",
            f"Source: {source}. Days without swaps add nothing.",
        )
        for index, (label, own) in enumerate(pools):
            axes = place(figure, left, head + tall * index + 26, WIDTH - left - right, tall - 62)
            axes.set_label(label)
            axes.text(0, 1.03, label, transform=axes.transAxes, fontweight="bold", va="bottom")
            axes.text(
                1,
                1.03,
                f"{own['day'].iloc[0]:%Y-%m-%d} to {own['day'].iloc[-1]:%Y-%m-%d}, n = {len(own):,} days",
                transform=axes.transAxes,
                va="bottom",
                ha="right",
                fontsize=8,
                color=colour("muted"),
            )
            axes.grid(axis="y", color=colour("grid"), linewidth=0.8)
            axes.axhline(0, color=colour("zero"), linewidth=1)
            x = library.date2num(own["day"].to_numpy())
            ends = {}
            for column, (name, tone) in _SUMS.items():
                sums = own[column].to_numpy(dtype=float).cumsum() / 1e6
                axes.plot(x, sums, color=colour(tone), linewidth=1.8, label=name)
                ends[name] = (float(sums[-1]), colour(tone))
            _end_labels(axes, ends, tall - 62)
            axes.locator_params(axis="y", nbins=5)
            axes.yaxis.set_major_formatter(lambda value, _: f"{number(value, 0)} m")
            date_axis(axes)
    return figure


def _end_labels(axes: Any, ends: dict[str, tuple[float, str]], height: float) -> None:
    """Each line's name and last value right of the panel, moved apart where they would touch."""
    low, high = axes.get_ylim()
    gap = (high - low) * 15 / height
    ordered = sorted(ends.items(), key=lambda item: item[1][0])
    spots = moved_apart([value for _, (value, _) in ordered], gap)
    for y, (name, (value, tone)) in zip(spots, ordered, strict=True):
        axes.text(
            1.01,
            y,
            f"{name} {number(value)}",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8.5,
            color=tone,
            fontweight="bold",
        )


def _say_years(tables: Tables) -> str:
    parts = []
    for label, own in _pools(tables["out_amm_profit_per_volume"]):
        for row in _years(own[own["mark"] == HEADLINE_MARK]).to_dict("records"):
            ends = cells.interval(row["ci_low"], row["ci_high"], _BP)
            parts.append(f"{label}, {row['period']}: {cells.amount(row['estimate'], _BP)} ({ends})")
    return "; ".join(parts)


def _say_marks(tables: Tables) -> str:
    parts = []
    for label, own in _pools(tables["out_amm_profit_per_volume"]):
        rows = own[own["period"] == "all"].set_index("mark")
        told = [
            f"{mark} {cells.amount(rows.loc[mark, 'estimate'], _BP)}" for mark in MARKS if mark in rows.index
        ]
        parts.append(f"{label}: " + ", ".join(told))
    return "; ".join(parts)


def _say_cumulative(tables: Tables) -> str:
    parts = []
    for _, own in tables["core_amm_pool_day"].groupby(["chain", "pool"], sort=True):
        told = [
            f"{name} {cells.amount(own[column].sum(), 'USD a day')}" for column, (name, _) in _SUMS.items()
        ]
        parts.append(f"{pool_label(own.iloc[0].to_dict(), 'fee_bp')}: " + ", ".join(told))
    return "; ".join(parts)


def _profit(tables: Tables) -> cells.TableView:
    """The headline table: pools, years and marks down."""
    printed = []
    for label, own in _pools(tables["out_amm_profit_per_volume"]):
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
                    cells.amount(row["fee_bp"], _BP, suffix=False),
                    cells.amount(row["convexity_flow_bp"], _BP, suffix=False),
                    cells.amount(row["convexity_formula_bp"], _BP, suffix=False),
                    cells.amount(row["volume_usd"] / 1e6, "USD a day", suffix=False),
                    cells.amount(row["pnl_usd"] / 1e6, _BP, suffix=False),
                    f"{int(row['n_days']):,}",
                    cells.amount(row["win_share"], "share"),
                ]
            )
    headings = [
        *("Pool", "Period", "Mark", "Profit, bp", "Std. error", "95 % interval", "Fees, bp"),
        *("Convexity, flows", "Convexity, formula", "Volume, m$", "Profit, m$", "Days", "Winning days"),
    ]
    return cells.texts(headings, printed, numeric_from=3)


_PROFIT = "out_amm_profit_per_volume"

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
        "moves on. Exchange prices from one hour on.",
        (32, 47),
        (_PROFIT,),
        lambda tables, source: marks_figure(tables[_PROFIT], source=source),
        _say_marks,
    ),
    FigureExhibit(
        "amm-cumulative",
        "C",
        "Fees, convexity and net, added up",
        "Convexity from flows is what was lost against the price of the day's end; by formula it is "
        "liquidity times variance: an expectation, without the luck of single days.",
        (48, 49, 51),
        ("core_amm_pool_day",),
        lambda tables, source: cumulative_figure(tables["core_amm_pool_day"], source=source),
        _say_cumulative,
    ),
)

TABLES: tuple[TableExhibit, ...] = (
    TableExhibit(
        "table-amm",
        "Profit per volume by pool, year and mark",
        "Basis points of volume; errors and intervals from a bootstrap of day blocks.",
        (_PROFIT,),
        _profit,
        folded=True,
        essay="A",
        claims=(46, 47, 48, 49, 51),
    ),
)
