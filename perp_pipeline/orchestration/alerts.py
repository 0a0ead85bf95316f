"""Who is told when a run fails, or ends green although a check gave a warning.

A failed warning leaves a run green, and what watches runs for failure is silent about it: hence two sensors.
"""

from __future__ import annotations

import logging
import os

import dagster as dg

WEBHOOK = "PERP_ALERT_WEBHOOK"
SHOWN_CHECKS = 10


class Alerts(dg.ConfigurableResource[None]):
    """Where alerts go: always to the sensor's log, and to a webhook where one is named.

    The webhook gets ``{"text": ...}`` by POST, the form that Slack, Mattermost and most gateways take. It
    is taken from PERP_ALERT_WEBHOOK when an alert is sent, where the field is left out.
    """

    webhook: str | None = None

    def send(self, text: str, log: logging.Logger) -> None:
        """Tell whoever listens.

        Raises:
            httpx.HTTPError: the webhook did not take it; the sensor's tick then shows as failed.
        """
        log.warning(text)
        address = self.webhook or os.environ.get(WEBHOOK)
        if address:
            import httpx

            httpx.post(address, json={"text": text}, timeout=20).raise_for_status()


@dg.run_failure_sensor(
    name="alert_on_failed_run",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=f"Says which run failed, where and why. Posts to {WEBHOOK} where that is set.",
)
def alert_on_failed_run(context: dg.RunFailureSensorContext, alerts: Alerts) -> None:
    """One alert per failed run, with the first failed table's own words."""
    run = context.dagster_run
    failures = [
        f"{event.step_key}: {_reason(event)}" for event in context.get_step_failure_events() if event.step_key
    ]
    reasons = failures or [context.failure_event.message or "no reason given"]
    alerts.send("\n".join([f"Run {run.run_id} ({run.job_name}) failed.", *reasons]), context.log)


@dg.run_status_sensor(
    name="alert_on_failed_check",
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description=f"Says which checks warned in a run that succeeded. Posts to {WEBHOOK} where that is set.",
)
def alert_on_failed_check(context: dg.RunStatusSensorContext, alerts: Alerts) -> None:
    """One alert per run, for all its warnings together."""
    run = context.dagster_run
    records = context.instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ).records
    evaluations = [
        record.event_log_entry.dagster_event.asset_check_evaluation_data
        for record in records
        if record.event_log_entry.dagster_event is not None
    ]
    failed = [
        f"{check.asset_key.to_user_string()} {check.check_name}: {check.description}"
        for check in evaluations
        if not check.passed
    ]
    if failed:
        more = [f"and {len(failed) - SHOWN_CHECKS} more"] if len(failed) > SHOWN_CHECKS else []
        headline = f"Run {run.run_id} ({run.job_name}) succeeded, with {len(failed)} warning(s)."
        alerts.send("\n".join([headline, *failed[:SHOWN_CHECKS], *more]), context.log)


def _reason(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    return data.error.message.strip() if data.error is not None else "no reason given"
