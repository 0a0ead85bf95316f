"""What downloads tell whoever watches them: running totals, and one event per step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from perp_pipeline.sources.base import Request

Kind = Literal["fetched", "stored", "unchanged", "absent", "retry"]


@dataclass(frozen=True)
class Counters:
    """What an :class:`Http` did so far.

    Attributes:
        requests: sent to venues, each attempt counted.
        retries: attempts after the first of a request.
        from_store: answers served from stored bodies or recorded absences without asking.
        unchanged: answers by the venue that the stored body is still current (304).
        absent: answers that there is no such file.
        bytes: of body received, after transport decompression.
        waited_seconds: slept for pacing and between attempts.
    """

    requests: int = 0
    retries: int = 0
    from_store: int = 0
    unchanged: int = 0
    absent: int = 0
    bytes: int = 0
    waited_seconds: float = 0.0


@dataclass(frozen=True)
class Event:
    """One step of a download, for progress displays.

    Attributes:
        bytes: length of the body (0 where there is none).
        wait: for a retry, the seconds until the next attempt.
        reason: for a retry, what went wrong.
    """

    kind: Kind
    label: str
    request: Request
    bytes: int = 0
    wait: float = 0.0
    reason: str = ""
