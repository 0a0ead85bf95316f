"""Runs against venues that fail: a retry that succeeds or a clear error, never a wrong or a lost row."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lakes import DOWNLOADS, digests, errors, run

from perp_pipeline.months import Span

if TYPE_CHECKING:
    from conftest import Replay

pytestmark = pytest.mark.slow

SPAN = Span.parse("2019-12", "2020-02")
"""One month of REST, two of archives; all venues have rows, nobody's history ends in it."""


@dataclass(frozen=True)
class Endpoint:
    """What is made to fail (``match``), the table it feeds, and what a message must name.

    Attributes:
        by_month: asked for month by month; a message says which.
        digest: bytes are compared with a digest that is not spoilt with them.
        first: the first two requests fail; every third otherwise.
    """

    match: str
    table: str
    venues: tuple[str, ...]
    by_month: bool = True
    digest: bool = False
    first: bool = False

    @property
    def passing(self) -> dict[str, int]:
        """A fault of this endpoint that passes."""
        return {"first": 2} if self.first else {"every": 3}


BINANCE, PINNED = ("binance",), {"by_month": False, "digest": True, "first": True}
ENDPOINTS = {
    "funding-archive": Endpoint(
        r"um/monthly/fundingRate/.*\.zip$", "raw_binance_funding", BINANCE, digest=True
    ),
    "funding-archive-and-checksum": Endpoint(r"um/monthly/fundingRate/", "raw_binance_funding", BINANCE),
    "funding-rest": Endpoint(r"fapi/v1/fundingRate", "raw_binance_funding", BINANCE, first=True),
    "bitmex-funding": Endpoint(r"bitmex.com/api/v1/funding", "raw_bitmex_funding", ("bitmex",)),
    "bitmex-bucketed": Endpoint(r"trade/bucketed", "raw_bitmex_bucketed", ("bitmex",)),
    "spot-archive": Endpoint(r"spot/monthly/klines/.*\.zip$", "raw_binance_spot_1h", BINANCE, digest=True),
    "spot-archive-and-checksum": Endpoint(r"spot/monthly/klines/", "raw_binance_spot_1h", BINANCE),
    "pinned-funding": Endpoint(r"SainyTK", "raw_pinned_funding", ("bitmex", "binance"), **PINNED),
    "cryptodatadownload": Endpoint(r"/cdd/", "raw_cdd_candles", ("gemini", "bitstamp"), **PINNED),
    "cme": Endpoint(r"nanopowered", "raw_cme_futures", ("cme",), **PINNED),
    "fred": Endpoint(r"fredgraph", "raw_fred", ("fred",)),
}

FAULTS: dict[str, dict[str, Any]] = {
    kind: {"kind": kind}
    for kind in (
        "status_500",
        "reset",
        "truncate",
        "short_json",
        "html_200",
        "bad_checksum",
        "bad_zip",
        "empty_list",
        "duplicate_rows",
        "drop_rows",
        "nan_values",
        "reorder_rows",
        "wrong_symbol",
        "future_rows",
    )
} | {
    "status_429": {"kind": "status_429", "retry_after": 1},
    "status_503": {"kind": "status_503", "retry_after": 1},
    "timeout": {"kind": "timeout", "hold_s": 0.05},
    "huge": {"kind": "huge", "mb": 80},
}


def without_effect(name: str, fault: str) -> bool:
    """Faults that leave an endpoint's answers as they are, by the server's own list."""
    if fault in ("bad_zip", "bad_checksum"):
        return not name.endswith("checksum" if fault == "bad_checksum" else ("archive", "checksum"))
    return False


# Where a digest tells, one way to change the bytes is as good as another.
CASES = [
    (name, fault)
    for name, endpoint in ENDPOINTS.items()
    for fault in FAULTS
    if not without_effect(name, fault)
    and (not endpoint.digest or fault in ("status_429", "truncate", "html_200", "bad_zip", "drop_rows"))
]


@pytest.fixture(scope="module")
def reference(replay_server: Replay, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of the tables that are tried, filled without faults."""
    lake = tmp_path_factory.mktemp("reference")
    replay_server.faults([])
    tables = sorted({endpoint.table for endpoint in ENDPOINTS.values()})
    assert errors(run(lake, replay_server.url, tables, SPAN)) == ""
    return lake


def table_of(lake: Path, table: str) -> dict[str, str]:
    """Digests of one raw table's partitions."""
    return {name: digest for name, digest in digests(lake).items() if name.startswith(f"raw/{table}/")}


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_a_fault_that_passes_is_survived_and_one_that_stays_is_an_error_that_harms_nothing(
    name: str, fault: str, replay: Replay, reference: Path, tmp_path: Path
) -> None:
    endpoint = ENDPOINTS[name]
    rule = {"match": endpoint.match} | FAULTS[fault]
    good = table_of(reference, endpoint.table)

    replay.faults([rule | endpoint.passing])
    assert errors(run(tmp_path / "new", replay.url, [endpoint.table], SPAN)) == ""
    assert replay.fired()
    assert table_of(tmp_path / "new", endpoint.table) == good

    # A lake with a month missing and without its evidence: all is asked for again, and all comes spoilt.
    lake = tmp_path / "kept"
    shutil.copytree(reference, lake, ignore=shutil.ignore_patterns(DOWNLOADS.name))
    for part in (lake / "raw" / endpoint.table).rglob(f"month={SPAN.last}/*.parquet"):
        part.unlink()
    kept = digests(lake)
    replay.faults([rule])
    failed = errors(run(lake, replay.url, [endpoint.table], SPAN))
    assert endpoint.table in failed
    assert any(venue in failed for venue in endpoint.venues)
    assert not endpoint.by_month or any(str(month) in failed for month in SPAN), failed
    assert digests(lake) == kept

    replay.faults([])
    assert errors(run(lake, replay.url, [endpoint.table], SPAN)) == ""
    assert digests(lake) == digests(reference)
