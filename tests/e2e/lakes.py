"""Runs and comparisons of whole lakes, shared by the end-to-end tests."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perp_pipeline.graph import select as choose
from perp_pipeline.months import Span
from perp_pipeline.runner import StepReport, run_many
from perp_pipeline.session import open_session
from perp_pipeline.settings import Settings

DOWNLOADS = Path("raw") / "_downloads"


def run(lake: Path, gateway: str, select: Sequence[str], span: Span, **settings: Any) -> list[StepReport]:
    """A run in this process that does not wait between attempts."""
    with open_session(
        Settings(lake=str(lake), gateway=gateway, **settings), sleep=lambda seconds: None
    ) as context:
        return run_many(choose(context.nodes, select), span, context)


def errors(reports: Sequence[StepReport]) -> str:
    """What failed, as one text."""
    return "\n".join(report.error for report in reports if report.error)


def perp(
    *arguments: str | Path, timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own; only the given PERP_ variables are set."""
    return subprocess.run(
        command(*arguments),
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=clean(environment),
    )


def command(*arguments: str | Path) -> list[str]:
    """The command line as a list of words."""
    return [sys.executable, "-c", "from perp_pipeline.cli import main; main()", *map(str, arguments)]


def clean(environment: dict[str, str]) -> dict[str, str]:
    """This process's environment without the user's settings, wide enough that no message is folded."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PERP_")}
    return inherited | {"COLUMNS": "200"} | environment


def digests(lake: Path, pattern: str = "*.parquet") -> dict[str, str]:
    """SHA-256 of every file of a lake by its path in it."""
    return {
        str(path.relative_to(lake)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(lake.rglob(pattern))
        if path.is_file() and "_quarantine" not in path.parts
    }


def stamps(lake: Path) -> dict[str, int]:
    """When every file of a lake was last written (ns), but for the report, which is drawn each time."""
    return {
        str(path.relative_to(lake)): path.stat().st_mtime_ns
        for path in lake.rglob("*")
        if path.is_file() and path.relative_to(lake).parts[0] != "report"
    }
