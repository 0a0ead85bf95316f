"""Alerts of failed runs, and of warnings in runs that succeeded."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from perp_pipeline.orchestration.alerts import WEBHOOK, Alerts, alert_on_failed_check, alert_on_failed_run

SENT: list[str] = []


class Recorder(Alerts):
    """Alerts that are kept."""

    def send(self, text: str, log: logging.Logger) -> None:
        SENT.append(text)


@dg.asset(
    check_specs=[dg.AssetCheckSpec("covered", asset="rates"), dg.AssetCheckSpec("sorted", asset="rates")]
)
def rates(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    if context.run.tags.get("broken"):
        raise dg.Failure("rates: 3 rows out of bounds. Remedy: look", allow_retries=False)
    yield dg.AssetCheckResult(check_name="sorted", passed=True)
    yield dg.AssetCheckResult(
        check_name="covered",
        passed=bool(context.run.tags.get("good")),
        severity=dg.AssetCheckSeverity.WARN,
        description="two windows are covered in part",
    )
    yield dg.MaterializeResult()


JOB = dg.Definitions(assets=[rates], jobs=[dg.define_asset_job("nightly", "*")]).resolve_job_def("nightly")


def alerts_of(tag: str | None) -> list[str]:
    SENT.clear()
    with dg.DagsterInstance.ephemeral() as instance:
        result = JOB.execute_in_process(
            instance=instance, raise_on_error=False, tags={tag: "yes"} if tag else None
        )
        kind = dg.DagsterEventType.RUN_SUCCESS if result.success else dg.DagsterEventType.RUN_FAILURE
        (event,) = [event for event in result.all_events if event.event_type is kind]
        context = dg.build_run_status_sensor_context(
            sensor_name="alert",
            dagster_event=event,
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={"alerts": Recorder()},
        )
        if result.success:
            alert_on_failed_check(context)
        else:
            alert_on_failed_run(context.for_run_failure())
    return list(SENT)


def test_a_failed_run_is_told_with_the_tables_own_words() -> None:
    (text,) = alerts_of("broken")
    assert "(nightly) failed." in text
    assert "rates: rates: 3 rows out of bounds. Remedy: look" in text


def test_a_warning_in_a_green_run_is_told() -> None:
    (text,) = alerts_of(None)
    assert "(nightly) succeeded, with 1 warning(s)." in text
    assert "rates covered: two windows are covered in part" in text


def test_a_run_without_warnings_is_silent() -> None:
    assert alerts_of("good") == []


def test_the_webhook_gets_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[object] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    monkeypatch.setenv(WEBHOOK, f"http://127.0.0.1:{server.server_port}/hook")
    Alerts().send("two warnings", logging.getLogger("test"))
    thread.join(timeout=10)
    server.server_close()
    assert got == [{"text": "two warnings"}]
