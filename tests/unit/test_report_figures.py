"""Figures hold the numbers they were given, and are the same bytes each time."""

from __future__ import annotations

import base64
import struct
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import report_frames as frames
from matplotlib.figure import Figure

from perp_pipeline.contracts.model import Column, Contract
from perp_pipeline.report import figures
from perp_pipeline.report.partition import drawn_column
from perp_pipeline.report.series import base_of, principal_series, series_label
from perp_pipeline.report.style import COLOURS, inline_svg


def _texts(figure: Figure) -> list[str]:
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [text.get_text() for text in figure.texts] + inside


def _panel(figure: Figure, heading: str) -> mpl.axes.Axes:
    return next(axes for axes in figure.axes if axes.get_label() == heading)


def test_averages_are_drawn_in_percent_with_their_intervals() -> None:
    figure = figures.averages_figure(frames.averages())
    points = {line.get_label(): line for axes in figure.axes for line in axes.lines}
    assert points["Binance BTCUSDT"].get_xdata()[0] == pytest.approx(14.2)
    assert points["CME calendar × 12"].get_xdata()[0] == pytest.approx(4.3)
    assert points["BitMEX ETHUSD"].get_xdata()[0] == pytest.approx(-2.0)
    ends = [tuple(np.round(line.get_xdata(), 6)) for line in _panel(figure, "BTC").lines]
    assert (11.2, 17.2) in ends
    said = _texts(figure)
    assert "14.2  [11.2, 17.2]" in said
    assert "−2.0  [−5.0, 1.0]" in said
    assert "1,025" in said
    assert any("Sep 2019 to Jun 2022" in text for text in said)


def test_another_period_is_another_figure() -> None:
    figure = figures.averages_figure(frames.averages(), period="all", bases=("BTC",))
    assert "64.2  [61.2, 67.2]" in _texts(figure)
    assert len(figure.axes) == 1


def test_a_short_series_says_from_when() -> None:
    late = frames.averages()
    late.loc[late["symbol"] == "XBTUSD", "window_start"] = pd.Timestamp("2021-11-10", tz="UTC")
    assert "1,025, from 2021-11" in _texts(figures.averages_figure(late))


def test_a_base_without_rows_says_so() -> None:
    only_btc = frames.averages().query("base == 'BTC'")
    assert "no data in this window" in _texts(figures.averages_figure(only_btc))


def test_an_estimate_without_interval_is_a_point() -> None:
    bare = frames.averages().assign(ci_low=np.nan, ci_high=np.nan)
    figure = figures.averages_figure(bare)
    assert all(len(line.get_xdata()) == 1 for line in _panel(figure, "BTC").lines if line.get_marker() == "o")
    assert "14.2" in _texts(figure)


def test_monthly_lines_have_each_month() -> None:
    panel = _panel(figures.monthly_figure(frames.monthly()), "BTC")
    lines = {str(line.get_label()): line for line in panel.lines}
    assert {"Binance", "BitMEX", "CME"} <= set(lines)
    np.testing.assert_allclose(lines["Binance"].get_ydata(), 14.2 + np.arange(34))
    np.testing.assert_allclose(lines["CME"].get_ydata(), 4.3 + np.arange(34))


def test_a_missing_month_breaks_the_line() -> None:
    holed = frames.monthly().query("month != '2020-05'")
    line = principal_series(holed, "BTC", frames.PERIOD)["binance"]
    assert len(line) == 34
    assert np.isnan(line[pd.Timestamp("2020-05-01")])


def test_the_symbol_with_the_longest_history_speaks_for_its_venue() -> None:
    extra = frames.monthly().query("symbol == 'XBTUSD'").tail(5).assign(symbol="XBTUSDT", estimate=9.0)
    both = pd.concat([extra, frames.monthly()])
    assert principal_series(both, "BTC", frames.PERIOD)["bitmex"].max() < 1


def test_monthly_lines_have_bands() -> None:
    panel = _panel(figures.monthly_figure(frames.monthly()), "BTC")
    bands = {str(band.get_label()): band for band in panel.collections}
    assert set(bands) == {"Binance, 95 %", "BitMEX, 95 %", "CME, 95 %"}
    heights = bands["Binance, 95 %"].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (pytest.approx(11.2), pytest.approx(14.2 + 33 + 3))


def test_differences_are_a_minus_b_and_carry_the_mean_of_the_spreads() -> None:
    figure = figures.differences_figure(frames.monthly_spreads(), frames.spreads())
    panel = _panel(figure, "BTC: Binance minus BitMEX")
    np.testing.assert_allclose([bar.get_height() for bar in panel.patches], 9.1)
    errors = next(item for item in panel.collections if item.get_label() == "95 %").get_segments()
    assert len(errors) == 34
    np.testing.assert_allclose(errors[0][:, 1], [6.1, 12.1])
    mean = next(line for line in panel.lines if line.get_label() == "mean")
    assert mean.get_ydata()[0] == pytest.approx(9.1)
    said = _texts(figure)
    assert "mean 9.1\n[6.1, 12.1]" in said
    assert "mean 9.9\n[6.9, 12.9]" in said
    assert "mean 19.0" in said, "ETH has no row of spreads: the mean of the months, without interval"


def test_a_pair_that_is_held_the_other_way_round_is_turned() -> None:
    figure = figures.differences_figure(frames.monthly_spreads())
    panel = _panel(figure, "ETH: Binance minus BitMEX")
    np.testing.assert_allclose([bar.get_height() for bar in panel.patches], 19.0)
    np.testing.assert_allclose(panel.collections[0].get_segments()[0][:, 1], [16.0, 22.0])


