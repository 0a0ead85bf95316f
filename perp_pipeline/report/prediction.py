"""Exhibits of the predictor race, and of funding after gains and losses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.grids import Line, Panel, grid_figure
from perp_pipeline.report.intervals import number
from perp_pipeline.report.series import BASES, best_period, leading, period_words, venue_name
from perp_pipeline.report.style import venue_colour
from perp_pipeline.research.words import key_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGETS = {
    "next": "next payment",
    "mean_1d": "next day",
    "mean_7d": "next 7 days",
    "mean_30d": "next 30 days",
}
PREDICTORS = {
    "last": "last\nrate",
    "ma3": "mean\n1 d",
    "ma9": "mean\n3 d",
    "ma21": "mean\n7 d",
    "ma90": "mean\n30 d",
    "premium_instant": "prem.\nnow",
    "premium_formula": "prem.,\nmap",
}
_NOT_SHOWN = re.compile(r"h_left$|_lags\d+$")
_DAYS = "Days: their mean. n: forecasts."
_PREM = "Prem.: the last premium, as it is and through the map."
_SCHEME = "expanding"
_DECILES = [f"d{place:02d}" for place in range(1, 11)]
_DRAWDOWNS = {
    "0_5pct": "0–5 %",
    "5_20pct": "5–20 %",
    "20_40pct": "20–40 %",
    "40_60pct": "40–60 %",
    "over_60pct": "> 60 %",
}


def _race(race: pd.DataFrame, premium: bool) -> tuple[str, pd.DataFrame, list[tuple[str, str, str]]]:
    """Period, rows and contracts of the essay's window, or of the year with most premiums."""
    rows = race[race["scheme"] == _SCHEME]
    period = best_period(race)
    if premium:
        held = rows[rows["predictor"].isin([name for name in PREDICTORS if name.startswith("premium_")])]
        years = held[held["period"].str.fullmatch(r"\d{4}")]
        period = _fullest(years if len(years) else held) if len(held) else period
        keys = ["venue", "symbol"]
        rows = rows.merge(held.loc[held["period"] == period, keys].drop_duplicates(), on=keys)
    rows = rows[rows["period"] == period]
    return period, rows, leading(rows)


def _fullest(rows: pd.DataFrame) -> str:
    most = rows.groupby("period")["n"].max()
    return str(min(most.index, key=lambda period: (-most[period], period)))


def race_figure(race: pd.DataFrame, *, premium: bool = False, source: str = "out_predictor_race") -> Figure:
    """Out-of-sample R2 against no change, by predictor, one panel per target and base, a colour per venue.

    Args:
        race: out_predictor_race.
        premium: the year and the contracts with most premiums in place of the essay's window.
    """
    period, rows, contracts = _race(race, premium)
    held = [name for name in PREDICTORS if (rows["predictor"] == name).any()]
    panels = []
    for target, words in TARGETS.items():
        for base in BASES:
            lines = []
            counts = []
            for venue, owner, symbol in contracts:
                own = rows[
                    (rows["target"] == target) & (rows["venue"] == venue) & (rows["symbol"] == symbol)
                ].set_index("predictor")
                if owner != base or own.empty:
                    continue
                whole = own.reindex(held)
                lines.append(
                    Line(
                        venue_name(venue),
                        venue_colour(venue),
                        whole["estimate"].tolist(),
                        whole["ci_low"].tolist(),
                        whole["ci_high"].tolist(),
                    )
                )
                counts.append(int(own["n"].max()))
            if lines:
                note = "n = " + ", ".join(f"{count:,}" for count in counts)
                name = f"{lines[0].label} {base}" if len(lines) == 1 else base
                panels.append(Panel(f"{name}: {words}", [PREDICTORS[name] for name in held], lines, note))
    return grid_figure(
        panels,
        title=f"What predicts funding{', premium among it' if premium else ''}, {period_words(period)}",
        subtitle="Out-of-sample R² against no change, least squares on an expanding window; 95 % intervals "
        "(Diebold-Mariano).",
        footer=f"Source: {source}. Above zero: better than the last rate. {_PREM if premium else _DAYS}",
        unit="",
        digits=1,
        tall=190,
    )


