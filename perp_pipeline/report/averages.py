"""Exhibits of average funding: by venue, by month, and the differences between venues."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.comparisons import (
    averages_figure,
    headline_pairs,
    pair_label,
    shown_pairs,
    spreads_figure,
)
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.intervals import number
from perp_pipeline.report.series import (
    BASES,
    ESSAY_PERIOD,
    labelled,
    months_of,
    period_words,
    principal_series,
    venue_name,
)
from perp_pipeline.report.timelines import differences_figure, monthly_figure, venue_differences


def _say_averages(tables: Tables) -> str:
    rows = labelled(tables["out_funding_averages"])
    rows = rows[(rows["period"] == ESSAY_PERIOD) & rows["base"].isin(BASES)]
    return "; ".join(
        f"{row['base']}, {row['label']}: {cells.amount(row['estimate'], 'fraction a year')} "
        f"({cells.interval(row['ci_low'], row['ci_high'], 'fraction a year')})"
        for row in rows.to_dict("records")
    )


def _say_monthly(period: str) -> Callable[[Tables], str]:
    def say(tables: Tables) -> str:
        parts = []
        for base in BASES:
            for venue, line in principal_series(tables["out_funding_monthly"], base, period).items():
                low, high = 100 * line.min(), 100 * line.max()
                parts.append(
                    f"{base}, {venue_name(venue)}: between {number(low)} % ({line.idxmin():%b %Y}) and "
                    f"{number(high)} % a year ({line.idxmax():%b %Y})"
                )
        return "; ".join(parts)

    return say


def _say_differences(tables: Tables) -> str:
    parts = []
    for base in BASES:
        for (a, b), rows in venue_differences(tables["out_venue_spreads_monthly"], base).items():
            line = rows["estimate"].dropna()
            above, beyond = int((line > 0).sum()), int((rows["ci_low"] > 0).sum())
            largest = rows.loc[line.abs().idxmax()]
            ends = cells.interval(largest["ci_low"], largest["ci_high"], "fraction a year")
            parts.append(
                f"{base}, {venue_name(a)} minus {venue_name(b)}: above zero in {above} of {len(line)} "
                f"months, by its interval in {beyond}; largest {number(100 * largest['estimate'])} points "
                f"({ends}, {line.abs().idxmax():%b %Y})"
            )
    return "; ".join(parts)


def _say_spreads(tables: Tables) -> str:
    rows = shown_pairs(tables["out_venue_spreads"])
    rows = rows[(rows["period"] == ESSAY_PERIOD) & rows["base"].isin(BASES)]
    return "; ".join(
        f"{row['base']}, {pair_label(row)}: {number(100 * row['estimate'])} points "
        f"({cells.interval(row['ci_low'], row['ci_high'], 'fraction a year')})"
        for row in rows.to_dict("records")
    )


FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "averages",
        "B",
        "Average annual funding by venue",
        "After figure 2 of the essay. Each row is one contract, or one way to read a rate off the CME curve; "
        "the line is the 95 % interval. The essay's own CME method is calendar × 12.",
        (1, 2),
        ("out_funding_averages",),
        lambda tables, source: averages_figure(tables["out_funding_averages"], source=source),
        _say_averages,
        headline=True,
    ),
    FigureExhibit(
        "spreads",
        "B",
        "Mean differences between venues",
        "Differences are taken day by day on the days that both venues have, which is why their intervals "
        "are narrower than those of the averages suggest: the venues move together.",
        (1,),
        ("out_venue_spreads",),
        lambda tables, source: spreads_figure(tables["out_venue_spreads"], source=source),
        _say_spreads,
    ),
    FigureExhibit(
        "monthly",
        "B",
        "Monthly funding by venue",
        "After figure 3 of the essay. One line per venue: its contract with the longest history. Bands are "
        "95 % intervals of each month's mean; a month is short for a rate as persistent as this.",
        (6, 11),
        ("out_funding_monthly",),
        lambda tables, source: monthly_figure(tables["out_funding_monthly"], source=source),
        _say_monthly(ESSAY_PERIOD),
    ),
    FigureExhibit(
        "differences",
        "B",
        "Monthly differences between venues",
        "After figure 4 of the essay: the mean difference of each month on the days that both venues have. "
        "The dashed line is the mean over the window. Both with their 95 % intervals.",
        (5, 7),
        ("out_venue_spreads_monthly",),
        lambda tables, source: differences_figure(
            tables["out_venue_spreads_monthly"], tables.get("out_venue_spreads"), source=source
        ),
        _say_differences,
    ),
    FigureExhibit(
        "monthly-all",
        "A",
        "Monthly funding by venue, whole lake",
        "The same lines over all that the lake holds.",
        (9, 10),
        ("out_funding_monthly",),
        lambda tables, source: monthly_figure(tables["out_funding_monthly"], period="all", source=source),
        _say_monthly("all"),
    ),
)

_YEAR = "fraction a year"
_AVERAGE_UNITS = {
    "estimate": _YEAR,
    "se": _YEAR,
    "share_negative": "share",
    "share_default": "share",
    "coverage": "share",
}


def _averages(rows: pd.DataFrame) -> cells.TableView:
    shown = rows.assign(
        interval=[
            cells.interval(low, high, _YEAR)
            for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)
        ],
        days=[
            cells.window(start, end)
            for start, end in zip(rows["window_start"], rows["window_end"], strict=True)
        ],
    )
    headings = {
        "base": "Base",
        "label": "Series",
        "period": "Period",
        "estimate": "Mean",
        "interval": "95 % interval",
        "se": "Std. error",
        "n": "Days",
        "hac_lags": "Lags",
        "share_negative": "Below zero",
        "share_default": "At default",
        "skew": "Skew",
        "days": "First and last day",
    }
    return cells.view(shown, {k: v for k, v in headings.items() if k in shown}, _AVERAGE_UNITS)


def _essay_averages(tables: Tables) -> cells.TableView:
    rows = labelled(tables["out_funding_averages"])
    return _averages(rows[rows["period"] == ESSAY_PERIOD])


def _all_averages(tables: Tables) -> cells.TableView:
    return _averages(labelled(tables["out_funding_averages"]))


def _monthly(tables: Tables) -> cells.TableView:
    """Months down, series across: mean and standard error in percent a year."""
    rows = labelled(tables["out_funding_monthly"])
    return _by_month(rows.assign(name=rows["base"] + " " + rows["label"]))


def _monthly_spreads(tables: Tables) -> cells.TableView:
    """Months down, pairs across: mean difference and standard error in points a year."""
    rows = tables["out_venue_spreads_monthly"]
    pairs = [f"{row['base']} {pair_label(row)}" for row in rows.to_dict("records")]
    return _by_month(rows.assign(name=pairs).sort_values(["base", "venue_a", "venue_b"], kind="stable"))


def _by_month(rows: pd.DataFrame) -> cells.TableView:
    rows = rows.assign(month=months_of(rows["month"]))
    names = list(rows["name"].drop_duplicates())
    text = rows.assign(
        text=[
            number(100 * mean) + (f" ({number(100 * se)})" if pd.notna(se) else "")
            for mean, se in zip(rows["estimate"], rows["se"], strict=True)
        ]
    ).pivot(index="month", columns="name", values="text")
    printed = [
        (f"{month:%Y-%m}", *(value if isinstance(value, str) else "" for value in text.loc[month, names]))
        for month in text.index
    ]
    return cells.texts(["Month", *names], printed, numeric_from=1)


def _spreads(tables: Tables) -> cells.TableView:
    rows = headline_pairs(tables["out_venue_spreads"])
    shown = rows.assign(
        pair=[pair_label(row) for row in rows.to_dict("records")],
        interval=[
            cells.interval(low, high, _YEAR)
            for low, high in zip(rows["ci_low"], rows["ci_high"], strict=True)
        ],
    )
    headings = {
        "base": "Base",
        "pair": "Pair",
        "period": "Period",
        "estimate": "Mean difference",
        "interval": "95 % interval",
        "se": "Std. error",
        "n": "Days",
        "hac_lags": "Lags",
        "correlation": "Correlation",
        "gap_mean": "Mean abs. gap",
        "gap_p95": "95th pct. of abs. gap",
    }
    units = {"estimate": _YEAR, "se": _YEAR, "gap_mean": _YEAR, "gap_p95": _YEAR}
    return cells.view(shown, {k: v for k, v in headings.items() if k in shown}, units)


TABLES: tuple[TableExhibit, ...] = (
    TableExhibit(
        "table-averages",
        f"Average rates, {period_words(ESSAY_PERIOD)}",
        "Percent a year. Below zero: share of days. At default: share of payments that are "
        "exactly 0.01 % per 8 h.",
        ("out_funding_averages",),
        _essay_averages,
    ),
    TableExhibit(
        "table-averages-all",
        "Average rates, every period",
        "Percent a year, as above.",
        ("out_funding_averages",),
        _all_averages,
        folded=True,
    ),
    TableExhibit(
        "table-spreads",
        "Differences between venues, every period",
        "Percentage points a year, first venue minus second, on days that both have.",
        ("out_venue_spreads",),
        _spreads,
        folded=True,
    ),
    TableExhibit(
        "table-spreads-monthly",
        "Differences between venues by month",
        "Percentage points a year, first venue minus second, on the days of the month that both have; "
        "standard error in parentheses.",
        ("out_venue_spreads_monthly",),
        _monthly_spreads,
        folded=True,
    ),
    TableExhibit(
        "table-monthly",
        "Monthly rates",
        "Percent a year: mean of the month, standard error in parentheses.",
        ("out_funding_monthly",),
        _monthly,
        folded=True,
    ),
)
