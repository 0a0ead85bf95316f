"""Row checks of the AMM tables: what the pool's arithmetic does not allow."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import RowCheck, Severity

TICK = float(np.log(1.0001))
"""Log price of one tick (Uniswap v3 whitepaper, 6.1)."""


def _follows(frame: pd.DataFrame) -> pd.Series:
    """True where the row before is of the same pool and UTC day."""
    same = (frame["chain"] == frame["chain"].shift()) & (frame["pool"] == frame["pool"].shift())
    return same & (frame["time"].dt.floor("D") == frame["time"].shift().dt.floor("D"))


def _sides_opposite(frame: pd.DataFrame) -> pd.Series:
    amount0, amount1 = frame["amount0_tokens"], frame["amount1_tokens"]
    # a v2 flash swap may be paid for in both tokens: then one of them went out and came back
    returned = (frame["in0_tokens"] > amount0.clip(lower=0)) | (frame["in1_tokens"] > amount1.clip(lower=0))
    return (amount0 * amount1 <= 0) | ((amount0 > 0) & (amount1 > 0) & returned)


def _tick_step(frame: pd.DataFrame) -> pd.Series:
    """Ticks of log price per row, in the row's own raw units: only differences and offsets matter."""
    return np.log(frame["price"]) / TICK


def _tick_matches_price(frame: pd.DataFrame) -> pd.Series:
    # price is in token units: it differs from the raw price by the decimals, a constant of the pool
    offset = _tick_step(frame) - frame["tick"]
    decimals = (
        offset.groupby([frame["chain"], frame["pool"]]).transform("median") / (np.log(10) / TICK)
    ).round()
    return (offset - decimals * (np.log(10) / TICK)).between(-0.01, 1.01)


def _price_path(frame: pd.DataFrame) -> pd.Series:
    """No swap moves the price against its own amounts by more than a tick."""
    into = np.sign(frame["amount0_tokens"] - (frame["amount0_tokens"] == 0) * frame["amount1_tokens"])
    return ~_follows(frame) | (frame["tick"].diff() * into <= 1)


def _amounts_match_move(frame: pd.DataFrame) -> pd.Series:
    """Tokens paid out equal liquidity times the move of the price, to a tick, where liquidity stood still.

    Out of token1: L (sqrt(p) before - after); out of token0: L (1/sqrt(p) before - after)
    (Uniswap v3 whitepaper, 6.2.1).
    """
    root = np.sqrt(frame["price"])
    liquidity = frame["liquidity_tokens"]
    out1 = liquidity * (root.shift() - root)
    out0 = liquidity * (1 / root.shift() - 1 / root)
    gap1 = (out1 + frame["amount1_tokens"]).abs() / (liquidity * root)
    gap0 = (out0 + frame["amount0_tokens"]).abs() * root / liquidity
    gap = gap1.where(frame["amount1_tokens"] < 0, gap0)
    still = (frame["liquidity"] == frame["liquidity"].shift()) & _follows(frame) & (liquidity > 0)
    return ~still | (gap <= TICK)


def _buys_and_sells(frame: pd.DataFrame) -> pd.Series:
    return frame["n_swaps"].isna() | (frame["n_buys"] + frame["n_sells"] == frame["n_swaps"])


def _moves_tokens(frame: pd.DataFrame) -> pd.Series:
    return (frame["amount0_tokens"] != 0) | (frame["amount1_tokens"] != 0)


def _share_known(frame: pd.DataFrame) -> pd.Series:
    """True where a row of the pool's day says what the chain told; liquidity tokens of snapshots hide it."""
    told = frame["fee_protocol_source"].isin(["contract", "events"])
    known = told.groupby([frame["chain"], frame["pool"], frame["day"]]).transform("any")
    return known | ~frame["served"] | (frame["kind"] == "snapshots")


def _fees_cover_protocol(frame: pd.DataFrame) -> pd.Series:
    return (frame["fee0"] >= frame["protocol_fee0"]) & (frame["fee1"] >= frame["protocol_fee1"])


def _pnl_adds_up(frame: pd.DataFrame) -> pd.Series:
    value0, value1 = frame["net0"] * frame["usd0_end"], frame["net1"] * frame["usd1_end"]
    size = value0.abs() + value1.abs() + frame["fees_usd"] + 1.0
    flows = (value0 + value1 - frame["protocol_fees_usd"] - frame["pnl_usd"]).abs() <= 1e-9 * size
    parts = (frame["fees_usd"] - frame["convexity_flow_usd"] - frame["pnl_usd"]).abs() <= 1e-9 * size
    return flows & parts


