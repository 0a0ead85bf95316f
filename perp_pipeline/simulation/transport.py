"""The simulated market behind the HTTP client: an httpx transport that answers the venues' own addresses.

Importing this module imports httpx: do so inside the function that needs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property, lru_cache

import httpx

from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.onchain import node
from perp_pipeline.simulation.onchain.chain import block_at, pool_window
from perp_pipeline.simulation.onchain.parameters import BLOCK_SECONDS
from perp_pipeline.simulation.venues import binance_archive, binance_rest, bitmex, files
from perp_pipeline.simulation.wire import Answer, Asked, html_answer
from perp_pipeline.sources.pinned import PinnedArchive, Roll, load_archives
from perp_pipeline.sources.pools import Chain, Pool, Registry, load_registry
from perp_pipeline.sources.universe import Universe, load_universe

RPC_SETTING = "ETH_RPC_URL"
_ROLL = Roll(date(2017, 12, 18), 0)
"""The simulated copy of the futures curve shows the next contract from a contract's last trading day on."""


class SimulatedVenues:
    """Every venue of a simulated market, asked by address.

    Args:
        now: when they are asked: what comes later is not known yet. None: after the last month. The chain
            stands at its end in any case.
    """

    def __init__(self, market: SimulatedMarket, now: datetime | None = None) -> None:
        self.market = market
        self.now = now

    @cached_property
    def _hosts(self) -> dict[str, Callable[[Asked], Answer]]:
        archive = binance_archive.BinanceArchive(self.market, self.now)
        rest = binance_rest.BinanceRest(self.market, archive, self.now)
        served = files.Files(self.market, self.now)
        return {
            binance_archive.HOST: archive.answer,
            **dict.fromkeys((binance_rest.HOST, *binance_rest.SPOT_HOSTS), rest.answer),
            bitmex.HOST: bitmex.Bitmex(self.market, self.now).answer,
            **dict.fromkeys(files.HOSTS, served.answer),
        }

    def answer(self, url: str) -> Answer:
        """The answer to a GET of an absolute address; an unknown host is a plain 404."""
        asked = Asked.of(url)
        host = self._hosts.get(asked.host)
        return html_answer(404, "Not Found") if host is None else host(asked)

    @cached_property
    def _node(self) -> node.Node:
        return node.Node(lambda: self.market.chain)

    def post(self, url: str, body: bytes) -> Answer:
        """The answer to a POST: the chain's node takes them, nobody else does."""
        if Asked.of(url).host != node.HOST:
            return html_answer(405, "Method Not Allowed")
        return self._node.answer(body)


@lru_cache(maxsize=4)
def venues_of(market: SimulatedMarket, now: datetime | None = None) -> SimulatedVenues:
    """The venues of a market at a moment; equal ones share what they have rendered."""
    return SimulatedVenues(market, now)


class SimulatedTransport(httpx.BaseTransport):
    """Give it to ``Http(transport=...)``: requests to the venues are answered by the simulated market.

    Bodies are the same for the same market and address, whatever was asked before.
    """

    def __init__(self, market: SimulatedMarket, now: datetime | None = None) -> None:
        self.venues = venues_of(market, now)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request. What is neither a GET nor a call of the node is not allowed."""
        if request.method == "GET":
            answer = self.venues.answer(str(request.url))
        elif request.method == "POST":
            answer = self.venues.post(str(request.url), request.read())
        else:
            answer = html_answer(405, "Method Not Allowed")
        headers = {"Content-Type": answer.content_type, **answer.headers}
        return httpx.Response(answer.status, headers=headers, content=answer.body, request=request)


def simulated_archives(market: SimulatedMarket, now: datetime | None = None) -> tuple[PinnedArchive, ...]:
    """The declared pinned archives that the simulated market has, with the digests of its files."""
    venues = venues_of(market, now)
    found = []
    for archive in load_archives():
        if archive.is_local:
            continue
        answer = venues.answer(archive.url)
        if answer.status == 200:
            digest = hashlib.sha256(answer.body).hexdigest()
            rolls = (_ROLL,) if archive.rolls else ()
            found.append(replace(archive, sha256=digest, rolls=rolls, notes="Simulated."))
    return tuple(found)


def simulated_universe(market: SimulatedMarket) -> Universe:
    """The declared instruments and price series that the simulated market has."""
    declared = load_universe()
    perps = {(perp.venue, perp.symbol) for perp in market.planted.perps}
    spot = {("binance", f"{asset.base}USDT") for asset in market.planted.assets}
    return Universe(
        tuple(entry for entry in declared.instruments if (entry.venue, entry.symbol) in perps),
        tuple(
            entry
            for entry in declared.bars
            if (entry.market == "spot" and (entry.venue, entry.symbol) in spot)
            or (
                (entry.venue == "bitmex" or entry.market == "premium")
                and (entry.venue, entry.symbol) in perps
            )
        ),
        declared.announced_ahead,
    )


def simulated_pools(market: SimulatedMarket) -> Registry:
    """The simulated chain and its pools with the days that they live. The node tells their constants."""
    first, last = pool_window(market)
    chain = Chain(
        name="ethereum",
        chain_id=node.CHAIN_ID,
        rpc_setting=RPC_SETTING,
        confirmations=64,
        block_seconds=float(BLOCK_SECONDS),
        knots_per_day=1,
        anchors=((block_at(int(market.span.start.timestamp())), market.span.start.date()),),
    )
    pools = [
        Pool(chain.name, planted.address, planted.protocol, windows=((first, last),))
        for planted in market.planted.onchain.pools
    ]
    return Registry({chain.name: chain}, load_registry().tokens, {pool.label: pool for pool in pools})


@dataclass(frozen=True)
class OpenMarket:
    """A simulated market with all that a run needs to take it for the real one.

    Attributes:
        pools: the chain and the pools to follow on it.
        rpc_urls: the node's address, by the setting that names it.
    """

    market: SimulatedMarket
    transport: SimulatedTransport
    archives: tuple[PinnedArchive, ...]
    universe: Universe
    pools: Registry
    rpc_urls: Mapping[str, str] = field(default_factory=lambda: {RPC_SETTING: node.URL})
