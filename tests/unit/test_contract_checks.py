"""Row checks find what they are for, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from perp_pipeline.contracts import checks
from perp_pipeline.contracts.funding import TABLES as CORE
from perp_pipeline.contracts.model import RowCheck
from perp_pipeline.contracts.raw_funding import TABLES as RAW
from perp_pipeline.lake.tables import to_frame


def times(*texts: str) -> pd.Series:
    return pd.Series(pd.to_datetime(list(texts), format="ISO8601", utc=True)).astype("datetime64[us, UTC]")


def bad(check: RowCheck, **columns: object) -> list[int]:
    passes = check.passes(pd.DataFrame(columns))
    assert passes.dtype == bool
    return np.flatnonzero(~passes).tolist()


T = times("2020-01-01T00:00", "2020-01-01T08:00", "2020-01-01T16:00:00.040", "2020-01-02T08:00")
S = ["a", "a", "a", "b"]


def test_grid() -> None:
    assert bad(checks.on_grid("t", 8), t=T) == [2]
    assert bad(checks.on_grid("t", 8, tolerance_seconds=1), t=T) == []
    assert bad(checks.on_grid("t", 8, offset_hours=4), t=times("2020-01-01T04:00", "2020-01-01T08:00")) == [1]
    # Just before a grid point is as near as just after it.
    assert bad(checks.on_grid("t", 8, tolerance_seconds=1), t=times("2020-01-01T07:59:59.9")) == []


def test_order_of_times() -> None:
    assert bad(checks.increasing("t", ["s"]), s=S, t=T) == []
    assert bad(checks.increasing("t", ["s"]), s=["a"] * 3, t=T.iloc[[0, 0, 1]].reset_index(drop=True)) == [1]
    assert bad(checks.gap_free("t", ["s"], 8), s=S, t=T) == []
    assert bad(checks.gap_free("t", [], 8), t=T) == [3]
    assert bad(checks.gap_free("t", [], "h"), t=T, h=[8, 8, 8, 24]) == []


def test_declared_gaps_pass() -> None:
    declared = checks.gap_free("t", [], 8, declared=lambda frame: frame["t"] == T[3])
    assert bad(declared, t=T) == []


def test_ranges() -> None:
    assert bad(checks.no_overlap("a", "b", ["s"]), s=["x", "x", "y"], a=[0, 1, 0], b=[2, 3, 2]) == [1]
    assert bad(checks.ordered("a", "b"), a=[1, 2, np.nan], b=[1, 1, 0]) == [1]
    assert bad(checks.ordered("a", "b", strictly=True), a=[1, 0], b=[1, 1]) == [0]
    assert bad(checks.same("a", "b"), a=[1, np.nan, 2], b=[1, np.nan, 3]) == [2]


def test_values() -> None:
    assert bad(checks.finite("x"), x=[1.0, np.inf, np.nan]) == [1]
    assert bad(checks.positive("x"), x=[1.0, 0.0, -1.0, np.nan]) == [1, 2]
    assert bad(checks.not_negative("x"), x=[0.0, -1.0, np.nan]) == [1]
    assert bad(checks.one_of("x", [1, 8]), x=[1.0, 3.0, np.nan]) == [1]
    assert bad(checks.within("x", {"v": (0, 1)}), venue=["v", "v", "w"], x=[1.0, 2.0, 9.0]) == [1]
    assert bad(checks.within("x", {"v": (0, 1)}, otherwise=(0, 5)), venue=["v", "w"], x=[1.0, 9.0]) == [1]
    assert bad(checks.unique("x"), x=[1, 2, 1]) == [0, 2]


def test_bars() -> None:
    bars = {
        "open": [2.0, 2.0, 2.0],
        "high": [3.0, 1.0, 3.0],
        "low": [1.0, 1.0, 2.5],
        "close": [2.0, 1.0, 3.0],
    }
    assert bad(checks.ohlc_ordered(), **bars) == [1, 2]
    assert bad(checks.no_jump("x", ["s"], 2.0), s=["a", "a", "a", "b"], x=[1.0, 1.5, 4.0, 100.0]) == [2]


def test_frozen_runs() -> None:
    x = [1.0, 1.0, 1.0, 2.0, 1.0, 1.0]
    assert bad(checks.not_frozen("x", rows=3), x=x) == [0, 1, 2]
    assert bad(checks.not_frozen("x", ["s"], rows=3), s=["a", "a", "b", "b", "b", "b"], x=x) == []
    assert bad(checks.not_frozen("x", rows=3, allowed=(1.0,)), x=x) == []
    assert bad(checks.not_frozen("x", rows=2), x=[np.nan, np.nan, 1.0]) == []


def test_flat_tail_is_the_end_of_a_series_only() -> None:
    check = checks.no_flat_tail("x", ["s"], 0.0001, 2)
    assert bad(check, s=["a"] * 5, x=[0.0001, 0.0001, 0.5, 0.0001, 0.0001]) == [3, 4]
    assert bad(check, s=["a", "a", "b", "b"], x=[0.5, 0.0001, 0.0001, 0.2]) == []


def test_agreement_across_venues() -> None:
    check = checks.agrees_across("x", "venue", ["at"], 0.1)
    assert bad(check, venue=["a", "b", "c"], at=[1, 1, 1], x=[1.0, 1.05, 2.0]) == [2]
    # Alone there is nothing to compare with, and two symbols of one venue are no second opinion.
    assert bad(check, venue=["a", "a"], at=[1, 1], x=[1.0, 2.0]) == []
    relative = checks.agrees_across("x", "venue", ["at"], 0.1, relative=True)
    assert bad(relative, venue=["a", "b"], at=[1, 1], x=[100.0, 110.0]) == []


@pytest.mark.parametrize("contract", [*CORE, *RAW], ids=lambda contract: contract.name)
def test_checks_of_the_funding_tables_stand_an_empty_table(contract: Any) -> None:
    names = [check.name for check in contract.checks]
    assert len(names) == len(set(names))
    empty = to_frame(contract.schema.empty_table())
    for check in contract.checks:
        assert check.passes(empty).empty, check.name
        assert check.doc and check.remedy
