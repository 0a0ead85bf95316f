"""Swaps of v3 pools from the Uniswap subgraph on The Graph: a second opinion on the logs, with a key.

The subgraph states each swap's exact amounts, price, tick, block, log index and time, which is all that flows
and profit need; it does not state the liquidity in force, so that these rows do not become core_amm_swaps.
``poolDayData`` is not used: its close equals its open.

The form: docs.uniswap.org, "The Uniswap Subgraph" (endpoint and id); Uniswap/v3-subgraph, schema.graphql and
src/mappings/pool/swap.ts (``logIndex`` and ``sqrtPriceX96`` are the event's, amounts are divided by the
token's decimals); thegraph.com, "Subgraph Gateway, Serving Queries" (key as ``Authorization: Bearer``) and
"GraphQL API" (``first`` at most 1,000, ``id_gt`` to go on, ``_meta``). Numbers are texts, ids are in lower
case.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.contracts.model import Contract
from perp_pipeline.months import Span
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.endpoints import Endpoint
from perp_pipeline.sources.errors import (
    FormatChanged,
    IncompleteBody,
    NotServed,
    PermanentError,
    SourceError,
    TransientError,
)
from perp_pipeline.sources.evm_rpc import loads
from perp_pipeline.sources.pools import Chain, Pool, days_of

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

SETTING = "PERP_GRAPH_KEY"
"""Environment variable that holds the key; only where it is set is the subgraph asked."""
HOST = "gateway.thegraph.com"
FIRST = 1000
"""Rows of a page, the most that is answered."""
_SETTLED = timedelta(hours=1)
"""How far beyond a day the subgraph must have come for the day to count as final there."""
_META = "_meta { hasIndexingErrors block { number timestamp } }"
_BUSY = re.compile(
    r"bad indexers|unavailable|too far behind|timeout|timed out|internal|rate.?limit|too many", re.IGNORECASE
)
_KEY = re.compile(r"auth error|authori[sz]ation|api key|payment", re.IGNORECASE)
_EXACT = Context(prec=120)


@dataclass(frozen=True)
class SubgraphSwaps:
    """Dataset of raw_subgraph_swaps.

    Attributes:
        pools: which pools; those of chains without a subgraph, and v2 pairs, are left out.
        key: without it nothing is asked.
    """

    pools: tuple[Pool, ...]
    chains: dict[str, Chain]
    key: str = field(default="", repr=False)
    venue: str = "uniswap"

    @property
    def contract(self) -> Contract:
        """The raw table."""
        return contracts.get("raw_subgraph_swaps")

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per pool and day with swaps.

        Raises:
            SourceError: no usable answer came; nothing of the failing day is kept.
        """
        # offline, what is stored serves without the key that it was asked with
        asked = self.key or (http.offline and http.store.holds(HOST))
        for pool in self.pools if asked else ():
            place = self.chains[pool.chain].subgraph
            if not place or pool.protocol != "uniswap_v3":
                continue
            graph = _Graph(http, place, self.key, pool)
            end = min(span.end, graph.settled())
            if end <= span.start:
                continue
            first = self.chains[pool.chain].since.get(pool.protocol, date.min)
            days = [day for day in days_of(span.start, end) if day >= first and pool.asks_for(day)]
            decimals = graph.decimals() if days else (0, 0)
            for day in days:
                yield from graph.swaps(day, decimals)


