"""Several answers read and checked in one pass: of each what it says, or what is wrong with it, alone."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

from amm_frames import ADDRESS_WORD, POOL, TOPICS, log, v3_swap
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline.sources.errors import SourceError
from perp_pipeline.sources.evm_answers import Answer, parse, parse_all
from perp_pipeline.sources.evm_events import V2, V3
from perp_pipeline.sources.evm_logs import LogFilter

BLOCKS = 100


def _swaps(place: int, roots: list[float], liquidity: int = 10**18) -> list[dict[str, Any]]:
    """Swaps at constant liquidity along roots of the price, a block each, in the blocks of an answer."""
    logs = []
    for n, (before, after) in enumerate(pairwise(roots)):
        amounts = [-int(liquidity * (1 / before - 1 / after)), int(liquidity * (after - before))]
        tick = math.floor(2 * math.log(after) / math.log(1.0001))
        logs.append(v3_swap(place * BLOCKS + n, 0, [*amounts, int(after * 2**96), liquidity, tick]))
    return logs


def _walk(place: int) -> list[dict[str, Any]]:
    return _swaps(place, [1.0, 1.001, 1.0015, 1.001, 1.002, 1.0025])


def _with(change: dict[str, Any], at: int = 2) -> Any:
    def logs(place: int) -> list[dict[str, Any]]:
        return [one | change if n == at else one for n, one in enumerate(_walk(place))]

    return logs


def _mints(place: int) -> list[dict[str, Any]]:
    tick = "0x" + "0" * 64
    topics = [TOPICS["v3", "mint"], ADDRESS_WORD, tick, tick]
    return [log(place * BLOCKS, 3, topics, [0, 1, 2, 3])]


def _error(code: int, message: str) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}}).encode()


FORMS: dict[str, Any] = {
    "whole": _walk,
    "whole again": lambda place: _swaps(place, [2.0, 2.001, 2.0]),  # far from where another answer ends
    "none": lambda place: [],
    "one": lambda place: _walk(place)[:1],
    "another kind": _mints,
    "swaps and others": lambda place: [*_mints(place), *_walk(place)[1:]],
    "a jump": lambda place: _swaps(place, [1.0, 1.001, 1.002, 1.004, 1.008, 1.009])[::4],
    "left out": lambda place: [log for n, log in enumerate(_swaps(place, [1, 1.1, 1.5, 1.2])) if n != 1],
    "removed": _with({"removed": True}),
    "a null": _with({"removed": None}),
    "another contract": _with({"address": "0x" + "11" * 20}),
    "capitals": _with({"address": "0x" + "AB" * 20}),
    "another block": _with({"blockNumber": hex(10**6)}),
    "out of order": lambda place: [*_walk(place)[3:], *_walk(place)[:2]],
    "twice": lambda place: [*_walk(place)[:2], *_walk(place)[1:]],
    "unknown": _with({"topics": ["0x" + "12" * 32]}),
    "no topic": _with({"topics": []}),
    "few topics": _with({"topics": [TOPICS["v3", "swap"], ADDRESS_WORD]}),
    "short": _with({"data": "0x" + "0" * 64 * 4}),
    "no words": _with({"data": "0x" + "z" * 64 * 5}),
    "too large": lambda place: [*_walk(place), v3_swap(place * BLOCKS + 50, 0, [1, -1, 2**160, 1, 0])],
    "one sign": lambda place: [v3_swap(place * BLOCKS, 0, [1, 1, 2**96, 1, 0])],
    "no number": _with({"blockNumber": "12"}),
    "a field less": _with({"data": None}),
    "v2": lambda place: [
        log(place * BLOCKS, 4, [TOPICS["v2", "sync"]], [5, 5]),
        log(place * BLOCKS, 5, [TOPICS["v2", "swap"], ADDRESS_WORD, ADDRESS_WORD], [1, 0, 0, 1]),
    ],
    "v2, no sync": lambda place: [
        log(place * BLOCKS, 5, [TOPICS["v2", "swap"], ADDRESS_WORD, ADDRESS_WORD], [1, 0, 0, 1]),
    ],
}
BODIES: dict[str, bytes] = {
    "pruned": _error(-32000, "history is pruned"),
    "too many": _error(-32005, "query returned more than 10000 results"),
    "busy": b"<html>busy</html>",
    "cut off": b'{"result": [{',
}


def _said(one: Answer | SourceError) -> Any:
    if isinstance(one, Answer):
        return one.logs.to_pylist(), one.jump
    return type(one), str(one)


def _alone(body: bytes, asked: LogFilter) -> Any:
    try:
        return _said(parse(body, asked))
    except SourceError as error:
        return _said(error)


def _body(name: str, place: int) -> bytes:
    if name in BODIES:
        return BODIES[name]
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": FORMS[name](place)}).encode()


@given(st.lists(st.sampled_from([*FORMS, *BODIES]), min_size=1, max_size=6))
def test_answers_say_together_what_they_say_alone(names: list[str]) -> None:
    bodies = [_body(name, place) for place, name in enumerate(names)]
    asked = [
        LogFilter(POOL, V2 if name.startswith("v2") else V3, place * BLOCKS, place * BLOCKS + BLOCKS - 1)
        for place, name in enumerate(names)
    ]
    found = [_said(one) for one in parse_all(bodies, asked)]
    assert found == [_alone(body, one) for body, one in zip(bodies, asked, strict=True)]


def test_which_forms_are_good() -> None:
    asked = LogFilter(POOL, V3, 0, BLOCKS - 1)
    good = {name for name in FORMS if isinstance(_alone(_body(name, 0), asked)[0], list)}
    assert good == {
        *("whole", "whole again", "none", "one", "another kind", "swaps and others", "a jump"),
        *("a null", "capitals"),
    }
    assert "jumps from tick" in parse(_body("a jump", 0), asked).jump
    assert not parse(_body("whole", 0), asked).jump
