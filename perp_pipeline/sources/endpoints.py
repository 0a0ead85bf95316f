"""Addresses that may hold a key: used to send requests, never written down."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

HIDDEN = "***"
"""What stands in messages and bodies where a secret was."""
_PATH_SECRET = 8
_QUERY_SECRET = 6
"""Lengths from which a piece of an address may be a key (``v3``, ``mainnet`` are shorter)."""
_LONGEST_ERROR = 4096
"""Bodies up to this length may be an error that repeats the address; data are left as they came."""


@dataclass(frozen=True)
class Endpoint:
    """Where requests are really sent, and what with.

    A node's address may hold its owner's key in the path, the query or before the ``@``; so may a header.
    None of it is part of a request's identity, of its ``repr`` or of a message, and what a server repeats of
    it in an error is blotted out.

    Args:
        url: the address, ``http://`` or ``https://``.
        headers: sent with each request.

    Raises:
        ValueError: the address is none. The message does not repeat it.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError("the address is not http:// or https:// and a host")

    @property
    def host(self) -> str:
        """The host, without port and user."""
        return urlsplit(self.url).hostname or ""

    @property
    def target(self) -> str:
        """The address without user and password, which are sent as a header."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

    @property
    def sent_headers(self) -> dict[str, str]:
        """The headers, with user and password of the address among them (RFC 7617)."""
        user = unquote(urlsplit(self.url).netloc.rpartition("@")[0])
        basic = {"Authorization": f"Basic {b64encode(user.encode()).decode()}"} if user else {}
        return basic | dict(self.headers)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be written, the longest first."""
        parts = urlsplit(self.url)
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        found = {text for text in (user, password) if len(text) >= _QUERY_SECRET}
        if user:
            found.add(parts.netloc.rpartition("@")[0] + "@")
        found |= {piece for piece in parts.path.split("/") if len(piece) >= _PATH_SECRET}
        found |= {value for _, value in parse_qsl(parts.query) if len(value) >= _QUERY_SECRET}
        found |= {text.split()[-1] for text in self.sent_headers.values() if text.split()}
        return tuple(sorted(filter(None, found), key=len, reverse=True))

    def redacted(self, text: str) -> str:
        """A message without the secrets."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def redacted_body(self, content: bytes) -> bytes:
        """An answer without the secrets, where it is short enough to be an error that repeats them."""
        if len(content) > _LONGEST_ERROR:
            return content
        for secret in self.secrets:
            content = re.sub(re.escape(secret.encode()), HIDDEN.encode(), content)
        return content
