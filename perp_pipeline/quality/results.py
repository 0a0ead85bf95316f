"""What an audit says: one result per expectation, with the failing rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from perp_pipeline.contracts.model import Contract, Severity


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one expectation on one table.

    Attributes:
        failing: the failing rows (key columns and the judged column); positions in the audited table
            are its index. Empty where the check passed, or judges the table as a whole.
        n_failing: how many rows failed (1 for a table-level failure).
    """

    name: str
    doc: str
    remedy: str
    severity: Severity
    passed: bool
    n_failing: int
    failing: pd.DataFrame

    @property
    def blocks(self) -> bool:
        """True where this result keeps rows from being published."""
        return not self.passed and self.severity is Severity.ERROR

    def describe(self, contract: Contract, limit: int = 3) -> str:
        """One line a person can act on: table, check, rows, remedy."""
        rows = "; ".join(
            ", ".join(f"{name}={value}" for name, value in zip(self.failing.columns, row, strict=True))
            for row in self.failing.head(limit).itertuples(index=False)
        )
        more = f" and {self.n_failing - limit} more" if self.n_failing > limit and rows else ""
        where = f" ({rows}{more})" if rows else ""
        return f"{contract.name}: {self.doc}{where}. Remedy: {self.remedy}"


def blocking(results: Sequence[CheckResult]) -> list[CheckResult]:
    """The results that keep rows from being published."""
    return [result for result in results if result.blocks]


def merged(before: Sequence[CheckResult], after: Sequence[CheckResult]) -> list[CheckResult]:
    """Results of one suite on two parts of a table, as of the whole."""
    earlier = {result.name: result for result in before}
    return [_joined(earlier[result.name], result) if result.name in earlier else result for result in after]


def overlapping(before: Sequence[CheckResult], after: Sequence[CheckResult]) -> list[CheckResult]:
    """:func:`merged`, of parts that have rows in common: these count once."""
    return [
        replace(result, failing=rows, n_failing=max(len(rows), 0 if result.passed else 1))
        for result in merged(before, after)
        for rows in [result.failing[~result.failing.index.duplicated()]]
    ]


def _joined(one: CheckResult, other: CheckResult) -> CheckResult:
    failing = [result.failing for result in (one, other) if not result.failing.empty]
    return replace(
        other,
        passed=one.passed and other.passed,
        n_failing=one.n_failing + other.n_failing,
        failing=pd.concat(failing) if failing else other.failing,
    )
