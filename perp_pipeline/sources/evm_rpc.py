"""JSON-RPC as Ethereum nodes speak it: calls, batches, and what their errors mean.

Error texts are those that providers send; the codes are overloaded (-32005 is both "too many results" and
"too many requests"), so the text decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perp_pipeline.sources.errors import FormatChanged, NotServed, PermanentError, TransientError

_RATE = re.compile(
    r"rate.?limit|request rate|request count|too many requests|per second|compute units|capacity|throughput|"
    r"try again|temporar|time.?out|timed out|overloaded|busy|internal error|header not found|unknown block",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(
    r"more than [\d,]+ (results|logs)|too (large|big|many|wide)|size exceed|exceed\w* (the )?(max|limit|\d)|"
    r"block range|range (is )?(too|exceed|limit)|limit exceeded|limited to|up to a? ?[\d,]+ block|"
    r"max(imum)? .{0,20}(range|results)",
    re.IGNORECASE,
)
_NAMED_SPAN = re.compile(
    r"max(?:imum)?(?: block range)?(?: is| of|:)?\s*([\d,]+)|"
    r"up to (?:a )?([\d,]+) block|limited to (?:a )?([\d,]+)",
    re.IGNORECASE,
)


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
            "range" in message.lower() and not re.search(r"results|logs|size", message)
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


def batch_payload(calls: Sequence[Call]) -> list[dict[str, Any]]:
    """Several calls in one body, numbered from 1."""
    return [call.payload(number) for number, call in enumerate(calls, start=1)]


def result_of(answer: object) -> Any:
    """The result of one answer.

    Raises:
        RangeTooLarge, RangeNotHeld, CallRefused, TransientError: by the meaning of the node's error.
        FormatChanged: not a JSON-RPC answer.
    """
    if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
        raise FormatChanged("the node's answer is not JSON-RPC: neither result nor error in it")
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    if not isinstance(error, dict):
        raise FormatChanged(f"the node's error is not an object: {error!r}")
    raise _meaning(error.get("code"), str(error.get("message", "")))


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


def results_of(content: bytes, count: int) -> list[Any]:
    """Results of a batch, in the order of its calls (answers may come in any order).

    Raises:
        TransientError: an answer is missing.
        SourceError: one of them is an error, by its meaning.
    """
    return [result_of(answer) for answer in answers_of(content, count)]


def answers_of(content: bytes, count: int) -> list[Any]:
    """Answers of a batch, errors among them, in the order of its calls.

    Raises:
        TransientError: an answer is missing, or there is none for now.
        BatchRefused: the batch is refused as a whole.
        FormatChanged: a single result came.
    """
    answers = loads(content)
    if isinstance(answers, dict):
        try:
            result_of(answers)
        except TransientError:
            raise
        except PermanentError as error:
            raise BatchRefused(f"{count} calls in one body: {error}") from None
        raise FormatChanged("the node answered a batch with a single result")
    by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
    if missing := [number for number in range(1, count + 1) if number not in by_id]:
        raise TransientError(f"{len(missing)} of the batch's {count} answers are missing")
    return [by_id[number] for number in range(1, count + 1)]


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
    text = f"the node says {code}: {message}"
    if code == 429 or _RATE.search(message):
        return TransientError(text)
    if _TOO_LARGE.search(message):
        return RangeTooLarge(text, _named_span(message))
    if code in (-32601, -32602, -32600):
        return CallRefused(text)
    if code in (-32000, -32001, 4444):
        return RangeNotHeld(text)
    return TransientError(text) if code == -32603 else CallRefused(text)


def _named_span(message: str) -> int | None:
    if re.search(r"results|logs", message) and not re.search(r"range|block", message):
        return None
    match = _NAMED_SPAN.search(message)
    if match is None:
        return None
    number = int(next(group for group in match.groups() if group).replace(",", ""))
    return number if number > 0 else None
