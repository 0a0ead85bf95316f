"""Buys, sells and the protocol's share of minutes, each against a count that does not share its code."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from amm_frames import NO_SWITCHES, POOL, constant_liquidity_swaps, facts

from perp_pipeline.amm import minutes, pool_day
from perp_pipeline.amm.fee_shares import FeeShares
from perp_pipeline.amm.pools import pool_facts
from perp_pipeline.contracts import amm_checks

START = pd.Timestamp("2024-01-05")


def test_sells_are_counted_by_their_own_signs() -> None:
    swaps = constant_liquidity_swaps(500)
    rows = minutes.from_swaps(swaps, facts(), NO_SWITCHES)
    assert rows["n_buys"].sum() == (swaps["amount0_tokens"] < 0).sum()
    assert rows["n_sells"].sum() == (swaps["amount0_tokens"] > 0).sum()
    assert amm_checks.BUYS_AND_SELLS.passes(rows).all()


@pytest.mark.parametrize("name", ["n_buys", "n_sells", "n_swaps"])
def test_a_broken_count_is_caught(name: str) -> None:
    rows = minutes.from_swaps(constant_liquidity_swaps(500), facts(), NO_SWITCHES)
    days, _ = pool_day.from_minutes(rows, facts(), {})
    for frame in (rows, days):
        for off in (-1, 1):
            broken = frame.copy()
            broken.loc[0, name] += off
            assert amm_checks.BUYS_AND_SELLS.passes(broken).tolist() == [False] + [True] * (len(frame) - 1)
    assert amm_checks.BUYS_AND_SELLS.severity.name == "ERROR"


def test_a_swap_of_unknown_sign_is_caught() -> None:
    swaps = constant_liquidity_swaps(500)
    swaps.loc[3, "amount0_tokens"] = np.nan
    rows = minutes.from_swaps(swaps, facts(), NO_SWITCHES)
    assert (~amm_checks.BUYS_AND_SELLS.passes(rows)).sum() == 1


def test_a_swap_that_moves_nothing_is_named_and_not_counted() -> None:
    swaps = constant_liquidity_swaps(500)
    swaps.loc[7, ["amount0_tokens", "amount1_tokens", "in0_tokens", "in1_tokens"]] = 0.0
    swaps.loc[8, ["amount0_tokens", "in0_tokens"]] = 0.0  # one token alone tells the side
    rows = minutes.from_swaps(swaps, facts(), NO_SWITCHES)
    assert rows["n_swaps"].sum() == 499
    assert amm_checks.BUYS_AND_SELLS.passes(rows).all()
    assert (~amm_checks.MOVES_TOKENS.passes(swaps)).to_numpy().nonzero()[0].tolist() == [7]
    assert amm_checks.MOVES_TOKENS.severity.name == "WARN"


def _days(*told: tuple[int, int, str], blocks: int = 100) -> pd.DataFrame:
    """raw_amm_days: one day after the other, with the share at its beginning and who says so."""
    return pd.DataFrame(
        {
            "chain": "ethereum",
            "pool": POOL,
            "day": [START + pd.Timedelta(days=place) for place in range(len(told))],
            "first_block": [place * blocks for place in range(len(told))],
            "fee_protocol0": [share0 for share0, _, _ in told],
            "fee_protocol1": [share1 for _, share1, _ in told],
            "fee_protocol_source": [source for *_, source in told],
            **{
                name: getattr(facts(), name)
                for name in ("protocol", "token0", "token1", "decimals0", "decimals1", "tracks0", "tracks1")
            },
            "fee_pips": 500,
        }
    )


def _at(shares: FeeShares, *places: tuple[int, int]) -> list[tuple[float, float]]:
    swaps = pd.DataFrame(places, columns=["block_number", "log_index"])
    found = shares.at_swaps(swaps)
    return list(zip(*(np.broadcast_to(part, len(places)).tolist() for part in found), strict=True))


def test_days_and_switches_together_say_what_is_in_force() -> None:
    switch = pd.DataFrame(
        {
            "block_number": [150],
            "log_index": [3],
            "time": pd.to_datetime(["2024-01-06 12:00"]).tz_localize("UTC").as_unit("us"),
            "old0": [4],
            "old1": [4],
            "new0": [0],
            "new1": [5],
        }
    )
    days = _days((0, 0, "declared"), (4, 4, "contract"), (0, 5, "events"), (9, 9, "declared"))
    shares = FeeShares.of(facts(fee_protocol0=10), switch, days)
    assert _at(shares, (50, 0), (100, 0), (150, 2), (150, 4), (200, 0), (300, 0)) == [
        (0.1, 0.0),
        (0.25, 0.25),
        (0.25, 0.25),
        (0.0, 0.2),
        (0.0, 0.2),
        (0.0, 0.2),  # a day of which nobody told goes on with what was known last
    ]
    moments = pd.Series(
        pd.to_datetime(["2024-01-05 23:59", "2024-01-06 00:00", "2024-01-06 12:00"], utc=True)
    )
    assert shares.at_times(moments)[0].tolist() == [0.1, 0.25, 0.0]
    assert pool_facts(days)["ethereum", POOL].fee_protocol0 == 9


def test_what_the_first_switch_calls_old_held_before_it() -> None:
    switch = pd.DataFrame(
        {"block_number": [150], "log_index": [3], "old0": [4], "old1": [0], "new0": [0], "new1": [0]}
    ).assign(time=pd.Timestamp("2024-01-06 12:00", tz="UTC"))
    days = _days((0, 0, "declared"), (0, 0, "declared"))
    assert _at(FeeShares.of(facts(), switch, days), (10, 0), (160, 0)) == [(0.25, 0.0), (0.0, 0.0)]
    assert _at(FeeShares.of(facts(fee_protocol1=8)), (10, 0)) == [(0.0, 0.125)]


def test_of_a_day_with_minute_files_the_nodes_word_counts() -> None:
    days = _days((6, 6, "contract"), (0, 0, "declared")).assign(kind=["swaps", "minutes"])
    days = pd.concat([days.assign(kind="minutes", fee_protocol_source="declared"), days.iloc[:1]])
    days = days.assign(served=True)
    told = dict(
        zip(zip(days["kind"], days["day"], strict=True), amm_checks.SHARE_KNOWN.passes(days), strict=True)
    )
    assert told["minutes", START]
    assert not told["minutes", START + pd.Timedelta(days=1)]
