"""Claims 18, 19, 24, 28 and 33 on tables with known numbers: what is judged and what stands beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from funding_frames import payments

from perp_pipeline.research.claims.evaluation import evaluate
from perp_pipeline.research.claims.model import Finding, Verdict, verdict_of
from perp_pipeline.research.claims.register import find_claim

STAMPS = {
    "window_start": pd.Timestamp("2023-06-01", tz="UTC"),
    "window_end": pd.Timestamp("2025-03-01", tz="UTC"),
}
HOURS = range(7, -1, -1)


def row(value: float, half: float = 0.05, **keys: object) -> dict[str, object]:
    return {**keys, "estimate": value, "se": half / 2, "ci_low": value - half, "ci_high": value + half,
            "n": 1000, **STAMPS}  # fmt: skip


def race(late: float, start: float = 0.4, no_change: float = 0.2) -> pd.DataFrame:
    """The three-day mean against premiums: ``start`` early in the window, ``late`` from four hours on."""
    about = {"venue": "binance", "symbol": "BTCUSDT", "scheme": "expanding"}
    rows = []
    for target in ("next", "mean_1d", "mean_7d", "mean_30d"):
        for mean in ("ma3", "ma9", "ma21", "ma90"):
            rows.append(row(no_change, predictor=mean, target=target, period="all", **about))
            for rival in ("premium_instant", "premium_formula"):
                rows.append(row(start, predictor=f"{mean}_vs_{rival}", target=target, period="all", **about))
    for hours in HOURS:
        for kind in ("window", "instant"):
            name = f"premium_{kind}_{hours}h_left"
            value = late if hours <= 4 and kind == "window" else start
            for mean in ("ma3", "ma9", "ma21", "ma90"):
                rows.append(row(value, predictor=f"{mean}_vs_{name}", target="next", period="all", **about))
    return pd.DataFrame(rows)


def precision(**values: float) -> pd.DataFrame:
    """out_premium_precision of Binance BTC, whole lake."""
    about = {"venue": "binance", "base": "BTC", "period": "all"}
    return pd.DataFrame(
        [row(value, 0.01 * abs(value), quantity=name, **about) for name, value in values.items()]
    )


def audit(p95: float, exact: float, hours: float) -> pd.DataFrame:
    about = {"venue": "binance", "symbol": "BTCUSDT", "period": "all", "sampling_hours": hours}
    return pd.DataFrame(
        [
            row(p95, 0.01, statistic="p95_absolute_error", **about),
            row(exact, 0.1, statistic="share_exact", **about),
        ]
    )


def found(claim: int, **tables: pd.DataFrame) -> Finding:
    return evaluate(find_claim(claim), tables)


def test_the_moving_average_must_win_all_through_the_window() -> None:
    assert found(18, out_predictor_race=race(late=0.3)).verdict is Verdict.HOLDS
    lost = found(18, out_predictor_race=race(late=-0.5))
    assert lost.verdict is Verdict.FAILS
    assert lost.reason.startswith("Fails: mean of 3 days against the premium so far in the window, 4 hours")
    assert "It holds on" in lost.reason
    assert "7 hours before the payment" in lost.reason
    assert lost.decided_by.endswith("4 hours before the payment")
    assert found(18, out_predictor_race=race(late=0.02)).verdict is Verdict.WEAK


def test_it_must_beat_the_last_rate_too() -> None:
    assert found(18, out_predictor_race=race(late=0.3, no_change=-0.2)).verdict is Verdict.FAILS


def test_premiums_of_after_the_essay_are_said_to_be_so() -> None:
    assert "days after the text's sample" in found(18, out_predictor_race=race(late=0.3)).reason


def test_a_window_without_premiums_is_not_filled_from_another() -> None:
    held = race(late=0.3)
    no_change = held[~held["predictor"].str.contains("premium")].assign(period="2021")
    finding = evaluate(find_claim(18), {"out_predictor_race": pd.concat([held, no_change])}, "2021")
    assert finding.verdict is Verdict.WEAK
    assert "Judged on 1 of 4 published numbers" in finding.reason
    assert "Binance's premium index in 2021" in finding.reason
    assert finding.estimate == 0.2


def test_a_daily_rule_is_compared_with_the_venues_and_with_the_data() -> None:
    by_rule = found(20)
    assert by_rule.verdict is Verdict.FAILS
    assert [part.estimate for part in by_rule.parts] == [0.0004, 0.0004]
    slope = found(20, out_premium_precision=precision(slope=1.0)).parts[2]
    assert verdict_of(slope) is Verdict.FAILS
    third = found(20, out_premium_precision=precision(slope=0.333)).parts[2]
    assert verdict_of(third) is Verdict.HOLDS


def test_an_hour_that_enters_the_rate_contradicts_the_claim() -> None:
    weights = {f"weight_{k}_of_8": (2 * k - 1) / 64 for k in range(1, 9)}
    finding = found(19, out_premium_precision=precision(**weights))
    assert finding.verdict is Verdict.FAILS
    assert finding.estimate == pytest.approx(7 / 64)
    assert "10.9 %" in finding.reason
    assert [part.label for part in finding.parts[0].variants] == [
        f"for hour {k}" for k in (1, 2, 3, 5, 6, 7, 8)
    ]


def test_the_slope_of_the_map_is_judged() -> None:
    capped = payments("binance", "BTCUSDT", "BTC", np.array([0.0001, 0.003, -0.003, 0.001]))
    good = precision(clamp=0.0005, interest=0.0001, slope=0.995)
    assert found(24, out_premium_precision=good, core_funding_payments=capped).verdict is Verdict.HOLDS
    flat = precision(clamp=0.0005, interest=0.0001, slope=0.94)
    assert found(24, out_premium_precision=flat, core_funding_payments=capped).verdict is Verdict.FAILS


@pytest.mark.parametrize(
    ("largest", "verdict"), [(0.003, Verdict.HOLDS), (0.0029, Verdict.WEAK), (0.0031, Verdict.FAILS)]
)
def test_a_cap_that_no_rate_has_met_cannot_be_judged(largest: float, verdict: Verdict) -> None:
    paid = payments("binance", "BTCUSDT", "BTC", np.array([0.0001, -largest]))
    good = precision(clamp=0.0005, interest=0.0001, slope=0.995)
    finding = found(24, out_premium_precision=good, core_funding_payments=paid)
    assert finding.verdict is verdict
    assert ("the largest is 0.2900 %" in finding.reason) is (verdict is Verdict.WEAK)


def test_the_error_of_the_premium_against_the_published_bound() -> None:
    assert found(28, out_premium_precision=precision(se_mean=0.0001)).verdict is Verdict.FAILS
    assert found(28, out_premium_precision=precision(se_mean=0.0006)).verdict is Verdict.HOLDS


def test_exactness_is_judged_from_minutes_only() -> None:
    coarse = found(33, out_funding_audit=audit(0.07, 0.35, 1.0))
    assert coarse.verdict is Verdict.FAILS
    assert [verdict_of(part) for part in coarse.parts[:2]] == [Verdict.FAILS, None]
    assert "one-minute bars" in coarse.reason
    assert found(33, out_funding_audit=audit(0.30, 0.35, 1.0)).verdict is Verdict.WEAK
    assert found(33, out_funding_audit=audit(0.30, 0.35, 1 / 60)).verdict is Verdict.HOLDS
    fine = found(33, out_funding_audit=audit(0.30, 0.95, 1 / 60))
    assert fine.verdict is Verdict.FAILS
    assert "one-minute bars" not in fine.reason
