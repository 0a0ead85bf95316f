from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from perp_pipeline import contracts
from perp_pipeline.contracts.model import Column, Contract
from perp_pipeline.graph import UnknownTable, build_graph, select
from perp_pipeline.lake import Lake, TableMissing
from perp_pipeline.lake.kept_out import kept_out
from perp_pipeline.months import Month, Span
from perp_pipeline.runner import Context, StepFailed, run_many, run_node
from perp_pipeline.settings import Settings
from perp_pipeline.sources.errors import IncompleteBody
from perp_pipeline.steps import Built, Input, Step

NOW = datetime(2020, 6, 15, tzinfo=UTC)
SPAN = Span.parse("2020-01", "2020-03")
TIME = Column("time", "timestamp", "When.")
RATE = Column("rate", "float64", "Rate.", "fraction", low=-1, high=1)
RAW = Contract("raw_rates", "Raw.", "one row per time", ("time",), (TIME, RATE), time="time")
CORE = Contract("core_rates", "Core.", "one row per time", ("time",), (TIME, RATE), time="time")
OUT = Contract(
    "out_mean",
    "Mean.",
    "one row",
    ("name",),
    (Column("name", "string", "Name."), Column("mean", "float64", "Mean.", "fraction")),
)
OTHER = Contract("out_other", "Other.", "one row", ("name",), (Column("name", "string", "Name."),))


