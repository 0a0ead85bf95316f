"""What a lake refuses to do, as types a caller can act on."""

from __future__ import annotations


class LakeError(Exception):
    """The message names table, partition, row and remedy."""


class SchemaMismatch(LakeError):
    """A table does not have its contract's columns or types."""


class LostRows(LakeError):
    """A refresh would lose rows of a closed month."""


class TableMissing(LakeError):
    """A table (or the months asked of it) is not in the lake yet."""