def past_return_figure(house_money: pd.DataFrame, *, source: str = "out_house_money") -> Figure:
    """Mean funding by decile of the return of the 30 days before, and by drawdown from the year's high.

    Args:
        house_money: out_house_money (fractions a year).
    """
    panels = []
    rows = house_money[house_money["period"] == "all"]
    for venue, _, symbol in leading(rows[rows["bucket_kind"] == "past_return_30d"]):
        for kind, words, ticks in (
            (
                "past_return_30d",
                "past return",
                dict(zip(_DECILES, map(str, range(1, 11)), strict=True)),
            ),
            ("drawdown_365d", "drawdown", _DRAWDOWNS),
        ):
            own = rows[
                (rows["bucket_kind"] == kind) & (rows["venue"] == venue) & (rows["symbol"] == symbol)
            ].set_index("bucket")
            whole = own.reindex(list(ticks))
            line = Line(
                "mean funding",
                venue_colour(venue),
                (100 * whole["estimate"]).tolist(),
                (100 * whole["ci_low"]).tolist(),
                (100 * whole["ci_high"]).tolist(),
            )
            note = f"n = {int(whole['n'].sum()):,} days"
            panels.append(Panel(f"{venue_name(venue)} {symbol}: {words}", list(ticks.values()), [line], note))
    return grid_figure(
        panels,
        title="Funding after gains and losses, whole lake",
        subtitle="Percent a year. Left: by decile of the return of the 30 days before. Right: by how far the "
        "price is below its yearly high.",
        footer=f"Source: {source}. 95 % intervals: Newey-West. Deciles: 1 lowest.",
        unit="%",
        tall=190,
    )


def _say_race(tables: Tables, premium: bool = False) -> str:
    _, rows, contracts = _race(tables["out_predictor_race"], premium)
    parts = []
    for venue, _, symbol in contracts:
        for target, words in TARGETS.items():
            own = rows[(rows["venue"] == venue) & (rows["symbol"] == symbol) & (rows["target"] == target)]
            told = [
                f"{PREDICTORS[row['predictor']].replace(chr(10), ' ')} {number(row['estimate'], 2)}"
                for row in own.to_dict("records")
                if row["predictor"] in PREDICTORS
            ]
            if told:
                parts.append(f"{venue_name(venue)} {symbol}, {words}: " + ", ".join(told))
    return "; ".join(parts)


def _say_past_return(tables: Tables) -> str:
    rows = tables["out_house_money"]
    rows = rows[(rows["period"] == "all") & (rows["bucket_kind"] == "past_return_30d")]
    parts = []
    for venue, _, symbol in leading(rows):
        own = rows[(rows["venue"] == venue) & (rows["symbol"] == symbol)].set_index("bucket")["estimate"]
        told = ", ".join(number(100 * value) for value in own.reindex(_DECILES).dropna())
        parts.append(f"{venue_name(venue)} {symbol}, lowest decile first, percent a year: {told}")
    return "; ".join(parts)


