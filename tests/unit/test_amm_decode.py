"""Logs to swaps and liquidity events, against Python's own integers."""

from __future__ import annotations

import json
import math
from math import isqrt
from pathlib import Path

import pytest
from amm_frames import ADDRESS_WORD, POOL, TOPICS, facts, log, raw_frame, v3_swap, word
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline.amm import decode
from perp_pipeline.sources.errors import IncompleteBody
from perp_pipeline.sources.evm_errors import (
    BrokenPricePath,
    DuplicateLog,
    LogOutOfOrder,
    LogOutOfRange,
    RemovedLog,
    TruncatedWords,
    UnknownTopic,
    WordOutOfRange,
)
from perp_pipeline.sources.evm_events import V2, V3
from perp_pipeline.sources.evm_logs import LogFilter, log_table
from perp_pipeline.sources.evm_verify import price_jump, verify

ROOT = 1_771_595_571_142_957_166_518_320_255_467_520  # about 2000 USDC per WETH
TICK = 200_311
ASKED = LogFilter(POOL, V3, 0, 100)


@given(
    st.integers(-(2**255), 2**255 - 1),
    st.integers(-(2**255), 2**255 - 1),
    st.integers(2**32, 2**160 - 1),
    st.integers(0, 2**128 - 1),
    st.integers(-887272, 887272),
)
def test_v3_swaps_are_exact(amount0: int, amount1: int, root: int, liquidity: int, tick: int) -> None:
    row = decode.swaps(raw_frame([v3_swap(1, 0, [amount0, amount1, root, liquidity, tick])]), facts()).iloc[0]
    assert (row["amount0"], row["amount1"]) == (str(amount0), str(amount1))
    assert (row["sqrt_price_x96"], row["liquidity"], row["tick"]) == (str(root), str(liquidity), tick)
    assert row["amount0_tokens"] == pytest.approx(amount0 / 10**6, rel=1e-15)
    assert row["amount1_tokens"] == pytest.approx(amount1 / 10**18, rel=1e-15)
    assert row["price"] == pytest.approx(root**2 / 2**192 / 10**12, rel=1e-14)
    assert row["liquidity_tokens"] == pytest.approx(liquidity / 10**12, rel=1e-15)


