"""ABI words against Python's own integers."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keccak import keccak256

from perp_pipeline.sources.evm_errors import TruncatedWords, WordOutOfRange
from perp_pipeline.sources.evm_events import V2, V3
from perp_pipeline.sources.evm_pool_facts import SELECTORS
from perp_pipeline.sources.evm_words import decimals, floats, require_unsigned, small_signed, words_from_hex

SIGNED = st.integers(-(2**255), 2**255 - 1) | st.integers(-(10**20), 10**20)
UNSIGNED = st.integers(0, 2**256 - 1) | st.integers(0, 2**160)


def _words(values: list[int]) -> np.ndarray:
    texts = pa.array(["0x" + format(value % 2**256, "064x") for value in values])
    return words_from_hex(texts, 1)[:, 0]


@given(st.lists(SIGNED, min_size=1, max_size=20))
def test_signed_words_are_exact(values: list[int]) -> None:
    assert decimals(_words(values), signed=True).to_pylist() == [str(value) for value in values]


@given(st.lists(UNSIGNED, min_size=1, max_size=20))
def test_unsigned_words_are_exact(values: list[int]) -> None:
    assert decimals(_words(values), signed=False).to_pylist() == [str(value) for value in values]


@given(st.lists(SIGNED, min_size=1, max_size=20))
def test_floats_are_within_two_units_in_the_last_place(values: list[int]) -> None:
    for value, found in zip(values, floats(_words(values), signed=True), strict=True):
        assert abs(int(found) - value) <= 2 * math.ulp(float(abs(value)))


@given(st.lists(st.integers(-(2**23), 2**23 - 1), min_size=1, max_size=20))
def test_ticks(values: list[int]) -> None:
    assert small_signed(_words(values), 24, "tick").tolist() == values


@pytest.mark.parametrize("value", [2**23, -(2**23) - 1, 2**200, -(2**64), 2**63])
def test_a_tick_of_more_than_24_bits_is_refused(value: int) -> None:
    with pytest.raises(WordOutOfRange, match="int24"):
        small_signed(_words([0, value]), 24, "tick")


def test_unsigned_bounds() -> None:
    require_unsigned(_words([0, 2**160 - 1]), 160, "price")
    with pytest.raises(WordOutOfRange, match="uint160"):
        require_unsigned(_words([2**160]), 160, "price")


@pytest.mark.parametrize(
    "text",
    ["0x", "0x" + "0" * 63, "0x" + "0" * 65, "00" + "0" * 64, "0x" + "g" * 64, "0x" + " " * 64, None],
)
def test_what_is_not_a_word_is_named(text: str | None) -> None:
    with pytest.raises(TruncatedWords):
        words_from_hex(pa.array(["0x" + "0" * 64, text], pa.string()), 1)


def test_a_slice_and_chunks_read_the_same() -> None:
    values = [1, -2, 3, -4, 5]
    texts = pa.array(["0x" + format(value % 2**256, "064x") for value in values])
    chunked = pa.chunked_array([texts[1:2], texts[2:5]])
    assert decimals(words_from_hex(texts[1:4], 1)[:, 0], signed=True).to_pylist() == ["-2", "3", "-4"]
    assert decimals(words_from_hex(chunked, 1)[:, 0], signed=True).to_pylist() == ["-2", "3", "-4", "5"]


def test_no_logs_give_no_words() -> None:
    empty = words_from_hex(pa.array([], pa.string()), 5)
    assert empty.shape == (0, 5, 32)
    assert len(decimals(empty[:, 0], signed=True)) == 0


@pytest.mark.parametrize("event", V2 + V3, ids=lambda event: event.signature)
def test_topics_are_the_digests_of_their_signatures(event: object) -> None:
    assert event.topic0 == "0x" + keccak256(event.signature.encode()).hex()


@pytest.mark.parametrize("signature", SELECTORS)
def test_selectors_are_the_digests_of_their_signatures(signature: str) -> None:
    assert SELECTORS[signature] == "0x" + keccak256(signature.encode())[:4].hex()
