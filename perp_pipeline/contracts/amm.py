"""AMM tables as built: minutes, pool-days, marks, profit per volume; and the list of all AMM tables."""

from __future__ import annotations

from typing import Final

from perp_pipeline.contracts import amm_checks, amm_events, amm_raw
from perp_pipeline.contracts.amm_raw import CHAIN, DAY, PARTS, POOL
from perp_pipeline.contracts.checks import not_negative, positive
from perp_pipeline.contracts.model import Column, Contract
from perp_pipeline.contracts.results import RESULT_CHECKS, estimate_columns

MARKS: Final = ("0", "1min", "5min", "1h", "4h", "1d", "7d")
"""When flows are valued: right after the swap, that long after it, at its UTC day's end, six days later."""

CORE_AMM_MINUTES = Contract(
    name="core_amm_minutes",
    doc=(
        "Swaps by minute, from logs or, on days without them, from minute files. Minutes without swaps "
        "have no row."
    ),
    grain="one pool and minute with swaps",
    key=("chain", "pool", "minute"),
    columns=(
        CHAIN,
        POOL,
        Column("minute", "timestamp", "start of the minute"),
        Column("source", "string", "what the minute was made from", values=("swaps", "minutes")),
        Column("n_swaps", "int64", "swaps that moved tokens; null from minute files", nullable=True, low=0),
        Column("n_buys", "int64", "swaps that took token0 out; null from minute files", nullable=True, low=0),
        Column(
            "n_sells", "int64", "swaps that brought token0 in; null from minute files", nullable=True, low=0
        ),
        Column("net0", "float64", "token0 into the pool, net", "tokens"),
        Column("net1", "float64", "token1 into the pool, net", "tokens"),
        Column("volume0", "float64", "token0 in and out, gross", "tokens", low=0),
        Column("volume1", "float64", "token1 in and out, gross", "tokens", low=0),
        Column("fee0", "float64", "fees in token0, the protocol's share included", "tokens", low=0),
        Column("fee1", "float64", "fees in token1, the protocol's share included", "tokens", low=0),
        Column(
            "protocol_fee0",
            "float64",
            "protocol's share of fee0: by the switches in core_amm_fee_protocol and what raw_amm_days says "
            "of the day's beginning",
            "tokens",
            low=0,
        ),
        Column("protocol_fee1", "float64", "protocol's share of fee1", "tokens", low=0),
        Column("price", "float64", "price after the last swap", "token1 per token0"),
        Column(
            "liquidity", "float64", "liquidity in force after the last swap", "sqrt(token0 token1)", low=0
        ),
        Column(
            "value_at_swap",
            "float64",
            "sum over swaps of amount0 * price after it + amount1",
            "token1",
            nullable=True,
        ),
        Column(
            "convexity_at_swap",
            "float64",
            "sum over swaps of L sqrt(p) r**2 / 4, r the log change of the price in the swap",
            "token1",
            nullable=True,
            low=0,
        ),
    ),
    time="minute",
    partition_by=PARTS,
    checks=(positive("price"), amm_checks.BUYS_AND_SELLS, amm_checks.FEES_COVER_PROTOCOL),
    may_be_empty=True,
    large=True,
)

CORE_AMM_PRICE_1H = Contract(
    name="core_amm_price_1h",
    doc="The pool's price at the end of each hour that has swaps. Hours without swaps have no row.",
    grain="one pool and hour with swaps",
    key=("chain", "pool", "hour"),
    columns=(
        CHAIN,
        POOL,
        Column("hour", "timestamp", "start of the hour"),
        Column("price", "float64", "price after the hour's last swap", "token1 per token0"),
        Column("last_swap", "timestamp", "end of the minute of that swap"),
    ),
    time="hour",
    partition_by=PARTS,
    checks=(positive("price"),),
    may_be_empty=True,
)

