import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from upath import UPath

from perp_pipeline.contracts.model import Column, Contract
from perp_pipeline.lake import Lake, LakeError, PartitionKey, SchemaMismatch, TableMissing
from perp_pipeline.lake import files as lake_files
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.months import Span

NOW = datetime(2020, 3, 15, tzinfo=UTC)
SPAN = Span.parse("2020-01", "2020-03")
RATES = Contract(
    name="core_rates",
    doc="Rates for tests.",
    grain="one row per venue and time",
    key=("venue", "time"),
    columns=(
        Column("venue", "string", "Venue."),
        Column("time", "timestamp", "When."),
        Column("day", "date", "Day."),
        Column("rate", "float64", "A rate.", "fraction", nullable=True),
    ),
    time="time",
    partition_by=("venue",),
)
WHOLE = Contract(
    "out_whole", "A table written whole.", "one row per name", ("name",), (Column("name", "string", "Name."),)
)


def frame(venues: tuple[str, ...] = ("b", "a")) -> pd.DataFrame:
    time = pd.date_range("2020-01-01", "2020-03-10", freq="8h", tz="UTC")
    day = time.tz_localize(None).normalize()
    return pd.concat(
        [
            pd.DataFrame({"venue": venue, "time": time, "day": day, "rate": np.arange(len(time)) / 7})
            for venue in venues
        ],
        ignore_index=True,
    ).sample(frac=1, random_state=1)