def _conserved(frame: pd.DataFrame) -> pd.Series:
    return frame["gap0"].isin(["0"]) & frame["gap1"].isin(["0"]) | frame["gap0"].isna() | frame["gap1"].isna()


def _fees_match_volume(frame: pd.DataFrame) -> pd.Series:
    # fees are valued at the day's end and volume when it was traded: leave room for the day's move
    paid = frame["fees_usd"] + frame["protocol_fees_usd"]
    return _alike(paid, frame["volume_usd"] * frame["fee_bp"] / 1e4)


def _volume_matches_counters(frame: pd.DataFrame) -> pd.Series:
    # the counters hold what went in and what went out: for a plain swap one of the two is zero
    return _alike(frame["counted0"] * frame["usd0_end"], frame["volume_usd"]) & _alike(
        frame["counted1"] * frame["usd1_end"], frame["volume_usd"]
    )


def _alike(one: pd.Series, other: pd.Series) -> pd.Series:
    """Dollar amounts within half of each other, or a dollar; true where one is not known."""
    return one.isna() | other.isna() | ((one <= 1.5 * other + 1.0) & (other <= 1.5 * one + 1.0))


SIDES_OPPOSITE: Final = RowCheck(
    "sides_opposite",
    "One token comes in and the other goes out.",
    _sides_opposite,
    "The words were read in the wrong order or with the wrong sign: compare the log with a block explorer.",
)
TICK_MATCHES_PRICE: Final = RowCheck(
    "tick_matches_price",
    "tick is the floor of the logarithm of the price to the base 1.0001.",
    _tick_matches_price,
    "sqrt_price_x96 and tick contradict each other: the log is not what it claims to be.",
)
PRICE_PATH: Final = RowCheck(
    "price_path",
    "No swap moves the price against its own amounts by more than a tick.",
    _price_path,
    "Swaps before this row are missing: ask another node for the day.",
)
AMOUNTS_MATCH_MOVE: Final = RowCheck(
    "amounts_match_move",
    "Tokens paid out are liquidity times the move of the square root of the price, to a tick.",
    _amounts_match_move,
    "Swaps before this row are missing, or it crossed a position narrower than its own move.",
    Severity.WARN,
)
MOVES_TOKENS: Final = RowCheck(
    "moves_tokens",
    "A swap brings a token in or takes one out.",
    _moves_tokens,
    "It moved the price where there is no liquidity: no trade, and not counted as a swap by minute and day.",
    Severity.WARN,
)
BUYS_AND_SELLS: Final = RowCheck(
    "buys_and_sells",
    "Buys and sells, each counted by the signs of what moved, add up to the swaps.",
    _buys_and_sells,
    "A swap was counted twice or not at all.",
)
SHARE_KNOWN: Final = RowCheck(
    "share_known",
    "The protocol's share of the fees when the day begins is known from the chain.",
    _share_known,
    "It is the declared one, 0 where nothing is: use a node that keeps old state or all logs, or declare it.",
    Severity.WARN,
)
FEES_COVER_PROTOCOL: Final = RowCheck(
    "fees_cover_protocol",
    "The protocol takes a part of the fees, never more.",
    _fees_cover_protocol,
    "The protocol's share was applied twice.",
)
PNL_ADDS_UP: Final = RowCheck(
    "pnl_adds_up",
    "pnl is the net flows at day-end prices less the protocol's fees, and fees less convexity.",
    _pnl_adds_up,
    "Flows, fees and prices of the row belong to different tokens or days.",
)
CONSERVED: Final = RowCheck(
    "conserved",
    "The pool's balances change by what swaps and liquidity events moved, to the last unit.",
    _conserved,
    "Logs of the day are missing; or tokens were sent to the pool outside of it, or charge for transfers.",
    Severity.WARN,
)
FEES_MATCH_VOLUME: Final = RowCheck(
    "fees_match_volume",
    "Fees are the pool's fee on the volume, but for the day's move of the price.",
    _fees_match_volume,
    "The pool's fee in the registry is wrong; or flows and prices of the row belong to different days.",
    Severity.WARN,
)
VOLUME_MATCHES_COUNTERS: Final = RowCheck(
    "volume_matches_counters",
    "The volume that fees imply is within half of what each of the pair's counters counted.",
    _volume_matches_counters,
    "Flash swaps (the counters count what went out and came back twice), or tokens given to the pair outside "
    "of swaps. Volume by fees stands.",
    Severity.WARN,
)