@dataclass
class Venue:
    """A dataset with rows every 8 hours; ``spoil`` changes them, ``broken`` makes the venue fail."""

    contract: Contract = RAW
    venue: str = "test"
    last: str = "2020-03"
    broken: bool = False
    spoil: dict[str, float] = field(default_factory=dict)

    def fetch(self, http: Any, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        if self.broken:
            raise IncompleteBody("test raw_rates 2020-02: 3 rows are missing. Remedy: run again")
        for month in span:
            if month <= Month.parse(self.last):
                time = pd.date_range(month.start, month.end, freq="8h", inclusive="left")
                rate = [self.spoil.get(str(stamp), 0.001) for stamp in time]
                yield pd.DataFrame({"time": time, "rate": rate})


def core_rates(raw_rates: pd.DataFrame) -> Built:
    keep = raw_rates["rate"] != 0
    dropped = raw_rates[~keep]
    return Built(
        raw_rates[keep],
        pd.DataFrame({"table": "raw_rates", "key": dropped["time"].astype(str), "reason": "zero rate"}),
    )


def out_mean(core_rates: pd.DataFrame, periods: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({"name": ["all", *periods], "mean": core_rates["rate"].mean()})


STEPS = (
    Step(OUT, out_mean, (Input("core_rates", whole=True),), parameters=("periods",)),
    Step(CORE, core_rates, (Input("raw_rates"),), chapter="funding"),
    Step(OTHER, lambda: pd.DataFrame({"name": ["x"]}), ()),
)


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def context(venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    known = {contract.name: contract for contract in (RAW, CORE, OUT, OTHER)}
    monkeypatch.setattr(contracts, "get", known.__getitem__)
    nodes = build_graph([venue], STEPS)
    settings = Settings(periods=("2020",))
    return Context(Lake.at(str(tmp_path)), None, settings, NOW, nodes)


def test_steps_run_after_what_they_read(context: Context) -> None:
    assert select(context.nodes, []) == ["raw_rates", "core_rates", "out_other", "out_mean"]
    assert select(context.nodes, ["out_mean"]) == ["raw_rates", "core_rates", "out_mean"]
    assert select(context.nodes, ["funding"]) == ["raw_rates", "core_rates"]
    with pytest.raises(UnknownTable, match=r"'mean' is no table.*raw_rates.*Layers and chapters: core"):
        select(context.nodes, ["mean"])


def test_steps_that_nothing_feeds_and_double_writers_are_refused(venue: Venue) -> None:
    with pytest.raises(ValueError, match=r"core_rates.*raw_rates"):
        build_graph([], STEPS)
    with pytest.raises(ValueError, match="two steps write"):
        build_graph([venue], [*STEPS, STEPS[0]])


def test_a_run_fills_the_lake_and_a_second_run_changes_nothing(context: Context) -> None:
    first = run_many(list(context.nodes), SPAN, context)
    assert [report.error for report in first] == [None] * 4
    assert [len(report.written) for report in first] == [3, 3, 1, 1]
    assert list(context.lake.frame(OUT)["name"]) == ["2020", "all"]
    assert context.lake.frame(OUT)["mean"].to_list() == pytest.approx([0.001, 0.001])
    second = run_many(list(context.nodes), SPAN, context)
    assert [len(report.written) for report in second] == [0, 0, 0, 0]
    assert [len(report.unchanged) for report in second] == [3, 3, 1, 1]


def test_rows_that_cleaning_keeps_out_are_named(context: Context, venue: Venue) -> None:
    venue.spoil = {"2020-02-03 08:00:00+00:00": 0.0}
    run_node("raw_rates", SPAN, context)
    report = run_node("core_rates", SPAN, context)
    assert report.dropped[["key", "reason"]].to_numpy().tolist() == [
        ["2020-02-03 08:00:00+00:00", "zero rate"]
    ]
    assert report.rows == 91 * 3 - 1
    run_node("core_rates", Span.parse("2020-02", "2020-03"), context)
    row = ["core_rates", "raw_rates", "2020-02-03 08:00:00+00:00", "zero rate"]
    assert kept_out(context.lake, "core_rates").to_numpy().tolist() == [[*row, "2020-02..2020-03"]]


def test_a_row_that_is_good_again_is_no_longer_named(context: Context, venue: Venue) -> None:
    bad = ["2020-01-05 08:00:00+00:00", "2020-02-03 08:00:00+00:00"]
    venue.spoil = dict.fromkeys(bad, 0.0)
    run_node("raw_rates", SPAN, context)
    run_node("core_rates", Span.parse("2020-01", "2020-01"), context)
    run_node("core_rates", Span.parse("2020-02", "2020-03"), context)
    assert kept_out(context.lake)["key"].to_list() == bad
    venue.spoil = {}
    run_node("raw_rates", SPAN, replace(context, allow_lost_rows=True))
    run_node("core_rates", Span.parse("2020-01", "2020-02"), context)
    assert kept_out(context.lake)["key"].to_list() == bad[1:]  # built with March before
    run_node("core_rates", SPAN, context)
    assert kept_out(context.lake).empty


def test_a_bad_month_is_kept_out_the_good_ones_are_published_and_what_depends_stops(
    context: Context, venue: Venue
) -> None:
    run_many(list(context.nodes), SPAN, context)
    before = context.lake.frame(RAW)
    venue.spoil = {"2020-02-03 08:00:00+00:00": 7.0, "2020-01-05 00:00:00+00:00": 0.002}
    raw, core, other, out = run_many(list(context.nodes), SPAN, context)
    assert raw.error and "time=2020-02-03 08:00:00+00:00, rate=7.0" in raw.error
    assert [str(key) for key in raw.rejected] == ["month=2020-02"]
    assert core.error == "not run: raw_rates failed" and out.error == "not run: core_rates failed"
    assert other.error is None
    after = context.lake.frame(RAW)
    assert after["rate"].max() == 0.002, "January was corrected, February stayed as it was"
    assert len(after) == len(before)
    reasons = list(
        (Path(str(context.lake.root)) / "_quarantine/raw_rates/month=2020-02").glob("*/reason.json")
    )
    assert len(reasons) == 1


def test_a_missing_value_names_its_row(context: Context, venue: Venue) -> None:
    venue.spoil = {"2020-03-01 00:00:00+00:00": np.nan}
    with pytest.raises(StepFailed, match=r"rate is never missing \(time=2020-03-01 00:00:00") as failure:
        run_node("raw_rates", SPAN, context)
    assert [str(key) for key in failure.value.report.rejected] == ["month=2020-03"]
    assert len(failure.value.report.written) == 2


def test_a_failing_venue_fails_its_table_only(context: Context, venue: Venue) -> None:
    venue.broken = True
    raw, *_, out = run_many(list(context.nodes), SPAN, context)
    assert raw.error == "test raw_rates 2020-02: 3 rows are missing. Remedy: run again"
    assert out.error is not None
    assert context.lake.partitions(RAW) == {}


def test_a_closed_month_that_would_shrink_fails_and_stays(context: Context, venue: Venue) -> None:
    run_node("raw_rates", SPAN, context)
    venue.last = "2020-02"
    with pytest.raises(StepFailed, match="month=2020-03: the refresh has no row of this closed month"):
        run_node("raw_rates", SPAN, context)
    assert len(context.lake.frame(RAW)) == 91 * 3


def test_a_source_that_answers_nothing_for_months_on_record_fails(context: Context, venue: Venue) -> None:
    run_node("raw_rates", SPAN, context)
    venue.last = "2019-12"
    with pytest.raises(StepFailed, match="month=2020-01: the refresh has no row of this closed month"):
        run_node("raw_rates", SPAN, context)
    assert len(context.lake.frame(RAW)) == 91 * 3


def test_months_beyond_a_source_are_no_failure(context: Context) -> None:
    run_many(list(context.nodes), SPAN, context)
    later = Span.parse("2020-05", "2020-06")
    raw, core, _, out = run_many(list(context.nodes), later, context)
    assert raw.note == "the source has no rows for 2020-05..2020-06"
    assert core.note == "no input rows for 2020-05..2020-06"
    assert out.error is None and len(out.unchanged) == 1


def test_an_input_that_was_never_made_is_an_error_with_its_remedy(context: Context) -> None:
    with pytest.raises(StepFailed, match="perp run --select raw_rates") as failure:
        run_node("core_rates", SPAN, context)
    assert isinstance(failure.value.cause, TableMissing)


def test_a_row_without_a_time_is_rejected_and_kept_in_quarantine(context: Context, venue: Venue) -> None:
    class Timeless(Venue):
        def fetch(self, http: Any, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
            for frame in super().fetch(http, span, now):
                yield frame.assign(time=frame["time"].where(frame.index != 4))

    context.nodes["raw_rates"] = build_graph([Timeless()], ())["raw_rates"]
    with pytest.raises(StepFailed, match="time is never missing"):
        run_node("raw_rates", SPAN, context)
    held = list((Path(str(context.lake.root)) / "_quarantine").rglob("rejected.parquet"))
    assert sum(len(pd.read_parquet(file)) for file in held) == 3


def test_a_defect_in_one_step_fails_its_table_and_what_depends_on_it_alone(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(raw_rates: pd.DataFrame) -> pd.DataFrame:
        return raw_rates.iloc[[len(raw_rates)]]

    steps = (STEPS[0], Step(CORE, broken, (Input("raw_rates"),)), STEPS[2])
    context.nodes |= build_graph(context.nodes["raw_rates"].datasets, steps)
    raw, core, other, out = run_many(["raw_rates", "core_rates", "out_other", "out_mean"], SPAN, context)
    assert raw.error is None and other.error is None
    assert core.error is not None and core.error.startswith("core_rates 2020-01..2020-03: IndexError: ")
    assert "Remedy: a defect of the step" in core.error and "in broken" in caplog.text
    assert out.error == "not run: core_rates failed"


SMOOTH = Contract("core_smooth", "Mean of 35 days.", "one row per time", ("time",), (TIME, RATE), time="time")
CENTRED = Contract(
    "core_centred", "Mean of 35 days around.", "one row per time", ("time",), (TIME, RATE), time="time"
)


def _rolled(frame: pd.DataFrame, shift: int) -> pd.DataFrame:
    """Means over 105 rows, ending ``shift`` rows later; of the months beside as far as they are there."""
    return frame.assign(rate=frame["rate"].rolling(105, min_periods=1).mean().shift(-shift).ffill().round(12))


CHAIN = (
    Step(SMOOTH, lambda raw_rates: _rolled(raw_rates, 0), (Input("raw_rates", before=2),)),
    Step(CENTRED, lambda core_smooth: _rolled(core_smooth, 52), (Input("core_smooth", before=2, after=1),)),
)


@pytest.mark.parametrize("order", list(permutations(range(1, 6)))[::7], ids=str)
def test_months_in_any_order_end_in_the_same_lake(
    order: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month is built again when one that it rests on, directly or not, comes later."""
    known = {contract.name: contract for contract in (RAW, SMOOTH, CENTRED)}
    monkeypatch.setattr(contracts, "get", known.__getitem__)
    spoil = {
        f"2020-{month:02d}-{day:02d} 08:00:00+00:00": 0.001 * month
        for month in range(1, 6)
        for day in (3, 27)
    }
    nodes = build_graph([Venue(last="2020-05", spoil=spoil)], CHAIN)
    at_once, one_by_one = (
        Context(Lake.at(str(tmp_path / name)), None, Settings(), NOW, nodes)
        for name in ("at_once", "one_by_one")
    )
    run_many(list(nodes), Span.parse("2020-01", "2020-05"), at_once)
    for month in order:
        reports = run_many(list(nodes), Span(Month(2020, month), Month(2020, month)), one_by_one)
        assert [report.error for report in reports] == [None, None, None]
    for contract in (SMOOTH, CENTRED):
        pd.testing.assert_frame_equal(one_by_one.lake.frame(contract), at_once.lake.frame(contract))
