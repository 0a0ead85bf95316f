"""A report is written from whatever results a lake has."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import report_results as frames

from perp_pipeline import contracts
from perp_pipeline.lake import Lake, TableMissing
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.publish import publish_report
from perp_pipeline.settings import Settings

NOW = pd.Timestamp("2024-01-01", tz="UTC").to_pydatetime()


def test_pools_alone_make_a_report(tmp_path: Path) -> None:
    contract = contracts.get("out_amm_profit_per_volume")
    lake = Lake.at(str(tmp_path))
    lake.commit(contract, to_arrow(contract, frames.pool_profit()), now=NOW)
    page = publish_report(Settings(lake=str(tmp_path)))
    assert page.is_file()
    assert (page.parent / "figures" / "amm-profit.png").is_file()
    assert "WBTC-WETH 30 bp" in (page.parent / "essay-a.html").read_text()


def test_a_lake_without_results_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(TableMissing, match="perp run"):
        publish_report(Settings(lake=str(tmp_path / "none")))