CORE_AMM_POOL_DAY = Contract(
    name="core_amm_pool_day",
    doc=(
        "Liquidity providers' day: net flows that swaps brought in, valued at the day-end price, less the "
        "protocol's fees. pnl = fees - convexity, hedged at the day's end. Whole days alone: one that its "
        "source holds in part is among the rows kept out (a pool's first day begins with its first swap)."
    ),
    grain="one pool and UTC day with swaps",
    key=("chain", "pool", "day"),
    columns=(
        CHAIN,
        POOL,
        DAY,
        Column("protocol", "string", "kind of contract", values=("uniswap_v2", "uniswap_v3")),
        Column("source", "string", "what the day was made from", values=("swaps", "minutes", "snapshots")),
        Column("token0", "string", "symbol of token0"),
        Column("token1", "string", "symbol of token1"),
        Column("fee_bp", "float64", "the pool's fee", "basis points of the input", low=0),
        Column(
            "n_swaps",
            "int64",
            "swaps that moved tokens; null where the source does not say",
            nullable=True,
            low=0,
        ),
        Column("n_buys", "int64", "swaps that took token0 out", nullable=True, low=0),
        Column("n_sells", "int64", "swaps that brought token0 in", nullable=True, low=0),
        Column(
            "volume_usd",
            "float64",
            "what came in, gross, at the price of its minute; from snapshots fees over the pool's fee",
            "USD",
            low=0,
        ),
        Column(
            "counted0",
            "float64",
            "token0 in and out by the pair's own counter (flash swaps twice); from snapshots alone",
            "tokens",
            nullable=True,
            low=0,
        ),
        Column(
            "counted1",
            "float64",
            "token1 in and out by the pair's own counter; from snapshots alone",
            "tokens",
            nullable=True,
            low=0,
        ),
        Column("net0", "float64", "token0 that swaps brought in, net (fees inside)", "tokens"),
        Column("net1", "float64", "token1 that swaps brought in, net (fees inside)", "tokens"),
        Column("price_end", "float64", "pool price after the day's last swap", "token1 per token0"),
        Column(
            "ends_at",
            "timestamp",
            "when the day's flows are valued: its midnight; its last snapshot's moment",
        ),
        Column("usd0_end", "float64", "value of token0 at the day's end", "USD"),
        Column("usd1_end", "float64", "value of token1 at the day's end", "USD"),
        Column("fees_usd", "float64", "fees of the liquidity providers, at the day-end price", "USD", low=0),
        Column(
            "protocol_fees_usd",
            "float64",
            "protocol's share of the fees, at the day-end price (raw_amm_days says who told it); from "
            "snapshots 0, as fees by liquidity token are without it",
            "USD",
            low=0,
        ),
        Column("pnl_usd", "float64", "net0 usd0_end + net1 usd1_end - protocol_fees_usd", "USD"),
        Column("convexity_flow_usd", "float64", "fees_usd - pnl_usd", "USD"),
        Column(
            "convexity_formula_usd",
            "float64",
            "sum over the day of L sqrt(p) r**2 / 4, L the liquidity in force, r by variance_source",
            "USD",
            low=0,
        ),
        Column(
            "convexity_swap_usd",
            "float64",
            "the same sum over the pool's own path, swap by swap: what is lost at once (mark 0)",
            "USD",
            nullable=True,
            low=0,
        ),
        Column("variance_day", "float64", "sum of the day's squared log returns", "1", low=0),
        Column(
            "variance_source",
            "string",
            "whose returns: the exchanges' hourly ones, or where they lack the pool's over four hours; "
            "snapshots",
            values=("exchange_1h", "pool_4h", "snapshots"),
        ),
        Column(
            "variance_pool_5min",
            "float64",
            "sum of the pool's squared 5-minute log returns: too low, a pool moves in the steps its fee "
            "allows",
            "1",
            nullable=True,
            low=0,
        ),
        Column(
            "return_day",
            "float64",
            "log return of the pool's price over the day, from the last price before it; from its own first "
            "one where the day before has no row",
            "1",
        ),
        Column(
            "liquidity_mean",
            "float64",
            "mean over the day's 5-minute medians of the liquidity in force",
            "sqrt(token0 token1)",
            low=0,
        ),
    ),
    time="day",
    partition_by=PARTS,
    checks=(
        positive("price_end", "usd0_end", "usd1_end"),
        not_negative("volume_usd", "fees_usd"),
        amm_checks.PNL_ADDS_UP,
        amm_checks.BUYS_AND_SELLS,
        amm_checks.FEES_MATCH_VOLUME,
        amm_checks.VOLUME_MATCHES_COUNTERS,
    ),
    may_be_empty=True,
)

