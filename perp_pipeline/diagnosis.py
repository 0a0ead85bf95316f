"""What ``perp doctor`` looks at: packages, settings, lake and stored downloads; and which setting may be
missing where a refresh would lose rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from perp_pipeline import contracts
from perp_pipeline.lake import Lake, LostRows, PartitionKey
from perp_pipeline.lake.lake import QUARANTINE
from perp_pipeline.settings import ENVIRONMENT, Settings

PACKAGES = ("dagster", "pandas", "pyarrow", "statsmodels", "great-expectations", "httpx")


@dataclass(frozen=True)
class Finding:
    """One thing looked at, and what to do where it is bad."""

    good: bool
    text: str


def diagnose(settings: Settings) -> list[Finding]:
    """Look at everything that a run depends on. Reads only."""
    return [*_packages(), *_gateway(settings), *_chains(settings), *_lake(settings)]


def lost_rows(refused: Mapping[PartitionKey, str], settings: Settings) -> LostRows:
    """The error of a refresh that would lose rows; it names the nodes that were not asked, if any.

    Args:
        refused: what the lake says of each partition that it kept.
    """
    from perp_pipeline.sources.amm import missing_nodes

    chains = {value for key in refused for name, value in key.values if name == "chain"}
    missing = missing_nodes(chains, settings.rpc_urls, settings.pool_registry) if chains else {}
    hints = [
        f"{name} is not set: no node of {chain} was asked. Set it first." for chain, name in missing.items()
    ]
    return LostRows("\n".join([*refused.values(), *hints]))


def _packages() -> Iterator[Finding]:
    yield Finding(
        (3, 11) <= sys.version_info[:2] <= (3, 13), f"Python {sys.version.split()[0]} (3.11 to 3.13)"
    )
    for name in PACKAGES:
        try:
            yield Finding(True, f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding(False, f"{name} is missing. Remedy: pip install -e .")


def _gateway(settings: Settings) -> Iterator[Finding]:
    if settings.gateway is None:
        yield Finding(True, "no gateway: the venues are asked directly")
        return
    import httpx

    try:
        httpx.get(settings.gateway, timeout=5.0)
        yield Finding(True, f"gateway {settings.gateway} answers")
    except httpx.HTTPError as error:
        yield Finding(
            False, f"gateway {settings.gateway} does not answer ({error}). Remedy: start it, or unset it"
        )


def _chains(settings: Settings) -> Iterator[Finding]:
    """Which settings of the AMM tables are given; never their values, which may hold keys."""
    from perp_pipeline.sources.pools import load_registry

    try:
        registry = load_registry(settings.pool_registry)
    except (OSError, ValueError) as error:
        variable = ENVIRONMENT["pool_registry"]
        yield Finding(False, f"{variable}: {error}. Remedy: correct the file, or unset it")
        registry = load_registry()
    for chain in registry.chains.values():
        is_set = chain.rpc_setting in settings.rpc_urls
        what = "its node is asked" if is_set else "no logs of its pools"
        yield Finding(True, f"{chain.rpc_setting} is {'set' if is_set else 'not set'}: {chain.name}, {what}")
    for name, what in (("hypersync_token", "logs by HyperSync"), ("graph_key", "swaps of the subgraph")):
        is_set = bool(getattr(settings, name))
        yield Finding(True, f"{ENVIRONMENT[name]} is {'set' if is_set else 'not set'}: {what}")


def _lake(settings: Settings) -> Iterator[Finding]:
    from perp_pipeline.sources.store import BodyStore

    lake = Lake.at(settings.lake)
    market = lake.market()
    if market is None:
        yield Finding(True, f"lake {lake.root}: empty. Next: perp demo or perp run")
        return
    yield Finding(True, f"lake {lake.root}: {market} data")
    for contract in contracts.tables().values():
        parts = lake.partitions(contract)
        if not parts:
            continue
        try:
            rows = len(lake.read(contract))
        except (OSError, ValueError) as error:
            yield Finding(
                False,
                f"{contract.name}: cannot be read ({error}). Remedy: delete the file it names and run "
                "perp run --offline",
            )
            continue
        months = sorted(str(key.month) for key in parts if key.month)
        reach = f", {months[0]}..{months[-1]}" if months else ""
        yield Finding(True, f"{contract.name}: {rows:,} rows in {len(parts)} file(s){reach}")
    store = BodyStore(lake.root / "raw" / "_downloads")
    yield Finding(True, f"{len(store.manifest()):,} stored downloads")
    quarantine = lake.root / QUARANTINE
    if quarantine.exists():
        held = len(list(quarantine.glob("*/*/*/reason.json")))
        if held:
            yield Finding(False, f"{held} rejected partition(s) in {quarantine}: each reason.json says why")
