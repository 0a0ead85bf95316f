"""What a run is told: where the lake is, how to reach the venues, what the user adds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

DEFAULT_LAKE = "data_lake"

ENVIRONMENT = {
    "lake": "PERP_LAKE",
    "gateway": "PERP_GATEWAY",
    "archives": "PERP_ARCHIVES",
    "universe": "PERP_UNIVERSE",
    "pool_registry": "PERP_POOLS",
    "premium_intervals": "PERP_PREMIUM_INTERVALS",
    "hypersync_token": "PERP_HYPERSYNC_TOKEN",
    "graph_key": "PERP_GRAPH_KEY",
}
"""Settings that an environment variable may give; a command-line option wins over it."""

RPC_SUFFIX = "_RPC_URL"
"""How the environment variables that hold a node's address end; pools.toml names one per chain."""


@dataclass(frozen=True)
class Settings:
    """Settings of one run.

    Attributes:
        lake: folder or fsspec address of the lake.
        gateway: base address that stands in for every venue ({gateway}/host/path), or None.
        offline: answer from the stored bodies only.
        archives: a TOML file with pinned archives of the user's own.
        universe: a TOML file with instruments of the user's own.
        periods: periods asked for beside the standard ones (2021-02, 2019-09..2022-06).
        rpc_urls: JSON-RPC addresses of nodes by the name of their environment variable (ETH_RPC_URL,
            ARBITRUM_RPC_URL, ...), for the AMM tables. There is no default: a node's address may hold a key.
        pool_registry: a TOML file with chains and pools of the user's own.
        premium_intervals: bars of Binance's premium index to follow (1m, 5m, 15m, 1h, 4h, 8h).
        pools: pools to follow, as ``chain:0x...``; the registry's by default.
        hypersync_token: with it, logs of pools come from HyperSync instead of eth_getLogs.
        graph_key: with it, swaps of v3 pools are also asked of the Uniswap subgraph, for a second opinion.

    What may hold a key is left out of the ``repr``, and none of it is ever written.
    """

    lake: str = DEFAULT_LAKE
    gateway: str | None = None
    offline: bool = False
    archives: Path | None = None
    universe: Path | None = None
    periods: tuple[str, ...] = ()
    rpc_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    pool_registry: Path | None = None
    premium_intervals: tuple[str, ...] = ("1h", "8h")
    pools: tuple[str, ...] = ()
    hypersync_token: str = field(default="", repr=False)
    graph_key: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Settings from environment variables (:data:`ENVIRONMENT`), then overrides that are not None."""
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for name, variable in ENVIRONMENT.items():
            if source.get(variable):
                text = source[variable]
                if name in ("archives", "universe", "pool_registry"):
                    values[name] = Path(text)
                elif name == "premium_intervals":
                    values[name] = tuple(part.strip() for part in text.split(","))
                else:
                    values[name] = text
        values["rpc_urls"] = {name: url for name, url in source.items() if name.endswith(RPC_SUFFIX) and url}
        values |= {name: value for name, value in overrides.items() if value is not None}
        return replace(cls(), **values)