CORE_AMM_MARKS = Contract(
    name="core_amm_marks",
    doc=(
        "The profit of core_amm_pool_day with flows valued at other times: right after the swap (0; not from "
        "minute files), at the pool's last price 1min, 5min, 1h and 4h after it, at the end of its UTC day "
        "(1d: the pool-day's own) and six days later (7d). A day some of whose flows have their mark in a "
        "day that no source serves has no row for it. From minute files the time counts from the end of the "
        "swap's minute. Before the Merge (2022-09-15) block times inside an hour are interpolated where the "
        "node does not send them: 1min and 5min then are a minute's worth of blocks, give or take a minute. "
        "Exchange prices between two hourly closes are interpolated: 1h and 4h hold on average over flows, a "
        "single one mixes prices of up to an hour before and after its mark."
    ),
    grain="one pool, day and mark",
    key=("chain", "pool", "day", "mark"),
    columns=(
        CHAIN,
        POOL,
        DAY,
        Column("mark", "string", "when flows are valued", values=MARKS),
        Column("pnl_usd", "float64", "profit at the pool's price", "USD"),
        Column(
            "pnl_exchange_usd",
            "float64",
            "profit at the exchange's price, interpolated (in logs) between hourly closes; null below 1h",
            "USD",
            nullable=True,
        ),
    ),
    time="day",
    partition_by=PARTS,
    may_be_empty=True,
)

_BP: Final = "basis points of volume"


def _figure(name: str, suffix: str, what: str, unit: str) -> tuple[Column, ...]:
    """A figure with its error and interval, null for a single day."""
    return (
        Column(f"{name}{suffix}", "float64", what, unit),
        Column(f"{name}_se", "float64", f"{what}: standard error", unit, nullable=True, low=0),
        Column(f"{name}_ci_low", "float64", f"{what}: 95 % interval, lower end", unit, nullable=True),
        Column(f"{name}_ci_high", "float64", f"{what}: 95 % interval, upper end", unit, nullable=True),
    )


OUT_AMM_PROFIT_PER_VOLUME = Contract(
    name="out_amm_profit_per_volume",
    doc=(
        "Liquidity providers' profit in basis points of volume. Errors: circular day-block bootstrap of "
        "the ratio of sums, fixed seed, widened where there are few blocks. From 2 to 7 days the error is "
        "that of single days, with Student's t of the degrees of freedom of two-day blocks, at least one; a "
        "single day has none."
    ),
    grain="one pool, numeraire, mark and period",
    key=("chain", "pool", "numeraire", "mark", "period"),
    columns=(
        CHAIN,
        POOL,
        Column("numeraire", "string", "USD, or the token that each day's sums are counted in"),
        Column("mark", "string", "when flows are valued", values=MARKS),
        Column("period", "string", "all, 2021, 2021-02 or 2019-09..2022-06 (both months included)"),
        Column("token0", "string", "symbol of token0"),
        Column("token1", "string", "symbol of token1"),
        Column("pool_fee_bp", "float64", "the pool's fee", "basis points of the input", low=0),
        *estimate_columns("basis points of volume", what="sum of pnl over sum of volume", lags=False),
        *_figure("fee", "_bp", "liquidity providers' fees", _BP),
        *_figure("convexity_flow", "_bp", "fees less profit at this mark", _BP),
        *_figure("convexity_formula", "_bp", "L sqrt(p) variance / 4, by core_amm_pool_day", _BP),
        *_figure("convexity_gap", "_bp", "convexity by flow less that by formula", _BP),
        *_figure(
            "convexity_trend",
            "_bp",
            "L sqrt(p) (square of the day's return less variance) / 4: what days that trended or came back "
            "add to convexity by flow",
            _BP,
        ),
        Column("volume_usd", "float64", "volume of the period", "USD", low=0),
        Column("pnl_usd", "float64", "profit of the period", "USD"),
        Column("n_days", "int64", "days", low=1),
        *_figure("win_share", "", "share of days with a profit", "share"),
        Column(
            "block_days", "int32", "block length of the bootstrap; 1 below 8 days: single days", "days", low=1
        ),
        Column("estimate_exchange", "float64", "the estimate at exchange prices", _BP, nullable=True),
        Column("se_exchange", "float64", "its standard error", _BP, nullable=True, low=0),
        Column("ci_low_exchange", "float64", "its 95 % interval, lower end", _BP, nullable=True),
        Column("ci_high_exchange", "float64", "its 95 % interval, upper end", _BP, nullable=True),
    ),
    checks=RESULT_CHECKS,
    may_be_empty=True,
)

