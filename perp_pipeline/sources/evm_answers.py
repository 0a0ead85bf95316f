"""Bodies of eth_getLogs answers, read and checked: many in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from perp_pipeline.sources.errors import SourceError
from perp_pipeline.sources.evm_logs import LogFilter, columns, read_structs
from perp_pipeline.sources.evm_verify import verify_all


@dataclass(frozen=True)
class Answer:
    """A checked answer.

    Attributes:
        logs: as :func:`~perp_pipeline.sources.evm_logs.log_table` gives them.
        jump: where the price jumps, as :func:`~perp_pipeline.sources.evm_verify.price_jump` says it.
    """

    logs: pa.Table
    jump: str


def parse(content: bytes, asked: LogFilter) -> Answer:
    """The logs of an answer, checked against what was asked for.

    Raises:
        RangeTooLarge, RangeNotHeld: the node refuses the range.
        SourceError: the answer is not usable.
    """
    return _checked([read_structs(content)], [asked])[0]


def parse_all(contents: Sequence[bytes], asked: Sequence[LogFilter]) -> list[Answer | SourceError]:
    """What :func:`parse` returns or raises for each of several answers of one contract.

    They are checked together; only where one of them is bad is each checked by itself, for its own error.
    """
    found: list[Answer | SourceError | pa.StructArray] = []
    for content in contents:
        try:
            found.append(read_structs(content))
        except SourceError as error:
            found.append(error)
    good = [place for place, one in enumerate(found) if isinstance(one, pa.StructArray)]
    for place, answer in zip(good, _each([found[n] for n in good], [asked[n] for n in good]), strict=True):
        found[place] = answer
    return found


def _each(logs: Sequence[pa.StructArray], asked: Sequence[LogFilter]) -> Sequence[Answer | SourceError]:
    try:
        return _checked(logs, asked) if logs else []
    except SourceError as error:
        if len(logs) == 1:
            return [error]
    return [answer for one, own in zip(logs, asked, strict=True) for answer in _each([one], [own])]


def _checked(logs: Sequence[pa.StructArray], asked: Sequence[LogFilter]) -> list[Answer]:
    """
    Raises:
        IncompleteBody: one of the answers is not what was asked for.
    """
    table, counts = columns(logs), [len(one) for one in logs]
    starts = [sum(counts[:place]) for place in range(len(counts))]
    jumps = verify_all(table, asked, counts)
    return [
        Answer(table.slice(start, count), jump)
        for start, count, jump in zip(starts, counts, jumps, strict=True)
    ]
