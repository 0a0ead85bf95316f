"""JSON-RPC as Ethereum nodes speak it: calls, batches, and what their errors mean.

Error texts are those that providers send; the codes are overloaded (-32005 is both "too many results" and
"too many requests"), so the text decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from perp_pipeline.sources.errors import (
    FormatChanged,
    NotServed,
    PermanentError,
    TooSlow,
    TransientError,
)

_SLOW = re.compile(r"(query|execution) (has )?(timed? ?out|exceeded)|query timeout", re.IGNORECASE)
_RATE = re.compile(
    r"rate.?limit|request rate|request count|too many requests|per second|/ ?s(ec)?\b|\brps\b|quota|"
    r"usage limit|request limit|compute units|capacity|throughput|slow down",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(
    r"more than ([\d,]+|allowed number of) (results|logs)|too (large|big|many|wide)|size exceed|"
    r"exceed\w* (the )?(max|limit|\d)|block range|range (is )?(too|exceed|limit)|ranges? over \d|"
    r"limit exceeded|limited to|up to a? ?[\d,]+k? block|max(imum)? .{0,20}(range|results|distance)|"
    r"larger than|smaller than size|(smaller|reduc\w+|narrow\w*) .{0,20}range|too far apart|limit (is|of) \d|"
    r"exceeds? .{0,20}(range|limit|results)|too many events",
    re.IGNORECASE,
)
_TIMED_OUT = re.compile(r"time.?out|timed.?out|deadline exceeded|took too long", re.IGNORECASE)
_PASSING = re.compile(
    r"try again|temporar|overloaded|busy|internal error|header not found|unknown block", re.IGNORECASE
)
_NOT_HELD = re.compile(
    r"prun|archive|missing trie|\bhistor|\bholds\b|does not (hold|have)|no longer|not synced|"
    r"(block|state|data|logs?)\b.{0,40} not (found|available)",
    re.IGNORECASE,
)
_NOT_LET_IN = re.compile(
    r"unauthori|forbidden|inactive|suspend|disabled|(api|invalid|missing).{0,10}key|authenticat",
    re.IGNORECASE,
)
_NAMED_SPAN = re.compile(
    r"max(?:imum)?(?: \[from, to\])?(?: block)?s?(?: range| distance)?(?: is set to| is| set to| of|:| =)?\s*"
    r"([\d,]+k?)\b|up to (?:a )?([\d,]+k?) block|limited to (?:a |0 - )?([\d,]+k?)\b|"
    r"ranges? over ([\d,]+k?)\b|limit (?:is|of) ([\d,]+k?)\b|greater than ([\d,]+k?) max|"
    r"smaller than size ([\d,]+k?)\b",
    re.IGNORECASE,
)


_VERSION = b'"jsonrpc"'
_BETWEEN = re.compile(rb"\}\s*,\s*\{\s*$")
_GAP = 64
"""Characters in which the space between two answers is looked for."""
_HEAD = re.compile(rb'\s*(?P<begin>)\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(?P<number>\d+)\s*[,}]')
T = TypeVar("T")


class RangeTooLarge(PermanentError):
    """The node refuses a range for its span or its number of logs: ask for it in parts.

    Attributes:
        max_span: blocks that the node says it answers, where it says so.
        by_span: the span is too large, however few logs lie in it.
    """

    def __init__(self, message: str, max_span: int | None = None) -> None:
        super().__init__(message)
        self.max_span = max_span
        self.by_span = max_span is not None or (
            "range" in message.lower() and not re.search(r"results|logs|size", message, re.IGNORECASE)
        )


class BatchRefused(PermanentError):
    """The node takes no body of so many calls."""


class CallRefused(PermanentError):
    """The node refuses a single call: a method that it lacks, parameters that it does not take."""


class RangeNotHeld(NotServed):
    """The node does not hold these blocks or logs (pruned history, a recording): another node may."""


@dataclass(frozen=True)
class Call:
    """One JSON-RPC method with its parameters."""

    method: str
    params: tuple[Any, ...]

    def payload(self, number: int) -> dict[str, Any]:
        """The request object with its id."""
        return {"jsonrpc": "2.0", "id": number, "method": self.method, "params": list(self.params)}


class BatchInPart(PermanentError):
    """The node answered some calls of a body and had no answer for others now: it takes fewer at a time."""


def batch_payload(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Several calls in one body, numbered from 1."""
    return [call.payload(number) for number, call in enumerate(calls, start=1)]


def result_of(answer: object) -> Any:
    """The result of one answer.

    Raises:
        RangeTooLarge, RangeNotHeld, CallRefused, TooSlow, TransientError: by the meaning of the node's error.
        FormatChanged: not a JSON-RPC answer.
    """
    if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
        raise FormatChanged("the node's answer is not JSON-RPC: neither result nor error in it")
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    if not isinstance(error, dict):
        raise FormatChanged(f"the node's error is not an object: {error!r}")
    said, more = str(error.get("message", "")), error.get("data")
    # Nethermind says "invalid params", and what is wrong with them in the data
    raise _meaning(error.get("code"), f"{said}: {more}" if isinstance(more, str) and " " in more else said)


def refusal(text: str) -> RangeTooLarge | None:
    """The refusal that an HTTP error's text amounts to, where a node sends one with a 4xx status."""
    if _TOO_LARGE.search(text) and not _RATE.search(text):
        return RangeTooLarge(text, _named_span(text))
    return None


def loads(content: bytes) -> Any:
    """Parse a body.

    Raises:
        TransientError: not JSON (cut off, or something else came).
    """
    try:
        return json.loads(content)
    except ValueError as error:
        raise TransientError(f"the node's answer is not JSON: {error}") from None


