"""Every download of the AMM chapter: node logs, minute files, v2 snapshots, the subgraph's swaps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from perp_pipeline.sources import amm_archives, ethereum, subgraph
from perp_pipeline.sources.pools import Registry, load_registry

if TYPE_CHECKING:
    from perp_pipeline.sources.base import Dataset


def missing_nodes(
    chains: Iterable[str], rpc_urls: Mapping[str, str], registry: Path | None = None
) -> dict[str, str]:
    """Those of some chains whose node's address is not given -> the setting that would give it."""
    known = load_registry(registry).chains
    settings = {chain: known[chain].rpc_setting for chain in sorted(chains) if chain in known}
    return {chain: name for chain, name in settings.items() if name not in rpc_urls}


def amm_datasets(
    labels: tuple[str, ...] = (),
    rpc_urls: Mapping[str, str] | None = None,
    *,
    registry: Path | Registry | None = None,
    archives: tuple[amm_archives.AmmArchive, ...] | None = None,
    hypersync_token: str = "",
    graph_key: str = "",
) -> tuple[Dataset, ...]:
    """The datasets of raw_eth_logs, raw_amm_days, raw_amm_minutes, raw_amm_snapshots and raw_subgraph_swaps.

    Args:
        labels: pools as ``chain:0x...``; all declared ones without.
        rpc_urls: node address by the setting that the chain names (``ETH_RPC_URL``). Declared pools of a
            chain without one are left out; a pool asked for by name fails with the setting that is missing.
        registry: a pools file of the user's own, on top of the declared list; or all there is, in its place.
        archives: in place of the declared minute files and snapshots.
        hypersync_token: where it is given, logs are asked of HyperSync, days' borders of the node.
        graph_key: where it is given, swaps are also asked of the subgraph, for a second opinion.

    Raises:
        ValueError: a label or a file is malformed.
    """
    known = registry if isinstance(registry, Registry) else load_registry(registry)
    urls = {
        chain.name: url
        for chain in known.chains.values()
        if (url := (rpc_urls or {}).get(chain.rpc_setting)) is not None
    }
    pools = known.select(labels)
    listed = amm_archives.load_archives() if archives is None else archives
    in_files = {(archive.chain, archive.pool) for archive in listed}
    # a pool that was named and has files needs no node
    required = frozenset(p.label for p in pools if labels and (p.chain, p.address) not in in_files)
    reachable = tuple(pool for pool in pools if pool.chain in urls or pool.label in required)
    on_chain = ethereum.datasets(reachable, known, urls, required=required, hypersync_token=hypersync_token)
    return (
        *on_chain,
        *amm_archives.datasets(pools, listed),
        *subgraph.datasets(pools, known.chains, graph_key),
    )
