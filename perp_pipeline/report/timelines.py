"""Monthly funding by venue, and monthly differences between venues.

Figures 3 and 4 of "Perp Funding Rate Fraud" (Nov 2022). Rates come in as fractions a year and are drawn in
percent a year.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.report.intervals import number
from perp_pipeline.report.series import (
    BASES,
    CME_METHOD,
    ESSAY_PERIOD,
    METHOD_NAMES,
    by_month,
    in_period,
    months_of,
    period_words,
    principal_months,
    venue_name,
)
from perp_pipeline.report.style import (
    WIDTH,
    canvas,
    colour,
    date_axis,
    house_style,
    moved_apart,
    place,
    venue_colour,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAIRS = (("binance", "bitmex"), ("binance", "cme"))
_LEFT, _RIGHT, _HEAD, _FOOT = 62, 158, 62, 52


def monthly_figure(
    monthly: pd.DataFrame,
    *,
    period: str = ESSAY_PERIOD,
    bases: Sequence[str] = BASES,
    cme_method: str = CME_METHOD,
    source: str = "out_funding_monthly",
) -> Figure:
    """Figure 3: monthly mean funding by venue, a line with its 95 % band per venue, a panel per base.

    Args:
        monthly: out_funding_monthly (estimates in fractions a year).
        cme_method: the CME definition to draw.
    """
    panels = {base: principal_months(monthly, base, period, cme_method) for base in bases}
    values = [rows["estimate"] for lines in panels.values() for rows in lines.values()]
    months = max((int(line.notna().sum()) for line in values), default=0)
    tall = 235
    with house_style():
        figure = canvas(
            _HEAD + tall * len(panels) + _FOOT - 12,
            f"Monthly mean funding by venue, {period_words(period)}",
            "Percent a year, simple annualisation; positive: longs pay. "
            f"CME: {METHOD_NAMES.get(cme_method, cme_method)}. n: up to {months} months. Scales differ.",
            f"Source: {source}. Bands: 95 % interval of each month's mean (Newey-West, fixed-b), cut at the "
            "panel's edge.",
        )
        for index, (base, lines) in enumerate(panels.items()):
            axes = _time_axes(figure, _HEAD + 26 + tall * index, tall - 50, base, "%")
            axes.set_ylim(*_reach([rows["estimate"] for rows in lines.values()], room=0.12))
            others = tuple(lines)
            for venue, rows in lines.items():
                days, tone = _days(rows["estimate"]), venue_colour(venue, others)
                low, line, high = (100 * rows[name].to_numpy() for name in ("ci_low", "estimate", "ci_high"))
                axes.fill_between(
                    days, low, high, color=tone, alpha=0.15, linewidth=0, label=f"{venue_name(venue)}, 95 %"
                )
                axes.plot(
                    days,
                    line,
                    color=tone,
                    linewidth=1.8,
                    linestyle=(0, (5, 1.5)) if venue == "cme" else "-",
                    marker="o" if months < 60 else "",
                    markersize=3,
                    label=venue_name(venue),
                )
            _end_labels(axes, {venue: rows["estimate"] for venue, rows in lines.items()}, tall - 50)
            _span_axis(axes, values)
            if not lines:
                axes.text(0.5, 0.5, "no data in this window", transform=axes.transAxes, ha="center")
    return figure


def differences_figure(
    monthly_spreads: pd.DataFrame,
    spreads: pd.DataFrame | None = None,
    *,
    period: str = ESSAY_PERIOD,
    bases: Sequence[str] = BASES,
    pairs: Sequence[tuple[str, str]] = PAIRS,
    source: str = "out_venue_spreads_monthly",
) -> Figure:
    """Figure 4: monthly difference between venues with its interval, a panel per base and pair that is held.

    Args:
        monthly_spreads: out_venue_spreads_monthly (estimates in fractions a year).
        spreads: out_venue_spreads; where it has the pair and period, its mean and interval are written
            beside the panel.
        pairs: (a, b) draws a minus b.
    """
    panels = [
        (base, pair, rows)
        for base in bases
        for pair, rows in venue_differences(monthly_spreads, base, period, pairs).items()
    ]
    tall = 165
    with house_style():
        months = max((int(rows["estimate"].notna().sum()) for *_, rows in panels), default=0)
        figure = canvas(
            _HEAD + tall * max(1, len(panels)) + _FOOT - 12,
            f"Funding differences between venues, {period_words(period)}",
            f"Points a year; colour: the dearer venue. CME: {METHOD_NAMES[CME_METHOD]}. "
            f"n: up to {months} months. Scales of BTC and ETH differ.",
            f"Source: {source}. Days that both have. Lines through bars, and brackets: 95 % intervals "
            "(Newey-West, fixed-b).",
        )
        for index, (base, pair, rows) in enumerate(panels):
            heading = f"{base}: {venue_name(pair[0])} minus {venue_name(pair[1])}"
            axes = _time_axes(figure, _HEAD + 26 + tall * index, tall - 50, heading, "pp")
            shown = [other for owner, _, others in panels if owner == base for _, other in others.items()]
            axes.set_ylim(*_reach(shown, room=0.16))
            _difference_bars(axes, rows, pair)
            _mean_label(axes, spread_of(spreads, pair, base, period), rows["estimate"])
            _span_axis(axes, [rows["estimate"] for *_, rows in panels])
        if not panels:
            axes = place(figure, _LEFT, _HEAD, WIDTH - _LEFT - _RIGHT, tall - 30)
            axes.set_axis_off()
            axes.text(0.5, 0.5, "no pair of venues in this window", ha="center")
    return figure


def venue_differences(
    monthly_spreads: pd.DataFrame,
    base: str,
    period: str = ESSAY_PERIOD,
    pairs: Sequence[tuple[str, str]] = PAIRS,
) -> dict[tuple[str, str], pd.DataFrame]:
    """Monthly difference a minus b and its interval (fractions a year) for each pair with months in common.

    The table may hold a pair either way round.
    """
    rows = monthly_spreads[monthly_spreads["base"] == base]
    rows = in_period(rows.assign(month=months_of(rows["month"])), "month", period)
    found = {}
    for a, b in pairs:
        for first, second in ((a, b), (b, a)):
            own = rows[(rows["venue_a"] == first) & (rows["venue_b"] == second)]
            if len(own):
                months = by_month(own)
                turned = (-months).rename(columns={"ci_low": "ci_high", "ci_high": "ci_low"})
                found[a, b] = months if first == a else turned[list(months.columns)]
    return found


def spread_of(
    spreads: pd.DataFrame | None, pair: tuple[str, str], base: str, period: str, cme_method: str = CME_METHOD
) -> dict[str, float] | None:
    """Mean difference a minus b with its interval (fractions a year) from out_venue_spreads, or None.

    The pair may be stored either way round; of several contracts the headline row is taken, else the one
    with most days.
    """
    if spreads is None or spreads.empty:
        return None
    rows = spreads[(spreads["base"] == base) & (spreads["period"] == period)]
    rows = rows[
        rows["method_a"].isin(["funding", cme_method]) & rows["method_b"].isin(["funding", cme_method])
    ]
    rows = rows.sort_values(["headline", "n"], ascending=False, kind="stable")
    for a, b, sign in ((*pair, 1.0), (*pair[::-1], -1.0)):
        hit = rows[(rows["venue_a"] == a) & (rows["venue_b"] == b)]
        if len(hit):
            row = hit.iloc[0]
            ends = sorted((sign * row["ci_low"], sign * row["ci_high"]))
            return {"estimate": sign * row["estimate"], "ci_low": ends[0], "ci_high": ends[1]}
    return None


def _time_axes(figure: Figure, top: float, height: float, heading: str, unit: str) -> Axes:
    axes = place(figure, _LEFT, top, WIDTH - _LEFT - _RIGHT, height)
    axes.set_label(heading)
    axes.text(0, 1.03, heading, transform=axes.transAxes, fontweight="bold", va="bottom")
    axes.grid(axis="y", color=colour("grid"), linewidth=0.8)
    axes.axhline(0, color=colour("zero"), linewidth=1)
    axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter(lambda value, _: f"{number(value, 0)} {unit}")
    return axes


def _reach(lines: Sequence[pd.Series], room: float = 0.06) -> tuple[float, float]:
    values = np.concatenate([[0.0], *(100 * line.dropna().to_numpy() for line in lines)])
    low, high = float(values.min()), float(values.max())
    pad = room * (high - low or 1.0)
    return low - pad, high + pad


def _days(line: pd.Series) -> npt.NDArray[np.float64]:
    """The month starts of a series as matplotlib's day numbers."""
    import matplotlib.dates as dates

    library: Any = dates
    days: npt.NDArray[np.float64] = library.date2num(line.index.to_numpy())
    return days


