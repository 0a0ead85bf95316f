"""Yields of lending pools from DefiLlama: ``yields.llama.fi/chart/{pool}``.

One answer holds a pool's whole history, ascending, about one row a day at irregular times; ``apy`` in
percent, null where DefiLlama could not read it. There are no bounds to ask for: a chart from after the end of
the months is kept for them, and for open months it is asked for anew in each online run.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.contracts.raw_lending import RAW_DEFILLAMA_YIELDS
from perp_pipeline.months import Span
from perp_pipeline.sources.base import Body, Request
from perp_pipeline.sources.errors import FormatChanged, IncompleteBody
from perp_pipeline.sources.rows import iso_times, numbers
from perp_pipeline.sources.unpack import parse_json

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

CHART = "https://yields.llama.fi/chart"

POOLS: Mapping[str, str] = {
    "aave_v3_usdc_supply": "aa70268e-4b52-42bf-a116-608b370f9501",
    "aave_v3_weth_supply": "e880e828-ca59-4ec6-8d4f-27182a4dc23d",
    "aave_v3_wbtc_supply": "7e382157-b1bc-406d-b17b-facba43b716e",
}
"""Series in core_reference_rates and DefiLlama's pool behind it; all on Ethereum."""

_COLUMNS = {"apy": "apy", "apy_base": "apyBase", "apy_reward": "apyReward", "tvl_usd": "tvlUsd"}
_LATE = pd.Timedelta(minutes=10)


def parse_chart(content: bytes, now: datetime) -> pd.DataFrame:
    """A pool's chart.

    Returns:
        time (UTC), apy, apy_base, apy_reward (percent a year, NaN where unknown), tvl_usd.

    Raises:
        TransientError: not JSON, cut off, no rows, values that are not numbers, rows out of order, repeated
            or in the future.
        FormatChanged: another form.
    """
    answer: Any = parse_json(content)
    if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
        raise FormatChanged(f"a chart has a list `data`, the body begins with {content[:80]!r}")
    if answer.get("status") != "success":
        raise IncompleteBody(f"the answer's status is {answer.get('status')!r}")
    rows = answer["data"]
    if not rows:
        raise IncompleteBody("the chart has no rows")
    if not all(isinstance(row, dict) and "timestamp" in row and "apy" in row for row in rows):
        raise FormatChanged("a row of a chart has a timestamp and an apy")
    raw = pd.DataFrame(
        {name: [row.get(name) for row in rows] for name in ("timestamp", *_COLUMNS.values())}, dtype=object
    )
    frame = pd.DataFrame({"time": iso_times(raw, "timestamp")})
    for column, name in _COLUMNS.items():
        frame[column] = numbers(raw, name, missing=(None,))
    if (frame["time"].diff() <= pd.Timedelta(0)).any():
        raise IncompleteBody("rows are repeated or out of order")
    if frame["time"].iloc[-1] > pd.Timestamp(now) + _LATE:
        raise IncompleteBody(f"rows in the future: {frame['time'].iloc[-1]}")
    return frame


@dataclass(frozen=True)
class DefiLlamaYields:
    """``raw_defillama_yields``.

    Attributes:
        pools: pool by series.
    """

    pools: Mapping[str, str] = field(default_factory=lambda: dict(POOLS))

    @property
    def contract(self) -> Contract:
        """The raw table."""
        return RAW_DEFILLAMA_YIELDS

    @property
    def venue(self) -> str:
        """defillama"""
        return "defillama"

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per pool; a pool that DefiLlama (or the gateway) does not have is said and left out."""
        # A long run gets here after its start: what was booked in between is not from the future.
        latest = max(now, http.clock())
        for series, pool in self.pools.items():
            label = f"defillama raw_defillama_yields {series}"

            def check(content: bytes) -> None:
                parse_chart(content, latest)

            address = f"{CHART}/{pool}"
            body: Body | None = http.fetch(
                Request(address),
                final=_says_all(http, address, span, now),
                check=check,
                absent_ok=True,
                label=label,
            )
            if body is None:
                _log.warning("%s: no such pool at %s", label, address)
                continue
            rows = parse_chart(body.content, latest)
            for month in span:
                inside = rows[(rows["time"] >= month.start) & (rows["time"] < month.end)]
                if not inside.empty:
                    yield inside.reset_index(drop=True).assign(
                        pool=pool, series=series, source_url=address, download_sha256=_digest(inside)
                    )


def _says_all(http: Http, address: str, span: Span, now: datetime) -> bool:
    """Whether the months are over, and a chart on record (if there is one) is from after their end."""
    held = http.store.entry(Request(address))
    return span.last.is_closed(now) and (held is None or datetime.fromisoformat(held.fetched_at) >= span.end)


def _digest(rows: pd.DataFrame) -> str:
    """Digest of what the chart says of a month, whatever it says of later ones."""
    return hashlib.sha256(rows.to_csv(index=False).encode()).hexdigest()
