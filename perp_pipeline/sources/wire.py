"""One attempt at one request: send it, read the answer within bounds, judge it. No memory, no patience."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from perp_pipeline.sources.answers import Trouble, diagnose
from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import BodyTooLarge, SourceError, TooSlow, TransientError, Unreachable

if TYPE_CHECKING:
    import httpx

AGAIN = "Run again later: what is complete so far is kept"
"""Remedy for trouble that passes."""


class Failed(Exception):
    """An attempt that gave no body."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.what)
        self.trouble = trouble


@dataclass(frozen=True)
class Answer:
    """A body (status 200), or the word that a body known by its etag is still current (304, no content)."""

    status: int
    content: bytes
    etag: str


@dataclass(frozen=True)
class Bounds:
    """How long and how large an answer may be.

    Attributes:
        connect, read, total: seconds to connect, between two pieces of an answer, and for one whole answer,
            however steadily it trickles.
        bytes: most bytes of body, after transport decompression; what is larger is cut off unread.
    """

    connect: float
    read: float
    total: float
    bytes: int


class Wire:
    """An httpx client, opened at the first request.

    Args:
        gateway: a mirror's address: ``https://host/path`` is asked for as ``{gateway}/host/path``.
        transport: used in place of the network.
        now: reads moments that venues name.
    """

    def __init__(
        self,
        gateway: str | None,
        transport: httpx.BaseTransport | None,
        bounds: Bounds,
        now: Callable[[], datetime],
    ) -> None:
        self.gateway = gateway.rstrip("/") if gateway else None
        self._transport = transport
        self._bounds = bounds
        self._now = now
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None

    def ask(self, request: Request, etag: str = "") -> Answer:
        """Send once.

        Args:
            etag: of a body that is at hand, to be told (304) if it is still current.

        Raises:
            Failed: anything but a plausible body or a 304 that was asked for.
        """
        if request.via is None:
            return self._ask(request, etag)
        try:
            answer = self._ask(request, etag)
        except Failed as failed:
            # a redirect, an error page or the client itself may repeat the address
            raise Failed(replace(failed.trouble, what=request.via.redacted(failed.trouble.what))) from None
        return replace(answer, content=request.via.redacted_body(answer.content))

    def _ask(self, request: Request, etag: str) -> Answer:
        import httpx

        client = self._open()
        headers = {"If-None-Match": etag} if etag else {}
        if request.via is not None:
            headers |= request.via.sent_headers
        outgoing = client.build_request(
            request.method, self._address(request), headers=headers, json=request.payload
        )
        try:
            response = client.send(outgoing, stream=True)
            try:
                content = self._read(response)
            finally:
                response.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            remedy = f"Check the connection{' and the gateway' if self.gateway else ''}. {AGAIN}"
            what = f"no complete answer, {type(error).__name__}: {error}"
            kind: type[SourceError] = TransientError
            if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
                kind = Unreachable
            elif isinstance(error, httpx.ReadTimeout):
                kind = TooSlow
            raise Failed(Trouble(kind, what, remedy)) from error
        if response.status_code == 304 and etag:
            return Answer(304, b"", etag)
        host = urlsplit(request.sent_to).netloc.rpartition("@")[2]
        trouble = diagnose(host, response.status_code, response.headers, content, self._now())
        if trouble is not None:
            raise Failed(trouble)
        return Answer(response.status_code, content, response.headers.get("etag", ""))

    def close(self) -> None:
        """Close connections; the next request opens them again."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _read(self, response: httpx.Response) -> bytes:
        """The body, as long as it keeps within the bounds; complete by its Content-Length."""
        pieces: list[bytes] = []
        size = 0
        deadline = time.monotonic() + self._bounds.total
        for piece in response.iter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > self._bounds.bytes:
                what = f"the answer is larger than {self._bounds.bytes:,} bytes and was cut off"
                remedy = "The venue sent nonsense, or max_body_bytes is too small for this file"
                raise Failed(Trouble(BodyTooLarge, what, remedy, about_body=True))
            if time.monotonic() > deadline:
                raise Failed(Trouble(TooSlow, f"no end after {self._bounds.total:g} s", AGAIN))
        length = response.headers.get("content-length", "")
        # The client itself counts what comes by a socket; this covers other transports.
        plain = "content-encoding" not in response.headers
        if response.status_code == 200 and plain and length.isdigit() and size != int(length):
            raise Failed(Trouble(TransientError, f"cut off after {size:,} of {int(length):,} bytes", AGAIN))
        return b"".join(pieces)

    def _address(self, request: Request) -> str:
        if self.gateway is None:
            return request.sent_to
        return f"{self.gateway}/{request.sent_to.split('://', 1)[-1]}"

    def _open(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                import httpx

                # It logs every address it asks, with the key that may be in it.
                logging.getLogger("httpx").setLevel(logging.WARNING)
                local = urlsplit(self.gateway or "").hostname in ("127.0.0.1", "::1", "localhost")
                self._client = httpx.Client(
                    transport=self._transport,
                    timeout=httpx.Timeout(self._bounds.read, connect=self._bounds.connect),
                    headers={"User-Agent": _user_agent(), "Accept-Encoding": "gzip, deflate"},
                    follow_redirects=False,
                    trust_env=not local,  # a proxy named in the environment cannot reach a mirror here
                )
                weakref.finalize(self, self._client.close)  # for those who forget to
            return self._client


def _user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"perp-pipeline/{version('perp-pipeline')}"
    except PackageNotFoundError:
        return "perp-pipeline"
