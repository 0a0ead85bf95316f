"""Figures 2, 3 and 4 of "Perp Funding Rate Fraud" (Nov 2022), redrawn from result tables.

Each is a pure function from result frames to a matplotlib figure 800 pixels wide. Rates come in as fractions
a year and are drawn in percent a year.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from perp_pipeline.report.intervals import IntervalRow, interval_figure, number
from perp_pipeline.report.series import (
    BASES,
    CME_METHOD,
    ESSAY_PERIOD,
    METHOD_NAMES,
    labelled,
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
    place,
    venue_colour,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAIRS = (("binance", "bitmex"), ("binance", "cme"))
_LEFT, _RIGHT, _HEAD, _FOOT = 52, 92, 62, 52


def averages_figure(
    averages: pd.DataFrame,
    *,
    period: str = ESSAY_PERIOD,
    bases: Sequence[str] = BASES,
    source: str = "out_funding_averages",
) -> Figure:
    """Figure 2: average annual funding by venue and symbol, and the CME rate by method, with 95 % intervals.

    Args:
        averages: out_funding_averages (estimates in fractions a year).
        period: one of the table's periods.
        source: what the source line says.
    """
    rows = labelled(averages[averages["period"] == period])
    return interval_figure(
        [(base, _average_rows(rows[rows["base"] == base], period)) for base in bases],
        title=f"Average annual funding by venue, {period_words(period)}",
        subtitle="Percent a year, simple annualisation; positive: longs pay. Mean and 95 % interval "
        "(Newey-West, fixed-b).",
        unit="percent a year",
        footer=f"Source: {source}. n: days with complete funding; for CME, trading days.",
    )


def _average_rows(rows: pd.DataFrame, period: str) -> list[IntervalRow]:
    others = tuple(rows["venue"].unique())
    return [
        IntervalRow(
            label=row["label"],
            estimate=100 * row["estimate"],
            low=100 * row["ci_low"],
            high=100 * row["ci_high"],
            n=int(row["n"]),
            colour=venue_colour(row["venue"], others),
            note=_late_start(row, period),
        )
        for row in rows.to_dict("records")
    ]


def _late_start(row: dict[Any, Any], period: str) -> str:
    """Says so where data begin or end more than a month inside the window."""
    from perp_pipeline.research.periods import parse_period

    span = parse_period(period)
    if span is None or "window_start" not in row or pd.isna(row["window_start"]):
        return ""
    first, last = pd.Timestamp(row["window_start"]), pd.Timestamp(row["window_end"])
    if first.tz is None:
        first, last = first.tz_localize("UTC"), last.tz_localize("UTC")
    month = pd.Timedelta(days=31)
    if last < pd.Timestamp(span.end) - month:
        return f"to {last:%Y-%m}" if first < span.start + month else f"{first:%Y-%m} to {last:%Y-%m}"
    return f"from {first:%Y-%m}" if first > pd.Timestamp(span.start) + month else ""


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
            f"CME: {METHOD_NAMES.get(cme_method, cme_method)}. n: up to {months} months a line.",
            f"Source: {source}.",
        )
        values = [line for lines in panels.values() for line in lines.values()]
        low, high = _reach(values)
        for index, (base, lines) in enumerate(panels.items()):
            axes = _time_axes(figure, _HEAD + 26 + tall * index, tall - 50, base)
            axes.set_ylim(low, high)
            others = tuple(lines)
            for venue, line in lines.items():
                axes.plot(
                    line.index.to_numpy(),
                    100 * line.to_numpy(),
                    color=venue_colour(venue, others),
                    linewidth=1.8,
                    linestyle=(0, (5, 1.5)) if venue == "cme" else "-",
                    marker="o" if line.notna().sum() < 60 else "",
                    markersize=3,
                    label=venue_name(venue),
                )
            _end_labels(axes, lines, tall - 50)
            _span_axis(axes, lines.values())
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
            "Percentage points a year, difference of monthly means. "
            f"CME: {METHOD_NAMES.get(cme_method, cme_method)}. n: up to {months} months a panel.",
            f"Source: {source}.",
        )
        low, high = _reach([line for *_, line in panels], room=0.14)
        for index, (base, pair, line) in enumerate(panels):
            heading = f"{base}: {venue_name(pair[0])} minus {venue_name(pair[1])}"
            axes = _time_axes(figure, _HEAD + 26 + tall * index, tall - 50, heading)
            axes.set_ylim(low, high)
            _difference_bars(axes, line)
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


def spreads_figure(
    spreads: pd.DataFrame,
    *,
    period: str = ESSAY_PERIOD,
    bases: Sequence[str] = BASES,
    source: str = "out_venue_spreads",
) -> Figure:
    """Mean difference of annual funding between pairs of venues, with 95 % intervals.

    One row per pair of venues (the headline rows), and for CME one per method.

    Args:
        spreads: out_venue_spreads (estimates in fractions a year).
    """
    rows = headline_pairs(spreads[spreads["period"] == period])
    panels = []
    for base in bases:
        own = rows[rows["base"] == base]
        panels.append((base, [_spread_row(row, period) for row in own.to_dict("records")]))
    return interval_figure(
        panels,
        title=f"Mean funding difference between venues, {period_words(period)}",
        subtitle="Percentage points a year, first venue minus second. Mean and 95 % interval "
        "(Newey-West, fixed-b).",
        unit="percentage points a year",
        footer=f"Source: {source}. n: days that both venues have.",
    )


def headline_pairs(spreads: pd.DataFrame) -> pd.DataFrame:
    """Headline rows of out_venue_spreads, and the other CME methods of the same contracts."""
    sides = spreads[["venue_a", "symbol_a", "venue_b", "symbol_b", "base", "period"]].apply(tuple, axis=1)
    chosen = set(sides[spreads["headline"].astype(bool)])
    rows = spreads[[side in chosen for side in sides]]
    return rows.sort_values(
        ["base", "period", "venue_a", "venue_b", "headline", "method_a", "method_b"],
        ascending=[True, True, True, True, False, True, True],
        kind="stable",
    )


def pair_label(row: dict[Any, Any]) -> str:
    """``Binance - CME calendar × 12`` with a real minus sign."""
    sides = [
        venue_name(row[f"venue_{side}"])
        + ("" if row[f"method_{side}"] == "funding" else f" {METHOD_NAMES.get(row[f'method_{side}'], '')}")
        for side in "ab"
    ]
    return f"{sides[0]} \N{MINUS SIGN} {sides[1]}".rstrip()


def _spread_row(row: dict[Any, Any], period: str) -> IntervalRow:
    return IntervalRow(
        label=pair_label(row),
        estimate=100 * row["estimate"],
        low=100 * row["ci_low"],
        high=100 * row["ci_high"],
        n=int(row["n"]),
        colour=venue_colour(str(row["venue_b"])),
        note=_late_start(row, period),
    )


def _time_axes(figure: Figure, top: float, height: float, heading: str) -> Axes:
    axes = place(figure, _LEFT, top, WIDTH - _LEFT - _RIGHT, height)
    axes.set_label(heading)
    axes.text(0, 1.03, heading, transform=axes.transAxes, fontweight="bold", va="bottom")
    axes.grid(axis="y", color=colour("grid"), linewidth=0.8)
    axes.axhline(0, color=colour("zero"), linewidth=1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{number(value, 0)} %")
    return axes


def _reach(lines: Sequence[pd.Series], room: float = 0.06) -> tuple[float, float]:
    values = np.concatenate([[0.0], *(100 * line.dropna().to_numpy() for line in lines)])
    low, high = float(values.min()), float(values.max())
    pad = room * (high - low or 1.0)
    return low - pad, high + pad


def _span_axis(axes: Axes, lines: Any) -> None:
    """The same months under every panel, with ticks that suit their number."""
    stamps = [stamp for line in lines for stamp in (line.index.min(), line.index.max())]
    if stamps:
        pad = pd.Timedelta(days=20)
        axes.set_xlim((min(stamps) - pad).to_datetime64(), (max(stamps) + pad).to_datetime64())
    date_axis(axes)


def _end_labels(axes: Axes, lines: dict[str, pd.Series], height: float) -> None:
    """Each venue's name right of its last point, moved apart where names would touch."""
    low, high = axes.get_ylim()
    gap = (high - low) * 15 / height
    ends = sorted(((100 * float(line.dropna().iloc[-1]), venue) for venue, line in lines.items()))
    spots = [y for y, _ in ends]
    for _ in range(len(spots)):
        for i in range(1, len(spots)):
            overlap = gap - (spots[i] - spots[i - 1])
            if overlap > 0:
                spots[i - 1] -= overlap / 2
                spots[i] += overlap / 2
    for y, (_, venue) in zip(spots, ends, strict=True):
        axes.text(
            1.01,
            y,
            venue_name(venue),
            transform=axes.get_yaxis_transform(),
            va="center",
            color=venue_colour(venue, tuple(lines)),
            fontweight="bold",
        )


def _difference_bars(axes: Axes, line: pd.Series) -> None:
    values = 100 * line.to_numpy()
    tones = [colour("vermillion") if value >= 0 else colour("blue") for value in values]
    axes.bar(line.index.to_numpy(), values, width=24, color=tones)
    peak = int(np.argmax(np.abs(values)))
    axes.annotate(
        f"{line.index[peak]:%b %Y}: {number(values[peak], 0)}",
        (line.index[peak].to_datetime64(), values[peak]),
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
    axes.axhline(mean, color=colour("ink"), linewidth=1, linestyle=(0, (4, 2)), gid="mean")
    axes.text(1.01, mean, said, transform=axes.get_yaxis_transform(), va="center", fontsize=8.5)
