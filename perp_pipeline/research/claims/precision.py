"""Claims 28-33: how precisely premiums and rates can be known."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

from perp_pipeline.research.claims.averages import B_WINDOW
from perp_pipeline.research.claims.model import (
    Answer,
    Beyond,
    Claim,
    Expected,
    Lack,
    Part,
    Tables,
    value,
)
from perp_pipeline.research.claims.pools import pool_name
from perp_pipeline.research.claims.reading import attempt, gather, row_part, rows, sum_part
from perp_pipeline.research.words import key_words
from perp_pipeline.theory.carry import premium_of_tenor

MOST_HIDDEN = 0.05 / 100 * 365
"""What B says can be published unseen: a premium off by 0.05 %, as a rate a year."""

MINUTE = 1.0 / 60.0


def precision_part(
    tables: Tables,
    venue: str,
    label: str,
    quantity: str,
    unit: str,
    period: str,
    expected: Expected | None = None,
    base: str = "BTC",
) -> Part:
    """A quantity of out_premium_precision.

    Raises:
        MissingData: the lake has no such row.
    """
    return row_part(
        tables,
        "out_premium_precision",
        label,
        unit,
        expected,
        venue=venue,
        base=base,
        quantity=quantity,
        period=period,
    )


def premium_error(tables: Tables, period: str) -> Answer:
    """Standard error of a window's average premium, with its autocorrelation, against the published 0.05 %.

    Binance BTC, out_premium_precision, quantity se_mean; variants: samples taken for independent, and ETH.
    Shown: the autocorrelation of neighbouring samples, the independent samples that a window is worth, and
    the error against the premium that the published rate implies, from hourly bars, from their closes alone
    and from one bar of eight hours. The arithmetic is checked beside it: 0.05 % a day is 18.25 % a year, and
    nine independent ticks of 0.15 % give 0.05 %.
    """
    ticks = 0.0015 / math.sqrt(9)
    minutes = 100 * 0.0015 / math.sqrt(480)
    unit = "fraction of the index"

    def of(label: str, quantity: str, unit: str, expected: Expected | None = None, base: str = "BTC") -> Part:
        return precision_part(tables, "binance", label, quantity, unit, period, expected, base)

    def error() -> Part:
        others, _ = attempt(
            lambda: of("with samples taken for independent", "se_mean_independent", unit),
            lambda: of("for ETH", "se_mean", unit, base="ETH"),
        )
        words = "standard error of a window's average premium on Binance"
        part = of(words, "se_mean", unit, Beyond(0.0005))
        return replace(part, variants=(*part.variants, *others))

    answer = gather(
        error,
        shown=(
            lambda: of("correlation of samples an hour apart", "autocorrelation", "1"),
            lambda: of("independent samples that a window is worth", "n_effective", "1"),
            lambda: of("error of hourly bars against the premium that the rate implies", "error_1h", unit),
            lambda: of("error of the closes of hourly bars alone", "error_1h_close", unit),
            lambda: of("error of one bar of eight hours", "error_8h", unit),
        ),
        note=f"480 independent minutes of 0.15 % would give {minutes:.4f} %.",
    )
    sums = (
        sum_part("0.05 % x 365", "fraction a year", 0.0005 * 365, 0.1825, 0.00005),
        sum_part("0.15 % / sqrt(9)", "fraction", ticks, 0.0005, 5e-7),
    )
    judged = [part for part in answer.parts if part.expected is not None]
    shown = [part for part in answer.parts if part.expected is None]
    return Answer((*judged, *sums, *shown), answer.note, answer.missing)


def tick_noise(tables: Tables, period: str) -> Answer:
    """Standard deviation from trade to trade on Gemini BTC (out_premium_precision, quantity trade_sd)."""
    words = "standard deviation from trade to trade on Gemini"
    return gather(
        lambda: precision_part(tables, "gemini", words, "trade_sd", "fraction", period, value(0.0015))
    )


def no_arbitrage_zone(tables: Tables, period: str) -> Answer:
    """Share of Binance BTC premiums inside +-0.2 % (out_premium_precision, quantity share_inside_fee).

    Most, if the fee makes the zone. Shown: half-life of premiums outside it, in hours.
    """
    inside, half_life = "share of premiums inside 0.2 %", "half-life of premiums outside it, in hours"
    return gather(
        lambda: precision_part(tables, "binance", inside, "share_inside_fee", "share", period, Beyond(0.5)),
        shown=(lambda: precision_part(tables, "binance", half_life, "half_life_outside_hours", "1", period),),
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
    shown = (("share_within_fee_centred", "share"), ("mean_absolute_gap", "fraction of the index"))

    def part(pool: dict[Any, Any], quantity: str, unit: str, expected: Expected | None = None) -> Part:
        return row_part(
            tables,
            "out_amm_price_gap",
            f"{key_words(quantity)}, {pool_name(pool)}",
            unit,
            expected,
            chain=pool["chain"],
            pool=pool["pool"],
            quantity=quantity,
            period=period,
        )

    return gather(
        *(partial(part, pool, "share_within_fee", "share", Beyond(0.5)) for pool in pools),
        shown=[partial(part, pool, *quantity) for quantity in shown for pool in pools],
        note="The text gives no share: read as most prices inside.",
    )


def auditable(tables: Tables, period: str) -> Answer:
    """Published rates recomputed from the public premium index: size of the error and share exact.

    Binance BTCUSDT, out_funding_audit. The text gives no number. Rates can be audited if an outsider would
    see a false one: a rate that is off by as much as B says can be hidden, 0.05 % of premium or 18.25 points
    a year (claim 28). So the claim is that the 95th percentile of the error is above that. Bars of an hour
    are the coarsest way to look, so that finer ones can only speak more against the claim; variants: other
    ways to average the bars, and ETH. Whether rates are recomputed exactly, less than half of them if they
    cannot be audited, is judged only from bars of a minute or less: from coarser ones the share
    measures the bars. Shown: the mean error, what one-minute bars would come to if the error falls on as it
    does from eight hours to one, and the share exact on Hyperliquid, which prints the average premium itself.
    """
    unit = "fraction a year"

    def audit(
        label: str,
        statistic: str,
        unit: str,
        expected: Expected | None = None,
        venue: str = "binance",
        symbol: str = "BTCUSDT",
    ) -> Part:
        return row_part(
            tables,
            "out_funding_audit",
            label,
            unit,
            expected,
            venue=venue,
            symbol=symbol,
            statistic=statistic,
            period=period,
        )

    def error() -> Part:
        others, _ = attempt(
            lambda: audit("by closes alone", "p95_absolute_error_close", unit),
            lambda: audit("by bars of equal weight", "p95_absolute_error_flat", unit),
            lambda: audit("by one bar of eight hours", "p95_absolute_error_8h", unit),
            lambda: audit("for ETH", "p95_absolute_error", unit, symbol="ETHUSDT"),
        )
        words = "95th percentile of the absolute error"
        part = audit(words, "p95_absolute_error", unit, Beyond(MOST_HIDDEN))
        return replace(part, variants=(*part.variants, *others))

    hours = _bar_hours(tables, period)
    fine = hours <= 1.001 * MINUTE

    def exact() -> Part:
        words = "share of rates recomputed exactly" + ("" if fine else f", from bars of {hours:g} h")
        return audit(words, "share_exact", "share", Beyond(0.5, above=False) if fine else None)

    beside = (
        lambda: audit(
            "share of the rates off the default recomputed exactly", "share_exact_off_default", "share"
        ),
        lambda: audit("median of the absolute error", "p50_absolute_error", unit),
        lambda: audit("mean error", "mean_error", unit),
        lambda: precision_part(
            tables,
            "binance",
            "error of a premium from bars of a minute, extrapolated",
            "error_1min_extrapolated",
            "fraction of the index",
            period,
        ),
        lambda: audit(
            "share recomputed exactly on Hyperliquid",
            "share_exact",
            "share",
            venue="hyperliquid",
            symbol="BTC",
        ),
    )
    answer = gather(
        *((error, exact) if fine else (error,)),
        shown=beside if fine else (exact, *beside),
        note=(
            "The text gives no number: read as errors larger than the 18.25 points that B says can be hidden."
        ),
    )
    lack = () if fine else (Lack("one-minute bars of Binance's premium index, to judge exactness by", 1),)
    return replace(answer, missing=(*answer.missing, *lack))


def _bar_hours(tables: Tables, period: str) -> float:
    """Length of the bars behind the audit of Binance BTCUSDT."""
    where = {"venue": "binance", "symbol": "BTCUSDT", "statistic": "share_exact", "period": period}
    return float(rows(tables, "out_funding_audit", **where)["sampling_hours"].iloc[0])


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
        "fraction a year",
        "all",
        auditable,
        ("out_funding_audit", "out_premium_precision"),
    ),
)
