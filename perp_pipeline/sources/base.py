"""What a source is: requests, bodies, datasets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.months import Span
from perp_pipeline.sources.endpoints import Endpoint

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http


@dataclass(frozen=True)
class Request:
    """One HTTP request as the venue documents it (never the gateway's address).

    Attributes:
        url: what is written down about the request: into the body store, ``source_url`` and messages.
        params: query parameters, in the order they are sent.
        payload: JSON body of a POST.
        via: where it is really sent, if that is not ``url``; never written down.
    """

    url: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    method: str = "GET"
    payload: Any = None
    via: Endpoint | None = field(default=None, repr=False, compare=False)

    @property
    def full_url(self) -> str:
        """Address with the query, as written into ``source_url``."""
        return f"{self.url}?{urlencode(self.params)}" if self.params else self.url

    @property
    def sent_to(self) -> str:
        """Address with the query, as sent."""
        return self.via.target if self.via is not None else self.full_url

    @property
    def identity(self) -> str:
        """Text that is equal for equal requests: what the body store is keyed by."""
        return json.dumps([self.method, self.full_url, self.payload], sort_keys=True)


@dataclass(frozen=True)
class Body:
    """A stored answer, verbatim.

    Attributes:
        sha256: hex digest of ``content``.
        fetched_at: when it was downloaded (UTC).
    """

    request: Request
    content: bytes
    sha256: str
    status: int
    fetched_at: datetime

    @property
    def source_url(self) -> str:
        """The original address."""
        return self.request.full_url


BodyCheck = Callable[[bytes], None]
"""Raises a :class:`~perp_pipeline.sources.errors.SourceError` for a body that must not be stored."""


class Dataset(Protocol):
    """One raw table and how to download it."""

    @property
    def contract(self) -> Contract:
        """The raw table."""
        ...

    @property
    def venue(self) -> str:
        """Lower-case venue name, for messages and selections."""
        ...

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Frames with the raw table's columns, for the months of ``span`` that the venue covers.

        Raises:
            SourceError: nothing usable came; nothing of the failing request is kept.
        """
        ...
