"""Chains, tokens and AMM pools: a declared list that a user extends with an address."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from perp_pipeline.sources.evm_checksum import is_well_typed
from perp_pipeline.sources.evm_events import PROTOCOLS

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")


@dataclass(frozen=True)
class Chain:
    """An EVM chain. ``pools.toml`` explains each field."""

    name: str
    chain_id: int
    rpc_setting: str
    confirmations: int
    block_seconds: float
    knots_per_day: int
    anchors: tuple[tuple[int, date], ...]
    subgraph: str = ""
    since: Mapping[str, date] = field(default_factory=dict)

    def guess(self, moment: datetime) -> int:
        """A block near a moment, from the anchors: where a search starts."""
        points = [(block, datetime.combine(day, time(), UTC)) for block, day in self.anchors]
        before = [point for point in points if point[1] <= moment]
        after = [point for point in points if point[1] > moment]
        block, stamp = before[-1] if before else points[0]
        if before and after:
            next_block, next_stamp = after[0]
            share = (moment - stamp) / (next_stamp - stamp)
            return block + round(share * (next_block - block))
        return max(1, block + round((moment - stamp).total_seconds() / self.block_seconds))


@dataclass(frozen=True)
class Pool:
    """An AMM pool. ``pools.toml`` explains each field.

    Attributes:
        fee_pips: fee in millionths of the input.
        fee_protocol0, fee_protocol1: denominators of the protocol's share (0: no share) where neither the
            contract's state nor its events tell.
        tracks0, tracks1: USD or the base asset that values each token; empty where no declared token.
    """

    chain: str
    address: str
    protocol: str
    token0: str = ""
    token1: str = ""
    decimals0: int = -1
    decimals1: int = -1
    fee_pips: int = -1
    tick_spacing: int = -1
    fee_protocol0: int = 0
    fee_protocol1: int = 0
    windows: tuple[tuple[date, date], ...] = ()
    tracks0: str = ""
    tracks1: str = ""
    created: date | None = None

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise ValueError(f"pool {self.address!r}: address is not 0x and 40 lower-case hexadecimal digits")
        if self.protocol not in PROTOCOLS:
            raise ValueError(
                f"pool {self.address}: protocol {self.protocol!r} is not one of {', '.join(PROTOCOLS)}"
            )

    @property
    def is_declared(self) -> bool:
        """Nothing has to be read from the chain."""
        return bool(self.token0 and self.token1) and min(self.decimals0, self.decimals1, self.fee_pips) >= 0

    def asks_for(self, day: date) -> bool:
        """The day is not before the pool, and lies in one of the windows where there are any."""
        if self.created is not None and day < self.created:
            return False
        return not self.windows or any(first <= day <= last for first, last in self.windows)

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"{self.chain}:{self.address}"


@dataclass(frozen=True)
class Registry:
    """The declared chains, tokens and pools."""

    chains: dict[str, Chain]
    tokens: dict[str, str]
    pools: dict[str, Pool]

    def select(self, labels: tuple[str, ...] = ()) -> tuple[Pool, ...]:
        """Pools by ``chain:0x...`` (any case); all declared ones where no label is given.

        A label that is not declared is a v3 pool to be completed from the chain.

        Raises:
            ValueError: an unknown chain, or a malformed or mistyped address.
        """
        if not labels:
            return tuple(self.pools.values())
        chosen = []
        for label in labels:
            chain, _, address = label.lower().partition(":")
            if chain not in self.chains:
                raise ValueError(
                    f"pool {label!r}: chain is not one of {', '.join(self.chains)}; write ethereum:0x..."
                )
            if not is_well_typed(label.partition(":")[2]):
                raise ValueError(
                    f"pool {label!r}: the capital letters do not fit the digits (EIP-55), so that one of "
                    "them is mistyped. Copy the address again, or write it in lower case"
                )
            known = self.pools.get(f"{chain}:{address}")
            chosen.append(known or Pool(chain, address, "uniswap_v3"))
        return tuple(chosen)

    def with_tracks(self, pool: Pool) -> Pool:
        """The pool with what its tokens track filled in, and the day before which it cannot have been."""
        return replace(
            pool,
            tracks0=self.tokens.get(pool.token0, ""),
            tracks1=self.tokens.get(pool.token1, ""),
            created=pool.created or self.chains[pool.chain].since.get(pool.protocol),
        )


def read_registry(text: str, *, origin: str) -> Registry:
    """Parse a registry.

    Raises:
        ValueError: it is malformed; the message names the entry.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{origin}: not valid TOML: {error}") from error
    try:
        chains = [_chain(entry) for entry in content.get("chain", [])]
        tokens = {str(entry["symbol"]): str(entry["tracks"]) for entry in content.get("token", [])}
        pools = [_pool(entry) for entry in content.get("pool", [])]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{origin}: {error}") from error
    return Registry({c.name: c for c in chains}, tokens, {pool.label: pool for pool in pools})


@cache
def load_registry(extra: Path | None = None) -> Registry:
    """The declared registry, with a user's own file on top.

    Raises:
        ValueError: a file is malformed, or a pool names an unknown chain.
        OSError: ``extra`` cannot be read.
    """
    text = resources.files("perp_pipeline.sources").joinpath("pools.toml").read_text(encoding="utf-8")
    registry = read_registry(text, origin="pools.toml")
    if extra is not None:
        own = read_registry(extra.read_text(encoding="utf-8"), origin=str(extra))
        registry = Registry(
            registry.chains | own.chains, registry.tokens | own.tokens, registry.pools | own.pools
        )
    for pool in registry.pools.values():
        if pool.chain not in registry.chains:
            raise ValueError(f"pool {pool.label}: unknown chain; known are {', '.join(registry.chains)}")
    return Registry(
        registry.chains,
        registry.tokens,
        {k: registry.with_tracks(pool) for k, pool in registry.pools.items()},
    )


def pool_columns(pool: Pool) -> dict[str, str | int | None]:
    """The pool's constants as the columns of raw_amm_days."""
    return {
        "chain": pool.chain,
        "pool": pool.address,
        "protocol": pool.protocol,
        "token0": pool.token0,
        "token1": pool.token1,
        "decimals0": pool.decimals0,
        "decimals1": pool.decimals1,
        "tracks0": pool.tracks0 or None,
        "tracks1": pool.tracks1 or None,
        "fee_pips": pool.fee_pips,
        "tick_spacing": pool.tick_spacing,
        "fee_protocol0": pool.fee_protocol0,
        "fee_protocol1": pool.fee_protocol1,
        "fee_protocol_source": "declared",
    }


def days_of(start: datetime, end: datetime) -> list[date]:
    """UTC days from start to end, the end not included."""
    count = (end.date() - start.date()).days
    return [start.date() + timedelta(days=place) for place in range(count)]


def _chain(entry: dict[str, Any]) -> Chain:
    anchors = tuple((int(block), _day(day)) for block, day in entry["anchors"])
    since = {str(protocol): _day(day) for protocol, day in entry.get("since", {}).items()}
    if unknown := since.keys() - PROTOCOLS.keys():
        raise ValueError(f"chain {entry['name']}: since has {', '.join(sorted(unknown))}, no protocol")
    return Chain(**(entry | {"anchors": anchors, "since": since}))


def _pool(entry: dict[str, Any]) -> Pool:
    windows = tuple((_day(first), _day(last)) for first, last in entry.get("windows", []))
    created = _day(entry["created"]) if "created" in entry else None
    address = str(entry["address"]).lower()
    return Pool(**(entry | {"windows": windows, "address": address, "created": created}))


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return date.fromisoformat(str(value))
