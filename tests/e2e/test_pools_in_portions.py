"""Large tables are made a few pools at a time; the lake is the same as if all were made at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from lakes import digests, errors

from perp_pipeline import portions, runner
from perp_pipeline.graph import select
from perp_pipeline.months import Span
from perp_pipeline.portions import POOL, Share, by_pool
from perp_pipeline.runner import run_many
from perp_pipeline.session import open_session
from perp_pipeline.settings import Settings
from perp_pipeline.simulation import open_market

pytestmark = pytest.mark.slow

SPAN = Span.parse("2020-01", "2020-02")


def _run(lake: Path) -> dict[str, str]:
    opened = open_market(3, SPAN)
    with open_session(
        Settings(lake=str(lake), rpc_urls=opened.rpc_urls),
        transport=opened.transport,
        market="simulated seed 3",
        clock=lambda: SPAN.end,
        archives=opened.archives,
        universe=opened.universe,
        pools=opened.pools,
    ) as context:
        reports = run_many(select(context.nodes, ["amm"]), SPAN, context)
    assert errors(reports) == ""
    return digests(lake)


def test_pool_by_pool_and_all_at_once_give_the_same_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[list[str]] = []

    def noted(frames: Iterable[pa.Table]) -> Iterator[tuple[Share, list[pa.Table]]]:
        for share, held in by_pool(frames):
            groups.append(share[POOL])
            yield share, held

    def together(frames: Iterable[pa.Table]) -> Iterator[tuple[Share, list[pa.Table]]]:
        held = list(frames)
        if held:
            yield {POOL: sorted({pool for frame in held for pool in frame[POOL].to_pylist()})}, held

    monkeypatch.setattr(runner, "by_pool", noted)
    monkeypatch.setattr(portions, "TOGETHER", 1)
    by_pools = _run(tmp_path / "by_pools")
    assert len({tuple(group) for group in groups}) > 1, "the market should have several pools in a month"
    monkeypatch.setattr(runner, "by_pool", together)
    monkeypatch.setattr(runner, "shares", lambda step, span, lake: [{}])
    assert _run(tmp_path / "at_once") == by_pools
