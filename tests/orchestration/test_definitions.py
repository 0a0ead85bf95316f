"""The code location as it loads: what every asset must have, the schedule, the alerts."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from perp_pipeline.graph import Node
from perp_pipeline.months import FIRST_MONTH, Month, Span
from perp_pipeline.orchestration.assets import POOL, asset_key
from perp_pipeline.orchestration.build import build_definitions, nodes
from perp_pipeline.orchestration.jobs import nightly_refresh
from perp_pipeline.orchestration.partitions import MONTHS, mapping
from perp_pipeline.quality.suites import expectation_specs
from perp_pipeline.steps import Input

REPORT = dg.AssetKey(["out", "report"])


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_definitions()


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[dg.AssetKey, dg.AssetSpec]:
    return {spec.key: spec for spec in definitions.resolve_all_asset_specs()}


def test_loads_without_network_home_or_heavy_imports(tmp_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('network at import')\n"
        "socket.socket.connect = refuse\n"
        "from perp_pipeline.definitions import defs\n"
        "import dagster as dg\n"
        "dg.Definitions.validate_loadable(defs)\n"
        "heavy = {'great_expectations', 'statsmodels', 'scipy', 'matplotlib', 'httpx', 'holidays'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {"PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert list(tmp_path.iterdir()) == [], "loading definitions writes nothing"


def test_every_table_is_an_asset_and_every_asset_a_table(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    assert set(specs) == {asset_key(name) for name in nodes()} | {REPORT}
    assert {spec.group_name for spec in specs.values()} == {"raw", "core", "out"}


@pytest.mark.parametrize("node", nodes().values(), ids=lambda node: node.name)
def test_an_asset_says_what_its_contract_says(node: Node, specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    spec = specs[asset_key(node.name)]
    contract = node.contract
    assert spec.group_name == contract.layer
    assert {dep.asset_key for dep in spec.deps} == {asset_key(need) for need in node.needs}
    assert spec.partitions_def == (MONTHS if contract.time else None)
    assert spec.owners and spec.freshness_policy is not None and spec.code_version
    assert {"python", "parquet"} <= spec.kinds and ("http" in spec.kinds) == (contract.layer == "raw")
    assert spec.tags["chapter"] == node.chapter
    assert spec.description is not None and spec.description.startswith(contract.doc)
    schema = spec.metadata["dagster/column_schema"]
    assert [column.name for column in schema.columns] == contract.schema.names
    for column in schema.columns:
        assert column.description and contract.column(column.name).unit in column.description


@pytest.mark.parametrize("node", nodes().values(), ids=lambda node: node.name)
def test_checks_are_the_suite_and_only_errors_block(node: Node, definitions: dg.Definitions) -> None:
    asset = definitions.resolve_assets_def(asset_key(node.name))
    expected = {meta["name"]: meta["severity"] == "error" for _, _, meta in expectation_specs(node.contract)}
    assert {spec.name: spec.blocking for spec in asset.check_specs} == expected
    assert asset.op.pool == POOL
    assert (asset.op.retry_policy is not None) == (node.step is None), "downloads alone are tried again"
    policy = asset.backfill_policy
    assert (policy is not None and policy.max_partitions_per_run is None) == (node.contract.time is not None)


def test_the_report_follows_every_result(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    assert {dep.asset_key for dep in specs[REPORT].deps} == {
        asset_key(node.name) for node in nodes().values() if node.contract.layer == "out"
    }
    assert specs[REPORT].freshness_policy is not None and specs[REPORT].owners


def test_months_run_from_the_first_payment_to_the_open_month() -> None:
    keys = MONTHS.get_partition_keys(current_time=datetime(2024, 1, 1, 0, 5, tzinfo=UTC))
    assert keys[0] == str(FIRST_MONTH) and keys[-1] == "2024-01"
    assert keys == [str(month) for month in Span(FIRST_MONTH, Month(2024, 1))]


def test_context_months_become_partition_mappings() -> None:
    window = mapping(Input("x", before=1, after=2), True, True)
    assert isinstance(window, dg.TimeWindowPartitionMapping)
    assert (window.start_offset, window.end_offset) == (-1, 2)
    assert isinstance(mapping(Input("x", whole=True), True, True), dg.AllPartitionMapping)
    assert mapping(Input("x", whole=True), True, False) is None
    assert mapping(Input("x"), True, True) is None


@pytest.mark.parametrize(
    ("night", "first", "last"),
    [
        ("2024-03-15T01:30", "2024-02", "2024-03"),
        ("2024-01-01T01:30", "2023-12", "2024-01"),
        ("2023-12-31T01:30", "2023-11", "2023-12"),
        ("2024-03-01T01:30", "2024-02", "2024-03"),
    ],
)
def test_the_nightly_refreshes_the_open_month_and_the_one_before(
    definitions: dg.Definitions, night: str, first: str, last: str
) -> None:
    at = datetime.fromisoformat(night).replace(tzinfo=UTC)
    context = dg.build_schedule_context(
        scheduled_execution_time=at, repository_def=definitions.get_repository_def()
    )
    (request,) = nightly_refresh.evaluate_tick(context).run_requests or []
    assert request.tags["dagster/asset_partition_range_start"] == first
    assert request.tags["dagster/asset_partition_range_end"] == last
    assert request.run_key == f"{at:%Y-%m-%d}"
    assert last in MONTHS.get_partition_keys(current_time=at)


def test_the_nightly_is_on_and_refreshes_everything(definitions: dg.Definitions) -> None:
    assert nightly_refresh.default_status is dg.DefaultScheduleStatus.RUNNING
    job = definitions.resolve_job_def("nightly")
    assert set(job.asset_layer.executable_asset_keys) == {asset_key(name) for name in nodes()} | {REPORT}
    assert job.executor_def is dg.in_process_executor


def test_a_chapter_backfill_has_all_that_its_chapter_needs_and_nothing_after(
    definitions: dg.Definitions,
) -> None:
    chapters = {node.chapter for node in nodes().values()} - {"raw"}
    for chapter in chapters:
        wanted = {name for name, node in nodes().items() if node.chapter == chapter}
        while needed := {need for name in wanted for need in nodes()[name].needs} - wanted:
            wanted |= needed
        job = definitions.resolve_job_def(f"backfill_{chapter}")
        assert set(job.asset_layer.executable_asset_keys) == {asset_key(name) for name in wanted}


def test_freshness_is_a_nights_work(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    policy = specs[REPORT].freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(
        warn_window=timedelta(hours=26), fail_window=timedelta(hours=50)
    )
