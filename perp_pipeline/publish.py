"""The report of a lake: result tables in, HTML pages and figure files out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.lake import Lake, TableMissing
from perp_pipeline.settings import Settings


def publish_report(settings: Settings, output: Path | None = None) -> Path:
    """Write the report of the settings' lake.

    Args:
        output: folder to write into; ``report/`` in the lake (or in the working folder, for a lake that is
            not on this machine) by default.

    Returns:
        The index page.

    Raises:
        TableMissing: the lake has no results yet.
    """
    from perp_pipeline.lake.files import is_local
    from perp_pipeline.report import ReportContext, write_report

    lake = Lake.at(settings.lake)
    tables = result_tables(lake)
    if "out_claims" not in tables:
        raise TableMissing(f"{lake.root} has no results yet. Remedy: perp run, or perp demo")
    folder = output or (Path(str(lake.root)) / "report" if is_local(lake.root) else Path("report"))
    context = ReportContext.of(lake)
    return write_report(tables, folder, context=context).page


_DRAWN: Final = ("core_amm_pool_day",)
"""Tables that are no results but that figures are drawn from."""


def result_tables(lake: Lake) -> dict[str, pd.DataFrame]:
    """Every result table that the lake holds, and the pool-days that a figure adds up."""
    tables = contracts.tables().values()
    results = [contract for contract in tables if contract.layer == "out" or contract.name in _DRAWN]
    return {contract.name: lake.frame(contract) for contract in results if lake.partitions(contract)}
