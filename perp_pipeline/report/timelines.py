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
    period_words,
    principal_series,
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
    """Figure 3: monthly mean funding by venue, one line per venue, one panel per base.

    Args:
        monthly: out_funding_monthly (estimates in fractions a year).
        cme_method: the CME definition to draw.
    """
    panels = {base: principal_series(monthly, base, period, cme_method) for base in bases}
    tall = 235
    with house_style():
        months = max((len(line.dropna()) for lines in panels.values() for line in lines.values()), default=0)
        figure = canvas(
            _HEAD + tall * len(panels) + _FOOT - 12,
            f"Monthly mean funding by venue, {period_words(period)}",
            "Percent a year, simple annualisation; positive: longs pay. "
            f"CME: {METHOD_NAMES.get(cme_method, cme_method)}. n: up to {months} months. Scales differ.",
            f"Source: {source}.",
        )
        values = [line for lines in panels.values() for line in lines.values()]
        for index, (base, lines) in enumerate(panels.items()):
            axes = _time_axes(figure, _HEAD + 26 + tall * index, tall - 50, base, "%")
            axes.set_ylim(*_reach(list(lines.values())))
            others = tuple(lines)
            for venue, line in lines.items():
                axes.plot(
                    _days(line),
                    100 * line.to_numpy(),
                    color=venue_colour(venue, others),
                    linewidth=1.8,
                    linestyle=(0, (5, 1.5)) if venue == "cme" else "-",
                    marker="o" if line.notna().sum() < 60 else "",
                    markersize=3,
                    label=venue_name(venue),
                )
            _end_labels(axes, lines, tall - 50)
            _span_axis(axes, values)
            if not lines:
                axes.text(0.5, 0.5, "no data in this window", transform=axes.transAxes, ha="center")
    return figure


def differences_figure(
    monthly: pd.DataFrame,
    spreads: pd.DataFrame | None = None,
    *,
    period: str = ESSAY_PERIOD,
    bases: Sequence[str] = BASES,
    pairs: Sequence[tuple[str, str]] = PAIRS,
    cme_method: str = CME_METHOD,
    source: str = "out_funding_monthly",
) -> Figure:
    """Figure 4: monthly difference between venues, one panel per base and pair that the data hold.

    Args:
        monthly: out_funding_monthly (estimates in fractions a year).
        spreads: out_venue_spreads; where it has the pair and period, its mean and interval are written
            beside the panel.
        pairs: (a, b) draws a minus b.
    """
    panels = [
        (base, pair, line)
        for base in bases
        for pair, line in venue_differences(monthly, base, period, pairs, cme_method).items()
    ]
    tall = 165
    with house_style():
        months = max((int(line.notna().sum()) for *_, line in panels), default=0)
        figure = canvas(
            _HEAD + tall * max(1, len(panels)) + _FOOT - 12,
            f"Funding differences between venues, {period_words(period)}",
            "Points a year, monthly means; colour: the dearer venue. "
            f"CME: {METHOD_NAMES.get(cme_method, cme_method)}. n: up to {months} months. "
            "BTC, ETH scales differ.",
            f"Source: {source}.",
        )
        for index, (base, pair, line) in enumerate(panels):
            heading = f"{base}: {venue_name(pair[0])} minus {venue_name(pair[1])}"
            axes = _time_axes(figure, _HEAD + 26 + tall * index, tall - 50, heading, "pp")
            axes.set_ylim(*_reach([other for owner, _, other in panels if owner == base], room=0.16))
            _difference_bars(axes, line, pair)
            _mean_label(axes, spread_of(spreads, pair, base, period, cme_method), line)
            _span_axis(axes, [line for *_, line in panels])
        if not panels:
            axes = place(figure, _LEFT, _HEAD, WIDTH - _LEFT - _RIGHT, tall - 30)
            axes.set_axis_off()
            axes.text(0.5, 0.5, "no pair of venues in this window", ha="center")
    return figure


def venue_differences(
    monthly: pd.DataFrame,
    base: str,
    period: str = ESSAY_PERIOD,
    pairs: Sequence[tuple[str, str]] = PAIRS,
    cme_method: str = CME_METHOD,
) -> dict[tuple[str, str], pd.Series]:
    """Monthly difference a minus b (fraction a year) for each pair with months in common."""
    lines = principal_series(monthly, base, period, cme_method)
    found = {}
    for a, b in pairs:
        if a in lines and b in lines:
            line = (lines[a] - lines[b]).dropna()
            if len(line):
                found[a, b] = line
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


def _difference_bars(axes: Axes, line: pd.Series, pair: tuple[str, str]) -> None:
    """Bars in the colour of the dearer venue, the largest named."""
    values = 100 * line.to_numpy()
    tones = [venue_colour(pair[0] if value >= 0 else pair[1], pair) for value in values]
    days = _days(line)
    axes.bar(days, values, width=24, color=tones)
    peak = int(np.argmax(np.abs(values)))
    axes.annotate(
        f"{line.index[peak]:%b %Y}: {number(values[peak], 0)}",
        (days[peak], values[peak]),
        xytext=(0, 4 if values[peak] >= 0 else -4),
        textcoords="offset points",
        ha="center",
        va="bottom" if values[peak] >= 0 else "top",
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
