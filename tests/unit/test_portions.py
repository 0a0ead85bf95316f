"""Pools that are built together: none left out, none twice, and no more at once than the largest alone."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline import portions
from perp_pipeline.portions import POOL, by_pool, packed


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 50), max_size=8))
def test_runs_hold_every_name_once_and_weigh_at_most_the_largest(weights: dict[str, int]) -> None:
    runs = packed(weights)
    assert [name for run in runs for name in run] == sorted(weights)
    assert all(run for run in runs)
    assert all(sum(weights[name] for name in run) <= max(weights.values()) for run in runs)
    # no two neighbours could have been one
    for left, right in pairwise(runs):
        assert sum(weights[name] for name in left) + weights[right[0]] > max(weights.values())


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 9)), max_size=9))
def test_frames_of_a_pool_stay_together(rows: list[tuple[str, int]]) -> None:
    frames = [pa.table({POOL: [pool] * n, "row": range(n)}) for pool, n in sorted(rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions, "TOGETHER", 12)
        groups = [(share[POOL], list(held)) for share, held in by_pool(frames)]
    assert [id(frame) for _, held in groups for frame in held] == [id(frame) for frame in frames]
    pools = [pool for own, _ in groups for pool in own]
    assert len(pools) == len(set(pools))
    for own, held in groups:
        assert own == sorted({pool for frame in held for pool in frame[POOL].to_pylist()})
        assert len(own) == 1 or sum(map(len, held)) <= 12
