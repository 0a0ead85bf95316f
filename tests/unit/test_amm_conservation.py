"""Flows against balances, to the last unit."""

from __future__ import annotations

import pandas as pd
from amm_frames import POOL

from perp_pipeline import contracts
from perp_pipeline.amm.conservation import daily_flows

DAYS = pd.to_datetime(["2024-01-05", "2024-01-06", "2024-01-07"])
BIG = 10**30


def _days(balances: list[str | None]) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "chain": "ethereum",
                "pool": POOL,
                "kind": kind,
                "day": DAYS,
                "served": True,
                "balance0": balances if kind == "swaps" else None,
                "balance1": balances if kind == "swaps" else None,
            }
        )
        for kind in ("swaps", "liquidity")
    ]
    return pd.concat(frames, ignore_index=True)


SWAPS = pd.DataFrame(
    {
        "time": pd.to_datetime(
            ["2024-01-06 01:00:00", "2024-01-06 23:59:59", "2024-01-07 00:00:00"], utc=True
        ),
        "amount0": [str(BIG + 1), "-3", "5"],
        "amount1": [str(BIG + 1), "-3", "5"],
    }
)
EVENTS = pd.DataFrame(
    {
        "time": pd.to_datetime(["2024-01-06 02:00"], utc=True),
        "balance0_change": ["-7"],
        "balance1_change": ["-7"],
    }
)


def test_what_came_in_is_what_is_held() -> None:
    found = daily_flows(_days(["100", str(100 + BIG + 1 - 3 - 7), str(100 + BIG - 9 + 5)]), SWAPS, EVENTS)
    assert found["swaps0"].tolist() == ["0", str(BIG - 2), "5"]
    assert found["liquidity1"].tolist() == ["0", "-7", "0"]
    assert found["gap0"].isna().tolist() == [True, False, False]
    assert found["gap0"].tolist()[1:] == ["0", "0"]
    (check,) = contracts.get("core_amm_flows").checks
    assert check.passes(found).all()


def test_a_missing_log_shows_as_its_amount() -> None:
    whole = _days(["100", str(100 + BIG + 1 - 3 - 7), str(100 + BIG - 9 + 5)])
    found = daily_flows(whole, SWAPS.iloc[[0, 2]], EVENTS)
    assert found["gap0"].tolist()[1:] == ["-3", "0"]
    (check,) = contracts.get("core_amm_flows").checks
    assert check.passes(found).tolist() == [True, False, True]


def test_unknown_balances_and_days_that_are_not_whole() -> None:
    days = _days(["100", None, None])
    days.loc[(days["kind"] == "liquidity") & (days["day"] == DAYS[2]), "served"] = False
    found = daily_flows(days, SWAPS, EVENTS)
    assert found["day"].tolist() == list(DAYS[:2])
    assert found["gap0"].isna().all()
