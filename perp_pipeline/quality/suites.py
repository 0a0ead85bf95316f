"""Contracts as Great Expectations suites, and tables judged by them.

The only module that imports great_expectations, and only inside functions: the import takes seconds.
"""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from perp_pipeline.contracts.model import Contract, RowCheck, Severity
from perp_pipeline.lake.tables import to_frame
from perp_pipeline.quality.results import CheckResult, overlapping

VERDICT = "check:{name}"
SLICE = 50_000
"""Rows of a large table that are judged at a time."""
_MEND = "mend the source or the builder; nothing was published"


def expectation_specs(contract: Contract) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each expectation of a contract as (type, arguments, meta).

    Meta carries ``name``, ``doc``, ``remedy`` and ``severity``: results come in any order and are
    matched by name. A row check is judged on a boolean column that its own function computes.
    """
    key = list(contract.key)
    if not contract.may_be_empty:
        yield _spec(
            "ExpectTableRowCountToBeBetween", "has_rows", "the table has at least one row", min_value=1
        )
    if len(key) == 1:
        yield _spec(
            "ExpectColumnValuesToBeUnique", "unique_key", f"rows are unique by {key[0]}", column=key[0]
        )
    else:
        yield _spec(
            "ExpectCompoundColumnsToBeUnique",
            "unique_key",
            f"rows are unique by {', '.join(key)}",
            column_list=key,
        )
    for column in contract.columns:
        name = column.name
        if not column.nullable:
            yield _spec(
                "ExpectColumnValuesToNotBeNull", f"{name}_present", f"{name} is never missing", column=name
            )
        if column.low is not None or column.high is not None:
            low = "-inf" if column.low is None else f"{column.low:g}"
            high = "inf" if column.high is None else f"{column.high:g}"
            yield _spec(
                "ExpectColumnValuesToBeBetween",
                f"{name}_in_bounds",
                f"{name} lies in [{low}, {high}]{' ' + column.unit if column.unit else ''}",
                column=name,
                min_value=column.low,
                max_value=column.high,
            )
        if column.values:
            yield _spec(
                "ExpectColumnValuesToBeInSet",
                f"{name}_in_vocabulary",
                f"{name} is one of {', '.join(column.values)}",
                column=name,
                value_set=list(column.values),
            )
    for check in contract.checks:
        kind, arguments, meta = _spec(
            "ExpectColumnValuesToBeInSet",
            check.name,
            check.doc,
            column=VERDICT.format(name=check.name),
            value_set=[True],
        )
        yield kind, arguments, meta | {"remedy": check.remedy, "severity": str(check.severity)}


def suite(contract: Contract, only: Collection[str] | None = None) -> Any:
    """The contract's ``ExpectationSuite``, or the part of it with these names."""
    gx = _great_expectations()
    expectations = [
        getattr(gx.expectations, kind)(**arguments, meta=meta)
        for kind, arguments, meta in expectation_specs(contract)
        if only is None or meta["name"] in only
    ]
    return gx.ExpectationSuite(name=contract.name, expectations=expectations)


def get_ready() -> None:
    """Load the library now, which takes seconds, and not at the first audit."""
    _data_source()


def audit(contract: Contract, table: pa.Table) -> list[CheckResult]:
    """Judge a table (by the contract's schema, sorted by key) by the contract's suite.

    A large contract's table is judged a slice at a time, so that memory holds a slice's frames and not the
    table's. Its checks look at a row and the one before it, which the slice begins with.

    Returns:
        One result per expectation, in the suite's order. Failing rows keep their position as index.
    """
    if not contract.large or len(table) <= SLICE:
        return _audited(contract, table)
    results: list[CheckResult] = []
    for start in range(0, len(table), SLICE):
        begin = max(0, start - 1)
        found = _audited(contract, table.slice(begin, start + SLICE - begin))
        moved = [
            replace(result, failing=result.failing.set_axis(result.failing.index + begin)) for result in found
        ]
        results = overlapping(results, moved)
    return results


def _audited(contract: Contract, table: pa.Table) -> list[CheckResult]:
    gx = _great_expectations()
    frame = to_frame(table)
    results = {}
    for item in _validate(contract, _judged(contract, frame)):
        config = item.expectation_config
        if item.exception_info and item.exception_info.get("raised_exception"):
            raise gx.exceptions.GreatExpectationsError(
                f"{contract.name}: {config.meta['name']} could not be judged: {item.exception_info}"
            )
        results[config.meta["name"]] = _result(contract, frame, config, item)
    return [results[meta["name"]] for _, _, meta in expectation_specs(contract)]


def _judged(contract: Contract, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns that the suite names, with those of the row checks' verdicts."""
    arguments = [arguments for _, arguments, _ in expectation_specs(contract)]
    named = {name for part in arguments for name in (part.get("column"), *part.get("column_list", ()))}
    verdicts = {VERDICT.format(name=check.name): _verdict(check, frame) for check in contract.checks}
    return frame[[name for name in frame.columns if name in named]].assign(**verdicts)


def _validate(contract: Contract, judged: pd.DataFrame) -> list[Any]:
    """The library's results, with the failing rows of those that failed.

    Most expectations hold, and naming rows takes as long as judging them: only what failed is judged again,
    for its rows. The frame is empty afterwards: the library keeps every frame that it has seen.
    """
    asset = _data_source().add_dataframe_asset(f"{contract.name}-{uuid.uuid4().hex}")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": judged})
    with warnings.catch_warnings():
        # The library calls pandas in ways that pandas has deprecated; nothing here can mend that.
        warnings.simplefilter("ignore", category=DeprecationWarning)
        warnings.simplefilter("ignore", category=FutureWarning)
        results = batch.validate(suite(contract), result_format="BOOLEAN_ONLY").results
        failed = {item.expectation_config.meta["name"] for item in results if not item.success}
        if failed:
            results = [item for item in results if item.success]
            results += batch.validate(suite(contract, failed), result_format="COMPLETE").results
    _data_source().delete_asset(asset.name)
    for name in list(judged):
        del judged[name]
    return list(results)


def _result(contract: Contract, frame: pd.DataFrame, config: Any, item: Any) -> CheckResult:
    meta, arguments = config.meta, config.kwargs
    positions = np.asarray(sorted(set(item.result.get("unexpected_index_list") or [])), dtype=np.int64)
    judged = arguments.get("column")
    columns = list(dict.fromkeys([*contract.key, *([judged] if judged in frame.columns else [])]))
    failing = frame.iloc[[] if item.success else positions][columns]
    return CheckResult(
        name=meta["name"],
        doc=meta["doc"],
        remedy=meta["remedy"],
        severity=Severity(meta["severity"]),
        passed=bool(item.success),
        n_failing=0 if item.success else max(len(failing), 1),
        failing=failing,
    )


def _verdict(check: RowCheck, frame: pd.DataFrame) -> pd.Series:
    if frame.empty:
        return pd.Series([], dtype=bool)
    return check.passes(frame).astype(bool)


def _spec(kind: str, name: str, doc: str, **arguments: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    meta = {"name": name, "doc": doc, "remedy": _MEND, "severity": str(Severity.ERROR)}
    return kind, arguments, meta


@cache
def _great_expectations() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations
    import great_expectations.expectations

    return great_expectations


@cache
def _data_source() -> Any:
    context = _great_expectations().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context.data_sources.add_pandas("frames")
