"""Figures and tables of regressions, lead-lag, quanto, pools and the rest hold their frames' numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import report_frames
import report_results as frames
from report_panels import line_of, panel_of, texts_of

from perp_pipeline import contracts
from perp_pipeline.report import (
    amm,
    averages,
    fair,
    inside_windows,
    lead_lag,
    precision,
    prediction,
    quanto,
    regressions,
)
from perp_pipeline.report.context import ReportContext
from perp_pipeline.report.exhibit import ESSAYS, FigureExhibit, ready, source_line
from perp_pipeline.report.exhibits import FIGURES, TABLES
from perp_pipeline.report.figures import table_figure
from perp_pipeline.report.html import Report, build_report
from perp_pipeline.report.style import render
from perp_pipeline.research.claims.register import register


@pytest.fixture(scope="module")
def report() -> Report:
    start = pd.Timestamp("2019-09-10", tz="UTC")
    claims = pd.DataFrame(
        {
            "claim_id": claim.id,
            "source": claim.source,
            "statement": claim.statement,
            "published": claim.published,
            "unit": "share",
            "verdict": "holds",
            "table": "out_regressions",
            "reason": "Inside.",
        }
        | frames.estimate(0.5)
        | {"window_start": start}
        for claim in register()
    )
    return build_report(frames.every() | {"out_claims": claims}, context=ReportContext(span="all"))


def test_effects_are_drawn_by_horizon_with_the_wald_test_below() -> None:
    figure = regressions.horizons_figure(frames.regressions())
    prior = line_of(figure, "Binance BTC", "return of the days before")
    np.testing.assert_allclose(prior, [0.01, 0.03, 0.07, 0.3, 0.9])
    np.testing.assert_allclose(line_of(figure, "CME BTC", "same day's return"), 0.05)
    ticks = [label.get_text() for label in panel_of(figure, "Binance BTC").get_xticklabels()]
    assert ticks[3] == "30 d\n0.012"
    assert "n = 1,000, 42 lags" in texts_of(figure)


def test_the_null_stands_below_the_effect() -> None:
    said = texts_of(regressions.null_figure(frames.regressions()))
    assert "0.30  [0.20, 0.40]" in said
    assert "0.02  [−0.28, 0.32]" in said
    assert any("as slow as fitted, p 0.310" in text for text in said)


def test_the_regression_table_is_on_the_essay_s_page_and_in_latex(report: Report) -> None:
    page = report.pages["essay-b.html"]
    assert "class='regression'" in page
    assert 'href="tables/table-regressions.tex"' in page
    latex = report.tables["table-regressions.tex"].decode()
    assert r"\begin{tabular}" in latex
    assert "0.300**" in latex


def test_the_correlogram_has_sixty_one_lags_and_a_band() -> None:
    figure = lead_lag.correlogram_figure(frames.lead_lag())
    line = line_of(figure, "BitMEX XBTUSD", "correlation")
    np.testing.assert_allclose(line, [0.3] * 30 + [0.0] * 31)
    assert len(panel_of(figure, "BitMEX XBTUSD").collections) == 1


def test_deciles_are_in_percent() -> None:
    figure = lead_lag.deciles_figure(frames.lead_lag())
    np.testing.assert_allclose(line_of(figure, "Binance ETHUSDT: rate a year", "mean"), np.arange(2, 22, 2))
    np.testing.assert_allclose(line_of(figure, "Binance ETHUSDT: next 3 days", "mean"), 0.1)


def test_an_empty_decile_is_a_gap() -> None:
    holed = frames.lead_lag().query("not (kind == 'decile' and lag == 4)")
    rates = line_of(lead_lag.deciles_figure(holed), "Binance BTCUSDT: rate a year", "mean")
    assert np.isnan(rates[3])
    assert np.isfinite(np.delete(rates, 3)).all()


def test_the_three_returns_are_named() -> None:
    said = texts_of(lead_lag.links_figure(frames.lead_lag()))
    assert "Binance BTCUSDT: before" in said
    assert "0.31  [0.21, 0.41]" in said
    assert "−0.01  [−0.11, 0.09]" in said


def test_the_race_shows_each_predictor_of_each_venue() -> None:
    figure = prediction.race_figure(frames.race())
    np.testing.assert_allclose(line_of(figure, "BTC: next 7 days", "BitMEX"), [0.1, 0.44, -0.2])


def test_the_race_with_premiums_takes_the_year_that_has_most_of_them() -> None:
    whole = frames.race()
    year = whole.query("venue == 'binance'").assign(period="2024", estimate=0.2)
    without = year.query("predictor != 'premium_instant'").assign(venue="bitmex")
    figure = prediction.race_figure(pd.concat([whole, year, without]), premium=True)
    assert "premium among it, Jan 2024 to Dec 2024" in texts_of(figure)[0]
    panel = panel_of(figure, "Binance BTC: next payment")
    assert {"Binance"} == {str(line.get_label()) for line in panel.lines} & {"Binance", "BitMEX"}
    np.testing.assert_allclose(line_of(figure, "Binance BTC: next payment", "Binance"), 0.2)


def test_funding_by_past_return() -> None:
    figure = prediction.past_return_figure(frames.house_money())
    rates = line_of(figure, "Binance BTCUSDT: past return", "mean funding")
    np.testing.assert_allclose(rates, np.arange(3, 33, 3))
    falls = line_of(figure, "Binance BTCUSDT: drawdown", "mean funding")
    np.testing.assert_allclose(falls, [50, 40, 30, 20, 10])


def test_quanto_years_and_parts() -> None:
    figure = quanto.years_figure(frames.quanto())
    np.testing.assert_allclose(line_of(figure, "ETHUSD: 8-hour spot prices", "funding"), [63, 63])
    np.testing.assert_allclose(
        line_of(figure, "ETHUSD: 8-hour spot prices", "funding less covariance"), [10, 10]
    )
    said = texts_of(quanto.parts_figure(frames.quanto()))
    assert "53.0  [43.0, 63.0]" in said
    assert "Aug 2018 to Jun 2022" in said


def test_quanto_price_sources_are_compared_over_the_same_days() -> None:
    rows = frames.quanto()
    late = (rows["period"] == "all") & (rows["frequency"] == "8h_perp")
    rows.loc[late, "window_end"] -= pd.Timedelta(days=90)
    rows.loc[rows["period"] == "all", "n"] += 500
    rows.loc[rows["period"] == "2021", "n"] += 100
    said = texts_of(quanto.prices_figure(rows))
    assert any("the same days for all: Jan 2021 to Dec 2021;" in text for text in said)
    assert {"8-hour spot prices", "8-hour trades of the venue"} <= set(said)


def test_a_rival_without_error_is_left_out_of_the_scale() -> None:
    rows = frames.race_inside_windows()
    late = rows["predictor"] == "ma9_vs_premium_window_1h_left"
    rows.loc[late, ["estimate", "ci_low", "ci_high"]] = -7e9
    figure = inside_windows.hours_figure(rows)
    assert all(abs(end) < 100 for axes in figure.axes for end in axes.get_ylim())
    assert any(
        "Not drawn where the premium makes no error." in text.replace("\n", " ") for text in texts_of(figure)
    )
    drawn = inside_windows.hours_figure(frames.race_inside_windows())
    assert not any("Not drawn" in text for text in texts_of(drawn))


@pytest.mark.parametrize("exhibit", FIGURES, ids=lambda exhibit: exhibit.slug)
def test_texts_stay_inside_their_figure(exhibit: FigureExhibit) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    held = frames.every() | {
        "out_funding_averages": report_frames.averages(),
        "out_funding_monthly": report_frames.monthly(),
        "out_venue_spreads": report_frames.spreads(),
        "out_venue_spreads_monthly": report_frames.monthly_spreads(),
    }
    if exhibit.slug == "tracking":
        held["out_sides"] = held["out_sides"].assign(estimate=7e-4, ci_low=6e-4, ci_high=8e-4)
    figure = exhibit.draw(held, source_line(exhibit.needs, simulated=True))
    renderer = FigureCanvasAgg(figure).get_renderer()
    width, height = figure.canvas.get_width_height()
    for text in [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]:
        box = text.get_window_extent(renderer)
        assert box.x0 >= 0 and box.x1 <= width, text.get_text()
        assert box.y0 >= 0 and box.y1 <= height, text.get_text()


def test_no_result_table_is_printed_as_it_is() -> None:
    from perp_pipeline.report.html import _others

    known = {name: pd.DataFrame({"a": [1]}) for name in contracts.tables() if name.startswith("out_")}
    assert [other["name"] for other in _others(known)] == []


def test_tables_of_price_gaps_and_of_monthly_differences() -> None:
    table = next(one for one in amm.TABLES if one.slug == "table-amm-price-gap").build(frames.every())
    assert not isinstance(table, str)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert (row["Quantity"], row["Estimate"], row["95 % interval"]) == (
        "hours within the fee",
        "75.0 %",
        "73.0 to 77.0",
    )
    spreads = {"out_venue_spreads_monthly": report_frames.monthly_spreads()}
    months = next(one for one in averages.TABLES if one.slug == "table-spreads-monthly").build(spreads)
    assert not isinstance(months, str)
    first = dict(zip(months.columns, months.rows[0], strict=True))
    assert first["BTC Binance − BitMEX"] == "9.1 (1.0)"
    assert (first["Month"], months.total) == ("2019-09", 34)


def test_premium_precision_timing_and_audit() -> None:
    assert "5.01  [4.51, 5.51]" in texts_of(precision.precision_figure(frames.precision()))
    figure = precision.timing_figure(frames.precision())
    np.testing.assert_allclose(line_of(figure, "Binance BTC", "premium so far in the window"), [0.55, 0.79])
    np.testing.assert_allclose(line_of(figure, "Binance BTC", "last premium alone"), [-0.03, -0.6])
    figure = precision.audit_figure(frames.audit())
    np.testing.assert_allclose(line_of(figure, "Binance ETHUSDT", "mean"), [2.4, 2.4])


def test_spreads_of_price_over_spot_by_venue() -> None:
    rows = frames.sides()
    rows = rows[(rows["period"] == "all") & (rows["base"] == "BTC")].drop_duplicates("venue")
    rows = rows.assign(quantity="price_gap_sd", estimate=0.0007, ci_low=0.0006, ci_high=0.0008)
    said = texts_of(fair.tracking_figure(rows))
    assert "BTC: price over spot at one moment" in said
    assert "7.0  [6.0, 8.0]" in said


def test_eras_of_a_map_are_told_apart_and_exact_audits_are_named() -> None:
    said = texts_of(precision.precision_figure(frames.precision()))
    assert "clamp, from 2023-06" in said and "3.00  [2.70, 3.30]" in said
    exact = frames.audit().assign(venue="hyperliquid", symbol="BTC", estimate=1e-5, ci_low=0.0, ci_high=2e-5)
    figure = precision.audit_figure(pd.concat([frames.audit(), exact]))
    assert len(figure.axes) == 2
    assert any("Not drawn" in text and "Hyperliquid BTC" in text for text in texts_of(figure))


def test_the_race_by_hours_left_and_the_weights_of_hours() -> None:
    figure = inside_windows.hours_figure(frames.race_inside_windows())
    np.testing.assert_allclose(
        line_of(figure, "Binance BTC, fitted", "premium so far in the window"), [0.3, -0.7]
    )
    np.testing.assert_allclose(
        line_of(figure, "Binance BTC, as they are", "premium of the moment"), [0.35, 0.4]
    )
    figure = inside_windows.weights_figure(frames.precision())
    np.testing.assert_allclose(line_of(figure, "Binance BTC", "by regression"), [5.5, 6.6])
    np.testing.assert_allclose(line_of(figure, "Binance BTC", "by the rule"), [100 / 64, 300 / 64])
    assert any(text.startswith("slope 0.98 [0.88, 1.08], n = ") for text in texts_of(figure))
    (table,) = inside_windows.TABLES
    view = table.build({"out_predictor_race": frames.race_inside_windows()})
    assert view.rows[-1][:3] == ("Binance BTCUSDT", "fitted", "7")
    assert view.rows[-1][3] == "−0.37 (0.040)" and view.rows[-1][5] == "0.30 (0.040)"


def test_fair_rates_mechanisms_and_sides() -> None:
    assert "19.0  [9.5, 28.5]" in texts_of(fair.fair_figure(frames.fair()))
    assert "10.2  [5.1, 15.3]" in texts_of(fair.mechanisms_figure(frames.fair()))
    assert "21.8  [10.9, 32.7]" in texts_of(fair.terminal_figure(frames.fair()))
    said = texts_of(fair.sides_figure(frames.sides()))
    assert "35.8  [25.8, 45.8]" in said
    assert "GMX Arbitrum: longs' share" in said


def test_every_figure_says_its_source_and_n_and_is_the_same_each_time() -> None:
    held = frames.every() | {
        "out_funding_averages": report_frames.averages(),
        "out_funding_monthly": report_frames.monthly(),
        "out_venue_spreads": report_frames.spreads(),
        "out_venue_spreads_monthly": report_frames.monthly_spreads(),
    }
    held["out_claims"] = report_frames.claims()
    for exhibit in FIGURES:
        assert ready(exhibit.needs, held), exhibit.slug
        figure = exhibit.draw(held, "here")
        said = " ".join(texts_of(figure))
        assert "Source: here" in said, exhibit.slug
        assert "n:" in said or "n =" in said, exhibit.slug
        assert exhibit.describe(held), exhibit.slug
        assert render(figure) == render(exhibit.draw(held, "here")), exhibit.slug


def test_a_lake_without_bitcoin_and_ether_still_has_a_report() -> None:
    held = {
        name: frame[frame["base"] == "BTC"].assign(base="SOL") if "base" in frame else frame
        for name, frame in frames.every().items()
    }
    made = build_report(held, context=ReportContext(span="all"))
    assert made.figures


def test_exhibits_are_well_formed() -> None:
    codes = {essay.code for essay in ESSAYS}
    slugs = [exhibit.slug for exhibit in (*FIGURES, *TABLES)]
    assert len(slugs) == len(set(slugs))
    known = {claim.id for claim in register()}
    for exhibit in FIGURES:
        assert exhibit.essay in codes
        assert set(exhibit.claims) <= known
    for table in TABLES:
        assert table.essay in codes | {""}
        assert set(table.claims) <= known
    names = set(contracts.tables())
    assert {name for exhibit in (*FIGURES, *TABLES) for name in exhibit.needs} <= names


def test_every_claim_is_on_the_index_and_on_each_of_its_essays_pages(report: Report) -> None:
    assert set(report.pages) == {"report.html", *(essay.file for essay in ESSAYS)}
    for claim in register():
        homes = [essay for essay in ESSAYS if essay.code in claim.source]
        assert homes, claim.id
        assert f'href="{homes[0].file}#{homes[0].code}-{claim.id}"' in report.pages["report.html"]
        for essay in homes:
            assert f'id="{essay.code}-{claim.id}"' in report.pages[essay.file]


def test_the_index_shows_the_headline_figures_alone(report: Report) -> None:
    index = report.pages["report.html"]
    for exhibit in FIGURES:
        shown = f'id="figure-{exhibit.slug}"' in index
        assert shown == (exhibit.headline and f"{exhibit.slug}.svg" in report.figures)


def test_results_have_a_plot_of_their_own() -> None:
    figure = table_figure(contracts.get("out_quanto"), frames.quanto(), simulated=True)
    assert figure is not None
    assert any("out_quanto, SIMULATED MARKET" in text for text in texts_of(figure))
