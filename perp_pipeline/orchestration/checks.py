"""Contracts' expectations as asset checks: specs when definitions load, results when a table was audited."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from perp_pipeline.contracts.model import Contract, Severity
from perp_pipeline.months import Span
from perp_pipeline.quality.results import CheckResult
from perp_pipeline.quality.suites import expectation_specs

SHOWN_ROWS = 20


def check_specs(contract: Contract, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One spec per expectation of the contract's suite."""
    return [
        dg.AssetCheckSpec(
            meta["name"],
            asset=asset,
            description=f"{meta['doc'].rstrip('.')}. Where it fails: {meta['remedy']}",
            blocking=meta["severity"] == Severity.ERROR,
        )
        for _, _, meta in expectation_specs(contract)
    ]


def check_results(
    contract: Contract, asset: dg.AssetKey, results: list[CheckResult], span: Span
) -> Iterator[dg.AssetCheckResult]:
    """Results with the months they are about and the failing rows; none where nothing was audited."""
    for result in results:
        yield dg.AssetCheckResult(
            asset_key=asset,
            check_name=result.name,
            passed=result.passed,
            severity=dg.AssetCheckSeverity.ERROR
            if result.severity is Severity.ERROR
            else dg.AssetCheckSeverity.WARN,
            description=None if result.passed else result.describe(contract),
            metadata={
                "failing_rows": dg.MetadataValue.int(result.n_failing),
                **({"months": dg.MetadataValue.text(str(span))} if contract.time else {}),
                **_rows(result),
            },
        )


def unjudged(contract: Contract, asset: dg.AssetKey, note: str) -> Iterator[dg.AssetCheckResult]:
    """Results where there was nothing to judge: an asset that succeeds owes Dagster one of every check."""
    for spec in check_specs(contract, asset):
        yield dg.AssetCheckResult(
            asset_key=asset, check_name=spec.name, passed=True, description=f"nothing to judge: {note}"
        )


def _rows(result: CheckResult) -> dict[str, dg.MetadataValue[Any]]:
    if result.failing.empty:
        return {}
    rows = [
        dg.TableRecord({str(name): str(value) for name, value in row.items()})
        for row in result.failing.head(SHOWN_ROWS).to_dict("records")
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(str(name)) for name in result.failing.columns])
    return {"first_failing_rows": dg.MetadataValue.table(rows, schema)}
