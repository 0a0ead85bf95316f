"""Exhibits of the inside of a funding window: who forecasts its rate by the hour, which hours make it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.grids import Line, Panel, grid_figure
from perp_pipeline.report.intervals import number
from perp_pipeline.report.series import BASES, venue_name
from perp_pipeline.report.style import colour

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PAIR = re.compile(r"(ma9_vs_)?premium_(window|instant)_(\d+)h_left")
_WEIGHT = re.compile(r"weight_(\d+)_of_(\d+)")
_SCHEMES = {"expanding": "fitted", "direct": "as they are"}
_KINDS = {
    "window": ("premium so far in the window", "blue"),
    "instant": ("premium of the moment", "vermillion"),
}
_EXACT = -1e3
"""A mean of rates that is worse than this by the ratio has a rival that makes no error."""
_RACE, _PRECISION = "out_predictor_race", "out_premium_precision"


def _timed(race: pd.DataFrame) -> pd.DataFrame:
    """Rows inside windows, whole lake, with ``left`` (hours), ``kind`` of premium, ``pair``: a mean's."""
    rows = race[(race["period"] == "all") & race["base"].isin(BASES)]
    found = rows["predictor"].str.extract(_PAIR.pattern)
    rows = rows.assign(pair=found[0].notna(), kind=found[1], left=found[2])
    rows = rows[rows["kind"].notna() & rows["predictor"].str.fullmatch(_PAIR.pattern)]
    return rows.assign(left=rows["left"].astype("int64"))


def hours_figure(race: pd.DataFrame, *, source: str = _RACE) -> Figure:
    """The three-day mean of rates against the premium, by hours left to the payment.

    Args:
        race: out_predictor_race.
    """
    panels = []
    pairs = _timed(race)
    pairs = pairs[pairs["pair"]]
    exact = pairs["estimate"] < _EXACT
    pairs.loc[exact, ["estimate", "ci_low", "ci_high"]] = float("nan")
    for scheme, words in _SCHEMES.items():
        for keys, own in pairs[pairs["scheme"] == scheme].groupby(["base", "venue", "symbol"], sort=True):
            hours = sorted(own["left"].unique(), reverse=True)
            lines = [_line(own[own["kind"] == kind], hours, *style) for kind, style in _KINDS.items()]
            note = f"n = {int(own['n'].max()):,}"
            ticks = [f"{left} h" for left in hours]
            panels.append(Panel(f"{venue_name(str(keys[1]))} {keys[0]}, {words}", ticks, lines, note))
    return grid_figure(
        panels,
        title="Mean of three days against the premium, by hours left",
        subtitle="One less the ratio of squared errors, out of sample: above zero the mean is better. "
        "95 %: Diebold-Mariano.",
        footer=f"Source: {source}. Whole lake. Fitted: least squares, expanding window. As they are: through "
        "the venue's map." + (" Not drawn where the premium makes no error." if exact.any() else ""),
        unit="",
        x_title="hours left to the payment",
        digits=1,
        tall=230,
    )


def _line(rows: pd.DataFrame, hours: list[int], label: str, tone: str) -> Line:
    placed = rows.set_index("left").reindex(hours)
    ends = (placed["ci_low"].tolist(), placed["ci_high"].tolist())
    return Line(label, colour(tone), placed["estimate"].tolist(), *ends)


def weights_figure(precision: pd.DataFrame, *, source: str = _PRECISION) -> Figure:
    """Weight of each part of a window in its rate: by regression, and by the venue's rule.

    Args:
        precision: out_premium_precision.
    """
    panels = []
    rows = precision[(precision["period"] == "all") & precision["base"].isin(BASES)]
    for keys, own in rows.groupby(["base", "venue"], sort=True):
        values = own.set_index("quantity")
        parts = sorted((int(hit[1]), int(hit[2])) for hit in map(_WEIGHT.fullmatch, values.index) if hit)
        if not parts:
            continue
        found = values.loc[[f"weight_{place}_of_{n}" for place, n in parts]]
        shown = [(100 * found[name]).tolist() for name in ("estimate", "ci_low", "ci_high")]
        rule = [100 * (2 * place - 1) / n**2 for place, n in parts]
        lines = [Line("by regression", colour("blue"), *shown), Line("by the rule", colour("muted"), rule)]
        heading = f"{venue_name(str(keys[1]))} {keys[0]}"
        panels.append(Panel(heading, [f"{place}" for place, _ in parts], lines, _note(values, found)))
    return grid_figure(
        panels,
        title="Which hours make a rate",
        subtitle="Weight of each eighth of the window in the premium that a published rate implies, percent. "
        "95 %: Newey-West.",
        footer=f"Source: {source}. Rule: samples every 5 s, weights 1 to N. Means of open and close stand "
        "for an hour: neighbours share.",
        unit="%",
        x_title="eighth of the window",
        tall=240,
    )


