"""The report of a lake: result tables in, HTML pages and figure files out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from perp_pipeline import contracts
from perp_pipeline.contracts.model import Contract
from perp_pipeline.lake import Lake, TableMissing
from perp_pipeline.settings import Settings


def publish_report(settings: Settings, output: Path | None = None) -> Path:
    """Write the report of the settings' lake, from whatever results it has.

    Args:
        output: folder to write into; ``report/`` in the lake (or in the working folder, for a lake that is
            not on this machine) by default.

    Returns:
        The index page.

    Raises:
        TableMissing: the lake has no results yet.
    """
    from perp_pipeline.report import ReportContext, write_report

    lake = Lake.at(settings.lake)
    tables = result_tables(lake)
    if not any(contracts.get(name).layer == "out" for name in tables):
        raise TableMissing(f"{lake.root} has no results yet. Remedy: perp run, or perp demo")
    folder = output or report_folder(lake)
    context = ReportContext.of(lake)
    return write_report(tables, folder, context=context).page


_DRAWN: Final = ("core_amm_pool_day", "core_returns_8h")
"""Tables that are no results but that figures are drawn from."""


def report_folder(lake: Lake) -> Path:
    """Where a lake's report goes: into the lake, or the working folder if it is not on this machine."""
    from perp_pipeline.lake.files import is_local

    return Path(str(lake.root)) / "report" if is_local(lake.root) else Path("report")


def result_names(lake: Lake) -> list[str]:
    """Names of the tables that a report is written from, those that the lake holds."""
    return [contract.name for contract in _drawn_from() if lake.partitions(contract)]


def result_tables(lake: Lake) -> dict[str, pd.DataFrame]:
    """Every result table that the lake holds, and the others that figures are drawn from."""
    return {contract.name: lake.frame(contract) for contract in _drawn_from() if lake.partitions(contract)}


def _drawn_from() -> list[Contract]:
    tables = contracts.tables().values()
    return [contract for contract in tables if contract.layer == "out" or contract.name in _DRAWN]
