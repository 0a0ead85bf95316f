"""Claims 28-33: how precisely premiums and rates can be known."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from perp_pipeline.research.claims.averages import B_WINDOW
from perp_pipeline.research.claims.model import Answer, Beyond, Claim, Expected, Part, Tables, Within, value
from perp_pipeline.research.claims.reading import gather, row_part, rows, sum_part
from perp_pipeline.theory.carry import premium_of_tenor


def _precision(
    tables: Tables, venue: str, quantity: str, unit: str, period: str, expected: Expected | None
) -> Part:
    return row_part(
        tables,
        "out_premium_precision",
        f"{quantity} on {venue}",
        unit,
        expected,
        venue=venue,
        base="BTC",
        quantity=quantity,
        period=period,
    )


def premium_error(tables: Tables, period: str) -> Answer:
    """Standard error of a window's average premium, with its autocorrelation, against the published 0.05 %.

    Binance BTC, out_premium_precision, quantity se_mean. Shown: the autocorrelation of neighbouring samples,
    the independent samples that a window is worth, and the error against the premium that the published
    rate implies, from one sample an hour and from one in eight. The arithmetic is checked beside it: 0.05 % a
    day is 18.25 % a year, and nine independent ticks of 0.15 % give 0.05 %.
    """
    ticks = 0.0015 / math.sqrt(9)
    minutes = 100 * 0.0015 / math.sqrt(480)
    answer = gather(
        lambda: _precision(tables, "binance", "se_mean", "fraction of the index", period, Beyond(0.0005)),
        lambda: _precision(tables, "binance", "autocorrelation", "1", period, None),
        lambda: _precision(tables, "binance", "n_effective", "1", period, None),
        lambda: _precision(tables, "binance", "error_1h", "fraction of the index", period, None),
        lambda: _precision(tables, "binance", "error_8h", "fraction of the index", period, None),
        note=f"480 independent minutes of 0.15 % would give {minutes:.4f} %.",
    )
    sums = (
        sum_part("0.05 % x 365", "fraction a year", 0.0005 * 365, 0.1825, 0.00005),
        sum_part("0.15 % / sqrt(9)", "fraction", ticks, 0.0005, 5e-7),
    )
    return Answer((*answer.parts, *sums), answer.note, answer.missing)


def tick_noise(tables: Tables, period: str) -> Answer:
    """Standard deviation from trade to trade on Gemini BTC (out_premium_precision, quantity trade_sd)."""
    return gather(lambda: _precision(tables, "gemini", "trade_sd", "fraction", period, value(0.0015)))


def no_arbitrage_zone(tables: Tables, period: str) -> Answer:
    """Share of Binance BTC premiums inside +-0.2 % (out_premium_precision, quantity share_inside_fee).

    Most, if the fee makes the zone. Shown: half-life of premiums outside it, in hours.
    """
    return gather(
        lambda: _precision(tables, "binance", "share_inside_fee", "share", period, Beyond(0.5)),
        lambda: _precision(tables, "binance", "half_life_outside_hours", "1", period, None),
        note="The text gives no share: read as most premiums inside.",
    )


def futures_premiums(tables: Tables, period: str) -> Answer:
    """11 % a year over one month and over three, as a premium over spot; printed to whole percents."""
    return Answer(
        (
            sum_part("one month", "fraction", premium_of_tenor(0.11, 1), 0.01, 0.005),
            sum_part("three months", "fraction", premium_of_tenor(0.11, 3), 0.03, 0.005),
        )
    )


def pool_prices(tables: Tables, period: str) -> Answer:
    """Share of hours at whose end a pool's price is within its fee of the exchange price (out_amm_price_gap).

    Of every pool in the lake; most, if prices stay within the fee. Shown: the same after each month's median
    gap, and the mean absolute gap, as a fraction of the price.
    """
    found = rows(tables, "out_amm_price_gap", period=period)
    pools = found[["chain", "pool", "token0", "token1", "pool_fee_bp"]].drop_duplicates().to_dict("records")
    quantities: tuple[tuple[str, str, Expected | None], ...] = (
        ("share_within_fee", "share", Beyond(0.5)),
        ("share_within_fee_centred", "share", None),
        ("mean_absolute_gap", "fraction of the index", None),
    )

    def part(pool: dict[Any, Any], quantity: str, unit: str, expected: Expected | None) -> Part:
        name = f"{pool['token0']}-{pool['token1']} {pool['pool_fee_bp']:g} bp"
        return row_part(
            tables,
            "out_amm_price_gap",
            f"{name}: {quantity.replace('_', ' ')}",
            unit,
            expected,
            chain=pool["chain"],
            pool=pool["pool"],
            quantity=quantity,
            period=period,
        )

    return gather(
        *(partial(part, pool, *quantity) for quantity in quantities for pool in pools),
        note="The text gives no share: read as most prices inside.",
    )


def auditable(tables: Tables, period: str) -> Answer:
    """Published rates recomputed from the public premium index: share exact and error, Binance BTCUSDT.

    If outsiders cannot audit the rates, the recomputed ones are mostly wrong: the share that agrees
    exactly is below one half.
    """

    def audit(statistic: str, unit: str, expected: Within | Beyond | None) -> Part:
        return row_part(
            tables,
            "out_funding_audit",
            f"audit: {statistic}",
            unit,
            expected,
            venue="binance",
            symbol="BTCUSDT",
            statistic=statistic,
            period=period,
        )

    return gather(
        lambda: audit("share_exact", "share", Beyond(0.5, above=False)),
        lambda: audit("share_exact_off_default", "share", None),
        lambda: audit("mean_absolute_error", "fraction a year", None),
        lambda: audit("mean_absolute_error_8h", "fraction a year", None),
        lambda: audit("p95_absolute_error", "fraction a year", None),
        note=(
            "The text gives no number: read as less than half of the rates recomputed exactly. The public "
            "index comes in bars, not in the samples that the venue averages: so do the errors."
        ),
    )


CLAIMS = (
    Claim(
        28,
        "B",
        "The premium's standard error is at least 0.05 %, so any rate within +-18 % can be published",
        "0.05 %; +-18 % a year",
        "fraction of the index",
        "all",
        premium_error,
        ("out_premium_precision",),
    ),
    Claim(
        29,
        "B",
        "Prices on Gemini move 0.15 % from trade to trade (standard deviation)",
        "0.15 %",
        "fraction",
        B_WINDOW,
        tick_noise,
        ("out_premium_precision",),
    ),
    Claim(
        30,
        "B",
        "A fee of 0.2 % makes a no-arbitrage zone of 0.2 % around spot",
        "0.2 %",
        "share",
        "all",
        no_arbitrage_zone,
        ("out_premium_precision",),
    ),
    Claim(
        31,
        "B",
        "At 11 % a year a monthly future shows a premium of 1 %, a quarterly one of 3 %",
        "1 %; 3 %",
        "fraction",
        "all",
        futures_premiums,
        theory=("carry",),
    ),
    Claim(
        32,
        "A",
        "Prices in pools stay within the fee of the world price",
        "within the fee",
        "share",
        "all",
        pool_prices,
        ("out_amm_price_gap",),
    ),
    Claim(
        33,
        "A",
        "Outsiders cannot audit the published funding rates",
        "cannot be audited",
        "share",
        "all",
        auditable,
        ("out_funding_audit",),
    ),
)