def _note(values: pd.DataFrame, weights: pd.DataFrame) -> str:
    """Windows behind the weights, and the fitted slope of the map."""
    count = f"n = {int(weights['n'].max()):,}"
    if "slope" not in values.index:
        return count
    row = values.loc["slope"]
    ends = f"{number(row['ci_low'], 2)}, {number(row['ci_high'], 2)}"
    return f"slope {number(row['estimate'], 2)} [{ends}], {count}"


def _say_hours(tables: Tables) -> str:
    rows = _timed(tables[_RACE])
    rows = rows[rows["pair"] & (rows["scheme"] == "expanding")].sort_values("left", ascending=False)
    return "; ".join(
        f"{venue_name(row['venue'])} {row['base']}, {row['left']} h left, against the "
        f"{_KINDS[row['kind']][0]}: {number(row['estimate'], 2)}"
        for row in rows.to_dict("records")
    )


def _say_weights(tables: Tables) -> str:
    rows = tables[_PRECISION]
    rows = rows[(rows["period"] == "all") & rows["quantity"].str.fullmatch(_WEIGHT.pattern)]
    parts = []
    for keys, own in rows.groupby(["venue", "base"], sort=True):
        told = ", ".join(number(100 * value, 0) for value in own.sort_values("quantity")["estimate"])
        parts.append(f"{venue_name(str(keys[0]))} {keys[1]}, first eighth first, percent: {told}")
    return "; ".join(parts)


def _hours_table(tables: Tables) -> cells.TableView:
    """R2 of premiums against no change, and of the mean against them, with p values, by hours left."""
    rows = _timed(tables[_RACE])
    printed = []
    for keys, own in rows.groupby(["venue", "symbol", "scheme", "left"], sort=True):
        values = own.set_index(["kind", "pair"])
        texts = []
        for pair in (False, True):
            for kind in _KINDS:
                if (kind, pair) not in values.index:
                    texts.append(cells.MISSING)
                    continue
                row = values.loc[(kind, pair)]
                p = "<0.001" if row["dm_p"] < 0.001 else f"{row['dm_p']:.3f}"
                texts.append(f"{number(row['estimate'], 2)} ({p})")
        about = [f"{venue_name(str(keys[0]))} {keys[1]}", _SCHEMES[str(keys[2])], str(keys[3])]
        printed.append([*about, *texts, f"{int(own['n'].max()):,}"])
    headings = ["Contract", "Forecasts", "Hours left", "Premium so far", "Of the moment"]
    headings += ["Mean against so far", "Mean against moment", "n"]
    return cells.texts(headings, printed, numeric_from=2)


FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "race-by-hours",
        "B",
        "Moving average or premium, hour by hour",
        "The rate of the running window is made while it runs. Early on the moving average knows more, late "
        "the window's own premium does.",
        (18,),
        (_RACE,),
        lambda tables, source: hours_figure(tables[_RACE], source=source),
        _say_hours,
    ),
    FigureExhibit(
        "window-weights",
        "A",
        "Which hours make a rate",
        "What a trade's hour adds to the rate that it pays, told from published rates, beside the venue's "
        "rule. Slope: of the premium on the rate, off the flat zone; one by the rule.",
        (19, 24),
        (_PRECISION,),
        lambda tables, source: weights_figure(tables[_PRECISION], source=source),
        _say_weights,
    ),
)

TABLES: tuple[TableExhibit, ...] = (
    TableExhibit(
        "table-race-hours",
        "Premium and moving average by hours left to the payment",
        "First two: out-of-sample R2 against no change. Last two: the mean of three days against them. "
        "p values of Diebold-Mariano tests in parentheses.",
        (_RACE,),
        _hours_table,
        folded=True,
        essay="B",
        claims=(18,),
    ),
)
