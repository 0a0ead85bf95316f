"""Exhibits of the premium: the recovered map, how precisely it is known, the audit of published rates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from perp_pipeline.report import cells
from perp_pipeline.report.exhibit import FigureExhibit, TableExhibit, Tables
from perp_pipeline.report.grids import Line, Panel, grid_figure
from perp_pipeline.report.intervals import IntervalRow, interval_figure, number
from perp_pipeline.report.series import BASES, venue_name
from perp_pipeline.report.style import colour
from perp_pipeline.research.words import key_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BP = 1e4
_MAP = {
    "interest": "default rate",
    "clamp": "clamp",
    "cap": "cap",
    "interest_nls": "default rate, least squares",
    "clamp_nls": "clamp, least squares",
}
_ERRORS = {
    "premium_sd": "sd of the premium's samples",
    "se_mean": "error of a window's mean",
    "se_mean_independent": "same, were samples independent",
    "error_1min_extrapolated": "audit error, 1 min (extrapolated)",
    "error_1h": "audit error, 1 h bars",
    "error_1h_close": "same, closes alone",
    "error_2h": "audit error, 2 h bars",
    "error_4h": "audit error, 4 h bars",
    "error_8h": "audit error, one 8 h bar",
}
_VARIANTS = {
    "": "hourly\nbars",
    "_close": "closes\nalone",
    "_flat": "equal\nweights",
    "_8h": "one bar",
}
_ERA = re.compile(r"(.+)_since_(\d{4}-\d{2})-\d{2}")
_BY_ERA = ("interest", "clamp", "cap")
_SEEN = 0.5
"""Points a year from which on an error can be seen on the audit's scale."""

_STATISTICS = {
    "p50_absolute_error": ("median", "green"),
    "mean_absolute_error": ("mean", "blue"),
    "rms_error": ("root mean square", "purple"),
    "p95_absolute_error": ("95th percentile", "vermillion"),
}
_TIMED = re.compile(r"share_explained_(instant_)?(\d+)h_left")


def _whole(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["period"] == "all") & frame["base"].isin(BASES)]


def _interval_rows(own: pd.DataFrame, names: Mapping[str, str], tone: str) -> list[IntervalRow]:
    return [
        IntervalRow(
            label,
            _BP * own.loc[name, "estimate"],
            _BP * own.loc[name, "ci_low"],
            _BP * own.loc[name, "ci_high"],
            int(own.loc[name, "n"]),
            colour(tone),
        )
        for name, label in _with_eras(names, own).items()
        if name in own.index
    ]


def _with_eras(names: Mapping[str, str], own: pd.DataFrame) -> dict[str, str]:
    """The names, and the map's own fitted in each era of a venue whose map changed, by era."""
    eras = [hit for name in own.index if (hit := _ERA.fullmatch(str(name))) and hit[1] in _BY_ERA]
    eras.sort(key=lambda hit: (hit[2], _BY_ERA.index(hit[1])))
    return dict(names) | {hit[0]: f"{_MAP[hit[1]]}, from {hit[2]}" for hit in eras if hit[1] in names}


def precision_figure(precision: pd.DataFrame, *, source: str = "out_premium_precision") -> Figure:
    """The map recovered from data, the premium's errors, and the audit's by sampling, in basis points.

    Args:
        precision: out_premium_precision.
    """
    panels = []
    for keys, own in _whole(precision).groupby(["venue", "base"], sort=True):
        values = own.set_index("quantity")
        rows = _interval_rows(values, _MAP, "blue") + _interval_rows(values, _ERRORS, "vermillion")
        if rows:
            panels.append((f"{venue_name(str(keys[0]))} {keys[1]}", rows))
    return interval_figure(
        panels,
        title="The map from premium to rate, and how precisely premiums are known",
        subtitle="Basis points of the index (premium) and per 8 hours (rate), whole lake; 95 % interval "
        "(Newey-West).",
        unit="basis points",
        footer=f"Source: {source}. n: funding windows. 0.05 % = 5 basis points.",
        digits=2,
        column="bp  [95 % interval]",
    )


