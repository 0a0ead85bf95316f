"""Lags of the numbers of claims: stated beside each interval, and verdicts that hang on them say so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from perp_pipeline.contracts.claim_parts import OUT_CLAIM_PARTS
from perp_pipeline.contracts.results import OUT_CLAIMS
from perp_pipeline.lake.tables import to_arrow, to_frame
from perp_pipeline.research.claims.evaluation import evaluate
from perp_pipeline.research.claims.lags import MONTH, at_other_lags, lag_unit, lag_words
from perp_pipeline.research.claims.model import Answer, Beyond, Part, Verdict, value
from perp_pipeline.research.claims.reading import mean_part, row_part
from perp_pipeline.research.claims.reasons import reason_of
from perp_pipeline.research.claims.register import build_claim_parts, build_claims, find_claim
from perp_pipeline.research.other_lags import other_lags
from perp_pipeline.research.statistics import hac_mean

START, END = (pd.Timestamp(day, tz="UTC") for day in ("2022-01-01", "2022-12-31"))


def row(quantity: str, lags: int, low: float, high: float, venue: str = "gmx_avalanche") -> dict[str, object]:
    """A row of out_sides."""
    return {
        "venue": venue,
        "base": "all",
        "quantity": quantity,
        "period": "all",
        "estimate": 0.6,
        "se": 0.03,
        "ci_low": low,
        "ci_high": high,
        "n": 365,
        "window_start": START,
        "window_end": END,
        "hac_lags": lags,
    }


def sides(low_at_60: float) -> pd.DataFrame:
    rows = [
        row("share_long_lags120", 120, 0.53, 0.67),
        row("share_long_lags60", 60, low_at_60, 0.68),
        row("share_long", 31, 0.52, 0.67),
        row("share_long_lags60", 60, 0.1, 0.9, venue="other"),
        row("lp_share_long_lags60", 60, 0.1, 0.9),
        row("share_long", 40, 0.55, 0.8, venue="gmx_arbitrum"),
    ]
    return pd.DataFrame(rows)


def test_bandwidths_are_days_in_the_series_own_unit() -> None:
    assert other_lags(1000) == [30, 60, 120, 250]
    assert other_lags(749) == [30, 60, 120]
    assert other_lags(5000, 3.0) == [90, 180, 360, 750]
    assert other_lags(10_000, 24.0) == [720, 1440, 2880]
    assert other_lags(365, 1.0, "2021") == []
    assert other_lags(400, 1.0, "2021-01..2022-02") == [30, 60, 120]


@pytest.mark.parametrize(
    ("table", "where", "unit"),
    [
        ("out_quanto", {"frequency": "8h_paid"}, "8 hours"),
        ("out_quanto", {"frequency": "daily_perp"}, "a day"),
        ("out_sides", {"quantity": "lp_share_long"}, "a day"),
        ("out_sides", {"quantity": "volume_change"}, "a day"),
        ("out_sides", {"quantity": "share_default"}, "a payment"),
        ("out_lead_lag", {"kind": "past3d_minus_future3d"}, "a payment"),
        ("out_lead_lag", {"kind": "xcorr_daily"}, "a day"),
        ("out_predictor_race", {"venue": "binance"}, "a payment"),
        ("out_funding_audit", {"venue": "binance"}, "a window"),
        ("out_amm_price_gap", {"chain": "ethereum"}, "an hour"),
        ("out_regressions", {"venue": "binance"}, "a day"),
        ("out_regressions", {"venue": "cme"}, "a trading day"),
        ("out_venue_spreads", {"venue_a": "binance", "venue_b": "cme"}, "a trading day"),
    ],
)
def test_what_one_lag_is(table: str, where: dict[str, str], unit: str) -> None:
    assert lag_unit(table, where) == unit


def test_rows_at_other_lags_are_of_the_same_number_in_order() -> None:
    where = {"venue": "gmx_avalanche", "base": "all", "quantity": "share_long", "period": "all"}
    found = at_other_lags(sides(0.51), "out_sides", where)
    assert list(found) == [60, 120]
    assert found[60]["ci_low"] == 0.51
    assert at_other_lags(sides(0.51), "out_funding_averages", where) == {}


def test_a_judged_row_comes_with_its_lags_and_a_shown_one_without() -> None:
    tables = {"out_sides": sides(0.51)}
    where = {"venue": "gmx_avalanche", "quantity": "share_long", "period": "all"}
    judged = row_part(tables, "out_sides", "x", "share", Beyond(0.5), **where)
    assert (judged.hac_lags, judged.lag_unit) == (31, "a day")
    assert [other.label for other in judged.variants] == ["60 lags", "120 lags"]
    assert [other.hac_lags for other in judged.variants] == [60, 120]
    assert row_part(tables, "out_sides", "x", "share", **where).variants == ()


def test_a_verdict_that_hangs_on_the_lags_says_so() -> None:
    steady = evaluate(find_claim(52), {"out_sides": sides(0.51)})
    assert steady.reason.startswith("Holds: ")
    assert "(60.0 %) holds." in steady.reason
    assert "Verdicts are the same with 60 and 120 lags." in steady.reason
    hangs = evaluate(find_claim(52), {"out_sides": sides(0.49)})
    assert steady.verdict is hangs.verdict is Verdict.HOLDS
    assert "1 of the 2 verdicts hangs on the lags." in hangs.reason
    assert "(60.0 %) holds, but is weak on 1 of 2 other routes (with 60 lags)." in hangs.reason
    assert "the same" not in hangs.reason


def test_lags_of_several_numbers_are_told_in_order() -> None:
    """Days of one number and payments of another: 30, 60, 90 and 180."""

    def part(label: str, *lags: int) -> Part:
        numbers = (1.0, 0.1, 0.8, 1.2, 100, START, END)
        variants = tuple(Part(f"{count} lags", "1", *numbers) for count in lags)
        return Part(label, "1", *numbers, expected=value(1.0), variants=variants)

    answer = Answer((part("a", 30, 60), part("b", 90, 180)))
    told = reason_of(answer, [Verdict.HOLDS, Verdict.HOLDS], "2022")
    assert told.endswith("Verdicts are the same with 30, 60, 90 and 180 lags.")


def test_lags_in_words() -> None:
    part = Part("x", "1", 1.0, 0.1, 0.8, 1.2, hac_lags=1234, lag_unit="8 hours")
    assert lag_words(part) == "1,234 lags of 8 hours"
    assert lag_words(Part("x", "1", 1.0, hac_lags=1)) == "1 lag"
    assert lag_words(Part("x", "1", 1.0, hac_lags=0)) == ""
    assert lag_words(Part("x", "1", 1.0)) == ""


def test_months_have_lags_of_months() -> None:
    values = np.random.default_rng(3).normal(1.0, 0.2, 30)
    days = pd.date_range("2020-01-31", periods=30, freq="ME").to_numpy()
    part = mean_part("x", "fraction", values, days, value(1.0), steps=MONTH)
    assert part.lag_unit == MONTH
    assert [other.label for other in part.variants] == ["3 lags", "6 lags"]
    assert part.variants[1].se == hac_mean(values, 6).se
    assert {other.lag_unit for other in part.variants} == {MONTH}


def test_the_tables_state_lags_and_their_unit() -> None:
    tables = {"out_sides": sides(0.49)}
    claims, parts = build_claims(tables, only={3, 52}), build_claim_parts(tables, only={3, 52})
    for frame, contract in ((claims, OUT_CLAIMS), (parts, OUT_CLAIM_PARTS)):
        kept = to_frame(to_arrow(contract, frame))
        assert kept.loc[kept["claim_id"] == 3, ["hac_lags", "lag_unit"]].isna().all(axis=None)
        assert (kept.loc[kept["claim_id"] == 52, "lag_unit"] == "a day").all()
    assert claims.set_index("claim_id").loc[52, "hac_lags"] == 40
    own = parts[(parts["claim_id"] == 52) & (parts["part"] == 2)]
    assert own["hac_lags"].tolist() == [31, 60, 120]
    assert own["verdict"].tolist() == ["holds", "weak", "holds"]
