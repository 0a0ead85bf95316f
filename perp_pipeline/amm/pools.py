"""A pool's constants, as the rows of raw_amm_days state them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class PoolFacts:
    """Constants of one pool.

    Attributes:
        tracks0, tracks1: USD or the base asset that values each token; empty where none does.
        fee_pips: fee in millionths of the input.
        fee_protocol0, fee_protocol1: denominators of the protocol's share (0: none) where nothing else tells.
    """

    chain: str
    pool: str
    protocol: str
    token0: str
    token1: str
    decimals0: int
    decimals1: int
    tracks0: str
    tracks1: str
    fee_pips: int
    fee_protocol0: int = 0
    fee_protocol1: int = 0

    @property
    def fee(self) -> float:
        """Fee as a fraction of the input."""
        return self.fee_pips / 1e6


def pool_facts(raw_amm_days: pd.DataFrame) -> dict[tuple[str, str], PoolFacts]:
    """Constants by chain and pool, by the pool's last row; the share by its last row that declares one."""
    latest = raw_amm_days.drop_duplicates(["chain", "pool"], keep="last")
    told = raw_amm_days["fee_protocol_source"].isin(["contract", "events"])
    declared = {
        (row["chain"], row["pool"]): (int(row["fee_protocol0"]), int(row["fee_protocol1"]))
        for row in raw_amm_days[~told].drop_duplicates(["chain", "pool"], keep="last").to_dict("records")
    }
    facts = {}
    for row in latest.to_dict("records"):
        share0, share1 = declared.get((row["chain"], row["pool"]), (0, 0))
        facts[str(row["chain"]), str(row["pool"])] = PoolFacts(
            chain=str(row["chain"]),
            pool=str(row["pool"]),
            protocol=str(row["protocol"]),
            token0=str(row["token0"]),
            token1=str(row["token1"]),
            decimals0=int(row["decimals0"]),
            decimals1=int(row["decimals1"]),
            tracks0="" if pd.isna(row["tracks0"]) else str(row["tracks0"]),
            tracks1="" if pd.isna(row["tracks1"]) else str(row["tracks1"]),
            fee_pips=int(row["fee_pips"]),
            fee_protocol0=share0,
            fee_protocol1=share1,
        )
    return facts


def by_pool(frame: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Rows of each pool."""
    if frame.empty:
        return
    for (chain, pool), rows in frame.groupby(["chain", "pool"], sort=True, observed=True):
        yield (str(chain), str(pool)), rows