def test_a_month_without_a_difference_has_no_bar() -> None:
    holed = frames.monthly_spreads().query("month != '2020-05'")
    panel = _panel(figures.differences_figure(holed), "BTC: Binance minus BitMEX")
    assert len(panel.patches) == 33


def test_spreads_show_headline_contracts_and_every_cme_method() -> None:
    said = _texts(figures.spreads_figure(frames.spreads()))
    assert "Binance − BitMEX" in said
    assert "Binance − CME calendar × 12" in said
    assert "Binance − CME calendar, by days" in said
    assert not any("50.0" in text for text in said)


def test_names_of_a_panel_do_not_touch() -> None:
    close = frames.monthly().assign(estimate=0.1)
    panel = _panel(figures.monthly_figure(close), "BTC")
    spots = sorted(text.get_position()[1] for text in panel.texts if text.get_text() != "BTC")
    low, high = panel.get_ylim()
    assert min(b - a for a, b in pairwise(spots)) >= 0.99 * (high - low) * 15 / 185


@pytest.mark.parametrize("draw", [figures.averages_figure, figures.monthly_figure, figures.spreads_figure])
def test_bytes_are_the_same_each_time(draw: object) -> None:
    frame = {
        figures.averages_figure: frames.averages,
        figures.monthly_figure: frames.monthly,
        figures.spreads_figure: frames.spreads,
    }[draw]()
    first = figures.render(draw(frame), dpi=50)
    with mpl.rc_context({"font.size": 20, "axes.grid": True, "svg.hashsalt": "other"}):
        second = figures.render(draw(frame), dpi=50)
    assert first == second
    assert b"date" not in first["svg"].lower()
    assert b"Software" not in first["png"]


def test_nothing_is_left_outside_the_figure() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    for figure in (
        figures.averages_figure(frames.averages()),
        figures.monthly_figure(frames.monthly()),
        figures.differences_figure(frames.monthly_spreads(), frames.spreads()),
        figures.spreads_figure(frames.spreads()),
    ):
        renderer = FigureCanvasAgg(figure).get_renderer()
        width, height = figure.canvas.get_width_height()
        for text in [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]:
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0, text.get_text()
            assert box.x1 <= width, text.get_text()
            assert box.y0 >= 0, text.get_text()
            assert box.y1 <= height, text.get_text()


def test_markdown_image_is_a_png_of_800_pixels() -> None:
    text = figures.as_markdown_image(figures.averages_figure(frames.averages()))
    head, _, data = text.partition("](data:image/png;base64,")
    assert head == "![Average annual funding by venue, Sep 2019 to Jun 2022"
    png = base64.b64decode(data.removesuffix(")"))
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">I", png[16:20])[0] == 800


def test_inline_svg_is_alone_on_its_page() -> None:
    svg = figures.render(figures.averages_figure(frames.averages()), dpi=50)["svg"]
    text = inline_svg(svg, "one", "A & B", "<words>")
    assert text.startswith("<svg")
    assert 'id="one-figure_1"' in text
    assert '<title id="one-name">A &amp; B</title>' in text
    assert "&lt;words&gt;" in text
    assert f"var(--fig-vermillion, {COLOURS['vermillion'][0]})" in text


def test_names_of_series() -> None:
    assert [base_of(symbol) for symbol in ("XBTUSD", "BTCUSDT", "ETH", "SOL-USDT")] == [
        "BTC",
        "BTC",
        "ETH",
        "SOL",
    ]
    assert series_label("bitmex", "XBTUSD", "funding") == "BitMEX XBTUSD"
    assert series_label("cme", "BTC", "cm30") == "CME 30-day maturity"


TIMED = Contract(
    name="core_things",
    doc="Things.",
    grain="one thing",
    key=("venue", "paid_at"),
    time="paid_at",
    columns=(
        Column("venue", "string", "venue"),
        Column("paid_at", "timestamp", "time"),
        Column("weight", "float64", "weight", "kg"),
        Column("rate_annual", "float64", "rate", "fraction a year"),
    ),
)


def _things(points: int = 50) -> pd.DataFrame:
    times = pd.date_range("2021-02-01", periods=points, freq="h", tz="UTC")
    return pd.DataFrame(
        [
            {"venue": venue, "paid_at": time, "weight": 1.0, "rate_annual": 0.001 * k}
            for venue in ("binance", "bitmex")
            for k, time in enumerate(times)
        ]
    )


def test_a_partition_shows_its_best_column_by_venue() -> None:
    assert drawn_column(TIMED) == "rate_annual"
    figure = figures.table_figure(TIMED, _things())
    assert figure is not None
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    np.testing.assert_allclose(lines["bitmex"].get_ydata(), 0.1 * np.arange(50))
    assert any("n = 100 rows" in text for text in _texts(figure))


def test_a_long_partition_keeps_its_peaks() -> None:
    long = _things(5000)
    long.loc[1234, "rate_annual"] = 99.0
    figure = figures.partition_figure(TIMED, long)
    assert figure is not None
    drawn = next(line for line in figure.axes[0].lines if line.get_label() == "binance").get_ydata()
    assert len(drawn) <= 700
    assert max(drawn) == pytest.approx(9900.0)


def test_nothing_to_draw_is_no_figure() -> None:
    assert figures.table_figure(TIMED, _things().head(0)) is None
    assert figures.table_figure(TIMED, _things().assign(rate_annual=np.nan)) is None