def test_v2_swaps_take_price_and_liquidity_from_the_sync_before_them() -> None:
    reserves = (5_000_000_000_000, 2_500_000_000_000_000_000_000)
    logs = [
        log(7, 3, [TOPICS["v2", "sync"]], [1, 1]),
        log(7, 4, [TOPICS["v2", "sync"]], list(reserves)),
        log(7, 5, [TOPICS["v2", "swap"], ADDRESS_WORD, ADDRESS_WORD], [10**9, 0, 5, 3 * 10**17]),
    ]
    row = decode.swaps(raw_frame(logs), facts("uniswap_v2")).iloc[0]
    assert (row["amount0"], row["amount1"]) == (str(10**9 - 5), str(-3 * 10**17))
    # gross: the five units that went out with the others had come in
    assert (row["in0_tokens"], row["in1_tokens"]) == (10**9 / 10**6, 0.0)
    assert row["liquidity"] == str(isqrt(reserves[0] * reserves[1]))
    assert row["sqrt_price_x96"] == str(isqrt((reserves[1] << 192) // reserves[0]))
    assert row["price"] == pytest.approx(1 / 2000)


def test_a_v2_swap_without_its_sync_is_named() -> None:
    lone = log(7, 5, [TOPICS["v2", "swap"], ADDRESS_WORD, ADDRESS_WORD], [1, 0, 0, 1])
    with pytest.raises(TruncatedWords, match=r"block 7, log 5 of ethereum:0xab.* has no sync"):
        decode.swaps(raw_frame([lone]), facts("uniswap_v2"))


def test_liquidity_events() -> None:
    ticks = ["0x" + word(-887220), "0x" + word(201_240)]
    logs = [
        log(1, 0, [TOPICS["v3", "mint"], ADDRESS_WORD, *ticks], [99, 10**30, 500, 2**100]),
        log(2, 0, [TOPICS["v3", "burn"], ADDRESS_WORD, *ticks], [10**30, 400, 7]),
        log(3, 0, [TOPICS["v3", "collect"], ADDRESS_WORD, *ticks], [99, 401, 8]),
        log(4, 0, [TOPICS["v3", "flash"], ADDRESS_WORD, ADDRESS_WORD], [10**12, 0, 50, 0]),
        log(5, 0, [TOPICS["v3", "collect_protocol"], ADDRESS_WORD, ADDRESS_WORD], [3, 4]),
    ]
    found = decode.liquidity_events(raw_frame(logs), facts())
    assert found["event"].tolist() == ["mint", "burn", "collect", "flash", "collect_protocol"]
    assert found["tick_lower"].tolist()[:3] == [-887220] * 3
    assert found["tick_upper"].isna().tolist() == [False, False, False, True, True]
    assert found["liquidity"].iloc[0] == str(10**30)
    assert found["amount1"].iloc[0] == str(2**100)
    # a burn credits the owner and moves nothing; a flash loan leaves what was paid for it
    assert found["balance0_change"].tolist() == ["500", "0", "-401", "50", "-3"]


def test_fee_switches() -> None:
    raw = raw_frame([log(9, 1, [TOPICS["v3", "set_fee_protocol"]], [0, 0, 4, 10])])
    row = decode.fee_switches(raw, facts()).iloc[0]
    assert [row[name] for name in ("old0", "old1", "new0", "new1")] == [0, 0, 4, 10]


@pytest.mark.parametrize(
    ("places", "error"),
    [([(1, 0), (1, 0)], DuplicateLog), ([(2, 0), (1, 0)], LogOutOfOrder), ([(1, 1), (1, 0)], LogOutOfOrder)],
)
def test_order_and_duplicates(places: list[tuple[int, int]], error: type[Exception]) -> None:
    logs = [v3_swap(block, index, [1, -1, ROOT, 1, TICK]) for block, index in places]
    with pytest.raises(error):
        decode.swaps(raw_frame(logs), facts())
    with pytest.raises(error):
        verify(log_table(logs), ASKED)


def test_a_shuffled_repeat_is_called_a_duplicate() -> None:
    logs = [v3_swap(block, 0, [1, -1, ROOT, 1, TICK]) for block in (1, 2, 1)]
    with pytest.raises(DuplicateLog):
        verify(log_table(logs), ASKED)


def test_what_a_node_may_not_send() -> None:
    good = v3_swap(5, 0, [1, -1, ROOT, 1, TICK])
    verify(log_table([good]), ASKED)
    for change, error in (
        ({"removed": True}, RemovedLog),
        ({"address": "0x" + "11" * 20}, LogOutOfRange),
        ({"blockNumber": "0x65"}, LogOutOfRange),
        ({"data": good["data"][:-64]}, TruncatedWords),
        ({"topics": good["topics"][:2]}, TruncatedWords),
        ({"topics": ["0x" + "12" * 32, *good["topics"][1:]]}, UnknownTopic),
        ({"data": None}, IncompleteBody),
        ({"blockNumber": "0x8000000000000000"}, IncompleteBody),
        ({"removed": "false"}, IncompleteBody),
        ({"blockNumber": "x"}, IncompleteBody),
    ):
        with pytest.raises(error):
            table = log_table([good | change])
            verify(table, ASKED)
            decode.swaps(raw_frame([good | change]), facts())
    with pytest.raises(IncompleteBody, match="lack the field data"):
        log_table([{key: value for key, value in good.items() if key != "data"}])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, -1, 2**160, 1, 0], "sqrtPriceX96: .* uint160"),
        ([1, -1, ROOT, 2**128, 0], "liquidity: .* uint128"),
        ([1, -1, ROOT, 1, 2**23], "tick: .* int24"),
    ],
)
def test_a_word_too_large_for_its_type_is_named(values: list[int], said: str) -> None:
    logs = [v3_swap(1, 0, [1, -1, ROOT, 1, TICK]), v3_swap(7, 3, values)]
    with pytest.raises(WordOutOfRange, match=said) as decoded:
        decode.swaps(raw_frame(logs), facts())
    assert f"block 7, log 3 of ethereum:{POOL}" in str(decoded.value)
    with pytest.raises(WordOutOfRange, match=said) as verified:
        verify(log_table(logs), ASKED)
    assert f"block 7, log 3 of {POOL}" in str(verified.value)


