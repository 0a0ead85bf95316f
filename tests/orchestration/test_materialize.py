"""What a materialised partition leaves behind, on the simulated market."""

from __future__ import annotations

import hashlib
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from orchestrated import FUNDING, NOW, Launch, SimulatedPipeline, Spoil

from perp_pipeline import contracts
from perp_pipeline.lake import Lake
from perp_pipeline.quality.suites import expectation_specs

TABLE = "core_funding_8h"
KEY = dg.AssetKey(["core", "funding_8h"])


def digests(lake: Path) -> dict[str, str]:
    files = (path for layer in ("raw", "core", "out") for path in (lake / layer).rglob("*.parquet"))
    return {str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def evaluations(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, dg.AssetCheckEvaluation]:
    return {item.check_name: item for item in result.get_asset_check_evaluations() if item.asset_key == key}


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {
        event.asset_key.to_user_string()
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def test_a_partition_shows_its_checks_rows_preview_and_plot(launch: Launch, lake: Path) -> None:
    result = launch(FUNDING, "2021-01", "2021-02")
    assert result.success
    checks = evaluations(result, KEY)
    assert set(checks) == {meta["name"] for _, _, meta in expectation_specs(contracts.get(TABLE))}
    blocking = [check for check in checks.values() if check.blocking]
    assert len(blocking) > 10 and all(check.passed for check in blocking)
    assert checks["unique_key"].metadata["months"].value == "2021-01..2021-02"

    rows = Lake.at(str(lake)).frame(contracts.get(TABLE))["window_end"].dt.strftime("%Y-%m").value_counts()
    events = [
        event.materialization for event in result.get_asset_materialization_events() if event.asset_key == KEY
    ]
    assert sorted(str(event.partition) for event in events) == ["2021-01", "2021-02"]
    for event in events:
        assert event.metadata["dagster/partition_row_count"].value == rows[event.partition]
        assert event.metadata["rows"].value == rows.sum()
        preview = event.metadata["preview"].value
        assert (
            isinstance(preview, str)
            and preview.startswith("|venue|symbol|window_end|")
            and len(preview) < 1000
        )
        assert str(event.metadata["plot"].value).startswith("![")


def test_the_open_month_has_prices_up_to_the_hour(launch: Launch, lake: Path) -> None:
    """Returns are not a month behind funding."""
    raw = ["raw/binance_spot_1h", "raw/cdd_candles", "raw/spot_candles"]
    assert launch([*raw, "core/spot_1h", "core/returns_8h"], "2021-02", "2021-03").success
    returns = Lake.at(str(lake)).frame(contracts.get("core_returns_8h"))
    assert returns["window_end"].max() == pd.Timestamp(NOW)
    assert returns.groupby("base").size().nunique() == 1


def test_the_same_partition_again_changes_no_byte(launch: Launch, lake: Path) -> None:
    assert launch(FUNDING, "2021-01").success
    before = digests(lake)
    again = launch(FUNDING, "2021-01")
    assert again.success and digests(lake) == before
    (event,) = [e.materialization for e in again.get_asset_materialization_events() if e.asset_key == KEY]
    assert event.metadata["partitions_written"].value == 0


def test_month_by_month_and_as_a_range_gives_the_same_bytes(
    launch: Launch, lake: Path, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    assert launch(FUNDING, "2020-12", "2021-02").success
    single = Launch(tmp_path / "single", instance)
    for month in ("2020-12", "2021-01", "2021-02"):
        assert single(FUNDING, month).success
    # A month's tables read ahead into the next one: the last pass has it.
    assert digests(tmp_path / "single") == digests(lake)


def test_a_month_that_a_venue_has_not_is_no_failure(launch: Launch, lake: Path) -> None:
    result = launch(["raw/binance_funding"], "2016-06")
    assert result.success
    (event,) = result.get_asset_materialization_events()
    note = "the source has no rows for 2016-06..2016-06"
    assert event.materialization.metadata["note"].value == note
    assert event.materialization.metadata["dagster/partition_row_count"].value == 0
    checks = evaluations(result, dg.AssetKey(["raw", "binance_funding"])).values()
    assert {check.description for check in checks} == {f"nothing to judge: {note}"}


def test_a_failing_check_blocks(launch: Launch, lake: Path, spoil: dict[str, Spoil]) -> None:
    assets = [*FUNDING, "core/funding_daily"]
    upstream, table, downstream = (
        FUNDING[:2],
        "core_funding_payments",
        ["core/funding_8h", "core/funding_daily"],
    )
    assert launch(assets, "2021-01").success
    before = digests(lake)
    worst = pd.Timestamp("2021-01-15 08:00", tz="UTC")
    spoil[table] = lambda frame: frame.assign(rate=frame["rate"].mask(frame["paid_at"] == worst, 7.0))

    result = launch(assets, "2021-01")

    assert not result.success
    assert materialized(result) == set(upstream)
    assert not materialized(result) & set(downstream)
    check = evaluations(result, dg.AssetKey(["core", "funding_payments"]))["rate_in_bounds"]
    assert not check.passed and check.severity is dg.AssetCheckSeverity.ERROR and check.blocking
    table_of_rows = check.metadata["first_failing_rows"]
    assert isinstance(table_of_rows, dg.TableMetadataValue)
    shown = table_of_rows.records
    assert len(shown) == check.metadata["failing_rows"].value
    assert {record.data["rate"] for record in shown} == {"7.0"}
    (failed,) = result.get_failed_step_keys()
    failure = result.failure_data_for_node(failed)
    assert failure is not None and failure.user_failure_data is not None
    assert "month=2021-01" in str(failure.user_failure_data.metadata["rejected_partitions"].value)
    assert digests(lake) == before, "what was there stays"
    assert list((lake / "_quarantine" / table).rglob("rejected.parquet"))


def test_warnings_are_checks_that_fail_without_failing_the_run(launch: Launch) -> None:
    # Without December the first window of January is covered in part: true, and worth a word.
    result = launch(FUNDING, "2021-01")
    assert result.success
    check = evaluations(result, KEY)["fully_covered"]
    assert not check.passed and check.severity is dg.AssetCheckSeverity.WARN and not check.blocking
    assert check.metadata["failing_rows"].value == 2
    assert check.description is not None and "window_end=2021-01-01 00:00:00" in check.description
    (event,) = [e.materialization for e in result.get_asset_materialization_events() if e.asset_key == KEY]
    assert event.metadata["warnings"].value == 1


@pytest.mark.parametrize(("transient", "attempts"), [(True, 2), (False, 1)])
def test_only_what_may_pass_is_tried_again(
    lake: Path, monkeypatch: pytest.MonkeyPatch, transient: bool, attempts: int
) -> None:
    from perp_pipeline.orchestration import assets
    from perp_pipeline.orchestration.build import nodes
    from perp_pipeline.sources.bitmex import BitmexFunding
    from perp_pipeline.sources.errors import FormatChanged, IncompleteBody

    asked: list[object] = []

    def refuse(*arguments: object) -> None:
        asked.append(arguments)
        raise (IncompleteBody if transient else FormatChanged)("bitmex raw_bitmex_funding: no")

    monkeypatch.setattr(BitmexFunding, "fetch", refuse)
    monkeypatch.setattr(assets, "ASK_AGAIN", dg.RetryPolicy(max_retries=1))
    result = dg.materialize(
        [assets.table_asset(nodes()["raw_bitmex_funding"], nodes())],
        resources={"pipeline": SimulatedPipeline(lake=str(lake))},
        partition_key="2021-01",
        raise_on_error=False,
    )
    assert not result.success
    assert len(asked) == attempts
