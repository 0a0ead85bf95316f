"""What the simulated venues share: a request, an answer, and how numbers, times and files are written."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    """A GET request, taken apart."""

    host: str
    path: str
    query: Mapping[str, str]

    @classmethod
    def of(cls, url: str) -> Asked:
        """Read an absolute address."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(parts.netloc, unquote(parts.path), query)


@dataclass(frozen=True)
class Answer:
    """An answer as the venue sends it."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


def json_answer(
    value: Any,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> Answer:
    """Compact JSON."""
    return Answer(json.dumps(value, separators=(",", ":")).encode(), status, content_type, headers or {})


def html_answer(status: int, title: str) -> Answer:
    """The error page of a plain web server."""
    page = f"<html>\n<head><title>{status} {title}</title></head>\n<body><h1>{title}</h1></body>\n</html>\n"
    return Answer(page.encode(), status, "text/html; charset=utf-8")


def etag(body: bytes) -> str:
    """Entity tag of a stored file: its MD5, as S3 gives it."""
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def zipped(name: str, text: bytes) -> bytes:
    """A zip with one member; its bytes depend on nothing but the arguments."""
    member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    member.compress_type = zipfile.ZIP_DEFLATED
    member.create_system, member.external_attr = 3, 0o644 << 16
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(member, text)
    return packed.getvalue()


def checksum_line(packed: bytes, name: str) -> bytes:
    """Content of a ``.CHECKSUM`` file."""
    return f"{hashlib.sha256(packed).hexdigest()}  {name}\n".encode()


def iso_millis(epoch_seconds: int) -> str:
    """``2021-01-01T04:00:00.000Z``"""
    return moment(epoch_seconds).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def moment(epoch_seconds: int) -> datetime:
    """The aware UTC time of an epoch."""
    return datetime.fromtimestamp(int(epoch_seconds), UTC)


def plain(value: float) -> str:
    """Shortest decimal digits of a number, without an exponent and without a trailing ``.0``."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return format(Decimal(repr(float(value))), "f")
