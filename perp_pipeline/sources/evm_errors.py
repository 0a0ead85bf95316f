"""What can be wrong with chain logs, as types a caller can act on.

A node that is asked again may give a good answer, so all are transient errors of the source, except
:class:`UnknownTopic`, which no second answer cures.
"""

from __future__ import annotations

from perp_pipeline.sources.errors import FormatChanged, IncompleteBody


class TruncatedWords(IncompleteBody):
    """A log's data or topic is not the hexadecimal words that its event has."""


class WordOutOfRange(IncompleteBody):
    """A word holds more bits than its ABI type (uint160, uint128, int24), or both amounts of a swap have the
    same sign: not the event it claims to be."""


class RemovedLog(IncompleteBody):
    """The node marks a log as removed by a chain reorganisation."""


class DuplicateLog(IncompleteBody):
    """The same block number and log index came twice."""


class LogOutOfOrder(IncompleteBody):
    """Logs do not ascend by block number and log index."""


class LogOutOfRange(IncompleteBody):
    """A log lies outside the blocks, or belongs to another contract, than was asked for."""


class BrokenPricePath(IncompleteBody):
    """Consecutive swaps contradict each other's price: logs between them are missing."""


class LogsLeftOut(IncompleteBody):
    """Blocks that were answered with no log have some when they are asked for in another way."""


class UnknownTopic(FormatChanged):
    """A log's first topic is none of the events that were asked for."""