def _race_table(tables: Tables) -> cells.TableView:
    """Predictors across: R2 and the Diebold-Mariano p value; contracts, targets and schemes down."""
    race = tables["out_predictor_race"]
    period = best_period(race)
    rows = race[(race["period"] == period) & race["base"].isin(BASES)]
    held = {name for name in rows["predictor"] if not _NOT_SHOWN.search(name)}
    names = [name for name in PREDICTORS if name in held] + sorted(held - set(PREDICTORS))
    printed = []
    rows = rows[rows["predictor"].isin(names)]
    for keys, own in rows.groupby(["venue", "symbol", "target", "scheme"], sort=True):
        venue, symbol, target, scheme = (str(key) for key in keys)
        values = own.set_index("predictor")
        texts = [
            f"{number(values.loc[name, 'estimate'], 2)} ({_p(values.loc[name, 'dm_p'])})"
            if name in values.index
            else cells.MISSING
            for name in names
        ]
        printed.append(
            [f"{venue_name(venue)} {symbol}", TARGETS[target], scheme, *texts, f"{int(own['n'].max()):,}"]
        )
    words = [PREDICTORS.get(name, key_words(name)).replace("\n", " ") for name in names]
    return cells.texts(["Contract", "Target", "Scheme", *words, "Forecasts"], printed, numeric_from=3)


def _p(value: float) -> str:
    return cells.MISSING if pd.isna(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


_SHARES = {
    "share_above_50pct": "Above 50 % a year",
    "share_above_default": "Above the default",
    "share_negative": "Below zero",
}


def _shares(tables: Tables) -> cells.TableView:
    """Mean funding and shares of days by contract and calendar year."""
    rows = tables["out_house_money"]
    rows = rows[rows["bucket_kind"].isin(["all", *_SHARES]) & rows["period"].str.fullmatch(r"all|\d{4}")]
    printed = []
    for keys, own in rows.groupby(["venue", "symbol", "period"], sort=True):
        venue, symbol, period = (str(key) for key in keys)
        values = own.set_index("bucket_kind")
        if "all" not in values.index:
            continue
        texts = []
        for kind in ("all", *_SHARES):
            if kind not in values.index:
                texts.append(cells.MISSING)
                continue
            row = values.loc[kind]
            ends = cells.interval(row["ci_low"], row["ci_high"], "share")
            mean = number(100 * row["estimate"])
            texts.append(mean if ends == cells.MISSING else f"{mean} ({ends})")
        printed.append([f"{venue_name(venue)} {symbol}", period, *texts, f"{int(values.loc['all', 'n']):,}"])
    headings = ["Contract", "Period", "Mean, % a year", *(f"{name}, %" for name in _SHARES.values()), "Days"]
    return cells.texts(headings, printed, numeric_from=2)


FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "predictor-race",
        "B",
        "What predicts funding",
        "Forecasts are made when a rate is announced, from what was then known, for the first payment that "
        "was not.",
        (18,),
        ("out_predictor_race",),
        lambda tables, source: race_figure(tables["out_predictor_race"], source=source),
        _say_race,
    ),
    FigureExhibit(
        "premium-race",
        "B",
        "Moving averages against the premium",
        "The same race in the year for which the lake has most premiums: the last premium itself, and sent "
        "through the venue's map.",
        (18,),
        ("out_predictor_race",),
        lambda tables, source: race_figure(tables["out_predictor_race"], premium=True, source=source),
        lambda tables: _say_race(tables, premium=True),
    ),
    FigureExhibit(
        "past-return",
        "A",
        "Funding after gains and losses",
        "If traders who are ahead lever up, funding rises with past gains and falls with losses.",
        (9, 10),
        ("out_house_money",),
        lambda tables, source: past_return_figure(tables["out_house_money"], source=source),
        _say_past_return,
    ),
)

TABLES: tuple[TableExhibit, ...] = (
    TableExhibit(
        "table-race",
        "Predictor race, every predictor and scheme",
        "Out-of-sample R2 against no change; p value of the Diebold-Mariano test in parentheses. "
        "Means of the payments of 1 to 30 days. Prem.: the last premium, as it is and through the map.",
        ("out_predictor_race",),
        _race_table,
        folded=True,
        essay="B",
        claims=(18,),
    ),
    TableExhibit(
        "table-shares",
        "Mean funding and shares of days, by year",
        "95 % intervals in parentheses (Newey-West).",
        ("out_house_money",),
        _shares,
        folded=True,
        essay="A",
        claims=(9, 10),
    ),
)
