"""The body store: every answer a venue gave, verbatim, with a manifest entry that says where it came from."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
from upath import UPath

from perp_pipeline.sources.base import Request

_STALE_SECONDS = 3600.0
_GZIP_LEVEL = 1  # a third of the time of level 6 for a tenth more bytes
_UNREADABLE = (FileNotFoundError, EOFError, gzip.BadGzipFile, zlib.error)


@dataclass(frozen=True)
class Entry:
    """What the manifest says about one request.

    Attributes:
        url, method, params, payload: the request, as in :class:`~perp_pipeline.sources.base.Request`.
        status: HTTP status of the stored answer; 404 for a recorded absence.
        sha256: hex digest of the body before compression; empty for an absence.
        bytes: length of the body before compression.
        fetched_at: when this body was downloaded (UTC, ISO 8601).
        etag: the server's tag for the body, empty where it sent none.
        final: True once the answer can no longer change (a closed month): it is not asked for again.
        file: the body's path under the store; empty for an absence.
    """

    url: str
    method: str
    params: Mapping[str, str | int]
    payload: Any
    status: int
    sha256: str
    bytes: int
    fetched_at: str
    etag: str
    final: bool
    file: str

    @property
    def request(self) -> Request:
        """The request this entry answers."""
        return Request(self.url, params=dict(self.params), method=self.method, payload=self.payload)

    @property
    def is_absence(self) -> bool:
        """True where the venue said that it has no such file."""
        return not self.sha256


def _host(request: Request) -> str:
    return (urlsplit(request.url).netloc or "unknown").replace(":", "_")


def _key(request: Request) -> str:
    return hashlib.sha256(request.identity.encode()).hexdigest()[:32]


def _local(root: UPath | Path | str) -> UPath:
    """``root`` as a path; ``file://`` becomes a plain local path, which has an atomic rename."""
    path = UPath(root)
    return UPath(path.path) if path.protocol in ("file", "local") else path