@pytest.mark.parametrize(
    ("name", "more_topics", "values", "said"),
    [
        ("mint", [5, 1, 2], [2**160, 1, 1, 1], "mint sender: .* uint160"),
        ("mint", [5, 1, 2], [9, 2**128, 1, 1], "mint amount: .* uint128"),
        ("burn", [5, 2**23, 2], [1, 1, 1], "burn tickLower: .* int24"),
        ("burn", [5, 1, -(2**23) - 1], [1, 1, 1], "burn tickUpper: .* int24"),
        ("collect", [5, 1, 2], [9, 1, 2**128], "collect amount1: .* uint128"),
        ("set_fee_protocol", [], [0, 0, 256, 4], "set_fee_protocol new0: .* uint8"),
        ("collect_protocol", [5, 6], [2**128, 0], "collect_protocol amount0: .* uint128"),
    ],
)
def test_words_of_other_events_are_checked_too(
    name: str, more_topics: list[int], values: list[int], said: str
) -> None:
    topics = [TOPICS["v3", name], *("0x" + word(value) for value in more_topics)]
    swap = v3_swap(1, 0, [1, -1, ROOT, 1, TICK])
    with pytest.raises(WordOutOfRange, match=said) as raised:
        verify(log_table([swap, log(2, 4, topics, values), swap | {"blockNumber": "0x3"}]), ASKED)
    assert f"block 2, log 4 of {POOL}" in str(raised.value)


@pytest.mark.parametrize("logs", [[5], [4, 3]])
def test_a_v2_swap_whose_sync_the_node_left_out_is_not_kept(logs: list[int]) -> None:
    sync, swap = [TOPICS["v2", "sync"]], [TOPICS["v2", "swap"], ADDRESS_WORD, ADDRESS_WORD]
    whole = [log(7, 4, sync, [5, 5]), log(7, 5, swap, [1, 0, 0, 1]), log(8, 3, swap, [1, 0, 0, 1])]
    asked = LogFilter(POOL, V2, 0, 100)
    verify(log_table(whole[:2]), asked)
    with pytest.raises(TruncatedWords, match=r"log \d of 0xab.* has no sync"):
        verify(log_table([one for one in whole if int(one["logIndex"], 16) in logs]), asked)
    with pytest.raises(WordOutOfRange, match=r"reserve1: .* uint112"):
        verify(log_table([log(7, 4, sync, [5, 2**112])]), asked)


def test_missing_logs_break_the_path_of_the_price() -> None:
    def path(ticks: list[int]) -> list[dict[str, object]]:
        rows = []
        for place in range(1, len(ticks)):
            up = ticks[place] > ticks[place - 1]
            root = int(math.sqrt(1.0001 ** (ticks[place] + 0.5)) * 2**96)
            rows.append(v3_swap(place, 0, [-5 if up else 5, 5 if up else -5, root, 1, ticks[place]]))
        return rows

    whole = path([0, 10, 30, 60, 20, 25, 5])
    verify(log_table(whole), ASKED)
    with pytest.raises(BrokenPricePath, match="block 4"):
        verify(log_table([whole[0], *whole[3:]]), ASKED)  # 10, then a sale that ends at 20


def test_a_price_that_jumps_is_noticed() -> None:
    def swap(place: int, before: float, after: float, liquidity: int = 10**18) -> dict[str, object]:
        """A swap at constant liquidity between two roots of the price."""
        out0 = liquidity * (1 / before - 1 / after)
        in1 = liquidity * (after - before)
        tick = math.floor(2 * math.log(after) / math.log(1.0001))
        return v3_swap(place, 0, [-int(out0), int(in1), int(after * 2**96), liquidity, tick])

    roots = [1.0, 1.001, 1.002, 1.004, 1.008, 1.009]
    whole = [swap(n, roots[n - 1], roots[n]) for n in range(1, len(roots))]
    assert price_jump(log_table(whole)) == ""
    assert "jumps from tick 19 to 179 at block 5" in price_jump(log_table([whole[0], whole[4]]))


def test_recorded_logs(shared: Path) -> None:
    folder = shared / "wire" / "uniswap"
    real = json.loads((folder / "rpc_swap_log_arbitrum_real.json").read_text())
    raw = raw_frame([real | {"blockNumber": "0x1"}])
    row = decode.swaps(raw, facts(decimals0=18)).iloc[0]
    assert row["amount1"] == str(0x0E2A274937D638)
    assert row["liquidity"] == str(0x74009AAC72BA0A9B1C)
    assert row["tick"] == -139475
    assert int(row["amount0"]) == int(real["data"][2:66], 16) - 2**256
    other = json.loads((folder / "pancakeswap_v3_swap_rpc.json").read_text())
    with pytest.raises(UnknownTopic, match="no event of uniswap_v3"):
        decode.swaps(raw_frame([other | {"blockNumber": "0x1"}]), facts())
