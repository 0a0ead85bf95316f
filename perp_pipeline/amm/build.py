"""Builders of the AMM tables: pure functions whose arguments are named after the tables they read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline.amm import conservation, decode, hourly, marks, minutes, pool_day, snapshots
from perp_pipeline.amm.pools import PoolFacts, by_pool, pool_facts
from perp_pipeline.amm.spot import spot_by_base
from perp_pipeline.contracts.model import Contract
from perp_pipeline.steps import DROPPED_COLUMNS, Built


def core_amm_swaps(*, raw_eth_logs: pd.DataFrame, raw_amm_days: pd.DataFrame) -> pd.DataFrame:
    """Decoded swaps of all pools.

    Raises:
        UnknownTopic, TruncatedWords, WordOutOfRange, DuplicateLog, LogOutOfOrder: a log is not what it
        should.
    """
    facts = pool_facts(raw_amm_days)
    frames = [decode.swaps(rows, facts[key]) for key, rows in by_pool(raw_eth_logs)]
    return _joined(frames, _contract("core_amm_swaps"))


def core_amm_liquidity(*, raw_eth_logs: pd.DataFrame, raw_amm_days: pd.DataFrame) -> pd.DataFrame:
    """Decoded mints, burns, collects, flash loans and protocol collects of all pools."""
    facts = pool_facts(raw_amm_days)
    frames = [decode.liquidity_events(rows, facts[key]) for key, rows in by_pool(raw_eth_logs)]
    return _joined(frames, _contract("core_amm_liquidity"))


def core_amm_fee_protocol(*, raw_eth_logs: pd.DataFrame, raw_amm_days: pd.DataFrame) -> pd.DataFrame:
    """Switches of the protocol's share of all v3 pools."""
    facts = pool_facts(raw_amm_days)
    frames = [
        decode.fee_switches(rows, facts[key])
        for key, rows in by_pool(raw_eth_logs)
        if facts[key].protocol == "uniswap_v3"
    ]
    return _joined(frames, _contract("core_amm_fee_protocol"))


def core_amm_flows(
    *, core_amm_swaps: pd.DataFrame, core_amm_liquidity: pd.DataFrame, raw_amm_days: pd.DataFrame
) -> pd.DataFrame:
    """Exact flows by day against the change of the pools' balances."""
    frames = [
        conservation.daily_flows(
            days,
            _own(core_amm_swaps, key),
            _own(core_amm_liquidity, key),
        )
        for key, days in by_pool(raw_amm_days)
    ]
    return _joined(frames, _contract("core_amm_flows"))


def core_amm_minutes(
    *,
    core_amm_swaps: pd.DataFrame,
    raw_amm_minutes: pd.DataFrame,
    core_amm_fee_protocol: pd.DataFrame,
    raw_amm_days: pd.DataFrame,
) -> pd.DataFrame:
    """By minute, from swaps, and from minute files on days whose swaps a node does not hold whole."""
    facts, whole = pool_facts(raw_amm_days), _served(raw_amm_days, "swaps")
    switches = dict(by_pool(core_amm_fee_protocol))
    days = dict(by_pool(raw_amm_days))
    swaps, files = dict(by_pool(core_amm_swaps)), dict(by_pool(raw_amm_minutes))
    frames = []
    for key in sorted(swaps.keys() | files.keys()):
        parts = []
        own = switches.get(key, core_amm_fee_protocol.iloc[:0])
        if key in swaps:
            parts.append(minutes.from_swaps(swaps[key], facts[key], own, days[key]))
        if key in files:
            built = minutes.from_files(files[key], facts[key], own, days[key])
            for found in parts:
                built = built[~_on_days(built, np.intersect1d(_days_of(found["minute"]), whole[key]))]
            parts = [found[~_on_days(found, _days_of(built["minute"]))] for found in parts]
            parts.append(built)
        frames.append(pd.concat(parts, ignore_index=True).sort_values("minute", ignore_index=True))
    return _joined(frames, _contract("core_amm_minutes"))


def core_amm_price_1h(*, core_amm_minutes: pd.DataFrame) -> pd.DataFrame:
    """Each pool's last price of each hour with swaps."""
    return hourly.last_prices(core_amm_minutes)


