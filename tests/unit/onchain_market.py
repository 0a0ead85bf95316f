"""Small markets with pools, their raw tables through the client of real nodes, and their core tables."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.amm import build
from perp_pipeline.lake.tables import to_arrow, to_frame
from perp_pipeline.months import Span
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.onchain.node import Node
from perp_pipeline.simulation.onchain.parameters import POOLS, USDT, WETH, Noise, OnChain, PlantedPool
from perp_pipeline.simulation.parameters import Planted
from perp_pipeline.simulation.transport import RPC_SETTING, SimulatedTransport, simulated_pools
from perp_pipeline.sources.amm import amm_datasets
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.store import BodyStore

SPAN = Span.parse("2022-05", "2022-06")
COIN_FIRST = PlantedPool(
    "0x11b815efb8f581194ae79006d24e0d814b7697f6", "uniswap_v3", WETH, USDT, 3000, 60,
    liquidity=((0.0, 2e6), (1.03, 3e6)), noise=Noise(30.0, 20_000.0, exact_output=0.5),
)  # fmt: skip
"""The coin is token0 here, and prices run over the end of the narrow position."""
ONCHAIN = OnChain(days=33, check_blocks=150, pools=(*POOLS, COIN_FIRST))


def market_of(seed: int = 5, onchain: OnChain = ONCHAIN) -> SimulatedMarket:
    return SimulatedMarket(seed, SPAN.first, SPAN.last, Planted(onchain=onchain))


def chain_digest(market: SimulatedMarket) -> str:
    entries = [(address, record.entries, record.balances) for address, record in market.chain.records.items()]
    return hashlib.sha256(repr(entries).encode()).hexdigest()


def downloaded(market: SimulatedMarket, folder: Path, **limits: int) -> dict[str, pd.DataFrame]:
    """Raw tables of the market's pools, through the client and the reader of real nodes."""
    transport = SimulatedTransport(market)
    node = Node(lambda: market.chain, **limits)
    transport.venues = _WithNode(transport.venues, node)
    http = Http(BodyStore(folder), transport=transport, sleep=lambda _: None, now=lambda: SPAN.end)
    sets = amm_datasets(
        (), {RPC_SETTING: "https://eth-rpc.simulated/"}, registry=simulated_pools(market), archives=()
    )
    tables = {}
    for name in ("raw_eth_logs", "raw_amm_days"):
        frames = [f for s in sets if s.contract.name == name for f in s.fetch(http, SPAN, SPAN.end)]
        contract = contracts.get(name)
        tables[name] = to_frame(to_arrow(contract, pd.concat(frames, ignore_index=True)))
    return tables


class _WithNode:
    """The market's venues with a node of other limits."""

    def __init__(self, venues: Any, node: Node) -> None:
        self.answer = venues.answer
        self.node = node

    def post(self, url: str, body: bytes) -> Any:
        return self.node.answer(body)


def empty(name: str) -> pd.DataFrame:
    frame: pd.DataFrame = contracts.get(name).schema.empty_table().to_pandas(date_as_object=False)
    return frame


def built(raw: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The AMM chapter's core tables, by its builders."""
    tables = {name: getattr(build, name)(**raw) for name in ("core_amm_swaps", "core_amm_liquidity")}
    tables["core_amm_fee_protocol"] = build.core_amm_fee_protocol(**raw)
    days = raw["raw_amm_days"]
    tables["core_amm_flows"] = build.core_amm_flows(
        core_amm_swaps=tables["core_amm_swaps"],
        core_amm_liquidity=tables["core_amm_liquidity"],
        raw_amm_days=days,
    )
    tables["core_amm_minutes"] = build.core_amm_minutes(
        core_amm_swaps=tables["core_amm_swaps"],
        raw_amm_minutes=empty("raw_amm_minutes"),
        core_amm_fee_protocol=tables["core_amm_fee_protocol"],
        raw_amm_days=days,
    )
    tables["core_amm_pool_day"] = build.core_amm_pool_day(
        core_amm_minutes=tables["core_amm_minutes"],
        raw_amm_snapshots=empty("raw_amm_snapshots"),
        raw_amm_days=days,
        core_spot_1h=empty("core_spot_1h"),
    ).frame
    return tables