@dataclass(frozen=True)
class _Graph:
    """One pool in one subgraph."""

    http: Http
    place: str
    key: str = field(repr=False)
    pool: Pool

    @property
    def url(self) -> str:
        return f"https://{HOST}/api/subgraphs/id/{self.place}"

    def settled(self) -> datetime:
        """The moment up to which the subgraph's days are final."""
        data = self._ask("{ " + _META + " }", "head", final=False, check=_indexed)
        return _indexed(data) - _SETTLED

    def decimals(self) -> tuple[int, int]:
        """Decimals of the pool's tokens.

        Raises:
            NotServed: the subgraph does not know the pool.
            FormatChanged: it has other decimals than are declared.
        """
        query = f'{{ pool(id: "{self.pool.address}") {{ token0 {{ decimals }} token1 {{ decimals }} }} }}'
        data = self._ask(query, "pool", final=True, check=self._read_decimals)
        return self._read_decimals(data)

    def _read_decimals(self, data: dict[str, Any]) -> tuple[int, int]:
        found = data.get("pool", "")
        if found is None:
            raise NotServed(f"{self.pool.label}: the subgraph {self.place} has no such pool")
        try:
            own = tuple(int(found[f"token{token}"]["decimals"]) for token in "01")
        except (KeyError, TypeError, ValueError):
            raise FormatChanged(f"the subgraph's pool is {found!r}") from None
        declared = (self.pool.decimals0, self.pool.decimals1)
        if self.pool.is_declared and own != declared:
            raise FormatChanged(f"{self.pool.label}: decimals {own} in the subgraph, {declared} declared")
        return own[0], own[1]

    def swaps(self, day: date, decimals: tuple[int, int]) -> Iterator[pd.DataFrame]:
        """A day's swaps, by pages in the order of their ids."""
        after, full = "", True
        while full:
            query = page_query(self.pool.address, day, after)

            def check(data: dict[str, Any], last: str = after) -> None:
                read_page(data, day, last, decimals)

            data, digest = self._body(query, f"swaps {day} after {after or 'none'}", final=True, check=check)
            frame = read_page(data, day, after, decimals)
            full = len(frame) == FIRST
            if len(frame):
                after = str(frame["id"].iloc[-1])
                yield frame.drop(columns="id").assign(
                    chain=self.pool.chain, pool=self.pool.address, source_url=self.url, download_sha256=digest
                )

    def _ask(self, query: str, what: str, *, final: bool, check: Any) -> dict[str, Any]:
        return self._body(query, what, final=final, check=check)[0]

    def _body(self, query: str, what: str, *, final: bool, check: Any) -> tuple[dict[str, Any], str]:
        request = Request(
            self.url,
            method="POST",
            payload={"query": query},
            via=Endpoint(self.url, {"Authorization": f"Bearer {self.key}"}),
        )
        label = f"{self.pool.label} raw_subgraph_swaps {what}"
        body = self.http.fetch(
            request, final=final, check=lambda content: check(data_of(content)), label=label
        )
        if body is None:
            raise NotServed(f"{label}: no answer")
        return data_of(body.content), body.sha256


def datasets(pools: tuple[Pool, ...], chains: dict[str, Chain], key: str) -> tuple[SubgraphSwaps]:
    """The dataset of the subgraph for these pools."""
    return (SubgraphSwaps(pools, chains, key),)


def page_query(address: str, day: date, after: str) -> str:
    """The question for one page of a pool's day."""
    first, end = _bounds(day)
    return (
        f'{{ swaps(first: {FIRST}, orderBy: id, orderDirection: asc, where: {{ pool: "{address}", '
        f'id_gt: "{after}", timestamp_gte: {first}, timestamp_lt: {end} }}) {{ id timestamp logIndex amount0 '
        f"amount1 sqrtPriceX96 tick transaction {{ id blockNumber }} }} {_META} }}"
    )


def data_of(content: bytes) -> dict[str, Any]:
    """The data of an answer.

    Raises:
        TransientError: not JSON; or no indexer of the subgraph can answer for the time being.
        PermanentError: the key is missing or not accepted. NotServed where there is no such subgraph.
        FormatChanged: the query is not understood, or the answer has neither data nor errors.
    """
    answer = loads(content)
    if not isinstance(answer, dict):
        raise FormatChanged("the subgraph's answer is not an object")
    if errors := answer.get("errors"):
        raise _meaning(
            "; ".join(_text(error) for error in errors) if isinstance(errors, list) else str(errors)
        )
    data = answer.get("data")
    if not isinstance(data, dict):
        raise FormatChanged("the subgraph's answer has no data")
    return data