@dataclass
class BodyStore:
    """Bodies under ``root``, which is ``{lake}/raw/_downloads``: a gzip file and a JSON entry per request.

    Layout: ``{host}/{key}.json`` is the entry, ``{host}/{key}-{sha256[:16]}.gz`` its body; ``key`` digests
    the request. A body is written before the entry that names it, each by temporary name and rename (by a
    put on object stores), and read back against its SHA-256: an interrupted write is never believed, and what
    a new body replaces stays readable until the new entry is in place. Safe for threads and processes.

    Args:
        root: local path or any path that universal-pathlib knows (``s3://...``); need not exist yet.
    """

    root: UPath | Path | str
    _locks: tuple[threading.Lock, ...] = field(
        default_factory=lambda: tuple(threading.Lock() for _ in range(64)), repr=False
    )

    def __post_init__(self) -> None:
        self._root = _local(self.root)
        self._is_local = isinstance(self._root, Path)
        self._swept = False

    # reading

    def entry(self, request: Request) -> Entry | None:
        """The manifest entry of a request, or None; the body is not looked at."""
        return self._read_entry(self._sidecar(request), request)

    def read(self, entry: Entry) -> bytes | None:
        """The body of an entry, or None where it is missing or not what the entry says (then ask again)."""
        try:
            content = gzip.decompress((self._root / entry.file).read_bytes())
        except _UNREADABLE:
            return None
        return content if hashlib.sha256(content).hexdigest() == entry.sha256 else None

    def get(self, request: Request) -> tuple[Entry, bytes] | None:
        """Entry and verified body (empty for an absence), or None where nothing usable is stored."""
        # A second look covers a body replaced by another thread between reading its entry and reading it.
        for _ in range(2):
            entry = self.entry(request)
            if entry is None:
                return None
            if entry.is_absence:
                return entry, b""
            content = self.read(entry)
            if content is not None:
                return entry, content
        return None

    def entries(self) -> Iterator[Entry]:
        """All manifest entries, in the order of their paths."""
        if not self._root.exists():
            return
        for folder in sorted((p for p in self._root.iterdir() if p.is_dir()), key=str):
            if folder.name.startswith((".", "_")):
                continue
            for path in sorted(folder.glob("*.json"), key=str):
                entry = self._read_entry(path)
                if entry is not None:
                    yield entry

    def entries_of(self, url: str) -> list[Entry]:
        """Manifest entries of one address without parameters, in the order of their paths."""
        folder = self._root / _host(Request(url))
        if not folder.exists():
            return []
        entries = (self._read_entry(path) for path in sorted(folder.glob("*.json"), key=str))
        return [entry for entry in entries if entry is not None and entry.url == url]

    def holds(self, host: str) -> bool:
        """Whether any answer of a host is stored."""
        folder = self._root / host
        return folder.exists() and any(folder.glob("*.json"))

    def manifest(self) -> pd.DataFrame:
        """The manifest for people: one row per request, sorted by URL and parameters.

        Columns as the fields of :class:`Entry`; params and payload as JSON text, fetched_at as a time stamp.
        """
        rows = [
            asdict(entry)
            | {"params": json.dumps(dict(entry.params)), "payload": json.dumps(entry.payload)}
            | {"fetched_at": pd.Timestamp(entry.fetched_at)}
            for entry in self.entries()
        ]
        frame = pd.DataFrame(rows, columns=list(Entry.__dataclass_fields__))
        frame["fetched_at"] = pd.to_datetime(frame["fetched_at"], utc=True).dt.as_unit("us")
        return frame.sort_values(["url", "params", "payload", "method"], ignore_index=True)

    # writing

    def put(
        self,
        request: Request,
        content: bytes,
        *,
        status: int,
        fetched_at: datetime,
        etag: str = "",
        final: bool = False,
        renew: bool = False,
    ) -> Entry:
        """Store a body. One that is stored already, unchanged, is left as it is.

        Args:
            renew: an unchanged body takes the new ``fetched_at`` instead of keeping its own.
        """
        digest = hashlib.sha256(content).hexdigest()
        file = f"{_host(request)}/{_key(request)}-{digest[:16]}.gz"
        entry = _new_entry(request, status, digest, len(content), fetched_at, etag, final, file)
        with self._lock(request):
            old = self.entry(request)
            if old is not None and old.sha256 == digest and self.read(old) is not None:
                if not renew:
                    entry = Entry(**{**asdict(entry), "fetched_at": old.fetched_at})
            else:
                self._write(self._root / file, gzip.compress(content, compresslevel=_GZIP_LEVEL, mtime=0))
            if entry != old:
                self._write_entry(entry)
            if old is not None and old.file and old.file != file:
                (self._root / old.file).unlink(missing_ok=True)
        return entry

    def put_absence(self, request: Request, *, status: int, fetched_at: datetime, final: bool) -> Entry:
        """Record that the venue has no such file. A body stored before is set aside, not deleted."""
        entry = _new_entry(request, status, "", 0, fetched_at, "", final, "")
        with self._lock(request):
            old = self.entry(request)
            if old is not None and old.is_absence and (old.final, old.status) == (final, status):
                return old
            if old is not None:
                self._set_aside(old)
            self._write_entry(entry)
        return entry

    def forget(self, request: Request) -> None:
        """Move a stored body that proved bad to ``_rejected/``, so that the next online run asks again."""
        with self._lock(request):
            old = self.entry(request)
            if old is not None:
                self._set_aside(old)
                self._sidecar(request).unlink(missing_ok=True)

    def move(self, entry: Entry, request: Request) -> None:
        """Let another request have an entry and its body, byte for byte; what it has already stays."""
        with self._lock(request):
            file = f"{_host(request)}/{_key(request)}-{entry.sha256[:16]}.gz" if entry.file else ""
            if self.entry(request) is None and (not file or (self._root / entry.file).exists()):
                if file:
                    self._write(self._root / file, (self._root / entry.file).read_bytes())
                renamed = {"url": request.url, "method": request.method, "params": dict(request.params)}
                renamed |= {"payload": request.payload, "file": file}
                self._write_entry(Entry(**{**asdict(entry), **renamed}))
            self._sidecar(entry.request).unlink(missing_ok=True)
            if entry.file:
                (self._root / entry.file).unlink(missing_ok=True)

    # parts

    def _lock(self, request: Request) -> threading.Lock:
        return self._locks[int(_key(request)[:8], 16) % len(self._locks)]

    def _sidecar(self, request: Request) -> UPath:
        return self._root / _host(request) / f"{_key(request)}.json"

    def _read_entry(self, path: UPath, request: Request | None = None) -> Entry | None:
        """The entry in a file; None where there is none, it is torn, or it answers another request."""
        try:
            entry = Entry(**json.loads(path.read_bytes()))
            datetime.fromisoformat(entry.fetched_at)
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return entry if request is None or entry.request.identity == request.identity else None

    def _write_entry(self, entry: Entry) -> None:
        text = json.dumps(asdict(entry), indent=1)
        self._write(self._sidecar(entry.request), text.encode())

    def _set_aside(self, entry: Entry) -> None:
        """Copy an entry and its body, as they are, to ``_rejected/``; then remove the body."""
        sidecar = self._sidecar(entry.request)
        body = self._root / entry.file if entry.file else None
        rejected = self._root / "_rejected" / sidecar.parent.name
        for source in (sidecar, body):
            if source is not None and source.exists():
                self._write(rejected / source.name, source.read_bytes())
        if body is not None:
            body.unlink(missing_ok=True)

    def _write(self, path: UPath, data: bytes) -> None:
        """Write a file whole or not at all. No fsync: what a power cut tears is found by its digest."""
        if not self._is_local:
            path.write_bytes(data)  # a put: visible when complete
            return
        self._sweep()
        temporary = self._root / ".tmp" / uuid.uuid4().hex
        try:
            temporary.write_bytes(data)
        except FileNotFoundError:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
        try:
            temporary.replace(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)

    def _sweep(self) -> None:
        """Once per store: remove what runs killed over an hour ago left half written."""
        if self._swept:
            return
        self._swept = True
        folder = self._root / ".tmp"
        for path in list(folder.iterdir()) if folder.exists() else ():
            with suppress(FileNotFoundError):  # another thread or process has just put it in its place
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()


def _new_entry(
    request: Request,
    status: int,
    sha256: str,
    size: int,
    fetched_at: datetime,
    etag: str,
    final: bool,
    file: str,
) -> Entry:
    return Entry(
        url=request.url,
        method=request.method,
        params=dict(request.params),
        payload=request.payload,
        status=status,
        sha256=sha256,
        bytes=size,
        fetched_at=fetched_at.isoformat(),
        etag=etag,
        final=final,
        file=file,
    )
