"""The one way to the network: paced, retried, checked, stored; what is final is asked for once."""

from __future__ import annotations

import hashlib
import logging
import random
import textwrap
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from perp_pipeline.sources.answers import Trouble
from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.errors import (
    BodyTooLarge,
    ChecksumMismatch,
    NotInStore,
    NotServed,
    SourceError,
    Stopped,
    TransientError,
    Unreachable,
)
from perp_pipeline.sources.pacing import PACES, Pace, Pacer
from perp_pipeline.sources.patience import GivenUp, Patience, Tries
from perp_pipeline.sources.progress import Counters, Event, Kind
from perp_pipeline.sources.store import BodyStore, Entry
from perp_pipeline.sources.unpack import unzip_single
from perp_pipeline.sources.wire import AGAIN, Answer, Bounds, Failed, Wire

if TYPE_CHECKING:
    import httpx

__all__ = ["Counters", "Event", "Http", "unzip_single", "utc_now"]

_log = logging.getLogger(__name__)
_LONG_PAUSE = 30.0  # seconds; people should learn why nothing happens


def utc_now() -> datetime:
    """The current moment (UTC)."""
    return datetime.now(UTC)


class Http:
    """Fetches requests and keeps their bodies.

    Args:
        store: where bodies are kept, and looked for first.
        gateway: address of a mirror; ``https://host/path`` is asked for as ``{gateway}/host/path``.
        offline: answer from the store alone.
        transport: an httpx transport to use in place of the network.
        now: the clock that dates bodies and reads moments venues name.
        sleep: how to wait; by default such that :meth:`stop` ends the pause.
        attempts: per request, for network trouble and refusals for the time being.
        body_attempts: per request, for bodies that arrive but fail their check.
        backoff: seconds before the second attempt; doubles each time, with jitter, up to ``max_backoff``.
        max_wait: seconds that one request may spend on pauses the venue asks for; beyond it is an error.
        connect_timeout, read_timeout: seconds to connect, and between two pieces of an answer.
        total_timeout: seconds for one whole answer, however steadily it trickles.
        max_body_bytes: an answer is cut off, and is an error, beyond this.
        paces: limits by host that add to or replace :data:`~perp_pipeline.sources.pacing.PACES`.
        paced: whether to keep to them; by default only when the venues themselves are asked: without
            a gateway and without a transport.
        progress: called with every :class:`Event`, from the thread that fetches.

    Safe for several threads. Opens nothing before the first fetch.
    """

    def __init__(
        self,
        store: BodyStore,
        *,
        gateway: str | None = None,
        offline: bool = False,
        transport: httpx.BaseTransport | None = None,
        now: Callable[[], datetime] = utc_now,
        sleep: Callable[[float], object] | None = None,
        attempts: int = 6,
        body_attempts: int = 4,
        backoff: float = 1.0,
        max_backoff: float = 60.0,
        max_wait: float = 900.0,
        connect_timeout: float = 15.0,
        read_timeout: float = 60.0,
        total_timeout: float = 600.0,
        max_body_bytes: int = 64 * 2**20,
        paces: Mapping[str, Pace] | None = None,
        paced: bool | None = None,
        progress: Callable[[Event], None] | None = None,
    ) -> None:
        self.store = store
        self.offline = offline
        self._wire = Wire(
            gateway, transport, Bounds(connect_timeout, read_timeout, total_timeout, max_body_bytes), now
        )
        self._now = now
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._patience = Patience(attempts, body_attempts, backoff, max_backoff, max_wait)
        if paced is None:
            paced = gateway is None and transport is None
        self._pacer = Pacer({**PACES, **(paces or {})} if paced else None)
        self._progress = progress
        self._random = random.Random()
        self._gone: set[str] = set()
        self._lock = threading.Lock()
        self._counters = Counters()

    @property
    def has_gateway(self) -> bool:
        """Whether a mirror stands in for the venues."""
        return self._wire.gateway is not None

    def clock(self) -> datetime:
        """The current moment, by the clock that dates bodies."""
        return self._now()

    @property
    def counters(self) -> Counters:
        """What was done so far."""
        return self._counters

    def fetch(
        self,
        request: Request,
        *,
        final: bool,
        check: BodyCheck | None = None,
        sha256: str | None = None,
        absent_ok: bool = False,
        divisible: bool = False,
        label: str = "",
    ) -> Body | None:
        """The body of a request, from the store or from the venue.

        Args:
            final: the answer can no longer change (a closed month): once stored it is never asked for again.
                Otherwise it is asked for each time online, and served from the store offline.
            check: raises a SourceError for a body that must not be stored; a TransientError leads to another
                attempt.
            sha256: hex digest that the body must have.
            absent_ok: return None where the venue has no such file, and record that.
            divisible: the caller asks for less where an answer is too large, and is told so at once.
            label: venue, table, partition and symbol, for messages.

        Raises:
            TransientError: attempts are used up, or the venue asks for too long a pause; the subtypes
                IncompleteBody and ChecksumMismatch where a body arrived but was not good. Nothing is stored.
            PermanentError: refused, moved or geo-blocked; NotServed where there is no such file; NotInStore
                offline.
        """
        name = label or request.url
        entry = self.store.entry(request)
        if entry is not None and (entry.final or self.offline):
            found = self._stored(request, sha256, absent_ok, name)
            if found is not None:
                return found[0]
        if self.offline:
            raise NotInStore(
                f"{name}: offline, and no stored body that answers {_described(request)}"
                f"{' with SHA-256 ' + sha256 if sha256 else ''}. Run once without --offline"
            )
        stored = self.store.get(request) if entry is not None and entry.etag and not entry.final else None
        try:
            answer, content = self._download(request, check, sha256, name, stored, absent_ok, divisible)
        except _Absent:
            self.store.put_absence(request, status=404, fetched_at=self._now(), final=final)
            self._count(absent=1)
            self._report("absent", name, request)
            return None
        return self._keep(request, answer, content, final, name)

    def fetch_together(
        self, request: Request, parts: Callable[[bytes], Sequence[tuple[Request, bytes]]], *, label: str
    ) -> list[str]:
        """Ask in one body what several requests ask, and keep what answers each as its final body.

        An answer that is too large is not asked for again.

        Args:
            request: the question that holds them all; its own body is not kept.
            parts: what to keep of a body, each with its request; raises as ``check`` of :meth:`fetch` does.

        Returns:
            Digests of what was kept, in its order.

        Raises:
            TransientError, PermanentError: as :meth:`fetch`. Nothing is stored.
        """
        found: Sequence[tuple[Request, bytes]] = ()

        def check(content: bytes) -> None:
            nonlocal found
            found = parts(content)

        if self.offline:
            raise NotInStore(f"{label}: offline. Run once without --offline")
        _, content = self._download(request, check, None, label, None, False, divisible=True)
        self._report("fetched", label, request, bytes=len(content))
        return [
            self.store.put(asked, part, status=200, fetched_at=self._now(), final=True).sha256
            for asked, part in found
        ]

    def forget(self, request: Request) -> None:
        """Move a stored body that proved bad out of the way, so that the next run asks for it again."""
        self.store.forget(request)

    def stop(self) -> None:
        """Give up: fetches under way in other threads, and later ones, raise :class:`Stopped`."""
        self._stopped.set()
        self._wire.close()

    def close(self) -> None:
        """Close connections. The next fetch would open them again."""
        self._wire.close()

    def __enter__(self) -> Http:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # from the store

    def _stored(
        self, request: Request, sha256: str | None, absent_ok: bool, name: str
    ) -> tuple[Body | None] | None:
        """The stored answer in a tuple (an absence is None in it); None where the store has no usable one."""
        found = self.store.get(request)
        if found is None:
            return None
        entry, content = found
        if entry.is_absence:
            if not absent_ok and not self.offline:
                return None
            self._count(from_store=1)
            self._report("absent", name, request)
            if not absent_ok:
                raise NotServed(
                    f"{name}: on {entry.fetched_at} the venue had no such file: {_described(request)}"
                )
            return (None,)
        if sha256 is not None and entry.sha256 != sha256.lower():
            return None
        self._count(from_store=1)
        self._report("stored", name, request, bytes=entry.bytes)
        return (_body(request, entry, content),)

    # from the venue

    def _download(
        self,
        request: Request,
        check: BodyCheck | None,
        sha256: str | None,
        name: str,
        stored: tuple[Entry, bytes] | None,
        absent_ok: bool,
        divisible: bool,
    ) -> tuple[Answer, bytes]:
        """The venue's answer and the checked body, which is the stored one where the answer confirms that.

        Raises:
            _Absent: there is no such file, and that is as good as an answer.
        """
        address = urlsplit(request.sent_to)
        # Where nobody took the connection, the next request does not wait for it all over again.
        host = address.netloc.rpartition("@")[2]
        place = self._wire.gateway or host
        patience = replace(self._patience, attempts=1) if place in self._gone else self._patience
        tries = Tries(patience, self._random)
        delay = 0.0
        while True:
            self._pause(max(delay, self._pacer.reserve(host, address.path)))
            if self._stopped.is_set():
                raise Stopped(f"{name}: the run was stopped")
            try:
                self._count(requests=1)
                answer = self._wire.ask(request, stored[0].etag if stored is not None else "")
                self._count(bytes=len(answer.content))
                content = stored[1] if stored is not None and answer.status == 304 else answer.content
                _verify(content, sha256, check)
            except Failed as failed:
                trouble = failed.trouble
            except NotServed as error:
                trouble = Trouble(NotServed, str(error), "Check symbol and dates")
            except SourceError as error:
                remedy = AGAIN if isinstance(error, TransientError) else "Nothing of this answer was kept"
                trouble = Trouble(type(error), str(error), remedy, about_body=True)
            else:
                self._gone.discard(place)
                return answer, content
            if trouble.error is NotServed and absent_ok:
                raise _Absent
            if trouble.about_body:
                stored = None  # it may be what a 304 confirmed: the next attempt asks for it in full
            try:
                if divisible and trouble.error is BodyTooLarge:
                    raise GivenUp("")
                delay = tries.next_delay(trouble)
            except GivenUp as end:
                if trouble.error is Unreachable:
                    self._gone.add(place)
                message = f"{name}: {trouble.what}{end} ({_described(request)}). {trouble.remedy}"
                raise trouble.error(message) from None
            if trouble.wait is not None:
                self._pacer.hold(host, trouble.wait)
            self._count(retries=1)
            self._report("retry", name, request, wait=delay, reason=trouble.what)
            level = logging.WARNING if delay >= _LONG_PAUSE else logging.INFO
            _log.log(level, "%s: %s; next attempt in %.1f s", name, trouble.what, delay)

    def _keep(
        self,
        request: Request,
        answer: Answer,
        content: bytes,
        final: bool,
        name: str,
    ) -> Body:
        """Store a checked body; a body confirmed by a 304 stays as it is, but may have become final."""
        entry = self.store.put(
            request, content, status=200, fetched_at=self._now(), etag=answer.etag, final=final
        )
        if answer.status == 304:
            self._count(unchanged=1)
            self._report("unchanged", name, request, bytes=len(content))
        else:
            self._report("fetched", name, request, bytes=len(content))
        return _body(request, entry, content)

    # bookkeeping

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._count(waited_seconds=seconds)
            self._sleep(seconds)

    def _count(self, **more: float) -> None:
        with self._lock:
            now = {key: getattr(self._counters, key) + value for key, value in more.items()}
            self._counters = replace(self._counters, **now)

    def _report(
        self,
        kind: Kind,
        name: str,
        request: Request,
        *,
        bytes: int = 0,
        wait: float = 0.0,
        reason: str = "",
    ) -> None:
        if self._progress is not None:
            self._progress(Event(kind, name, request, bytes, wait, reason))


class _Absent(Exception):
    """The venue has no such file."""


def _verify(content: bytes, sha256: str | None, check: BodyCheck | None) -> None:
    if sha256 is not None:
        digest = hashlib.sha256(content).hexdigest()
        if digest != sha256.lower():
            stated = f"but {sha256.lower()} is stated: a damaged download, or another version of the file"
            raise ChecksumMismatch(f"the body has SHA-256 {digest}, {stated}")
    if check is not None:
        check(content)


def _body(request: Request, entry: Entry, content: bytes) -> Body:
    return Body(request, content, entry.sha256, entry.status, datetime.fromisoformat(entry.fetched_at))


def _described(request: Request) -> str:
    """What was asked, on one line: a batch of a hundred calls is cut short."""
    payload = f" {request.payload}" if request.payload is not None else ""
    return textwrap.shorten(f"{request.method} {request.full_url}{payload}", 300, placeholder=" ...")
