"""Exhibits of funding regressed on returns: effects by horizon, what persistence alone gives, the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.grids import Line, Panel, grid_figure
from perp_pipeline.report.intervals import IntervalRow, interval_figure, number
from perp_pipeline.report.series import BASES, best_period, leading, period_words, venue_name
from perp_pipeline.report.style import colour
from perp_pipeline.research.regression_table import RegressionTable, regression_table
from perp_pipeline.research.words import spec_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HORIZONS = (1, 3, 7, 30, 90)
VENUES = ("binance", "bitmex", "cme")
_TERMS = {"same_day": ("same day's return", "ochre"), "prior": ("return of the days before", "purple")}
_NULLS = {
    "": ("data", "ink"),
    "_null-fitted": ("as slow as fitted", "slate"),
    "_null-ar99": ("AR(1) of 0.99", "slate"),
    "_null-sameday": ("same-day effect alone", "purple"),
}


def _spec(venue: str, horizon: int, ending: str = "_std") -> str:
    return f"h{horizon}_{'settle-calendar_x12' if venue == 'cme' else 'accrual'}{ending}"


def _rows(regressions: pd.DataFrame, venue: str, base: str, period: str) -> pd.DataFrame:
    return regressions[
        (regressions["venue"] == venue) & (regressions["base"] == base) & (regressions["period"] == period)
    ]


def horizons_figure(regressions: pd.DataFrame, *, source: str = "out_regressions") -> Figure:
    """Standardised effects of the same day's return and of the prior days', by length of the prior window.

    One panel per venue and base; CME is the placebo. Below each horizon stands the p value of the Wald test
    that the two effects are equal.

    Args:
        regressions: out_regressions.
    """
    period = best_period(regressions)
    panels = []
    for venue, base, _ in leading(regressions, VENUES):
        own = _rows(regressions, venue, base, period).set_index(["spec", "term"])
        horizons = [h for h in HORIZONS if (_spec(venue, h), "prior") in own.index]
        if not horizons:
            continue
        contrast = [own.loc[(_spec(venue, h), "prior_minus_same"), "p"] for h in horizons]
        lines = []
        for term, (label, tone) in _TERMS.items():
            found = [own.loc[(_spec(venue, h), term)] for h in horizons]
            lines.append(
                Line(
                    label,
                    colour(tone),
                    [row["estimate"] for row in found],
                    [row["ci_low"] for row in found],
                    [row["ci_high"] for row in found],
                )
            )
        first = own.loc[(_spec(venue, horizons[0]), "prior")]
        ticks = [f"{h} d\n{_p(p)}" for h, p in zip(horizons, contrast, strict=True)]
        note = f"n = {int(first['n']):,}, {int(first['hac_lags'])} lags"
        panels.append(Panel(f"{venue_name(venue)} {base}", ticks, lines, note))
    return grid_figure(
        panels,
        title=f"Funding on returns: standardised effects by horizon, {period_words(period)}",
        subtitle="Standard deviations of daily funding per standard deviation of return; 95 % intervals "
        "(Newey-West, fixed-b).",
        footer=f"Source: {source}. CME: calendar × 12 at settlement, the placebo. n: days.",
        unit="",
        x_title="days before; below: p value of equal effects",
        digits=1,
        same_scale=True,
        tall=205,
    )


def _p(value: float) -> str:
    return "" if pd.isna(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def null_figure(regressions: pd.DataFrame, *, source: str = "out_regressions") -> Figure:
    """The 30-day effects beside what simulated funding without (or with only a same-day) link gives.

    Args:
        regressions: out_regressions.
    """
    period = best_period(regressions)
    panels = []
    null = regressions[regressions["spec"].str.contains("_null-", regex=False)]
    for venue, base, _ in leading(null):
        own = _rows(regressions, venue, base, period).set_index(["spec", "term"])
        rows = []
        for term, words in (("prior", "30 days before"), ("prior_minus_same", "minus same day")):
            for ending, (label, tone) in _NULLS.items():
                key = (_spec(venue, 30) + ending, term)
                if key in own.index:
                    row = own.loc[key]
                    rows.append(
                        IntervalRow(
                            f"{words}: {label}" if not ending else f"   {label}, p {_p(row['p'])}",
                            row["estimate"],
                            row["ci_low"],
                            row["ci_high"],
                            int(row["n"]),
                            colour(tone),
                        )
                    )
        if rows:
            panels.append((f"{venue_name(venue)} {base}", rows))
    return interval_figure(
        panels,
        title=f"What persistence of funding alone would give, {period_words(period)}",
        subtitle="Standardised effects. Data: 95 % interval. Nulls: mean and central 95 % of simulations.",
        unit="standard deviations",
        footer=f"Source: {source}. Indented: simulated funding. n: days, or draws. p: share of draws as far "
        "from their mean as the data.",
        column="effect  [95 %]",
        digits=2,
    )


def _say_horizons(tables: Tables) -> str:
    regressions = tables["out_regressions"]
    period = best_period(regressions)
    parts = []
    for venue, base, _ in leading(regressions, VENUES):
        own = _rows(regressions, venue, base, period).set_index(["spec", "term"])
        for horizon in HORIZONS:
            key = _spec(venue, horizon)
            if (key, "prior") in own.index:
                prior, same = own.loc[(key, "prior")], own.loc[(key, "same_day")]
                parts.append(
                    f"{venue_name(venue)} {base}, {horizon} days: before {number(prior['estimate'], 2)} "
                    f"({number(prior['ci_low'], 2)} to {number(prior['ci_high'], 2)}), same day "
                    f"{number(same['estimate'], 2)} ({number(same['ci_low'], 2)} to "
                    f"{number(same['ci_high'], 2)})"
                )
    return "; ".join(parts)


def _say_null(tables: Tables) -> str:
    regressions = tables["out_regressions"]
    period = best_period(regressions)
    rows = regressions[
        (regressions["period"] == period)
        & (regressions["term"] == "prior")
        & regressions["spec"].str.contains("_null-", regex=False)
    ]
    return "; ".join(
        f"{venue_name(row['venue'])} {row['base']}, {_null_words(row['spec'])}: "
        f"{number(row['ci_low'], 2)} to {number(row['ci_high'], 2)}, p {_p(row['p'])}"
        for row in rows.to_dict("records")
    )


def _null_words(spec: str) -> str:
    ending = "_null-" + spec.rpartition("_null-")[2]
    return _NULLS[ending][0] if ending in _NULLS else spec_words(spec)


def headline_table(tables: Tables) -> RegressionTable:
    """Raw regressions on 30 prior days, with and without lagged funding; Binance, BitMEX and the placebo."""
    regressions = tables["out_regressions"]
    period = best_period(regressions)
    wanted: list[tuple[str, str, str, str]] = []
    for venue, base, _ in leading(regressions, VENUES):
        own = _rows(regressions, venue, base, period)["spec"].unique()
        for ending in ("", "_lagged"):
            spec = _spec(venue, 30, ending)
            if spec in own:
                wanted.append((venue, base, spec, period))
    return regression_table(regressions, wanted)


def _effects(tables: Tables) -> cells.TableView:
    """Every standardised regression of the window: the effects side by side."""
    regressions = tables["out_regressions"]
    period = best_period(regressions)
    rows = regressions[
        (regressions["period"] == period)
        & regressions["base"].isin(BASES)
        & regressions["standardised"].astype(bool)
        & ~regressions["spec"].str.contains("_null-", regex=False)
    ]
    printed: list[Sequence[str]] = []
    for (venue, base, spec), own in rows.groupby(["venue", "base", "spec"], sort=True):
        terms = own.set_index("term")
        first = own.iloc[0]
        effects = [
            f"{number(terms.loc[term, 'estimate'], 3)} ({number(terms.loc[term, 'se'], 3)})"
            for term in ("same_day", "prior", "prior_minus_same")
        ]
        contrast = _p(terms.loc["prior_minus_same", "p"])
        name = [f"{venue_name(str(venue))} {base}", spec_words(str(spec).replace("_std", "", 1))]
        size = [cells.amount(first["r2"], ""), f"{int(first['n']):,}", str(int(first["hac_lags"]))]
        printed.append([*name, *effects, contrast, *size])
    headings = ["Series", "Specification", "Same day", "Prior days", "Difference", "p", "R2", "Days", "Lags"]
    return cells.texts(headings, printed, numeric_from=2)


FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "regression-horizons",
        "B",
        "Funding on same-day and prior returns",
        "After figure 5 of the essay, for prior windows of 1 to 90 days. The CME panel is the placebo: if "
        "leverage demand moves funding, it moves the futures basis too.",
        (12, 16, 57),
        ("out_regressions",),
        lambda tables, source: horizons_figure(tables["out_regressions"], source=source),
        _say_horizons,
    ),
    FigureExhibit(
        "regression-null",
        "B",
        "Is the past stronger because funding is slow?",
        "Simulated funding as persistent as the real one: with no link to returns (fitted; AR(1) of 0.99), "
        "and with a same-day effect that persistence alone spreads over the days after. An estimate inside "
        "the last of these bands is no anomaly.",
        (13,),
        ("out_regressions",),
        lambda tables, source: null_figure(tables["out_regressions"], source=source),
        _say_null,
    ),
)

TABLES: tuple[TableExhibit, ...] = (
    TableExhibit(
        "table-regressions",
        "Regressions of daily funding on returns",
        "Funding as a fraction a year per unit of return: a coefficient of 0.5 is half a point of annual "
        "funding per percent of return. With and without the funding of the day before; CME is the placebo. "
        "Whether the past counts for more than the present says the row of prior less same day.",
        ("out_regressions",),
        lambda tables: headline_table(tables).html,
        essay="B",
        claims=(12, 16),
        latex=lambda tables: headline_table(tables).latex,
    ),
    TableExhibit(
        "table-effects",
        "Standardised effects, every specification",
        "Standard errors in parentheses; p of the Wald test that prior and same-day effects are equal.",
        ("out_regressions",),
        _effects,
        folded=True,
    ),
)
