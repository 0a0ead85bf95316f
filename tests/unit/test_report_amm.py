"""Figures and tables of the AMM chapter show what the result tables hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import report_results as frames
from report_panels import line_of, panel_of, texts_of

from perp_pipeline.report import (
    amm,
)

SUMMED = ("fees", "convexity, by flow", "convexity, by formula", "net")


def test_pool_profit_by_year_mark_and_day() -> None:
    said = texts_of(amm.years_figure(frames.pool_profit()))
    assert "−0.5  [−0.7, −0.3]" in said
    assert "WBTC-WETH 30 bp, ethereum 0xcbcd" in said
    figure = amm.marks_figure(frames.pool_profit())
    np.testing.assert_allclose(line_of(figure, "WBTC-WETH 30 bp, ethereum 0xcbcd", "pool price"), 0.71)
    assert np.isnan(line_of(figure, "WBTC-WETH 30 bp, ethereum 0xcbcd", "exchange price")).sum() == 3


def test_sums_over_days_have_bands() -> None:
    label = "WBTC-WETH 30 bp, ethereum 0xcbcd"
    figure = amm.cumulative_figure(frames.pool_sums())
    np.testing.assert_allclose(line_of(figure, label, "net"), -np.arange(1, 11, dtype=float))
    bands = {str(band.get_label()): band for band in panel_of(figure, label).collections}
    assert set(bands) == {f"{name}, 95 %" for name in SUMMED}
    heights = np.concatenate([path.vertices[:, 1] for path in bands["net, 95 %"].get_paths()])
    assert (heights.min(), heights.max()) == (-12.0, -6.0)
    assert "net\n−10.0  [−12.0, −8.0]" in texts_of(figure)
    said = next(one for one in amm.FIGURES if one.slug == "amm-cumulative").describe(frames.every())
    assert "net −10,000,000 USD (−12,000,000 to −8,000,000)" in said
    table = next(one for one in amm.TABLES if one.slug == "table-amm-cumulative").build(frames.every())
    assert not isinstance(table, str)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["To"], row["Net"], row["Days"]) == ("2023-01-10", "−10.00 (1.00)", "10")
    assert table.rows[0][-2] == "−12.00 to −8.00"


def test_lines_and_bands_break_at_holes() -> None:
    label = "WBTC-WETH 30 bp, ethereum 0xcbcd"
    sums = frames.pool_sums()
    after = sums.assign(day=sums["day"] + pd.Timedelta(days=100), run=2, n=sums["n"] + 10)
    figure = amm.cumulative_figure(pd.concat([after, sums], ignore_index=True))
    drawn = [line.get_ydata() for line in panel_of(figure, label).lines if line.get_label() == "net"]
    assert [len(line) for line in drawn] == [10, 10]
    assert len(panel_of(figure, label).collections) == 2 * len(SUMMED)
    assert "2023-01-01 to 2023-04-20, n = 20 days" in texts_of(figure)
    assert "no data in this window" in texts_of(amm.cumulative_figure(sums.head(0)))


def test_a_single_day_is_named_and_not_drawn() -> None:
    profit = frames.pool_profit()
    one = profit.assign(pool="0x8ad5" + "0" * 36, n=1, n_days=1, se=np.nan, ci_low=np.nan, ci_high=np.nan)
    both = pd.concat([profit, one], ignore_index=True)
    for figure in (amm.marks_figure(both), amm.years_figure(both)):
        assert [axes.get_label() for axes in figure.axes] == ["WBTC-WETH 30 bp, ethereum 0xcbcd"]
    ticks = [tick.get_text() for tick in amm.marks_figure(both).axes[0].get_xticklabels()]
    assert ticks[0] == "0\nn = 97"
    footer = amm.years_figure(both).texts[2].get_text().replace("-\n", "-").replace("\n", " ")
    day = f"{one['window_start'].iloc[0]:%Y-%m-%d}"
    assert f"a single day has no error: WBTC-WETH 30 bp, ethereum 0x8ad5 {day}." in footer
    assert "single day" not in " ".join(texts_of(amm.years_figure(profit)))
    exhibit = next(one for one in amm.FIGURES if one.slug == "amm-profit")
    assert "0x8ad5" not in exhibit.describe({"out_amm_profit_per_volume": both})
    assert "no data in this window" in texts_of(amm.years_figure(one))


def test_a_few_days_are_drawn_with_their_interval() -> None:
    few = frames.pool_profit().assign(n=3, n_days=3)
    assert "−0.5  [−0.7, −0.3]" in texts_of(amm.years_figure(few))
    np.testing.assert_allclose(
        line_of(amm.marks_figure(few), "WBTC-WETH 30 bp, ethereum 0xcbcd", "pool price"), 0.71
    )


def test_convexity_by_both_routes_and_how_they_differ() -> None:
    figure = amm.convexity_figure(frames.pool_profit())
    said = texts_of(figure)
    assert {"30.4  [30.2, 30.6]", "31.2  [31.0, 31.4]", "−0.8  [−1.0, −0.6]", "−0.7  [−0.9, −0.5]"} <= set(
        said
    )
    exhibit = next(one for one in amm.TABLES if one.slug == "table-amm-convexity")
    table = exhibit.build({name: frames.every()[name] for name in exhibit.needs})
    assert not isinstance(table, str)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["Difference, bp"] == "−0.8 (0.1)"
    assert row["Flow against formula"] == "flow costs less"
    assert row["Largest days, m$"].startswith("2023-01-01 0.50")


def test_pool_prices_within_the_fee() -> None:
    said = texts_of(amm.gap_figure(frames.price_gaps()))
    assert {"75.0  [73.0, 77.0]", "80.0  [78.0, 82.0]"} <= set(said)
