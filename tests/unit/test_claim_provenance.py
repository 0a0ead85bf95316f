"""What claims rest on that does not come from the venues themselves."""

from __future__ import annotations

import pytest

from perp_pipeline import contracts
from perp_pipeline.claim_provenance import copies_behind, raw_tables
from perp_pipeline.research.claims import find_claim
from perp_pipeline.settings import Settings
from perp_pipeline.sources.pinned import archives_for, load_archives


def _told(claim: int, text: str, *missing: str) -> list[str]:
    return copies_behind(find_claim(claim).tables, text, Settings(), lambda table: table not in missing)


def test_raw_tables_are_found_through_all_that_lies_between() -> None:
    assert raw_tables(["core_cme_implied"]).count("raw_cme_futures") == 1
    assert "raw_pinned_funding" in raw_tables(["out_regressions"])
    assert raw_tables(["raw_fred"]) == ["raw_fred"]


@pytest.mark.parametrize("claim", [52, 53])
def test_open_interest_is_said_to_be_read_off_plots(claim: int) -> None:
    lines = _told(claim, find_claim(claim).definition)
    assert lines[0] == f"raw_gmx_open_interest: {contracts.get('raw_gmx_open_interest').doc}"
    assert "DERIVED" in lines[0]
    (archive,) = archives_for(load_archives(), "raw_gmx_open_interest")
    assert archive.notes in lines[1]
    assert lines[-1].startswith("others below the same tables: ")
    assert not any("DERIVED" in line for line in _told(claim, "GMX", "raw_gmx_open_interest"))


def test_files_of_the_venues_that_a_claim_names_come_with_their_notes() -> None:
    lines = _told(2, "CME")
    (archive,) = archives_for(load_archives(), "raw_cme_futures")
    assert any(archive.name in line and archive.notes in line for line in lines)
    assert not any("jchen8tw" in line for line in _told(12, "Binance"))
    assert any("jchen8tw" in line for line in _told(12, "FTX"))


def test_a_claim_that_names_no_venue_is_told_of_each_table() -> None:
    lines = _told(49, "v2 and v3")
    assert {line.partition(":")[0] for line in lines} >= {"raw_amm_minutes", "raw_amm_snapshots"}
    assert all("Files: " in line for line in lines)
    assert _told(50, "Binance") == []
