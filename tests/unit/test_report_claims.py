"""Figures of rules, volatility and lags, and the numbers in each claim's card."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import report_results as frames
from matplotlib.figure import Figure

from perp_pipeline.report import cells, lags, rules, volatility
from perp_pipeline.report.claim_numbers import claim_numbers
from perp_pipeline.report.exhibits import figures_of
from perp_pipeline.research.claims.formats import UNITS


def _texts(figure: Figure) -> list[str]:
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [text.get_text() for text in figure.texts] + inside


def _line(figure: Figure, heading: str, label: str) -> np.ndarray:
    axes = next(axes for axes in figure.axes if axes.get_label() == heading)
    lines = {str(line.get_label()): line for line in axes.lines}
    return np.asarray(lines[label].get_ydata(), dtype=float)


def test_intervals_by_lags_are_coloured_by_their_verdict() -> None:
    figure = lags.lags_figure(frames.claim_parts())
    panel = "Claim 10"
    np.testing.assert_allclose(_line(figure, panel, "weak"), [14.6, np.nan])
    np.testing.assert_allclose(_line(figure, panel, "holds"), [np.nan, 14.6])
    assert "perps above 50 %, %\npublished: above 10 %; n = 1,000" in _texts(figure)


def test_a_number_that_hangs_on_its_lags_is_drawn_whatever_its_claim() -> None:
    parts = frames.claim_parts()
    own = parts[parts["claim_id"] == 10]
    sharp = own.assign(claim_id=24, estimate=100.0, ci_low=99.0, ci_high=101.0)
    firm = own.assign(claim_id=37, verdict="holds")
    figure = lags.lags_figure(pd.concat([parts, sharp, firm], ignore_index=True))
    headings = [axes.get_label() for axes in figure.axes]
    assert "Claim 24" in headings and "Claim 37" not in headings
    axes = figure.axes[headings.index("Claim 24")]
    assert axes.get_ylim()[0] > 90.0, "an axis down to zero would hide the interval"
    assert figure.axes[headings.index("Claim 10")].get_ylim()[0] < 0.0


def test_headings_do_not_touch_the_ticks_above_them() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    parts = frames.claim_parts()
    more = [parts[parts["claim_id"] == 10].assign(claim_id=claim) for claim in (1, 2, 6, 7)]
    figure = lags.lags_figure(pd.concat([*more, parts], ignore_index=True))
    renderer = FigureCanvasAgg(figure).get_renderer()
    assert len(figure.axes) > 2
    for above, below in zip(figure.axes, figure.axes[2:], strict=False):
        ticks = [tick.get_window_extent(renderer).y0 for tick in above.get_xticklabels()]
        assert max(text.get_window_extent(renderer).y1 for text in below.texts) < min(ticks)


def test_the_map_passes_through_what_the_essays_print_and_is_flat_in_its_zone() -> None:
    figure = rules.map_figure(frames.claim_parts())
    (axes,) = figure.axes
    drawn = {line.get_label(): line for line in axes.get_lines()}
    venues = drawn["the venues' rule: Binance, BitMEX"]
    premium, rate = venues.get_xdata(), venues.get_ydata()
    assert np.allclose(np.interp([-0.03, 0.0, 0.05], premium, rate), 10.95)
    assert np.interp(0.09, premium, rate) == pytest.approx(43.8, abs=0.1)
    daily = drawn["per day: premium × 365"]
    for claim, at in ((21, 0.09), (22, 0.0685), (23, 0.03)):
        (x,), (y,) = drawn[f"claim {claim}"].get_data()
        assert x == pytest.approx(at, abs=1e-4)
        assert np.interp(x, daily.get_xdata(), daily.get_ydata()) == pytest.approx(y)
    assert "claim 21: 33 %" in _texts(figure)


def test_volatility_by_month() -> None:
    figure = volatility.volatility_figure(frames.returns_8h())
    np.testing.assert_allclose(_line(figure, "volatility", "ETH"), 4.0, atol=0.15)
    assert "n: up to 3 months" in " ".join(_texts(figure))
    assert {"ETH, 95 %"} == {str(band.get_label()) for band in figure.axes[0].collections}
    assert any(text.startswith("ETH: mean 4.") and "[" not in text for text in _texts(figure))


def test_a_claim_s_numbers_are_told_with_those_by_other_routes() -> None:
    told = claim_numbers(frames.claim_parts())[10]
    assert [number["label"] for number in told] == ["perps above 50 %", "with 30 lags"]
    assert [number["verdict"] for number in told] == ["weak", "holds"]
    assert told[0]["interval"] == "9.6 to 19.6"
    assert claim_numbers(None) == {}


def test_figures_are_found_by_claim() -> None:
    assert [figure.slug for figure in figures_of(17)] == ["daily-volatility", "intervals-by-lags"]
    assert "premium-map" in [figure.slug for figure in figures_of(21)]


def test_every_unit_of_a_claim_has_a_format() -> None:
    assert set(UNITS) - {"1"} <= set(cells.FORMATS)
