"""Exhibits of quanto perpetuals: covariance against funding by year, and the parts in the posts' windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.grids import Line, Panel, grid_figure
from perp_pipeline.report.intervals import IntervalRow, interval_figure, number
from perp_pipeline.report.series import period_words
from perp_pipeline.report.style import colour
from perp_pipeline.research.quanto import FREQUENCIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WINDOWS = ("2017-06..2019-03", "2018-08..2022-06", "2019-01..2024-05", "all")
_YEARLY = {
    "covariance": ("covariance", "slate"),
    "funding": ("funding", "blue"),
    "net_funding": ("funding less covariance", "vermillion"),
}
_PARTS = {
    "difference": "perp return less asset return",
    "covariance": "   of it covariance",
    "product_of_means": "   of it product of means",
    "funding": "funding",
    "net_funding": "funding less covariance",
}


def _values(quanto: pd.DataFrame, frequency: str = "8h") -> pd.DataFrame:
    """Rows of one frequency by (symbol, period, quantity)."""
    rows = quanto[quanto["frequency"] == frequency]
    return rows.set_index(["symbol", "period", "quantity"]).sort_index()


def _main_symbol(quanto: pd.DataFrame) -> str:
    """The quanto contract with most windows."""
    rows = quanto[quanto["quantity"] == "covariance"]
    rows = rows if len(rows) else quanto
    most = rows.groupby("symbol")["n"].max()
    return str(min(most.index, key=lambda symbol: (-most[symbol], symbol)))


def years_figure(quanto: pd.DataFrame, *, source: str = "out_quanto") -> Figure:
    """Covariance, funding and their difference by calendar year, 8-hour windows on spot and on trades.

    Args:
        quanto: out_quanto (fractions a year).
    """
    symbol = _main_symbol(quanto)
    panels = []
    for frequency in ("8h", "8h_perp"):
        values = _values(quanto, frequency)
        years = sorted({period for owner, period, _ in values.index if owner == symbol and period.isdigit()})
        if not years:
            continue
        lines = []
        for quantity, (label, tone) in _YEARLY.items():
            found = values.reindex([(symbol, year, quantity) for year in years])
            lines.append(
                Line(
                    label,
                    colour(tone),
                    (100 * found["estimate"]).tolist(),
                    (100 * found["ci_low"]).tolist(),
                    (100 * found["ci_high"]).tolist(),
                )
            )
        counts = {
            quantity: int(values.reindex([(symbol, year, quantity) for year in years])["n"].sum())
            for quantity in ("covariance", "net_funding")
        }
        note = f"n = {counts['covariance']:,} windows, {counts['net_funding']:,} with funding"
        panels.append(Panel(f"{symbol}: {FREQUENCIES[frequency]}", years, lines, note))
    return grid_figure(
        panels,
        title=f"{symbol}: does funding pay for the covariance?",
        subtitle="Percent a year, by calendar year; 95 % intervals (Newey-West, fixed-b).",
        footer=f"Source: {source}. Years hold what the lake has of them. Covariance of the asset's and the "
        "margin coin's returns.",
        unit="%",
        x_title="year",
        columns=1,
        tall=240,
    )


def parts_figure(quanto: pd.DataFrame, *, source: str = "out_quanto") -> Figure:
    """The return advantage of the perp, its parts, funding, and what is left, in each window of the posts.

    Args:
        quanto: out_quanto (fractions a year).
    """
    symbol = _main_symbol(quanto)
    values = _values(quanto)
    panels = []
    for period in WINDOWS:
        rows = []
        for quantity, label in _PARTS.items():
            key = (symbol, period, quantity)
            if key in values.index:
                row = values.loc[key]
                rows.append(
                    IntervalRow(
                        label,
                        100 * row["estimate"],
                        100 * row["ci_low"],
                        100 * row["ci_high"],
                        int(row["n"]),
                        colour(_YEARLY.get(quantity, ("", "ink"))[1]),
                    )
                )
        if rows:
            panels.append((period_words(period), rows))
    return interval_figure(
        panels,
        title=f"{symbol}: what the perp earns beyond the asset, and what it pays",
        subtitle="Percent a year, arithmetic, 8-hour windows on spot prices; 95 % intervals (Newey-West, "
        "fixed-b).",
        unit="percent a year",
        footer=f"Source: {source}. n: windows; funding where the venue has it.",
    )


_COMPARED = {
    "difference": "what the perp earns beyond the asset",
    "net_funding": "funding less covariance",
    "vol_base": "volatility of the asset",
}
_SAME_DAYS = pd.Timedelta(days=2)


def _same_days(quanto: pd.DataFrame) -> pd.DataFrame:
    """Rows of the compared quantities over the longest period that all price sources share, day for day."""
    rows = quanto[(quanto["symbol"] == _main_symbol(quanto)) & quanto["quantity"].isin(_COMPARED)]
    wanted = rows["frequency"].nunique() * rows["quantity"].nunique()
    best = rows.iloc[:0]
    for _, own in rows.groupby("period", observed=True):
        spread = max(own[name].max() - own[name].min() for name in ("window_start", "window_end"))
        longer = best.empty or own["n"].max() > best["n"].max()
        if len(own) == wanted and spread <= _SAME_DAYS and longer:
            best = own
    return best.set_index(["quantity", "frequency"])


def prices_figure(quanto: pd.DataFrame, *, source: str = "out_quanto") -> Figure:
    """The same quantities by price source and window length, over the same days.

    Args:
        quanto: out_quanto (fractions a year).
    """
    symbol = _main_symbol(quanto)
    values = _same_days(quanto)
    panels = []
    for quantity, title in _COMPARED.items():
        rows = [
            IntervalRow(
                label,
                100 * row["estimate"],
                100 * row["ci_low"],
                100 * row["ci_high"],
                int(row["n"]),
                colour("blue" if frequency.startswith("8h") else "slate"),
            )
            for frequency, label in FREQUENCIES.items()
            if (quantity, frequency) in values.index and len(row := values.loc[(quantity, frequency)])
        ]
        if rows:
            panels.append((title, rows))
    period = period_words(str(values["period"].iloc[0])) if len(values) else "no period that all share"
    return interval_figure(
        panels,
        title=f"{symbol}: by price source and length of the window",
        subtitle=f"Percent a year, the same days for all: {period}; 95 % intervals (Newey-West, fixed-b).",
        unit="percent a year",
        footer=f"Source: {source}. n: windows. Eight-hour windows see less of what spreads over a day.",
    )


def _say_prices(tables: Tables) -> str:
    values = _same_days(tables["out_quanto"])
    parts = []
    for quantity, title in _COMPARED.items():
        told = [
            f"{label} {_told(values.loc[(quantity, frequency)])}"
            for frequency, label in FREQUENCIES.items()
            if (quantity, frequency) in values.index
        ]
        if told:
            parts.append(f"{title}: " + "; ".join(told))
    return ". ".join(parts)


def _say_years(tables: Tables) -> str:
    quanto = tables["out_quanto"]
    symbol = _main_symbol(quanto)
    values = _values(quanto)
    parts = []
    for owner, period in dict.fromkeys((key[0], key[1]) for key in values.index):
        if owner == symbol and period.isdigit():
            told = [
                f"{label} {_told(values.loc[(symbol, period, quantity)])}"
                for quantity, (label, _) in _YEARLY.items()
                if (symbol, period, quantity) in values.index
            ]
            parts.append(f"{period}: " + ", ".join(told))
    return "; ".join(parts)


def _say_parts(tables: Tables) -> str:
    quanto = tables["out_quanto"]
    symbol = _main_symbol(quanto)
    values = _values(quanto)
    parts = []
    for period in WINDOWS:
        told = [
            f"{label.strip()} {_told(values.loc[(symbol, period, quantity)])}"
            for quantity, label in _PARTS.items()
            if (symbol, period, quantity) in values.index
        ]
        if told:
            parts.append(f"{period_words(period)}: " + ", ".join(told))
    return "; ".join(parts)


def _told(row: pd.Series) -> str:
    if pd.isna(row["ci_low"]):
        return f"{number(100 * row['estimate'])} %"
    interval = cells.interval(row["ci_low"], row["ci_high"], "fraction a year")
    return f"{number(100 * row['estimate'])} % ({interval})"


_COLUMNS = {
    "asset_return": "Asset",
    "perp_return": "Perp",
    "difference": "Difference",
    "covariance": "Covariance",
    "product_of_means": "Product of means",
    "funding": "Funding",
    "net_funding": "Net",
    "vol_base": "Vol., asset",
    "vol_margin": "Vol., margin",
    "corr": "Correlation",
}


def _windows(tables: Tables) -> cells.TableView:
    """Quantities across; windows and price sources down: estimate and standard error."""
    quanto = tables["out_quanto"]
    wide = quanto.set_index(["symbol", "period", "frequency", "quantity"]).sort_index()
    printed = []
    for symbol, period, frequency in dict.fromkeys(key[:3] for key in wide.index):
        own = wide.loc[(symbol, period, frequency)]
        if "covariance" not in own.index:
            continue
        texts = [_cell(own, quantity) for quantity in _COLUMNS]
        first = own.loc["covariance"]
        said = [symbol, period, FREQUENCIES.get(frequency, frequency)]
        printed.append([*said, *texts, f"{int(first['n']):,}", f"{int(first['n_kept_out']):,}"])
    headings = ["Contract", "Period", "Prices", *_COLUMNS.values(), "Windows", "Kept out"]
    return cells.texts(headings, printed, numeric_from=3)


def _cell(own: pd.DataFrame, quantity: str) -> str:
    if quantity not in own.index:
        return cells.MISSING
    row = own.loc[quantity]
    factor, digits = (1.0, 2) if quantity == "corr" else (100.0, 1)
    error = "" if pd.isna(row["se"]) else f" ({number(factor * row['se'], digits)})"
    return number(factor * row["estimate"], digits) + error


def _linear(tables: Tables) -> cells.TableView:
    rows = tables["out_quanto"]
    rows = rows[rows["quantity"] == "linear_minus_inverse"]
    shown = rows.assign(
        interval=[
            cells.interval(low, high, "fraction a year")
            for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)
        ]
    )
    headings = {
        "symbol": "Linear contract",
        "period": "Period",
        "estimate": "Linear less inverse",
        "interval": "95 % interval",
        "n": "Windows",
    }
    return cells.view(shown, headings, {"estimate": "fraction a year"})


FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "quanto-parts",
        "B",
        "The quanto's advantage and its price",
        "A long of the quanto earns the asset's return plus the covariance with the margin coin; funding is "
        "what it pays. Where the interval of the last row spans zero, the rate cannot be told from a fair "
        "one.",
        (34, 35, 36, 37),
        ("out_quanto",),
        lambda tables, source: parts_figure(tables["out_quanto"], source=source),
        _say_parts,
    ),
    FigureExhibit(
        "quanto-years",
        "C",
        "Quanto covariance and funding by year",
        "On spot prices, and on the venue's own trades where the lake has them.",
        (36, 38, 39),
        ("out_quanto",),
        lambda tables, source: years_figure(tables["out_quanto"], source=source),
        _say_years,
        headline=True,
    ),
    FigureExhibit(
        "quanto-prices",
        "C",
        "The quanto by price source",
        "Eight-hour and daily windows, on spot prices, on the venue's own trades and on its prices at the "
        "payments. Returns of the two coins move together a little late, so that longer windows see more of "
        "their covariance.",
        (36, 37, 38, 39),
        ("out_quanto",),
        lambda tables, source: prices_figure(tables["out_quanto"], source=source),
        _say_prices,
    ),
)

TABLES: tuple[TableExhibit, ...] = (
    TableExhibit(
        "table-quanto",
        "Quanto returns, covariance and funding, every window and price source",
        "Percent a year (correlation: 1), standard errors in parentheses. Kept out: prices that were zero, "
        "negative or stood still.",
        ("out_quanto",),
        _windows,
        folded=True,
        essay="C",
        claims=(36, 38, 39),
    ),
    TableExhibit(
        "table-linear-inverse",
        "Funding of linear less inverse contracts",
        "Percent a year, windows that both contracts have.",
        ("out_quanto",),
        _linear,
        folded=True,
        essay="C",
        claims=(40,),
    ),
)
