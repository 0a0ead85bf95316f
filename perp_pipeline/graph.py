"""Every table of the pipeline and what it is built from: the one list that all fronts run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from perp_pipeline.contracts.model import Contract
from perp_pipeline.settings import Settings
from perp_pipeline.sources.base import Dataset
from perp_pipeline.sources.pinned import PinnedArchive
from perp_pipeline.sources.pools import Registry
from perp_pipeline.sources.universe import Universe
from perp_pipeline.steps import Step


class UnknownTable(ValueError):
    """A selection names no table, layer or chapter."""


@dataclass(frozen=True)
class Node:
    """One table: either downloaded by datasets or built by a step."""

    contract: Contract
    chapter: str
    step: Step | None = None
    datasets: tuple[Dataset, ...] = ()

    @property
    def name(self) -> str:
        """The table's name."""
        return self.contract.name

    @property
    def needs(self) -> tuple[str, ...]:
        """Tables it reads."""
        return tuple(item.table for item in self.step.inputs) if self.step else ()

    @property
    def together(self) -> tuple[str, ...]:
        """Tables that are built whenever it is selected."""
        return self.step.together if self.step else ()


def build_graph(datasets: Iterable[Dataset], steps: Iterable[Step]) -> dict[str, Node]:
    """Nodes by table name, each after all that it reads.

    Raises:
        ValueError: two steps write one table, an input is written by nobody, or the steps form a ring.
    """
    nodes: dict[str, Node] = {}
    for dataset in datasets:
        contract = dataset.contract
        known = nodes.get(contract.name)
        nodes[contract.name] = Node(contract, "raw", None, (*(known.datasets if known else ()), dataset))
    pending = list(steps)
    written = {step.output.name for step in pending}
    if len(written) != len(pending) or written & set(nodes):
        raise ValueError("two steps write the same table")
    while pending:
        ready = [step for step in pending if all(item.table in nodes for item in step.inputs)]
        if not ready:
            stuck = {
                step.output.name: [i.table for i in step.inputs if i.table not in nodes] for step in pending
            }
            raise ValueError(f"steps wait for tables that nothing writes: {stuck}")
        for step in ready:
            nodes[step.output.name] = Node(step.output, step.chapter, step)
        pending = [step for step in pending if step.output.name not in nodes]
    return nodes


def pipeline(
    settings: Settings,
    archives: tuple[PinnedArchive, ...] | None = None,
    universe: Universe | None = None,
    pools: Registry | None = None,
) -> dict[str, Node]:
    """The whole pipeline for these settings.

    Args:
        archives: pinned archives in place of the declared list.
        universe: instruments in place of the declared list.
        pools: chains and pools in place of the declared list.
    """
    from perp_pipeline.sources import datasets
    from perp_pipeline.tables import STEPS

    return build_graph(datasets(settings, archives, universe, pools), STEPS)


def select(nodes: dict[str, Node], names: Sequence[str]) -> list[str]:
    """Tables to run: the selected ones, those built with them and all that they need, in running order.

    Args:
        names: tables, layers (raw, core, out) or chapters (funding, rates, amm, research); all by default.

    Raises:
        UnknownTable: a name is none of these; the message lists what is.
    """
    if not names:
        return list(nodes)
    wanted: set[str] = set()
    for name in names:
        found = {
            node.name for node in nodes.values() if name in (node.name, node.contract.layer, node.chapter)
        }
        if not found:
            chapters = sorted({node.chapter for node in nodes.values()} | {"raw", "core", "out"})
            raise UnknownTable(
                f"{name!r} is no table, layer or chapter. Tables: {', '.join(nodes)}. "
                f"Layers and chapters: {', '.join(chapters)}."
            )
        wanted |= found
    stack = list(wanted)
    while stack:
        node = nodes[stack.pop()]
        for need in (*node.needs, *node.together):
            if need not in wanted:
                wanted.add(need)
                stack.append(need)
    return [name for name in nodes if name in wanted]