def read_page(data: dict[str, Any], day: date, after: str, decimals: tuple[int, int]) -> pd.DataFrame:
    """Read and check one page.

    Args:
        after: the id that the page follows.
        decimals: of the pool's tokens.

    Returns:
        id and the columns of raw_subgraph_swaps that a page knows, in the order of the ids.

    Raises:
        FormatChanged: a field is missing or is not what the schema says.
        IncompleteBody: rows are not in order, repeated, of another day, or the subgraph has not come so far.
    """
    first, end = _bounds(day)
    if _indexed(data) < datetime.fromtimestamp(end, UTC) + _SETTLED:
        raise IncompleteBody(f"the subgraph has come to {_indexed(data):%Y-%m-%d %H:%M} only")
    swaps = data.get("swaps")
    if not isinstance(swaps, list) or len(swaps) > FIRST:
        raise FormatChanged(f"the subgraph's swaps are not a list of at most {FIRST}")
    rows = [_row(swap, decimals) for swap in swaps]
    for before, row in zip([after, *(row["id"] for row in rows)], rows, strict=False):
        if row["id"] <= before:
            raise IncompleteBody(f"swap {row['id']} came after {before}: repeated, or out of order")
        if not first <= row["time"] < end:
            raise IncompleteBody(f"swap {row['id']} is not of {day}")
    frame = pd.DataFrame(rows, columns=_PAGE_COLUMNS)
    frame["time"] = pd.to_datetime(frame["time"], unit="s", utc=True).astype("datetime64[us, UTC]")
    return frame


def exact(text: object, places: int) -> str:
    """A decimal text in whole tokens as a whole number of smallest units.

    Raises:
        FormatChanged: it is no decimal text, or has more places than the token.
    """
    try:
        if not isinstance(text, str):
            raise InvalidOperation
        number = Decimal(text).scaleb(places, _EXACT)
        whole = number.to_integral_value()
    except (InvalidOperation, ValueError):
        raise FormatChanged(f"the subgraph wrote {text!r} for an amount") from None
    if whole != number:
        raise FormatChanged(f"the amount {text} has more than {places} decimal places")
    return str(int(whole))


_PAGE_COLUMNS = [
    "id",
    "block_number",
    "log_index",
    "time",
    "tx_hash",
    "amount0",
    "amount1",
    "sqrt_price_x96",
    "tick",
    "decimals0",
    "decimals1",
]


def _row(swap: Any, decimals: tuple[int, int]) -> dict[str, Any]:
    try:
        return {
            "id": str(swap["id"]),
            "block_number": int(swap["transaction"]["blockNumber"]),
            "log_index": int(swap["logIndex"]),
            "time": int(swap["timestamp"]),
            "tx_hash": str(swap["transaction"]["id"]),
            "amount0": exact(swap["amount0"], decimals[0]),
            "amount1": exact(swap["amount1"], decimals[1]),
            "sqrt_price_x96": str(int(swap["sqrtPriceX96"])),
            "tick": int(swap["tick"]),
            "decimals0": decimals[0],
            "decimals1": decimals[1],
        }
    except (KeyError, TypeError, ValueError) as error:
        raise FormatChanged(f"the subgraph's swap is not what its schema says: {error!r}") from None


def _indexed(data: dict[str, Any]) -> datetime:
    """The time of the newest block that the answering indexer knows.

    Raises:
        PermanentError: the subgraph failed somewhere, so that rows may be wrong.
        FormatChanged: it is not told.
    """
    meta: Any = data.get("_meta")
    try:
        stamp, failed = int(meta["block"]["timestamp"]), meta["hasIndexingErrors"]
    except (KeyError, TypeError, ValueError):
        raise FormatChanged(f"the subgraph's _meta is {json.dumps(meta)[:200]}") from None
    if failed is not False:
        raise PermanentError("the subgraph reports indexing errors: its rows are not to be trusted")
    return datetime.fromtimestamp(stamp, UTC)


def _bounds(day: date) -> tuple[int, int]:
    start = datetime.combine(day, time(), UTC)
    return int(start.timestamp()), int((start + timedelta(days=1)).timestamp())


def _text(error: Any) -> str:
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)


def _meaning(message: str) -> SourceError:
    text = f"the subgraph's gateway says: {message}"
    if _KEY.search(message):
        return PermanentError(f"{text}. Check the key in {SETTING}")
    if "subgraph not found" in message:
        return NotServed(text)
    if _BUSY.search(message):
        return TransientError(text)
    return FormatChanged(text)
