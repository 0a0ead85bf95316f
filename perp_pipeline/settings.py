"""What a run is told: where the lake is, how to reach the venues, what the user adds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

DEFAULT_LAKE = "data_lake"

ENVIRONMENT = {
    "lake": "PERP_LAKE",
    "gateway": "PERP_GATEWAY",
    "archives": "PERP_ARCHIVES",
    "universe": "PERP_UNIVERSE",
    "eth_rpc_url": "ETH_RPC_URL",
    "premium_intervals": "PERP_PREMIUM_INTERVALS",
}
"""Settings that an environment variable may give; a command-line option wins over it."""


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
        eth_rpc_url: JSON-RPC address of an Ethereum node, for the AMM tables.
        premium_intervals: bars of Binance's premium index to follow (1m, 5m, 15m, 1h, 4h, 8h).
        pools: pools to follow, as ``chain:0x...``; the registry's by default.
    """

    lake: str = DEFAULT_LAKE
    gateway: str | None = None
    offline: bool = False
    archives: Path | None = None
    universe: Path | None = None
    periods: tuple[str, ...] = ()
    eth_rpc_url: str | None = None
    premium_intervals: tuple[str, ...] = ("1h", "8h")
    pools: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Settings from environment variables (:data:`ENVIRONMENT`), then overrides that are not None."""
        source = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for name, variable in ENVIRONMENT.items():
            if source.get(variable):
                text = source[variable]
                if name in ("archives", "universe"):
                    values[name] = Path(text)
                elif name == "premium_intervals":
                    values[name] = tuple(part.strip() for part in text.split(","))
                else:
                    values[name] = text
        values |= {name: value for name, value in overrides.items() if value is not None}
        return replace(cls(), **values)