def _span_axis(axes: Axes, lines: Sequence[pd.Series]) -> None:
    """The same months under every panel."""
    days = [day for line in lines for day in (_days(line).min(), _days(line).max())]
    if days:
        axes.set_xlim(min(days) - 20, max(days) + 20)
    date_axis(axes)


def _end_labels(axes: Axes, lines: dict[str, pd.Series], height: float) -> None:
    """Each venue's name right of its last point, moved apart where names would touch.

    A line that ends before the others says when.
    """
    latest = max((line.index[-1] for line in lines.values()), default=None)
    low, high = axes.get_ylim()
    gap = (high - low) * 15 / height
    ends = sorted(((100 * float(line.dropna().iloc[-1]), venue) for venue, line in lines.items()))
    spots = moved_apart([y for y, _ in ends], gap)
    for y, (_, venue) in zip(spots, ends, strict=True):
        last = lines[venue].index[-1]
        axes.text(
            1.01,
            y,
            venue_name(venue) + ("" if last == latest else f" to {last:%Y-%m}"),
            transform=axes.get_yaxis_transform(),
            va="center",
            color=venue_colour(venue, tuple(lines)),
            fontweight="bold",
            fontsize=9,
        )


def _difference_bars(axes: Axes, rows: pd.DataFrame, pair: tuple[str, str]) -> None:
    """Bars in the colour of the dearer venue with their intervals, the largest named."""
    held = rows[rows["estimate"].notna()]
    low, values, high = (100 * held[name].to_numpy() for name in ("ci_low", "estimate", "ci_high"))
    tones = [venue_colour(pair[0] if value >= 0 else pair[1], pair) for value in values]
    days = _days(held["estimate"])
    axes.bar(days, values, width=24, color=tones)
    axes.vlines(days, low, high, color=colour("ink"), linewidth=1.1, label="95 %")
    peak = int(np.argmax(np.abs(values)))
    up = values[peak] >= 0
    tip = np.nanmax([values[peak], high[peak]]) if up else np.nanmin([values[peak], low[peak]])
    axes.annotate(
        f"{held.index[peak]:%b %Y}: {number(values[peak], 0)}",
        (days[peak], tip),
        xytext=(0, 3 if up else -3),
        textcoords="offset points",
        ha="center",
        va="bottom" if up else "top",
        fontsize=8.5,
    )


def _mean_label(axes: Axes, spread: dict[str, float] | None, line: pd.Series) -> None:
    """The window's mean right of the panel: from the spreads table with its interval, else of the months."""
    mean = 100 * (float(line.mean()) if spread is None else spread["estimate"])
    said = f"mean {number(mean)}"
    if spread is not None and np.isfinite(spread["ci_low"]):
        said += f"\n[{number(100 * spread['ci_low'])}, {number(100 * spread['ci_high'])}]"
    axes.axhline(mean, color=colour("ink"), linewidth=1, linestyle=(0, (4, 2)), label="mean")
    axes.text(1.01, mean, said, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)
