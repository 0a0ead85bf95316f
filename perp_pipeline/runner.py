"""Running steps: download or build, cast, audit, commit, report.

The command line and the Dagster assets both come through :func:`run_node`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from perp_pipeline.ahead import Frames, fetch, fetched_ahead, frames_of
from perp_pipeline.contracts.model import Contract
from perp_pipeline.diagnosis import lost_rows
from perp_pipeline.graph import Node
from perp_pipeline.inputs import built, built_apart, is_large, load
from perp_pipeline.lake import Lake, LakeError, PartitionKey, SchemaMismatch
from perp_pipeline.lake.kept_out import record_kept_out
from perp_pipeline.lake.tables import split, to_arrow
from perp_pipeline.months import Span
from perp_pipeline.portions import POOL, by_pool, fed, in_one, shares, with_neighbours
from perp_pipeline.quality.results import CheckResult, blocking, merged
from perp_pipeline.quality.suites import audit, get_ready
from perp_pipeline.settings import Settings
from perp_pipeline.sources.errors import SourceError
from perp_pipeline.steps import DROPPED_COLUMNS, Step

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http


_log = logging.getLogger(__name__)

_DEFECTS = (ArithmeticError, LookupError, TypeError, ValueError)
"""What a parser or builder that is wrong raises: its table fails, the tables that do not need it go on."""


class RejectedTable(LakeError):
    """A table failed its audit; the rejected partitions are in quarantine, the rest was published."""


class StepFailed(Exception):
    """A step did not publish all that it was asked for. Carries the report of what it did."""

    def __init__(self, report: StepReport, cause: Exception) -> None:
        super().__init__(str(cause))
        self.report = report
        self.cause = cause


@dataclass
class StepReport:
    """What one step did.

    Attributes:
        table: the contract's name.
        rows: rows of the audited table.
        first, last: range of the time column (or None).
        dropped: rows that cleaning kept out: table, key, reason.
        note: why nothing was done, where nothing was.
        error: what went wrong, or None.
    """

    table: str
    rows: int = 0
    first: Any = None
    last: Any = None
    written: list[PartitionKey] = field(default_factory=list)
    unchanged: list[PartitionKey] = field(default_factory=list)
    rejected: list[PartitionKey] = field(default_factory=list)
    checks: list[CheckResult] = field(default_factory=list)
    dropped: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(DROPPED_COLUMNS)))
    note: str = ""
    error: str | None = None
    seconds: float = 0.0

    @property
    def warnings(self) -> list[CheckResult]:
        """Failing checks that do not block."""
        return [check for check in self.checks if not check.passed and not check.blocks]


@dataclass
class Context:
    """What every step of a run shares.

    Attributes:
        made: tables that this run brought up to date; one of them that has no file has no rows.
    """

    lake: Lake
    http: Http
    settings: Settings
    now: datetime
    nodes: dict[str, Node]
    allow_lost_rows: bool = False
    made: set[str] = field(default_factory=set)


Listener = Callable[[str, StepReport | None], None]
"""Told (table, None) when a step starts and (table, report) when it ends."""


def run_node(name: str, span: Span, context: Context, ahead: Future[Frames] | None = None) -> StepReport:
    """Bring one table up to date for the months of ``span``.

    Args:
        ahead: the download of a raw table, where it was begun before.

    Raises:
        StepFailed: a download, the build, the cast, the audit or the guard against lost rows failed.
            Partitions that were good are published, what was there before stays, rejects are in quarantine.
    """
    started = time.perf_counter()
    report = StepReport(name)
    node = context.nodes[name]
    try:
        if node.step is not None:
            _build(node.step, span, context, report)
        else:
            _download(node, span, context, report, ahead)
    except (SourceError, LakeError) as error:
        report.error = str(error)
        raise StepFailed(report, error) from error
    except _DEFECTS as error:
        _log.exception("%s %s", name, span)
        report.error = (
            f"{name} {span}: {type(error).__name__}: {error}. What was in the lake stays. Remedy: "
            "a defect of the step or a row that it did not foresee; the traceback above says where"
        )
        raise StepFailed(report, error) from error
    finally:
        report.seconds = time.perf_counter() - started
    context.made.add(name)
    return report


def run_many(
    names: Sequence[str], span: Span, context: Context, listener: Listener = lambda *_: None
) -> list[StepReport]:
    """Run tables in the order given. A failure stops what depends on it and nothing else.

    Downloads of all venues begin at once; see :func:`~perp_pipeline.ahead.fetched_ahead`.
    """
    reports: dict[str, StepReport] = {}
    nodes = [context.nodes[name] for name in names]
    with fetched_ahead(nodes, span, context.http, context.now) as ahead:
        get_ready()
        for name in names:
            listener(name, None)
            failed = [need for need in context.nodes[name].needs if need in reports and reports[need].error]
            if failed:
                report = StepReport(name, error=f"not run: {', '.join(failed)} failed")
            else:
                try:
                    report = run_node(name, span, context, ahead.pop(name, None))
                except StepFailed as failure:
                    report = failure.report
            reports[name] = report
            listener(name, report)
    return list(reports.values())


def _download(
    node: Node, span: Span, context: Context, report: StepReport, ahead: Future[Frames] | None
) -> None:
    if node.contract.large:
        for month in span:
            _download_month(node, Span(month, month), context, report)
    elif frames := ahead.result() if ahead else fetch(node, span, context.http, context.now):
        table = _cast(node.contract, _joined(frames), context)
        _publish(node.contract, table, span, context, report, _scope(node.contract, context.settings))
    else:
        _nothing_lost(node.contract, span, context, _scope(node.contract, context.settings))
    if not report.rows:
        report.note = f"the source has no rows for {span}"


def _download_month(node: Node, month: Span, context: Context, report: StepReport) -> None:
    """A month of a large table: no more of it in memory at once than the largest pool has, and the next."""
    seen: set[str] = set()
    frames = frames_of(node, month, context.http, context.now)
    for share, tables in by_pool(_cast(node.contract, frame, context) for frame in frames):
        seen |= set(share[POOL])
        _publish(node.contract, in_one(node.contract, tables), month, context, report, share)
    chosen = _scope(node.contract, context.settings)
    held = {dict(key.values)[POOL] for key in context.lake.partitions(node.contract, month)}
    rest = (held & chosen[POOL] if chosen else held) - seen
    _nothing_lost(node.contract, month, context, {POOL: rest})


def _joined(frames: Frames) -> pd.DataFrame:
    """One frame of all; the list is emptied, so that memory holds the rows once."""
    frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    frames.clear()
    return frame


def _nothing_lost(contract: Contract, span: Span, context: Context, scope: Mapping[str, set[str]]) -> None:
    """A source that answers nothing for closed months that the lake holds is an error, not news.

    Args:
        scope: partition values that the source answers for.
    """
    empty = contract.schema.empty_table()
    commit = context.lake.commit(
        contract,
        empty,
        now=context.now,
        span=span,
        scope=scope,
        allow_lost_rows=context.allow_lost_rows,
    )
    if commit.refused:
        raise lost_rows(commit.refused, context.settings)


def _build(step: Step, span: Span, context: Context, report: StepReport) -> None:
    contract = step.output
    span = with_neighbours(step, span, context.lake, context.nodes)
    by_month = contract.time is not None and any(is_large(item) for item in step.inputs)
    parts = [Span(month, month) for month in span] if by_month else [span]
    whole = {item.table: load(item, span, context) for item in step.inputs if item.whole}
    frames: Frames = []
    for part in parts:
        if by_month and not fed(step, part, context.lake):
            continue
        kept_out: Frames = []
        for share in shares(step, part, context.lake) if by_month else [{}]:
            if step.apart:
                pieces = built_apart(step, part, share, whole, context, kept_out)
                if not contract.large:
                    frames += [_of_months(contract, piece, part) for piece in pieces]
                elif tables := [_cast(contract, piece, context) for piece in pieces]:
                    _publish(contract, in_one(contract, tables), part, context, report, share)
                continue
            frame = built(step, part, share, whole, context, kept_out)
            if frame is None:
                continue
            if contract.large:
                _publish(contract, _cast(contract, frame, context), part, context, report, share)
            else:
                frames.append(_of_months(contract, frame, part) if by_month else frame)
            del frame
        if kept_out:
            dropped = _joined(kept_out)
            report.dropped = pd.concat([report.dropped, dropped], ignore_index=True)
            record_kept_out(context.lake, contract.name, dropped, part if contract.time else None)
    if frames:
        frames = [frame for frame in frames if not frame.empty] or frames[:1]
        _publish(contract, _cast(contract, _joined(frames), context), span, context, report, {})
    if not report.checks:
        report.note = f"no input rows for {span}"


def _of_months(contract: Contract, frame: pd.DataFrame, part: Span) -> pd.DataFrame:
    """Rows of a frame whose time lies in the months, or is missing (an error that the audit names)."""
    times = frame[contract.time]
    start, end = pd.Timestamp(part.start), pd.Timestamp(part.end)
    if times.dt.tz is None:
        start, end = start.tz_localize(None), end.tz_localize(None)
    return frame[~((times < start) | (times >= end))]


def _publish(
    contract: Contract,
    table: pa.Table,
    span: Span,
    context: Context,
    report: StepReport,
    scope: Mapping[str, Collection[str]],
) -> None:
    if contract.time is not None:
        table = _within(contract, table, span)
    checks = audit(contract, table)
    report.rows += len(table)
    report.checks = merged(report.checks, checks)
    if contract.time is not None and len(table):
        bounds = pc.min_max(table.column(contract.time)).as_py()
        report.first = min(filter(None, (report.first, bounds["min"])))
        report.last = max(filter(None, (report.last, bounds["max"])))
    failures = blocking(checks)
    bad = _rejected(contract, table, failures)
    reason = "\n".join(failure.describe(contract) for failure in failures)
    for key, part in split(contract, table) if bad else ():
        if key in bad:
            context.lake.quarantine(contract, part, key, reason, context.now)
    report.rejected += sorted(bad)
    if failures and not bad:
        raise RejectedTable(reason)
    commit = context.lake.commit(
        contract,
        table,
        now=context.now,
        span=span if contract.time is not None else None,
        scope=scope,
        hold_back=bad,
        allow_lost_rows=context.allow_lost_rows,
    )
    report.written += commit.written
    report.unchanged += commit.unchanged
    pa.default_memory_pool().release_unused()
    if bad:
        raise RejectedTable(
            f"{reason}\nKept out (see _quarantine): {', '.join(map(str, sorted(bad))) or 'all'}"
        )
    if commit.refused:
        report.rejected += sorted(commit.refused)
        raise lost_rows(commit.refused, context.settings)


def _cast(contract: Contract, frame: pd.DataFrame, context: Context) -> pa.Table:
    try:
        return to_arrow(contract, frame)
    except SchemaMismatch as error:
        context.lake.quarantine_frame(contract, frame, str(error), context.now)
        raise


def _scope(contract: Contract, settings: Settings) -> dict[str, set[str]]:
    """What a run of chosen pools claims to cover: their partitions and no others'."""
    if not settings.pools or "pool" not in contract.partition_by or contract.layer != "raw":
        return {}
    return {"pool": {label.lower().partition(":")[2] for label in settings.pools}}


def _within(contract: Contract, table: pa.Table, span: Span) -> pa.Table:
    column = table.column(contract.time)
    bounds = [
        pa.scalar(moment.date() if pa.types.is_date(column.type) else moment, type=column.type)
        for moment in (span.start, span.end)
    ]
    inside = pc.and_(pc.greater_equal(column, bounds[0]), pc.less(column, bounds[1]))
    if pc.all(inside, min_count=0).as_py():
        return table
    return table.filter(pc.or_kleene(inside, pc.is_null(column)))


def _rejected(
    contract: Contract, table: pa.Table, failures: Iterable[CheckResult]
) -> frozenset[PartitionKey]:
    """Partitions that hold a row which a blocking check failed; all of them where a check names no row."""
    failures = list(failures)
    if not failures:
        return frozenset()
    if any(failure.failing.empty for failure in failures):
        return frozenset(key for key, _ in split(contract, table))
    rows = sorted({int(row) for failure in failures for row in failure.failing.index})
    return frozenset(key for key, _ in split(contract, table.take(pa.array(rows))))
