"""`dagster dev` in an empty DAGSTER_HOME: a partition materialised as the UI does it, seen in a browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MONTH = "2021-03"
ASSETS = ("raw/binance_funding", "raw/bitmex_funding", "core/funding_payments", "core/funding_8h")

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
LOCATION = """{ workspaceOrError { ... on Workspace { locationEntries {
  name locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
CHECKS = """query Checks($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  assetChecksOrError { ... on AssetChecks { checks { name
    executionForLatestMaterialization { status } } } } } } }"""


@dataclass
class Ui:
    """A running `dagster dev`."""

    url: str

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", body, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["data"]

    def materialize(self, assets: tuple[str, ...], month: str) -> str:
        """Launch the run that the Materialize button launches; returns the status it ends with."""
        location = self.ask(LOCATION)["workspaceOrError"]["locationEntries"][0]["name"]
        launched = self.ask(
            LAUNCH,
            params={
                "selector": {
                    "repositoryLocationName": location,
                    "repositoryName": "__repository__",
                    "pipelineName": "__ASSET_JOB",
                    "assetSelection": [{"path": key.split("/")} for key in assets],
                },
                "mode": "default",
                "runConfigData": "{}",
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": month}]},
            },
        )["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        for _ in range(240):
            status: str = self.ask(STATUS, id=launched["run"]["runId"])["runOrError"]["status"]
            if status in ("SUCCESS", "FAILURE", "CANCELED"):
                return status
            time.sleep(0.5)
        return "no end within two minutes"


@pytest.fixture(scope="module")
def ui(replay_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    folder = tmp_path_factory.mktemp("ui")
    home = folder / "home"
    home.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PERP_")} | {
        "DAGSTER_HOME": str(home),
        "PERP_LAKE": str(folder / "lake"),
        "PERP_GATEWAY": replay_server.url,
    }
    log = folder / "dagster.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-p", str(port)],
            cwd=PROJECT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # A shell's background job ignores interrupts, and so would all that it starts. Nothing else tells
            # a child; no thread runs here that could hold a lock at the fork (PLW1509).
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        )
    try:
        ready = Ui(f"http://127.0.0.1:{port}")
        for _ in range(180):
            try:
                ready.ask("{ version }")
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, log.read_text()
                time.sleep(0.5)
        else:
            pytest.fail(f"dagster dev does not answer:\n{log.read_text()}")
        yield ready
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def materialized(ui: Ui) -> Ui:
    assert ui.materialize(ASSETS, MONTH) == "SUCCESS"
    return ui


def browse(ui: Ui, path: str, screenshot: Path) -> str:
    """The page's elements as text after its scripts have run."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    command = [
        browser,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={screenshot.parent / 'profile'}",
        "--window-size=1600,1400",
        "--virtual-time-budget=30000",
    ]
    address = f"{ui.url}{path}"
    subprocess.run(
        [*command, f"--screenshot={screenshot}", address], check=True, capture_output=True, timeout=120
    )
    done = subprocess.run(
        [*command, "--dump-dom", address], check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout


def test_an_empty_home_opens_and_a_partition_materializes(materialized: Ui) -> None:
    (entry,) = materialized.ask(LOCATION)["workspaceOrError"]["locationEntries"]
    assert entry["locationOrLoadError"]["__typename"] == "RepositoryLocation", entry
    node = materialized.ask(CHECKS, key={"path": ["core", "funding_8h"]})["assetNodeOrError"]
    checks = node["assetChecksOrError"]["checks"]
    assert len(checks) > 10
    failed = {
        check["name"]
        for check in checks
        if check["executionForLatestMaterialization"]["status"] != "SUCCEEDED"
    }
    # Without the month before, the first window is covered in part: a warning, in a run that succeeds.
    assert failed <= {"fully_covered"}


def test_the_browser_shows_preview_and_plot_of_the_partition(materialized: Ui, tmp_path: Path) -> None:
    page = browse(
        materialized, f"/assets/core/funding_8h?view=partitions&partition={MONTH}", tmp_path / "partition.png"
    )
    for text in (MONTH, "partition_row_count", "preview", "window_end", "BTCUSDT", "plot"):
        assert text in page, text
    assert (tmp_path / "partition.png").stat().st_size > 20_000


def test_the_browser_shows_the_checks(materialized: Ui, tmp_path: Path) -> None:
    page = browse(materialized, "/assets/core/funding_8h?view=checks", tmp_path / "checks.png")
    for text in ("unique_key", "rate_8h_in_bounds", "Succeeded"):
        assert text in page, text