OUT_AMM_CUMULATIVE = Contract(
    name="out_amm_cumulative",
    doc=(
        "What liquidity providers earned and lost, added up day by day since the pool's first day. "
        "Quantities: fees, convexity_flow (fees less profit at the day's end), convexity_formula (L sqrt(p) "
        "variance / 4), net (fees less convexity_flow). Errors: those of out_amm_profit_per_volume (circular "
        "day-block bootstrap, fixed seed; below 8 days Student's t) for the days so far, none for the first; "
        "each interval is of one day's sum, not of the path. Runs of fewer than 8 days are left out of the "
        "sums."
    ),
    grain="one pool, quantity and day",
    key=("chain", "pool", "quantity", "day"),
    columns=(
        CHAIN,
        POOL,
        Column(
            "quantity",
            "string",
            "what is added up",
            values=("fees", "convexity_flow", "convexity_formula", "net"),
        ),
        DAY,
        Column("token0", "string", "symbol of token0"),
        Column("token1", "string", "symbol of token1"),
        Column("pool_fee_bp", "float64", "the pool's fee", "basis points of the input", low=0),
        Column("run", "int32", "number of the run of days; a hole of more than a week ends one", low=1),
        *estimate_columns("USD", what="sum of the days so far", lags=False),
        Column(
            "block_days", "int32", "block length of the bootstrap; 1 below 8 days: single days", "days", low=1
        ),
    ),
    checks=RESULT_CHECKS,
    may_be_empty=True,
)

OUT_AMM_PRICE_GAP = Contract(
    name="out_amm_price_gap",
    doc=(
        "Pool prices against exchange prices at the ends of hours, gap = ln(pool / exchange). Quantities: "
        "share_within_fee (of hours whose gap is at most the pool's fee), mean_absolute_gap, mean_gap; with "
        "_centred: after each calendar month's median gap, which is the exchange's dollar or the token's "
        "wrapping and not the pool, is taken out. share_within_fee_lags{k}: with k Newey-West lags (hours). "
        "Shares have Wilson intervals on their effective number of hours, mean absolute gaps theirs on the "
        "log scale."
    ),
    grain="one pool, quantity and period",
    key=("chain", "pool", "quantity", "period"),
    columns=(
        CHAIN,
        POOL,
        Column("quantity", "string", "what is estimated; the table's description has the list"),
        Column("period", "string", "all, 2021, 2021-02 or 2019-09..2022-06 (both months included)"),
        Column("token0", "string", "symbol of token0"),
        Column("token1", "string", "symbol of token1"),
        Column("pool_fee_bp", "float64", "the pool's fee", "basis points of the input", low=0),
        *estimate_columns("share of hours, or fraction of the price", what="see quantity"),
    ),
    checks=RESULT_CHECKS,
    may_be_empty=True,
)

# A lake without a node, or with v2 snapshots alone, has no swaps; one that has neither has no pool-days.
TABLES: Final = (
    *amm_raw.TABLES,
    *amm_events.TABLES,
    CORE_AMM_MINUTES,
    CORE_AMM_PRICE_1H,
    CORE_AMM_POOL_DAY,
    CORE_AMM_MARKS,
    OUT_AMM_PROFIT_PER_VOLUME,
    OUT_AMM_CUMULATIVE,
    OUT_AMM_PRICE_GAP,
)
