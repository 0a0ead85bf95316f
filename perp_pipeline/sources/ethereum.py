"""Logs of Uniswap pools from an Ethereum node (eth_getLogs), a UTC day at a time.

The unit of resumption is a UTC day of one pool: its first and last block are exact (see
:mod:`~perp_pipeline.sources.evm_blocks`), so the request is the same in every run, and its answer is final
once the whole day lies under the confirmation depth. Swaps and liquidity events are asked for separately. A
range that the node refuses for its span or its number of logs is split, at the span that the node names or
in halves; the refusal is kept too, so that a later run starts with the parts. A day that the node does not
hold is recorded as not served, with the node's words, and nothing is put in its place. Days without any event
are asked for a second time, those of a month together.

With a HyperSync token the logs come from there (:mod:`~perp_pipeline.sources.hypersync`); days' borders and
pools' facts are the node's in any case.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.contracts.model import Contract
from perp_pipeline.months import Month, Span
from perp_pipeline.sources.errors import NotServed
from perp_pipeline.sources.evm_days import PoolDay, PoolReader, midnight
from perp_pipeline.sources.evm_fee_share import FeeShares, Share
from perp_pipeline.sources.evm_ranges import Part
from perp_pipeline.sources.pools import Pool, Registry, pool_columns

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

_log = logging.getLogger(__name__)

_ROWS = 25_000
"""Logs of a frame, where a day has no more."""


@dataclass(frozen=True)
class PoolLogs:
    """Dataset of raw_eth_logs."""

    reader: PoolReader
    venue: str = "uniswap"

    @property
    def contract(self) -> Contract:
        """The raw table."""
        return contracts.get("raw_eth_logs")

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Frames of a pool's month, in the order of its blocks: one, or of a busy pool several.

        Raises:
            SourceError: the node gives no usable answer; nothing of the failing day is kept.
        """
        for declared in self.reader.pools:
            pool = self.reader.facts(http, declared)
            for month in span:
                days, borders = self.reader.month(http, pool, month, now)
                wrong = 0
                for together in _portions(days):
                    parts = [part for day in together for part in day.parts if part.n_rows]
                    if parts:
                        frame, late = self._dated(http, pool, month, borders, parts)
                        wrong += late
                        yield frame
                if wrong:
                    said = (
                        "%s %s: the node dates %d logs outside the day of their block; they are interpolated"
                    )
                    _log.warning(said, pool.label, month, wrong)

    def _dated(
        self, http: Http, pool: Pool, month: Month, borders: list[int], parts: list[Part]
    ) -> tuple[pd.DataFrame, int]:
        """Rows of the raw table, and how many came with a time that is not of their block's day."""
        frames = [_frame(pool, part) for part in parts]
        frame = pd.concat(frames, ignore_index=True).sort_values(
            ["block_number", "log_index"], ignore_index=True
        )
        edges = [midnight(month.start.date() + timedelta(days=n)) for n in range(len(borders))]
        stamps = frame.pop("block_timestamp").to_numpy(dtype="float64", na_value=float("nan"))
        exact = _of_their_day(stamps, frame["block_number"].to_numpy(), borders, edges)
        micros = np.zeros(len(stamps), dtype="int64")
        if not exact.all():
            clock = self.reader.clock(http, pool)
            micros = clock.interpolate(frame["block_number"].to_numpy(), borders, edges)
        micros[exact] = (stamps[exact] * 1e6).astype("int64")
        frame["time"] = pd.to_datetime(micros, unit="us", utc=True)
        frame["time_exact"] = exact
        return frame, int((stamps == stamps).sum() - exact.sum())