def read_all(content: bytes, count: int, read: Callable[[Any], T]) -> list[T]:
    """What is read of each answer of a batch numbered from 1, in the order of its calls.

    Args:
        read: raises a SourceError for an answer that is none.

    Raises:
        BatchInPart: some answers are there, and others not for now.
        TransientError: an answer is missing.
        SourceError: one of them is an error, by its meaning.
    """
    found: list[T] = []
    late: TransientError | None = None
    for answer in answers_of(content, count):
        try:
            found.append(read(answer))
        except TransientError as error:
            late = error
    if late is None:
        return found
    raise BatchInPart(f"{len(found)} of {count} calls in one body were answered: {late}") if found else late


def answers_of(content: bytes, count: int) -> list[Any]:
    """Answers of a batch numbered from 1, errors among them, in the order of its calls.

    Raises:
        TransientError: an answer is missing, or there is none for now.
        BatchRefused: the batch is refused as a whole.
        FormatChanged: a single result came.
    """
    answers = loads(content)
    if isinstance(answers, dict):
        error = answers.get("error")
        said = str(error.get("message")) if isinstance(error, dict) else ""
        if error is not None and not any(t.search(said) for t in (_RATE, _TIMED_OUT, _PASSING)):
            raise BatchRefused(f"{count} calls in one body: the node says {error}")
        result_of(answers)
        raise FormatChanged("the node answered a batch with a single result")
    if not isinstance(answers, list):
        raise TransientError(f"the node answered a batch with {answers!r}")
    return in_order([(number_of(answer), answer) for answer in answers], range(1, count + 1))


def in_order(answers: Sequence[tuple[int, T]], numbers: Sequence[int]) -> list[T]:
    """Answers in the order of their calls.

    Raises:
        TransientError: one is missing, or came twice.
    """
    by_number = dict(answers)
    if missing := [number for number in numbers if number not in by_number]:
        raise TransientError(f"{len(missing)} of the batch's {len(numbers)} answers are missing")
    if len(by_number) < len(answers):
        raise TransientError("the node answered a call of the batch twice")
    return [by_number[number] for number in numbers]


def number_of(answer: object) -> int:
    """The number that an answer bears; 0 where it bears none."""
    number = answer.get("id") if isinstance(answer, dict) else None
    if isinstance(number, str) and number.isdecimal():
        return int(number)
    return number if isinstance(number, int) else 0


def answer_bodies(content: bytes, count: int) -> list[bytes]:
    """The bodies that a batch's answers would be if each were asked for alone, in the order of their calls.

    They are cut out of the batch's body as they stand, but for their number, which is 1. Where the body's
    form does not show where to cut, they are written anew.

    Raises:
        TransientError, BatchRefused, FormatChanged: as :func:`answers_of`.
    """
    body, numbers = content.strip(), range(1, count + 1)
    if body[:1] == b"[" and body[-1:] == b"]":
        cuts = _cuts(body)
        starts = [1, *(body.index(b",", cut) + 1 for cut in cuts)]
        heads = [head for start in starts if (head := _HEAD.match(body, start))]
        if len(starts) == len(heads) == count:
            alone = [
                (
                    int(head["number"]),
                    b"".join(
                        [
                            body[head.start("begin") : head.start("number")],
                            b"1",
                            body[head.end("number") : end].rstrip(),
                        ]
                    ),
                )
                for head, end in zip(heads, [*cuts, len(body) - 1], strict=True)
            ]
            return in_order(alone, numbers)
    answers = answers_of(content, count)
    return [json.dumps(answer | {"id": 1}, separators=(",", ":")).encode() for answer in answers]


def _cuts(body: bytes) -> list[int]:
    """Where objects that are followed by one that begins with the version of the protocol end."""
    cuts, place = [], body.find(_VERSION)
    while place >= 0:
        near = max(0, place - _GAP)
        if between := _BETWEEN.search(body[near:place]):
            cuts.append(near + between.start() + 1)
        place = body.find(_VERSION, place + 1)
    return cuts


def quantity(text: object) -> int:
    """A ``0x`` number.

    Raises:
        TransientError: it is none.
    """
    if isinstance(text, str) and text.startswith("0x"):
        try:
            return int(text, 16)
        except ValueError:
            pass
    raise TransientError(f"the node wrote {text!r} where a 0x number belongs")


def _meaning(code: object, message: str) -> Exception:
    """What an error says. Its text decides; what is not known for a refusal may be over when asked again."""
    text = f"the node says {code}: {message}"
    if _SLOW.search(message):
        return RangeTooLarge(text)
    if code == 429 or _RATE.search(message):
        return TransientError(text)
    if _TOO_LARGE.search(message):
        return RangeTooLarge(text, _named_span(message))
    if _TIMED_OUT.search(message):
        return TooSlow(text)
    if _PASSING.search(message):
        return TransientError(text)
    if code in (-32601, -32602, -32600) or _NOT_LET_IN.search(message):
        return CallRefused(text)
    if code == 4444 or _NOT_HELD.search(message):
        return RangeNotHeld(text)
    return TransientError(text) if code in (-32000, -32001, -32603) else CallRefused(text)


def _named_span(message: str) -> int | None:
    if re.search(r"results|logs", message, re.IGNORECASE) and not re.search(r"range|block", message):
        return None
    match = _NAMED_SPAN.search(message)
    if match is None:
        return None
    digits = next(group for group in match.groups() if group).replace(",", "").lower()
    number = int(digits.removesuffix("k")) * (1000 if digits.endswith("k") else 1)
    return number if number > 0 else None
