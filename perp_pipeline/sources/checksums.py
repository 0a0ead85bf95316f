"""Files whose venue publishes their SHA-256 beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perp_pipeline.sources.base import Body, BodyCheck, Request
from perp_pipeline.sources.errors import ChecksumMismatch, TransientError

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http


def fetch_with_checksum(
    http: Http,
    request: Request,
    checksum: Request,
    *,
    final: bool,
    check: BodyCheck | None = None,
    label: str = "",
    rounds: int = 3,
) -> Body | None:
    """A file whose SHA-256 the venue publishes beside it (``<sha256>  <file>``); None where it has neither.

    A file that does not match its checksum may be the fault of either: both are asked for again.

    Args:
        rounds: how often to begin again with a fresh checksum.

    Raises:
        SourceError: as :meth:`Http.fetch`; ChecksumMismatch after the last round, with neither file kept.
    """
    name = request.url.rsplit("/", 1)[-1]

    def is_digest(content: bytes) -> None:
        digest, _, file = content.decode("utf-8", "replace").strip().partition(" ")
        if len(digest) != 64 or set(digest.lower()) - set("0123456789abcdef"):
            raise TransientError(f"not a SHA-256 and a file name: {content[:100]!r}")
        if file.strip(" *") != name:
            raise TransientError(f"the checksum is for {file.strip(' *')!r}, not for {name!r}")

    for left in reversed(range(rounds)):
        digest = http.fetch(checksum, final=final, check=is_digest, absent_ok=True, label=f"{label} checksum")
        if digest is None:
            return None
        expected = digest.content[:64].decode().lower()
        try:
            return http.fetch(request, final=final, check=check, sha256=expected, absent_ok=True, label=label)
        except ChecksumMismatch:
            http.forget(checksum)
            if not left:
                raise
    return None