@dataclass(frozen=True)
class PoolDays:
    """Dataset of raw_amm_days from nodes: what was asked for, what they hold, and the pools' constants."""

    reader: PoolReader
    shares: FeeShares
    venue: str = "uniswap"

    @property
    def contract(self) -> Contract:
        """The raw table."""
        return contracts.get("raw_amm_days")

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """One frame per pool and month.

        Raises:
            SourceError: the node gives no usable answer. NotServed where it holds no day of a required pool.
        """
        for declared in self.reader.pools:
            pool = self.reader.facts(http, declared)
            refusals: list[str] = []
            n_swaps = 0
            for month in span:
                days, borders = self.reader.month(http, pool, month, now)
                refusals += [day.refused for day in days if day.kind == "swaps"]
                n_swaps += sum(day.n_rows for day in days if day.kind == "swaps")
                if days:
                    url = self.reader.node(http, pool).address
                    held = [self.reader.balances(http, pool, day) for day in days]
                    shares = self.shares.at_starts(http, pool, month, days, borders, now)
                    rows = [
                        _day_row(pool, day, own, url, shares[day.day])
                        for day, own in zip(days, held, strict=True)
                    ]
                    yield pd.DataFrame(rows)
            if pool.label in self.reader.required and refusals and all(refusals):
                raise NotServed(f"{pool.label} {span}: the node holds none of these days: {refusals[0]}")
            n_served = refusals.count("")
            if n_served and not n_swaps:
                said = (
                    f"{pool.label} {span}: the node answers for {n_served} days, and none has a swap: "
                    "nobody traded, there is no such pool, or the node leaves logs out"
                )
                if pool.label in self.reader.required:
                    self._forget(http, pool, span, now)
                    raise NotServed(f"{said}. Check the address, or use another node")
                _log.warning(said)

    def _forget(self, http: Http, pool: Pool, span: Span, now: datetime) -> None:
        """Let another node be asked for what this one answered with nothing."""
        for month in span if not http.offline else ():
            for day in self.reader.month(http, pool, month, now)[0]:
                for part in day.empty:
                    http.forget(part.request)


def datasets(
    pools: tuple[Pool, ...],
    registry: Registry,
    rpc_urls: Mapping[str, str],
    *,
    required: frozenset[str] = frozenset(),
    hypersync_token: str = "",
) -> tuple[PoolLogs, PoolDays]:
    """The datasets of on-chain logs for these pools, sharing one reader.

    Args:
        rpc_urls: node address by chain name.
        required: labels of pools of which the node must hold some day of the span; of others, days that it
            does not hold are only recorded.
        hypersync_token: where it is given, logs are asked of HyperSync.
    """
    reader = PoolReader(pools, registry, rpc_urls, required, hypersync_token)
    return PoolLogs(reader), PoolDays(reader, FeeShares(reader))


def _portions(days: Sequence[PoolDay]) -> Iterator[list[PoolDay]]:
    """Days in runs of at most :data:`_ROWS` logs, or of one day; what happened on a day stays together."""
    held: list[PoolDay] = []
    for _, group in groupby(days, key=lambda day: day.day):
        own = list(group)
        if held and sum(day.n_rows for day in (*held, *own)) > _ROWS:
            yield held
            held = []
        held = [*held, *own]
    if held:
        yield held


def _of_their_day(
    stamps: npt.NDArray[np.float64],
    blocks: npt.NDArray[np.int64],
    borders: Sequence[int],
    edges: Sequence[datetime],
) -> npt.NDArray[np.bool_]:
    """Which times that a node sent (epoch seconds) lie in the day of their block; some send zeros."""
    bounds = np.array([edge.timestamp() for edge in edges])
    day = np.clip(np.searchsorted(borders, blocks, side="right") - 1, 0, len(borders) - 2)
    return np.asarray((stamps >= bounds[day]) & (stamps < bounds[day + 1]))


def _frame(pool: Pool, part: Part) -> pd.DataFrame:
    table = part.logs.drop_columns(["removed", "address"])
    frame: pd.DataFrame = table.to_pandas()
    return frame.assign(chain=pool.chain, pool=pool.address, source_url=part.url, download_sha256=part.sha256)


def _day_row(
    pool: Pool, day: PoolDay, held: tuple[int, int] | None, url: str, share: Share
) -> dict[str, Any]:
    return {
        "day": pd.Timestamp(day.day),
        "kind": day.kind,
        "first_block": day.first,
        "last_block": day.last,
        "served": not day.refused,
        "n_rows": day.n_rows,
        "reason": day.refused or None,
        "balance0": str(held[0]) if held else None,
        "balance1": str(held[1]) if held else None,
        **pool_columns(pool),
        "fee_protocol0": share.denominator0,
        "fee_protocol1": share.denominator1,
        "fee_protocol_source": share.source,
        "source_url": day.parts[0].url if day.parts else url,
        "download_sha256": day.parts[0].sha256 if day.parts else None,
    }
