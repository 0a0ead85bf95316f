"""Tables that are judged, read and built a part at a time: the same as at once."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline import contracts
from perp_pipeline.contracts.model import Column, Contract, RowCheck
from perp_pipeline.inputs import built, built_apart
from perp_pipeline.lake import Lake
from perp_pipeline.lake import lake as lake_module
from perp_pipeline.lake.tables import in_order, split, to_arrow
from perp_pipeline.months import Span
from perp_pipeline.quality import suites
from perp_pipeline.quality.suites import audit
from perp_pipeline.runner import Context
from perp_pipeline.settings import Settings
from perp_pipeline.steps import Input, Step


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


@given(
    blocks=st.lists(st.integers(0, 12), max_size=20),
    others=st.lists(st.integers(0, 12), max_size=5),
    piece=st.integers(1, 7),
)
def test_pieces_are_the_table_and_cut_no_block_apart(
    blocks: list[int], others: list[int], piece: int
) -> None:
    frame = pd.DataFrame({"pool": ["a"] * len(blocks) + ["b"] * len(others), "block": [*blocks, *others]})
    frame = frame.sort_values(["pool", "block"], ignore_index=True).astype({"block": "int64"})
    frame["value"] = frame.index.astype("float64")
    table = to_arrow(STEPS, frame.assign(time=pd.Timestamp("2024-01-01", tz="UTC")))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(lake_module, "PIECE", piece)
        lake = Lake.at(folder)
        lake.commit(STEPS, table, now=datetime(2025, 1, 1, tzinfo=UTC))
        names = ["pool", "block", "value"]
        found = list(lake.pieces(STEPS, columns=names, apart="block"))
        if not len(table):
            assert not found
            return
        assert pa.concat_tables(found).equals(lake.read(STEPS, columns=names))
    for one, next_ in pairwise(found):
        assert (one["pool"][-1], one["block"][-1]) != (next_["pool"][0], next_["block"][0])


def test_a_step_built_in_pieces_gives_what_it_gives_at_once(tmp_path: Path) -> None:
    sums = Contract("core_sums", "Sums.", "one block", ("pool", "block"), STEPS.columns, "time", ("pool",))

    def build(*, raw_steps: pd.DataFrame) -> pd.DataFrame:
        return raw_steps.groupby(["pool", "block"], as_index=False).agg({"time": "first", "value": "sum"})

    table = _table([(n // 3, float(n)) for n in range(60)])
    lake = Lake.at(tmp_path)
    lake.commit(STEPS, table, now=datetime(2025, 1, 1, tzinfo=UTC))
    context = Context(
        lake,
        None,
        Settings(lake=str(tmp_path)),
        datetime(2025, 1, 1, tzinfo=UTC),
        {},
    )
    span = Span.parse("2024-01", "2024-01")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contracts, "get", {"raw_steps": STEPS, "core_sums": sums}.__getitem__)
        patch.setattr(lake_module, "PIECE", 4)
        step = Step(sums, build, (Input("raw_steps"),), apart="block")
        at_once = built(step, span, {}, {}, context, [])
        pieces = list(built_apart(step, span, {}, {}, context, []))
    assert len(pieces) > 10
    assert at_once is not None
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), at_once)