def timing_figure(precision: pd.DataFrame, *, source: str = "out_premium_precision") -> Figure:
    """Share of the rate's variance that the premium explains, by hours left to the payment.

    Args:
        precision: out_premium_precision.
    """
    panels = []
    for keys, own in _whole(precision).groupby(["venue", "base"], sort=True):
        timed = _timed(own)
        if timed.empty:
            continue
        hours = sorted(timed["hours"].unique(), reverse=True)
        lines = []
        for instant, label, tone in (
            (False, "premium so far in the window", "blue"),
            (True, "last premium alone", "vermillion"),
        ):
            rows = timed[timed["instant"] == instant].set_index("hours").reindex(hours)
            lines.append(
                Line(
                    label,
                    colour(tone),
                    rows["estimate"].tolist(),
                    rows["ci_low"].tolist(),
                    rows["ci_high"].tolist(),
                )
            )
        note = f"n = {int(timed['n'].max()):,} windows"
        panels.append(Panel(f"{venue_name(str(keys[0]))} {keys[1]}", [f"{h} h" for h in hours], lines, note))
    return grid_figure(
        panels,
        title="When is a rate decided?",
        subtitle="Share of the rate's variance explained through the venue's map, whole lake; 95 % intervals "
        "(Newey-West).",
        footer=f"Source: {source}. Below zero: worse than the mean rate.",
        unit="",
        x_title="hours left to the payment",
        digits=1,
        same_scale=True,
        tall=230,
    )


def _timed(own: pd.DataFrame) -> pd.DataFrame:
    """Rows of shares explained, with ``hours`` left and whether from the last premium alone."""
    rows = []
    for row in own.to_dict("records"):
        hit = _TIMED.fullmatch(row["quantity"])
        if hit:
            rows.append(row | {"hours": int(hit[2]), "instant": hit[1] is not None})
    return pd.DataFrame(rows)


def audit_figure(audit: pd.DataFrame, *, source: str = "out_funding_audit") -> Figure:
    """Error of rates recomputed from public premiums, by how the premium was sampled.

    Args:
        audit: out_funding_audit (errors in fractions a year).
    """
    panels, exact = [], []
    for keys, own in _whole(audit).groupby(["venue", "symbol"], sort=True):
        values = own.set_index("statistic")
        name = f"{venue_name(str(keys[0]))} {keys[1]}"
        held = [end for end in _VARIANTS if f"mean_absolute_error{end}" in values.index]
        errors = values.loc[
            values.index.isin([f"{name}{end}" for name in _STATISTICS for end in held]), "estimate"
        ]
        if 100 * errors.max() < _SEEN:
            exact.append(name)
            continue
        lines = []
        for statistic, (label, tone) in _STATISTICS.items():
            found = values.reindex([statistic + end for end in held])
            lines.append(
                Line(
                    label,
                    colour(tone),
                    (100 * found["estimate"]).tolist(),
                    (100 * found["ci_low"]).tolist(),
                    (100 * found["ci_high"]).tolist(),
                )
            )
        note = f"n = {int(own['n'].max()):,} rates"
        panels.append(Panel(name, [_VARIANTS[end] for end in held], lines, note))
    told = f" Not drawn, below {_SEEN} points throughout: {', '.join(exact)}." if exact else ""
    return grid_figure(
        panels,
        title="Published rates recomputed from the public premium",
        subtitle="Absolute error in points a year, whole lake; 95 % intervals (Newey-West).",
        footer=f"Source: {source}. One bar: of eight hours.{told}",
        unit="pp",
        same_scale=True,
        tall=220,
    )


def _say_precision(tables: Tables) -> str:
    rows = _whole(tables["out_premium_precision"])
    rows = rows[rows["quantity"].isin([*_MAP, *_ERRORS])]
    names = _MAP | _ERRORS
    return "; ".join(
        f"{venue_name(row['venue'])} {row['base']}, {names[row['quantity']]}: "
        f"{number(_BP * row['estimate'], 2)} bp"
        for row in rows.to_dict("records")
    )


def _say_timing(tables: Tables) -> str:
    timed = _timed(_whole(tables["out_premium_precision"]))
    return "; ".join(
        f"{venue_name(row['venue'])} {row['base']}, {row['hours']} hours left, "
        f"{'last premium' if row['instant'] else 'premium so far'}: {number(row['estimate'], 2)}"
        for row in timed.to_dict("records")
    )


