"""Contracts' expectations as asset checks: specs when definitions load, results when a table was audited."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg

from perp_pipeline.contracts.model import Contract, Severity
from perp_pipeline.quality.results import CheckResult
from perp_pipeline.quality.suites import expectation_specs

SHOWN_ROWS = 20


def check_specs(contract: Contract, asset: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """One spec per expectation of the contract's suite."""
    return [
        dg.AssetCheckSpec(
            meta["name"],
            asset=asset,
            description=f"{meta['doc']} ({meta['severity']}). Remedy: {meta['remedy']}",
        )
        for _, _, meta in expectation_specs(contract)
    ]


def check_results(
    contract: Contract, asset: dg.AssetKey, results: list[CheckResult]
) -> Iterator[dg.AssetCheckResult]:
    """Results with the failing rows in the metadata; expectations that were not reached count as failed."""
    reached = {result.name: result for result in results}
    for spec in check_specs(contract, asset):
        result = reached.get(spec.name)
        if result is None:
            yield dg.AssetCheckResult(
                asset_key=asset,
                check_name=spec.name,
                passed=False,
                severity=dg.AssetCheckSeverity.WARN,
                description="not judged: the step ended before its table was audited",
            )
            continue
        yield dg.AssetCheckResult(
            asset_key=asset,
            check_name=result.name,
            passed=result.passed,
            severity=dg.AssetCheckSeverity.ERROR
            if result.severity is Severity.ERROR
            else dg.AssetCheckSeverity.WARN,
            description=None if result.passed else result.describe(contract),
            metadata={"failing_rows": dg.MetadataValue.int(result.n_failing), **_rows(result)},
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
