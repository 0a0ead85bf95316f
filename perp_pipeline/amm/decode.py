"""Raw logs -> exact swaps, liquidity events and fee switches, a column at a time.

Data layouts: IUniswapV3PoolEvents.sol and IUniswapV2Pair.sol (Uniswap core). All functions are pure.
"""

from __future__ import annotations

from math import isqrt

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from perp_pipeline.amm.pools import PoolFacts
from perp_pipeline.sources.evm_errors import TruncatedWords, UnknownTopic
from perp_pipeline.sources.evm_events import V2, V3, Event
from perp_pipeline.sources.evm_verify import verify_order
from perp_pipeline.sources.evm_words import (
    Bytes,
    Name,
    decimals,
    floats,
    require_unsigned,
    scaled,
    small_signed,
    words_from_hex,
)

SWAP_COLUMNS = (
    "chain",
    "pool",
    "block_number",
    "log_index",
    "time",
    "tx_hash",
    "amount0",
    "amount1",
    "sqrt_price_x96",
    "liquidity",
    "tick",
    "amount0_tokens",
    "amount1_tokens",
    "in0_tokens",
    "in1_tokens",
    "price",
    "liquidity_tokens",
)
_V3 = {event.name: event for event in V3}
_V2 = {event.name: event for event in V2}
_Q96 = 2.0**96
_TICK = float(np.log(1.0001))


def check_topics(raw: pd.DataFrame, protocol: str) -> None:
    """Check that all logs are events of the protocol.

    Raises:
        UnknownTopic: naming the topic and the first log.
    """
    known = {event.topic0 for event in (V3 if protocol == "uniswap_v3" else V2)}
    for topic in raw["topic0"].unique():
        if topic not in known:
            first = raw[raw["topic0"] == topic].iloc[0]
            raise UnknownTopic(
                f"block {first['block_number']}, log {first['log_index']} of "
                f"{first['chain']}:{first['pool']}: topic {topic} is no event of {protocol}"
            )


def swaps(raw: pd.DataFrame, facts: PoolFacts) -> pd.DataFrame:
    """Swaps of one pool.

    Args:
        raw: rows of raw_eth_logs of the pool, ascending by block and log.
        facts: the pool's constants.

    Returns:
        Columns of core_amm_swaps: exact decimals of the words, and floats in whole tokens.

    Raises:
        UnknownTopic, TruncatedWords, WordOutOfRange, DuplicateLog, LogOutOfOrder.
    """
    of = f" of {facts.chain}:{facts.pool}"
    verify_order(raw["block_number"].to_numpy(), raw["log_index"].to_numpy(), of)
    check_topics(raw, facts.protocol)
    return _v3_swaps(raw, facts) if facts.protocol == "uniswap_v3" else _v2_swaps(raw, facts)


def _v3_swaps(raw: pd.DataFrame, facts: PoolFacts) -> pd.DataFrame:
    rows, words = _words(raw, _V3["swap"])
    amount0, amount1, root, liquidity, tick = (words[:, place] for place in range(5))
    name = _name_in(rows)
    require_unsigned(root, 160, "sqrtPriceX96", name)
    require_unsigned(liquidity, 128, "liquidity", name)
    ratio = floats(root, signed=False) / _Q96
    moved = (floats(amount0, signed=True), floats(amount1, signed=True))
    return _assemble(
        rows,
        facts,
        exact={
            "amount0": decimals(amount0, signed=True),
            "amount1": decimals(amount1, signed=True),
            "sqrt_price_x96": decimals(root, signed=False),
            "liquidity": decimals(liquidity, signed=False),
        },
        tick=small_signed(tick, 24, "tick", name),
        amounts=moved,
        came=(np.maximum(moved[0], 0.0), np.maximum(moved[1], 0.0)),
        raw_price=ratio * ratio,
        raw_liquidity=floats(liquidity, signed=False),
    )