@pytest.fixture(params=["local", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    if request.param == "local":
        yield Lake.at(str(tmp_path / "lake"))
        return
    root = UPath(f"memory://lake-{tmp_path.name}")
    yield Lake.at(root)
    if root.exists():
        root.fs.rm(root.path, recursive=True)


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(file.relative_to(root)): (file.read_bytes(), file.stat().st_mtime_ns)
        for file in sorted(root.rglob("*"))
        if file.is_file()
    }


def test_read_gives_back_what_was_committed_sorted_by_key(lake: Lake) -> None:
    done = lake.commit(RATES, to_arrow(RATES, frame()), now=NOW, span=SPAN)
    assert len(done.written) == 6
    expected = frame().sort_values(["venue", "time"], ignore_index=True)
    pd.testing.assert_frame_equal(lake.frame(RATES), expected, check_dtype=False)


def test_reads_prune_by_month_value_and_column(lake: Lake) -> None:
    lake.commit(RATES, to_arrow(RATES, frame()), now=NOW)
    february = lake.frame(RATES, Span.parse("2020-02", "2020-02"), {"venue": ["a"]}, ["venue", "rate"])
    assert list(february.columns) == ["venue", "rate"]
    assert len(february) == 29 * 3 and set(february["venue"]) == {"a"}
    keys = lake.partitions(RATES, Span.parse("2020-02", "2020-02"), {"venue": ["a"]})
    assert [str(key) for key in keys] == ["venue=a/month=2020-02"]


def test_the_same_table_again_touches_no_file(tmp_path: Path) -> None:
    lake = Lake.at(str(tmp_path))
    lake.commit(RATES, to_arrow(RATES, frame()), now=NOW)
    before = snapshot(tmp_path)
    again = lake.commit(RATES, to_arrow(RATES, frame()), now=NOW)
    assert snapshot(tmp_path) == before
    assert (len(again.written), len(again.unchanged)) == (0, 6)


def test_a_closed_month_cannot_lose_rows(lake: Lake) -> None:
    lake.commit(RATES, to_arrow(RATES, frame()), now=NOW)
    whole = frame().sort_values(["venue", "time"], ignore_index=True)
    fewer = whole.drop(index=[5, len(whole) - 1])
    done = lake.commit(RATES, to_arrow(RATES, fewer), now=NOW, span=SPAN)
    [(key, message)] = done.refused.items()
    assert str(key) == "venue=a/month=2020-01"
    assert "2020-01-02 16:00" in message and "--allow-lost-rows" in message
    kept = lake.frame(RATES)
    assert len(kept) == len(whole) - 1, "the closed month is whole, the open month may shrink"
    assert lake.commit(RATES, to_arrow(RATES, fewer), now=NOW, allow_lost_rows=True).refused == {}
    assert len(lake.frame(RATES)) == len(whole) - 2


def test_a_closed_month_cannot_vanish_but_other_scopes_are_left_alone(lake: Lake) -> None:
    lake.commit(RATES, to_arrow(RATES, frame()), now=NOW)
    only_a = to_arrow(RATES, frame(("a",)))
    refused = lake.commit(RATES, only_a, now=NOW, span=SPAN).refused
    assert sorted(map(str, refused)) == ["venue=b/month=2020-01", "venue=b/month=2020-02"]
    assert lake.commit(RATES, only_a, now=NOW, span=SPAN, scope={"venue": {"a"}}).refused == {}


def test_a_refresh_may_correct_and_add_rows(lake: Lake) -> None:
    lake.commit(RATES, to_arrow(RATES, frame().iloc[:-7]), now=NOW)
    corrected = frame().assign(rate=1.0)
    assert lake.commit(RATES, to_arrow(RATES, corrected), now=NOW, span=SPAN).refused == {}
    assert set(lake.frame(RATES)["rate"]) == {1.0}


def test_partitions_held_back_stay_as_they_were(lake: Lake) -> None:
    lake.commit(RATES, to_arrow(RATES, frame()), now=NOW)
    held = PartitionKey((("venue", "a"), ("month", "2020-02")))
    bad = to_arrow(RATES, frame().assign(rate=-1.0))
    lake.commit(RATES, bad, now=NOW, span=SPAN, hold_back=frozenset({held}))
    rates = lake.frame(RATES)
    inside = (rates["venue"] == "a") & (rates["time"].dt.month == 2)
    assert (rates.loc[inside, "rate"] >= 0).all() and (rates.loc[~inside, "rate"] == -1).all()


def test_columns_must_be_the_contracts(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match=r"missing column\(s\) rate.*column\(s\) rat not in"):
        to_arrow(RATES, frame().rename(columns={"rate": "rat"}))
    with pytest.raises(SchemaMismatch, match=r"core_rates\.rate: cannot be stored as float64"):
        to_arrow(RATES, frame().assign(rate="much"))


def test_asking_for_what_is_not_there(lake: Lake) -> None:
    with pytest.raises(TableMissing, match="perp run --select core_rates"):
        lake.read(RATES)
    lake.commit(RATES, to_arrow(RATES, frame()), now=NOW)
    with pytest.raises(LakeError, match="no column 'symbol'; it has venue"):
        lake.read(RATES, where={"symbol": ["x"]})


def test_files_carry_descriptions_and_units_and_plain_readers_work(tmp_path: Path) -> None:
    lake = Lake.at(str(tmp_path))
    lake.commit(RATES, to_arrow(RATES, frame()), now=NOW)
    lake.commit(WHOLE, to_arrow(WHOLE, pd.DataFrame({"name": ["z", "y"]})), now=NOW)
    schema = pq.read_schema(tmp_path / "core/core_rates/venue=a/month=2020-01/part-0.parquet")
    assert schema.field("rate").metadata[b"unit"] == b"fraction"
    assert schema.metadata[b"key"] == b"venue,time"
    plain = pd.read_parquet(tmp_path / "core/core_rates")
    assert len(plain) == len(frame()) and set(plain["venue"].astype(str)) == {"a", "b"}
    assert list(pd.read_parquet(tmp_path / "out/out_whole")["name"]) == ["y", "z"]


def test_quarantine_keeps_the_table_and_the_reason(lake: Lake) -> None:
    folder = lake.quarantine(
        WHOLE, to_arrow(WHOLE, pd.DataFrame({"name": ["bad"]})), PartitionKey(), "why", NOW
    )
    assert "why" in (folder / "reason.json").read_text()
    assert lake.partitions(WHOLE) == {}


def test_real_and_simulated_data_never_share_a_lake(lake: Lake) -> None:
    assert lake.market() is None
    lake.claim_for("real")
    lake.claim_for("real")
    with pytest.raises(LakeError, match="holds real data, this run makes simulated seed 7 data"):
        lake.claim_for("simulated seed 7")


def test_scratch_of_a_dead_process_is_swept_and_of_a_live_one_is_not(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    scratch = tmp_path / lake_files.SCRATCH
    scratch.mkdir()
    host = os.uname().nodename
    dead, alive = scratch / f"{host}-{process.pid}-aa", scratch / f"{host}-{os.getpid()}-bb"
    dead.write_text("torn")
    alive.write_text("being written")
    lake_files.sweep_scratch(UPath(tmp_path))
    assert not dead.exists() and alive.exists()
    alive.unlink()
    lake_files.sweep_scratch(UPath(tmp_path))
    assert not scratch.exists()


def test_a_folder_that_another_process_sweeps_before_it_is_written_to_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swept() -> uuid.UUID:
        lake_files.sweep_scratch(UPath(tmp_path))
        return uuid.UUID(int=1)

    monkeypatch.setattr(lake_files.uuid, "uuid4", swept)
    lake_files.put(UPath(tmp_path), UPath(tmp_path) / "table" / "part", b"whole")
    assert (tmp_path / "table" / "part").read_bytes() == b"whole"
