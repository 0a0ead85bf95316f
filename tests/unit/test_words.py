"""Keys of tables as people read them."""

from __future__ import annotations

import pandas as pd
import pytest
import report_frames
import report_results

from perp_pipeline.report import ReportContext
from perp_pipeline.report.exhibits import TABLES
from perp_pipeline.report.html import build_report
from perp_pipeline.research.words import key_words, plain


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("excess_over_dff", "excess over the federal funds rate"),
        ("fair_usdc_lending", "fair rate: USDC's lending rate"),
        ("long_cost_perp_less_gehr", "cost of a long in the perpetual less in Gehr's future"),
        ("weight_4_of_8", "weight of hour 4 of 8"),
        ("clamp_nls_since_2024-01-01", "clamp, least squares of the rate on the premium, since 2024-01-01"),
        ("p95_absolute_error_close", "95th percentile of the absolute error, by closes alone"),
        (
            "share_explained_instant_4h_left",
            "share explained by the premium of the moment, 4 h before payment",
        ),
        ("past3d_lags60", "return of the three days before, 60 lags"),
        ("error_8h", "error from one bar of eight hours"),
        ("asset_return_log", "return of ETH, in logarithms"),
    ],
)
def test_keys_are_put_into_words(key: str, words: str) -> None:
    assert key_words(key) == words
    assert plain(f"the {key}.") == f"the {words}."


@pytest.mark.parametrize("exhibit", TABLES, ids=lambda exhibit: str(exhibit.slug))
def test_no_table_of_the_report_prints_keys(exhibit: object) -> None:
    from perp_pipeline.report.exhibit import TableExhibit

    assert isinstance(exhibit, TableExhibit)
    body = exhibit.build(report_frames.every() | report_results.every())
    if not isinstance(body, str):
        for texts in (body.columns, *body.rows):
            assert not [text for text in texts if "_" in text]


def test_a_table_without_an_exhibit_has_words_too() -> None:
    gap = pd.DataFrame({"venue": ["binance"], "quantity": ["share_within_fee"], "n_days": [3]})
    page = build_report({"out_gap_of_mine": gap}, context=ReportContext(span="2021")).pages["report.html"]
    assert "share within the fee" in page
    assert "share_within_fee" not in page
    assert ">n days<" in page