def _v2_swaps(raw: pd.DataFrame, facts: PoolFacts) -> pd.DataFrame:
    """Pairs each swap with the sync before it in the same transaction, which states the reserves after it.

    What came in is kept gross: a flash swap gives the same token back and pays the fee on all of it.

    Raises:
        TruncatedWords: a swap has no sync before it.
    """
    rows, words = _words(raw, _V2["swap"])
    sync_rows, sync_words = _words(raw, _V2["sync"])
    place = np.searchsorted(_position(sync_rows), _position(rows)) - 1
    lone = place < 0
    if len(sync_rows):
        lone |= sync_rows["tx_hash"].to_numpy()[place] != rows["tx_hash"].to_numpy()
    if lone.any():
        raise TruncatedWords(f"the swap {_name_in(rows)(int(np.argmax(lone)))} has no sync log before it")
    reserves = [
        [int(text) for text in decimals(sync_words[place, n], signed=False).to_pylist()] for n in (0, 1)
    ]
    legs = [[int(text) for text in decimals(words[:, n], signed=False).to_pylist()] for n in range(4)]
    amount0 = [came - went for came, went in zip(legs[0], legs[2], strict=True)]
    amount1 = [came - went for came, went in zip(legs[1], legs[3], strict=True)]
    liquidity = [isqrt(x * y) for x, y in zip(*reserves, strict=True)]
    roots = [isqrt((y << 192) // x) if x else 0 for x, y in zip(*reserves, strict=True)]
    raw_price = np.array([y / x if x else np.nan for x, y in zip(*reserves, strict=True)], dtype=np.float64)
    return _assemble(
        rows,
        facts,
        exact={
            name: pa.array([str(value) for value in values], pa.string())
            for name, values in (
                ("amount0", amount0),
                ("amount1", amount1),
                ("sqrt_price_x96", roots),
                ("liquidity", liquidity),
            )
        },
        tick=np.floor(np.log(raw_price) / _TICK).astype(np.int64),
        amounts=(np.array(amount0, dtype=np.float64), np.array(amount1, dtype=np.float64)),
        came=(np.array(legs[0], dtype=np.float64), np.array(legs[1], dtype=np.float64)),
        raw_price=raw_price,
        raw_liquidity=np.array(liquidity, dtype=np.float64),
    )


def _assemble(
    rows: pd.DataFrame,
    facts: PoolFacts,
    *,
    exact: dict[str, pa.Array],
    tick: npt.NDArray[np.int64],
    amounts: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    came: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    raw_price: npt.NDArray[np.float64],
    raw_liquidity: npt.NDArray[np.float64],
) -> pd.DataFrame:
    names = ("chain", "pool", "block_number", "log_index", "time", "tx_hash")
    columns: dict[str, object] = {name: rows[name].array for name in names}
    columns |= {name: pd.array(column, dtype="str") for name, column in exact.items()}
    columns["tick"] = tick.astype(np.int32)
    columns["amount0_tokens"] = scaled(amounts[0], facts.decimals0)
    columns["amount1_tokens"] = scaled(amounts[1], facts.decimals1)
    columns["in0_tokens"] = scaled(came[0], facts.decimals0)
    columns["in1_tokens"] = scaled(came[1], facts.decimals1)
    columns["price"] = raw_price * 10.0 ** (facts.decimals0 - facts.decimals1)
    columns["liquidity_tokens"] = raw_liquidity / 10.0 ** ((facts.decimals0 + facts.decimals1) / 2)
    return pd.DataFrame({name: columns[name] for name in SWAP_COLUMNS}, copy=False)


def liquidity_events(raw: pd.DataFrame, facts: PoolFacts) -> pd.DataFrame:
    """Liquidity events of one pool.

    Returns:
        Columns of core_amm_liquidity.

    Raises:
        UnknownTopic, TruncatedWords, WordOutOfRange.
    """
    check_topics(raw, facts.protocol)
    readers = _V3_READERS if facts.protocol == "uniswap_v3" else _V2_READERS
    events = _V3 if facts.protocol == "uniswap_v3" else _V2
    frames = []
    for name, (amount_places, liquidity_place, sign) in readers.items():
        rows, words = _words(raw, events[name])
        if not len(rows):
            continue
        frame = rows[["chain", "pool", "block_number", "log_index", "time", "tx_hash"]].reset_index(drop=True)
        frame["event"] = name
        has_ticks = events[name].topics == 4
        for column, topic in (("tick_lower", "topic2"), ("tick_upper", "topic3")):
            frame[column] = (
                _topic_ticks(rows, topic) if has_ticks else pd.array([pd.NA] * len(rows), dtype="Int32")
            )
        amounts = [decimals(words[:, place], signed=False) for place in amount_places]
        empty = pa.nulls(len(rows), pa.string())
        exact = decimals(words[:, liquidity_place], signed=False) if liquidity_place is not None else empty
        frame["liquidity"] = pd.array(exact, dtype="str")
        for token, amount in enumerate(amounts):
            frame[f"amount{token}"] = pd.array(amount, dtype="str")
            moved = [str(sign * int(text)) for text in amount.to_pylist()]
            frame[f"balance{token}_change"] = pd.array(moved, dtype="str")
        frames.append(frame)
    if not frames:
        return pd.DataFrame()
    return pd.concat(frames, ignore_index=True).sort_values(["block_number", "log_index"], ignore_index=True)


_V3_READERS: dict[str, tuple[tuple[int, int], int | None, int]] = {
    "mint": ((2, 3), 1, 1),
    "burn": ((1, 2), 0, 0),
    "collect": ((1, 2), None, -1),
    "flash": ((2, 3), None, 1),
    "collect_protocol": ((0, 1), None, -1),
}
"""Places of the two amounts and of the liquidity among the data words; sign of what the event moves into the
pool. A flash pays its loan back: what stays is paid0 and paid1. A burn only credits the owner."""
_V2_READERS: dict[str, tuple[tuple[int, int], int | None, int]] = {
    "mint": ((0, 1), None, 1),
    "burn": ((0, 1), None, -1),
}


def fee_switches(raw: pd.DataFrame, facts: PoolFacts) -> pd.DataFrame:
    """SetFeeProtocol events of one v3 pool.

    Returns:
        Columns of core_amm_fee_protocol.

    Raises:
        TruncatedWords, WordOutOfRange.
    """
    rows, words = _words(raw, _V3["set_fee_protocol"])
    frame = rows[["chain", "pool", "block_number", "log_index", "time"]].reset_index(drop=True)
    for place, name in enumerate(("old0", "old1", "new0", "new1")):
        frame[name] = small_signed(words[:, place], 32, name, _name_in(rows)).astype(np.int32)
    return frame


def _words(raw: pd.DataFrame, event: Event) -> tuple[pd.DataFrame, Bytes]:
    chosen = (raw["topic0"] == event.topic0).to_numpy(dtype=bool)
    rows = raw if chosen.all() else raw[chosen]
    data = pa.array(rows["data"], type=pa.large_string(), from_pandas=True)
    return rows, words_from_hex(data, event.words, f"{event.name} data", _name_in(rows))


def _name_in(rows: pd.DataFrame) -> Name:
    """What messages call the log at a place of some rows of raw_eth_logs."""

    def name(place: int) -> str:
        row = rows.iloc[place]
        return f"block {row['block_number']}, log {row['log_index']} of {row['chain']}:{row['pool']}"

    return name


def _topic_ticks(rows: pd.DataFrame, topic: str) -> pd.Series:
    texts, name = pa.array(rows[topic], type=pa.large_string(), from_pandas=True), _name_in(rows)
    words = words_from_hex(texts, 1, topic, name)
    return pd.Series(small_signed(words[:, 0], 24, topic, name)).astype("Int32")


def _position(rows: pd.DataFrame) -> npt.NDArray[np.int64]:
    """One ascending number per log: a block holds fewer than 2**20 logs."""
    blocks, logs = (rows[name].to_numpy(dtype=np.int64) for name in ("block_number", "log_index"))
    return np.asarray(blocks * (1 << 20) + logs)
