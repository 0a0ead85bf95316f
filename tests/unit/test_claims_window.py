"""Claims over a window of the user's choice: which of their numbers are judged there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from perp_pipeline.contracts.claim_parts import OUT_CLAIM_PARTS
from perp_pipeline.research.claims import build_claim_parts, build_claims, evaluate, find_claim, register
from perp_pipeline.research.claims.evaluation import evaluate as finding_of
from perp_pipeline.research.claims.lacks import no_rows
from perp_pipeline.research.claims.model import (
    POSITIVE,
    Answer,
    Claim,
    Expected,
    Part,
    Printed,
    Tables,
    Verdict,
    value,
)
from perp_pipeline.research.claims.quanto import COMPANION_WINDOW

QUANTITIES = {
    "asset_return": 0.94,
    "perp_return": 1.40,
    "covariance": 0.46,
    "funding": 0.55,
    "net_funding": 0.10,
    "vol_margin": 0.67,
    "vol_base": 0.83,
    "corr": 0.82,
}
"""What was published about 2019-01..2024-05."""
YEARS = {"2021": {"covariance": 0.74, "funding": 0.94}, "2023": {"covariance": 0.18, "funding": 0.32}}


def _quanto(*periods: str) -> Tables:
    """out_quanto that agrees with every published number; what was not published about a year is 3."""
    rows = [
        {"symbol": "ETHUSD", "frequency": "8h", "quantity": quantity, "period": period}
        | {
            "estimate": number,
            "se": 0.01,
            "ci_low": number - 0.02,
            "ci_high": number + 0.02,
            "n": 1000,
            "hac_lags": 90,
        }
        | {"window_start": start, "window_end": start + pd.Timedelta("364D")}
        for period in periods
        for start in [pd.Timestamp(f"{period[:4]}-01-01", tz="UTC")]
        for quantity, whole in QUANTITIES.items()
        for number in [whole if period == COMPANION_WINDOW else YEARS.get(period, {}).get(quantity, 3.0)]
    ]
    return {"out_quanto": pd.DataFrame(rows)}


EVERY = _quanto(COMPANION_WINDOW, "2021", "2022", "2023")


def test_over_its_own_window_every_number_is_judged() -> None:
    found = evaluate(find_claim(38), EVERY)
    assert len(found.parts) == 12
    assert found.verdict is Verdict.HOLDS
    assert evaluate(find_claim(38), EVERY, COMPANION_WINDOW) == found
    assert "not judged" not in found.reason


def test_numbers_of_a_named_window_are_shown_over_another() -> None:
    found = evaluate(find_claim(38), EVERY, "2022")
    assert len(found.parts) == 8
    assert {part.withheld for part in found.parts} == {COMPANION_WINDOW}
    assert found.verdict is Verdict.NO_DATA
    assert found.reason.startswith(
        f"What was published about {COMPANION_WINDOW} is shown over 2022, not judged: "
    )
    assert "fails" not in found.reason
    assert "holds" not in found.reason
    assert ", funding (300.0 % a year; published: 55.00 % a year), " in found.reason


def test_a_number_stands_once_and_is_judged_by_what_was_published_about_its_year() -> None:
    found = evaluate(find_claim(38), EVERY, "2021")
    judged = {part.label: part for part in found.parts if not part.withheld}
    assert set(judged) == {"covariance of ETH and BTC in 2021", "funding in 2021"}
    labels = [part.label for part in found.parts]
    assert "funding" not in labels
    assert "covariance of ETH and BTC" not in labels
    assert len(labels) == 8
    # Holds by two numbers of ten.
    assert found.verdict is Verdict.WEAK
    assert found.decided_by == "only 2 of 10 published numbers can be judged"


def test_withheld_numbers_have_no_verdict_in_the_table() -> None:
    windows = {38: "2022"}
    parts = build_claim_parts(EVERY, windows, only=windows)
    assert parts["verdict"].isna().all()
    assert parts["published"].str.endswith(f"({COMPANION_WINDOW})").all()
    row = build_claims(EVERY, windows, only=windows).iloc[0]
    assert row["verdict"] == "no data"
    assert np.isfinite(row["estimate"])
    stored = build_claim_parts(EVERY)
    assert all(check.passes(stored).all() for check in OUT_CLAIM_PARTS.checks)


def _claim(window: str, *parts: Part, dated: bool) -> Claim:
    def compute(tables: Tables, period: str) -> Answer:
        """Numbers."""
        return Answer(parts)

    return Claim(1, "A", "A claim", "10 %", "share", window, compute, dated=dated)


def _part(expected: Expected, *, period: str | None = None, published_for: str | None = None) -> Part:
    part = Part("number", "share", 0.2, 0.01, 0.18, 0.22, 100, expected=expected, period=period)
    return part if published_for is None else replace(part, published_for=published_for)


@pytest.mark.parametrize(
    ("part", "dated", "window", "verdict"),
    [
        (_part(value(0.5)), True, "2021", "fails"),
        (_part(value(0.5)), True, "2021-01..2021-12", "fails"),
        (_part(value(0.5)), True, "2022", "no data"),
        (_part(value(0.5)), True, "all", "no data"),
        (_part(value(0.5)), False, "2022", "fails"),
        (_part(POSITIVE), True, "2022", "no data"),
        (_part(Printed(0.2, 0.01)), True, "2022", "arithmetic"),
        (_part(value(0.5), period="2019", published_for="2019"), True, "2022", "fails"),
        (_part(value(0.5), period="2022", published_for="2019"), False, "2022", "no data"),
    ],
)
def test_what_was_published_about_a_window_is_judged_there(
    part: Part, dated: bool, window: str, verdict: str
) -> None:
    assert str(finding_of(_claim("2021", part, dated=dated), {}, window).verdict) == verdict


def test_texts_that_name_their_sample_are_marked() -> None:
    assert {claim.id for claim in register() if claim.dated} == {1, 5, 11, 36, 38, 39, 46, 48, 55}
    assert all(claim.window != "all" for claim in register() if claim.dated)


@pytest.mark.parametrize("claim", [12, 13])
def test_a_short_window_is_named_once_with_what_it_takes(claim: int) -> None:
    held = pd.DataFrame(
        {"venue": ["binance"], "base": "BTC", "spec": "h30_accrual", "term": "prior", "period": "2021"}
    )
    found = evaluate(find_claim(claim), {"out_regressions": held}, "2021-02")
    short = "2021-02 has 28 days, and regressions of funding on returns take at least 90"
    assert found.reason == f"Missing: a longer window ({short})."
    absent = evaluate(find_claim(claim), {"out_regressions": held}, "2018")
    assert absent.reason.count("regressions") == 1
    assert "Binance in 2018, which take at least 90 days" in absent.reason


@pytest.mark.parametrize(
    ("table", "where", "days"),
    [
        ("out_lead_lag", {"kind": "xcorr_daily"}, 90),
        ("out_lead_lag", {"kind": "past3d"}, 30),
        ("out_quanto", {"frequency": "8h"}, 30),
        ("out_house_money", {}, 60),
        ("out_fair_funding", {"method": "terminal_spread_x"}, 0),
        ("core_spot_1h", {}, 0),
    ],
)
def test_tables_differ_in_what_they_take(table: str, where: dict[str, str], days: int) -> None:
    text = no_rows(table, where | {"period": "2021-02"})
    assert (f"take at least {days})" in text) == (days > 0)
    assert "a longer window" not in no_rows(table, where | {"period": "2021"})


def test_zero_inside_an_interval_is_said_not_to_be_rejected() -> None:
    found = finding_of(_claim("all", _part(value(0.2)), dated=False), {})
    assert found.reason.endswith(", in agreement with the published 20.0 %.")
    nearly = Part("number", "bp of volume", -5.2, 4.0, -14.3, 1.2, 100, expected=value(0.0))
    reason = finding_of(_claim("all", nearly, dated=False), {}).reason
    assert reason.startswith("Holds: ")
    assert reason.endswith(", published as 0: zero is not rejected.")
