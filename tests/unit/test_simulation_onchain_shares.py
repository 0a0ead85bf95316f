"""A protocol's share that a simulated pool has had since before the months that are read."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from onchain_market import built, market_of

from perp_pipeline import contracts
from perp_pipeline.lake.tables import to_arrow, to_frame
from perp_pipeline.months import Span
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.onchain.parameters import POOLS, OnChain
from perp_pipeline.simulation.onchain.truth import pool_days
from perp_pipeline.simulation.transport import RPC_SETTING, SimulatedTransport, simulated_pools
from perp_pipeline.simulation.wire import Answer
from perp_pipeline.sources.amm import amm_datasets
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.pools import Registry
from perp_pipeline.sources.store import BodyStore

JUNE = Span.parse("2022-06", "2022-06")
REFUSED = {"jsonrpc": "2.0", "error": {"code": -32000, "message": "missing trie node"}}


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    """The pool is made on 29 May; the protocol takes a quarter from the day after."""
    pool = replace(POOLS[0], share_from_day=1)
    return market_of(8, OnChain(days=33, check_blocks=150, pools=(pool, POOLS[1])))


class _Forgetful:
    """The market's venues; the node has only the newest state."""

    def __init__(self, market: SimulatedMarket) -> None:
        self.venues = SimulatedTransport(market).venues
        self.answer = self.venues.answer

    def post(self, url: str, body: bytes) -> Answer:
        asked = json.loads(body)
        calls = asked if isinstance(asked, list) else [asked]
        answer = self.venues.post(url, body)
        if not any(call["method"] == "eth_call" and call["params"][1] != "latest" for call in calls):
            return answer
        found = [REFUSED | {"id": call["id"]} for call in calls]
        return replace(answer, body=json.dumps(found if isinstance(asked, list) else found[0]).encode())


def _june(market: SimulatedMarket, folder: Path, *, archive: bool) -> dict[str, pd.DataFrame]:
    transport = SimulatedTransport(market)
    if not archive:
        transport.venues = _Forgetful(market)
    http = Http(BodyStore(folder), transport=transport, sleep=lambda _: None, now=lambda: JUNE.end)
    declared = simulated_pools(market)
    begun = market.chain.first_day
    pools = {label: replace(pool, created=begun) for label, pool in declared.pools.items()}
    registry = Registry(declared.chains, declared.tokens, pools)
    urls = {RPC_SETTING: "https://eth-rpc.simulated/"}
    sets = amm_datasets((), urls, registry=registry, archives=())
    tables = {}
    for name in ("raw_eth_logs", "raw_amm_days"):
        frames = [f for s in sets if s.contract.name == name for f in s.fetch(http, JUNE, JUNE.end)]
        tables[name] = to_frame(to_arrow(contracts.get(name), pd.concat(frames, ignore_index=True)))
    return tables | built(tables)


@pytest.mark.parametrize("archive", [True, False])
def test_june_alone_recovers_what_was_planted(
    market: SimulatedMarket, tmp_path: Path, archive: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    tables = _june(market, tmp_path, archive=archive)
    assert tables["core_amm_fee_protocol"].empty
    found = tables["core_amm_pool_day"].set_index(["pool", "day"])
    truth = [day for day in pool_days(market.chain) if day.day.month == 6]
    assert len(truth) == len(found) == 60
    for day in truth:
        row = found.loc[(day.pool, pd.Timestamp(day.day))]
        rounding = 2e-6 * (day.n_swaps + 10)
        assert row["protocol_fees_usd"] == pytest.approx(day.protocol_fees_usd, abs=rounding, rel=1e-6)
        assert row["fees_usd"] == pytest.approx(day.fees_usd, abs=rounding, rel=1e-6)
        assert row["pnl_usd"] == pytest.approx(day.pnl_usd, abs=1e-3)
    assert sum(day.protocol_fees_usd for day in truth) > 10_000
    sources = tables["raw_amm_days"].groupby("pool")["fee_protocol_source"].unique().explode().to_dict()
    pair = "contract" if archive else "declared"  # of a v2 pair there is no event
    assert sources == {POOLS[0].address: "contract" if archive else "events", POOLS[1].address: pair}
    said = [r.getMessage() for r in caplog.records if "protocol's share" in r.getMessage()]
    assert len(said) == (0 if archive else 1)
    assert all("at its head feeTo() of the pair's factory is 0" in text for text in said)