def core_amm_pool_day(
    *,
    core_amm_minutes: pd.DataFrame,
    raw_amm_snapshots: pd.DataFrame,
    raw_amm_days: pd.DataFrame,
    core_spot_1h: pd.DataFrame,
) -> Built:
    """From minutes, and from snapshots for pairs and days that have no minutes."""
    facts, spot, known_whole = pool_facts(raw_amm_days), spot_by_base(core_spot_1h), _served(raw_amm_days)
    frames: list[pd.DataFrame] = []
    dropped: list[pd.DataFrame] = []
    for key, rows in by_pool(core_amm_minutes):
        frame, left_out = pool_day.from_minutes(rows, facts[key], spot, known_whole[key])
        frames.append(frame)
        dropped.append(_named("core_amm_minutes", facts[key], left_out))
    for key, rows in by_pool(raw_amm_snapshots):
        frame, left_out = snapshots.pool_days(rows, facts[key], spot)
        if len(frame):
            known = {day for other in frames if len(other) and _key_of(other) == key for day in other["day"]}
            frames.append(frame[~frame["day"].isin(known)])
        dropped.append(_named("raw_amm_snapshots", facts[key], left_out))
    names = pd.concat(dropped, ignore_index=True) if dropped else pd.DataFrame(columns=list(DROPPED_COLUMNS))
    return Built(_joined(frames, _contract("core_amm_pool_day")), names)


def core_amm_marks(
    *,
    core_amm_swaps: pd.DataFrame,
    core_amm_minutes: pd.DataFrame,
    core_amm_pool_day: pd.DataFrame,
    raw_amm_days: pd.DataFrame,
    core_spot_1h: pd.DataFrame,
) -> pd.DataFrame:
    """Each pool-day's profit at every mark that the data reach."""
    facts, spot = pool_facts(raw_amm_days), spot_by_base(core_spot_1h)
    swaps, rows, known = dict(by_pool(core_amm_swaps)), dict(by_pool(core_amm_minutes)), _served(raw_amm_days)
    frames = [
        marks.mark_days(
            marks.flows(
                swaps.get(key, core_amm_swaps.iloc[:0]),
                rows.get(key, core_amm_minutes.iloc[:0]),
                facts[key],
            ),
            days.sort_values("day"),
            known[key],
            facts[key],
            spot,
        )
        for key, days in by_pool(core_amm_pool_day)
    ]
    return _joined(frames, _contract("core_amm_marks"))


def _served(raw_amm_days: pd.DataFrame, *kinds: str) -> dict[tuple[str, str], npt.NDArray[np.int64]]:
    """Days (since the epoch) of each pool whose flows are known whole, by swaps or minutes if not said."""
    days = raw_amm_days[raw_amm_days["served"] & raw_amm_days["kind"].isin(kinds or ("swaps", "minutes"))]
    whole = {key: _days_of(rows["day"]) for key, rows in by_pool(days)}
    return {key: whole.get(key, np.empty(0, dtype=np.int64)) for key, _ in by_pool(raw_amm_days)}


def _days_of(times: pd.Series) -> npt.NDArray[np.int64]:
    """Days since the epoch."""
    return minutes.micros(times) // marks.DAY_US


def _on_days(rows: pd.DataFrame, days: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which minutes are of any of these days."""
    return np.isin(_days_of(rows["minute"]), days)


def _contract(name: str) -> Contract:
    from perp_pipeline import contracts

    return contracts.get(name)


def _joined(frames: list[pd.DataFrame], contract: Contract) -> pd.DataFrame:
    """One frame with the contract's columns."""
    names = [column.name for column in contract.columns]
    kept = [frame for frame in frames if len(frame)]
    if not kept:
        return contract.schema.empty_table().to_pandas(date_as_object=False)
    return pd.concat(kept, ignore_index=True)[names]


def _own(frame: pd.DataFrame, key: tuple[str, str]) -> pd.DataFrame:
    return frame[(frame["chain"] == key[0]) & (frame["pool"] == key[1])]


def _key_of(frame: pd.DataFrame) -> tuple[str, str]:
    return str(frame["chain"].iloc[0]), str(frame["pool"].iloc[0])


def _named(table: str, facts: PoolFacts, left_out: pd.DataFrame) -> pd.DataFrame:
    days = [f"{facts.chain}:{facts.pool} {day:%Y-%m-%d}" for day in left_out["day"]]
    return pd.DataFrame(
        {"table": table, "key": days, "reason": list(left_out["reason"])}, columns=list(DROPPED_COLUMNS)
    )
