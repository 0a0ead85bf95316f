"""Runs against an Ethereum node that fails: right rows or a clear error, never a day that is lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lakes import digests, errors, run

from perp_pipeline.months import Span

if TYPE_CHECKING:
    from conftest import Replay

pytestmark = pytest.mark.slow

SPAN = Span.parse("2024-01", "2024-01")
TABLES = ("raw_eth_logs", "raw_amm_days")
POOL = "ethereum:0x8ad599c3a0ff1de082011efddc58f1908eb6e6d8"
"""The node holds one day of it in the month: the logs of the fifth of January."""
HELD = '"fromBlock": ?"0x120f626"'
"""Questions about that day, from its first block on."""


def _run(lake: Path, url: str) -> str:
    node = {"pools": (POOL,), "rpc_urls": {"ETH_RPC_URL": "https://eth-rpc.local/"}}
    return errors(run(lake, url, TABLES, SPAN, **node))


@pytest.fixture(scope="module")
def reference(replay_server: Replay, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of a lake filled without faults."""
    lake = tmp_path_factory.mktemp("reference")
    replay_server.faults([])
    assert _run(lake, replay_server.url) == ""
    return _tables(lake)


def _tables(lake: Path) -> dict[str, str]:
    return {name: digest for name, digest in digests(lake).items() if name.startswith("raw/raw_")}


@pytest.mark.parametrize(
    "kind", ["empty_list", "drop_rows", "duplicate_rows", "reorder_rows", "truncate", "reset", "status_503"]
)
def test_a_fault_that_passes_is_survived(
    kind: str, replay: Replay, reference: dict[str, str], tmp_path: Path
) -> None:
    replay.faults([{"match": "eth-rpc", "body": HELD, "kind": kind, "first": 1, "retry_after": 0}])
    assert _run(tmp_path, replay.url) == ""
    assert replay.fired() == 1
    assert _tables(tmp_path) == reference


@pytest.mark.parametrize("kind", ["empty_list", "duplicate_rows", "reorder_rows", "truncate", "status_503"])
def test_a_fault_that_stays_is_an_error_and_nothing_of_it_is_kept(
    kind: str, replay: Replay, reference: dict[str, str], tmp_path: Path
) -> None:
    replay.faults([{"match": "eth-rpc", "body": "eth_getLogs", "kind": kind, "retry_after": 0}])
    failed = _run(tmp_path, replay.url)
    assert POOL in failed
    assert "2024-01" in failed
    replay.faults([])
    assert _run(tmp_path, replay.url) == ""
    assert _tables(tmp_path) == reference
