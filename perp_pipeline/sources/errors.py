"""What can go wrong with a download, as types a caller can act on."""

from __future__ import annotations


class SourceError(Exception):
    """A download that did not give usable data. The message names venue, table, partition and remedy."""


class TransientError(SourceError):
    """Worth asking again: rate limits, server errors, resets, truncated or incomplete answers."""


class IncompleteBody(TransientError):
    """The answer is well formed but rows are missing, repeated, out of range or not numbers."""


class BodyTooLarge(TransientError):
    """The answer is longer than any of the source's should be, and was cut off."""


class TooSlow(TransientError):
    """No answer came in time: what was asked may be too much for one answer."""


class Unreachable(TransientError):
    """No server at the address: the name does not resolve, or nobody takes the connection."""


class PermanentError(SourceError):
    """Asking again will not help: unknown symbol, geo-block, closed venue."""


class NotServed(PermanentError):
    """The venue has no such file, symbol or range (404, unknown symbol)."""


class FormatChanged(PermanentError):
    """The answer does not have the documented form."""


class ChecksumMismatch(TransientError):
    """The body's digest is not the one the venue, or the pinned archive list, states."""


class NotInStore(PermanentError):
    """``--offline`` was asked for and the stored bodies lack this request."""


class Stopped(SourceError):
    """The run is being given up: nobody waits for the answer."""
