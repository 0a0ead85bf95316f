"""Tables that are judged, read and built a part at a time: the same as at once."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline.contracts.model import Column, Contract, RowCheck
from perp_pipeline.lake.tables import in_order, split, to_arrow
from perp_pipeline.quality import suites
from perp_pipeline.quality.suites import audit


def _rises(frame: pd.DataFrame) -> pd.Series:
    return ~(frame["value"].diff() < 0)


STEPS = Contract(
    name="raw_steps",
    doc="Steps.",
    grain="one step",
    key=("pool", "block"),
    columns=(
        Column("pool", "string", "pool"),
        Column("block", "int64", "block", low=0, high=20),
        Column("time", "timestamp", "when"),
        Column("value", "float64", "value"),
    ),
    time="time",
    partition_by=("pool",),
    checks=(RowCheck("rises", "value never falls", _rises, "look"),),
    large=True,
)


def _table(rows: list[tuple[int, float | None]]) -> pa.Table:
    frame = pd.DataFrame(sorted(rows, key=lambda row: row[0]), columns=["block", "value"])
    frame = frame.astype({"block": "int64", "value": "float64"})
    start = pd.Timestamp("2024-01-01", tz="UTC")
    return to_arrow(STEPS, frame.assign(pool="a", time=start + pd.to_timedelta(frame["block"], unit="h")))


VALUES = st.one_of(st.none(), st.integers(0, 9).map(float))


@pytest.mark.filterwarnings("ignore")
@given(rows=st.lists(st.tuples(st.integers(0, 22), VALUES), max_size=9), slice_=st.integers(1, 4))
def test_a_table_judged_in_slices_is_judged_as_a_whole(
    rows: list[tuple[int, float | None]], slice_: int
) -> None:
    table = _table(rows)
    whole = audit(STEPS, table)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(suites, "SLICE", slice_)
        parts = audit(STEPS, table)
    for one, other in zip(whole, parts, strict=True):
        assert (one.name, one.passed, one.n_failing) == (other.name, other.passed, other.n_failing)
        pd.testing.assert_frame_equal(one.failing, other.failing.sort_index(), check_index_type=False)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.one_of(st.none(), st.integers(0, 4))), max_size=8))
def test_what_ascends_is_left_as_it_is(rows: list[tuple[str, int | None]]) -> None:
    pools, blocks = ([row[place] for row in rows] for place in (0, 1))
    table = pa.table({"pool": pa.array(pools, pa.string()), "block": pa.array(blocks, pa.int64())})
    table = table.append_column("place", pa.array(range(len(rows)), pa.int64()))
    expected = table.sort_by([("pool", "ascending"), ("block", "ascending")])
    assert in_order(STEPS, table).equals(expected)
    assert in_order(STEPS, expected) is expected or None in blocks


def test_a_table_of_one_partition_is_not_copied_together() -> None:
    table = _table([(n, 1.0) for n in range(5)])
    ((key, part),) = split(STEPS, table)
    assert str(key) == "pool=a/month=2024-01"
    assert part.equals(table)
    two = pa.concat_tables([table, table.set_column(0, "pool", pa.array(["b"] * 5))])
    assert [str(key) for key, _ in split(STEPS, two)] == ["pool=a/month=2024-01", "pool=b/month=2024-01"]
    assert not list(split(STEPS, table.slice(0, 0)))
