"""Reading an answer: is it a body, a reason to wait, or a refusal? Each venue says so in its own way."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from perp_pipeline.sources.errors import NotServed, PermanentError, SourceError, TooSlow, TransientError

BYBIT_BAN_SECONDS = 600.0
"""What Bybit's rate-limit page tells an address to wait after its 403."""

_MILLISECOND_HOSTS = ("indexer.dydx.trade",)
_RETRIED = {408, 418, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}
_TIMED_OUT = {408, 504, 524}
"""The server, or one between it and us (524: Cloudflare), waited in vain."""
_LATE = re.compile(rb"time.?out|timed.?out|deadline exceeded", re.IGNORECASE)
"""The same, said with another status."""
# Rate limits that some venues announce in a body with status 200: (key, value).
_LIMIT_CODES = {"retCode": (10006, 10018), "code": ("50011", "50061")}
_BANNED_UNTIL = re.compile(rb"banned until (\d{13})")
_HTML = re.compile(rb"(\xef\xbb\xbf)?\s*(<!doctype html|<html|<head|<body)", re.IGNORECASE)


@dataclass(frozen=True)
class Trouble:
    """Why an answer is not a body.

    Attributes:
        error: the type to raise when no attempt is left; a TransientError is worth another attempt.
        what: what happened, for people.
        remedy: what to do about it, for people.
        wait: seconds the venue asks to wait, where it says so.
        limited: the venue had enough of us, even if it does not say for how long.
        about_body: the body itself is wrong, so that many more attempts are unlikely to help.
    """

    error: type[SourceError]
    what: str
    remedy: str
    wait: float | None = None
    limited: bool = False
    about_body: bool = False


def diagnose(
    host: str, status: int, headers: Mapping[str, str], content: bytes, now: datetime
) -> Trouble | None:
    """What is wrong with an answer, or None for a body with status 200.

    Args:
        host: the venue's host, never a gateway's.
        headers: by any case-insensitive mapping.
        content: the body, as far as it was read.
        now: to turn a moment that the venue names into seconds to wait.
    """
    if status == 200:
        return _spoiled(host, headers, content, now)
    said = f"HTTP {status}{_excerpt(content)}"
    if status == 451 or (status == 403 and not _is_bybit_limit(host, content)):
        return Trouble(
            PermanentError,
            f"the venue refuses to answer here, {said}",
            "It may block this country or network: use another one, or a mirror (PERP_GATEWAY or --gateway)",
        )
    if status in (404, 410) or (status == 400 and b"-1121" in content and "binance" in host):
        return Trouble(
            NotServed, f"the venue has no such file, symbol or range, {said}", "Check symbol and dates"
        )
    if status in _RETRIED or status == 403:
        limited = status in (403, 418, 429)
        late = status in _TIMED_OUT or (status >= 500 and _LATE.search(content[:2000]) is not None)
        return Trouble(
            TooSlow if late else TransientError,
            f"the venue {'asks to slow down' if limited else 'has a problem'}, {said}",
            "Run again later: what is complete so far is kept",
            retry_after(host, status, headers, content, now),
            limited,
        )
    if 300 <= status < 400:
        to = headers.get("location", "nowhere")
        return Trouble(
            PermanentError, f"moved to {to}, {said}", "Redirects are not followed: correct the address"
        )
    return Trouble(
        PermanentError,
        f"the request was refused, {said}",
        "Check symbol, dates and the venue's documentation",
    )


def retry_after(
    host: str, status: int, headers: Mapping[str, str], content: bytes, now: datetime
) -> float | None:
    """Seconds that the venue asks to wait, wherever and in whatever unit it says so; None where it does not.

    ``Retry-After`` is seconds or an HTTP date (RFC 9110), but milliseconds at dYdX. Bybit names a moment in
    ``X-Bapi-Limit-Reset-Timestamp`` (ms), and its 403 means ten minutes. Deribit writes ``error.data.wait``
    (seconds) into the body. BitMEX names a moment in ``x-ratelimit-reset`` (s), HyperSync seconds to wait
    (hypersync-client-rust, rate_limit.rs), Binance a moment (ms) in the text of a ban.
    """
    text = headers.get("retry-after", "").strip()
    if text:
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text) / (1000 if host in _MILLISECOND_HOSTS else 1)
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, moment.timestamp() - now.timestamp())
    if status == 403 and _is_bybit_limit(host, content):
        return BYBIT_BAN_SECONDS
    for header, unit in (("x-bapi-limit-reset-timestamp", 1000), ("x-ratelimit-reset", 1)):
        stamp = headers.get(header, "")
        if status == 429 and stamp.isdigit() and int(stamp) / unit > 1e9:
            return max(0.0, int(stamp) / unit - now.timestamp())
    if status == 429 and host.endswith(".hypersync.xyz") and headers.get("x-ratelimit-reset", "").isdigit():
        return float(headers["x-ratelimit-reset"])
    banned = _BANNED_UNTIL.search(content)
    if banned:
        return max(0.0, int(banned[1]) / 1000 - now.timestamp())
    wait = _small_json(content).get("error")
    for key in ("data", "wait"):
        wait = wait.get(key) if isinstance(wait, dict) else None
    return float(wait) if isinstance(wait, (int, float)) and wait >= 0 else None


def _spoiled(host: str, headers: Mapping[str, str], content: bytes, now: datetime) -> Trouble | None:
    """What shows, without knowing the table, that a body with status 200 is not what was asked for."""
    again = "Run again later: nothing of this answer was kept"
    kind = headers.get("content-type", "").lower()
    if _HTML.match(content):
        return Trouble(
            TransientError, f"an HTML page came instead of data{_excerpt(content)}", again, about_body=True
        )
    if not content.strip():
        return Trouble(TransientError, "an empty body came instead of data", again, about_body=True)
    if (
        "json" in kind
        and {b"[": b"]", b"{": b"}"}.get(content.lstrip()[:1], b"") not in content.rstrip()[-1:]
    ):
        return Trouble(
            TransientError, f"the JSON is cut off after {len(content)} bytes", again, about_body=True
        )
    answer = _small_json(content)
    if any(answer.get(key) in codes for key, codes in _LIMIT_CODES.items()):
        wait = retry_after(host, 429, headers, content, now)
        return Trouble(TransientError, f"the venue asks to slow down{_excerpt(content)}", again, wait, True)
    return None


def _is_bybit_limit(host: str, content: bytes) -> bool:
    """Bybit answers 403 both to an address that asks too often and to a blocked country; the text differs."""
    return "bybit" in host and b"too frequent" in content.lower()


def _small_json(content: bytes) -> dict[str, Any]:
    """A short JSON object; empty for anything else (errors are short, data need not be parsed twice)."""
    if len(content) > 2000 or not content.lstrip().startswith(b"{"):
        return {}
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _excerpt(content: bytes) -> str:
    """The beginning of a body as one line of text, for messages."""
    text = re.sub(r"<[^>]*>", " ", content[:2000].decode("utf-8", "replace"))
    text = " ".join(text.split())[:160]
    return f": {text}" if text else ""