def _say_audit(tables: Tables) -> str:
    rows = _whole(tables["out_funding_audit"])
    rows = rows[rows["statistic"].isin(["mean_absolute_error", "share_exact", "p95_absolute_error"])]
    words = {
        "mean_absolute_error": "mean absolute error",
        "p95_absolute_error": "95th percentile",
        "share_exact": "share exact",
    }
    return "; ".join(
        f"{venue_name(row['venue'])} {row['symbol']}, {words[row['statistic']]}: "
        f"{number(100 * row['estimate'], 2)} {'%' if row['statistic'] == 'share_exact' else 'points a year'}"
        for row in rows.to_dict("records")
    )


def _audit(tables: Tables) -> cells.TableView:
    """Contracts, periods and ways of sampling down; errors and shares across."""
    shown = {
        "mean_error": "Mean error, points",
        **{name: f"{words.capitalize()}, points" for name, (words, _) in _STATISTICS.items()},
        "max_absolute_error": "Largest, points",
        "share_exact": "Exact, %",
        "share_exact_off_default": "Exact off the default, %",
        "share_default_agrees": "Default agrees, %",
    }
    printed = []
    for keys, own in tables["out_funding_audit"].groupby(["venue", "symbol", "period"], sort=True):
        values = own.set_index("statistic")
        for end, way in _VARIANTS.items():
            if f"mean_absolute_error{end}" in values.index:
                texts = [_percent(values, name + end) for name in shown]
                said = [f"{venue_name(str(keys[0]))} {keys[1]}", str(keys[2])]
                count = int(values.loc[f"mean_absolute_error{end}", "n"])
                printed.append([*said, way.replace("\n", " "), *texts, f"{count:,}"])
    return cells.texts(["Contract", "Period", "Sampling", *shown.values(), "Rates"], printed, numeric_from=3)


def _percent(values: pd.DataFrame, name: str) -> str:
    return number(100 * float(values.loc[name, "estimate"]), 2) if name in values.index else cells.MISSING


def _precision(tables: Tables) -> cells.TableView:
    """Every quantity of the table."""
    rows: Any = tables["out_premium_precision"]
    named = {"venue": rows["venue"].map(venue_name), "quantity": rows["quantity"].map(key_words)}
    headings = {
        "venue": "Venue",
        "symbol": "Contract",
        "quantity": "Quantity",
        "period": "Period",
        "estimate": "Estimate",
        "se": "Std. error",
        "ci_low": "95 % from",
        "ci_high": "to",
        "n": "n",
        "hac_lags": "Lags",
    }
    return cells.view(rows.assign(**named), headings)


_PRECISION, _AUDIT = "out_premium_precision", "out_funding_audit"

FIGURES: tuple[FigureExhibit, ...] = (
    FigureExhibit(
        "premium-precision",
        "B",
        "The premium's precision",
        "Blue: what the published rates say about the venue's map. Red: the scatter of premiums, the error "
        "of a window's mean, and the root mean square error of premiums read off less often.",
        (24, 28, 29, 30),
        (_PRECISION,),
        lambda tables, source: precision_figure(tables[_PRECISION], source=source),
        _say_precision,
    ),
    FigureExhibit(
        "premium-timing",
        "A",
        "When is a rate decided?",
        "What a trader sees at the moment of the trade against what the window has gathered so far.",
        (19, 20),
        (_PRECISION,),
        lambda tables, source: timing_figure(tables[_PRECISION], source=source),
        _say_timing,
    ),
    FigureExhibit(
        "funding-audit",
        "A",
        "Published rates recomputed",
        "How far rates recomputed from public premiums are from the published ones, and how that depends "
        "on the sampling.",
        (33, 24),
        (_AUDIT,),
        lambda tables, source: audit_figure(tables[_AUDIT], source=source),
        _say_audit,
    ),
)

TABLES: tuple[TableExhibit, ...] = (
    TableExhibit(
        "table-audit",
        "Audit of published rates",
        "Errors of recomputed less published rates in points a year; shares of the rates.",
        (_AUDIT,),
        _audit,
        folded=True,
        essay="A",
        claims=(33,),
    ),
    TableExhibit(
        "table-precision",
        "The premium's precision, every quantity and period",
        "Fractions of the index, fractions per 8 hours for the map, shares, hours or counts, by quantity.",
        (_PRECISION,),
        _precision,
        folded=True,
    ),
)
