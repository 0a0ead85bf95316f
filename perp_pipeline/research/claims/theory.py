"""Claims 41-45: what a future should cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from perp_pipeline.research.claims.model import POSITIVE, Answer, Claim, Expected, Part, Tables, value
from perp_pipeline.research.claims.reading import attempt, gather, row_part, sum_part
from perp_pipeline.theory import gehr
from perp_pipeline.theory.carry import fair_funding, forward_ratio
from perp_pipeline.theory.shiller import settlement, settlements

_SPREAD = "fraction of the index"


def covered_parity(tables: Tables, period: str) -> Answer:
    """F/S - 1 from the ratio against (R_us - R_A) / (1 + R_A), over a grid of rates.

    The ratio itself is checked against the trade behind it: borrow dollars, buy the asset, lend it, deliver.
    """
    off = 0.0
    for usd in np.linspace(-0.02, 0.3, 9):
        for asset in np.linspace(-0.02, 0.3, 9):
            ratio = forward_ratio(float(usd), float(asset))
            off = max(off, abs(ratio - 1.0 - fair_funding(float(usd), float(asset))))
            # One unit of asset lent becomes 1 + r_asset units, sold forward; the dollars owed are 1 + r_usd.
            off = max(off, abs((1.0 + asset) * ratio - (1.0 + usd)))
    return Answer((sum_part("departure from the identity", "1", off, 0.0, 1e-12),))


def shiller_settlement(tables: Tables, period: str) -> Answer:
    """s(t+1) = f(t+1) - f(t) + d(t+1) - r f(t): a path of settlements adds up to the whole of its terms."""
    prices = np.array([100.0, 101.0, 99.5, 102.0])
    incomes = np.array([0.5, 0.4, 0.6])
    rates = np.array([0.004, 0.005, 0.006])
    total = float(settlements(prices, incomes, rates).sum())
    whole = prices[-1] - prices[0] + incomes.sum() - float(rates @ prices[:-1])
    one = settlement(100.0, 101.0, 0.5, 0.004) - float(settlements(prices, incomes, rates)[0])
    off = abs(total - float(whole)) + abs(one)
    return Answer((sum_part("departure from the identity", "1", off, 0.0, 1e-12),))


def cgses_example(tables: Tables, period: str) -> Answer:
    """Settlement 111.00 plus interest 0.15; profit of the long sold at 112.00."""
    return Answer(
        (
            sum_part("carried price", "USD", gehr.carried_price(111.00, 0.15), 111.15, 0.005),
            sum_part("profit of the long", "USD", gehr.long_profit(111.00, 0.15, 112.00), 0.85, 0.005),
        )
    )


def flat_price_example(tables: Tables, period: str) -> Answer:
    """100.00 carried at 0.01 %; loss of the long at a flat price."""
    carried = gehr.carried_price_at(100.0, 0.0001)
    return Answer(
        (
            sum_part("carried price", "USD", carried, 100.01, 0.005),
            sum_part("cost to the long", "USD", carried - 100.0, 0.01, 0.005),
        )
    )


def terminal_spread(tables: Tables, period: str) -> Answer:
    """Spread over spot of Binance's dated futures just before delivery, and of the perp at the same moments.

    A contract is delivered at the average of the index over its last hour, so that its own last trade is no
    measure: the future and spot are compared at 07:00 UTC, when the average begins. Both halves are judged,
    for BTC and ETH: the future's mean spread then is zero (it locks in F - S), and the perpetual is further
    from spot than the future is, on average over the hours' ends from 00:00 to 07:00 (it leaves its spread
    open). The last trade of a dated future may be minutes old: as variants, spreads are averaged over these
    hours' ends first. Shown beside it: the sizes, the last trade, and the lock-in less the cost of the
    perpetual over the same days, which has the funding that the perpetual leaves open as well.
    """

    def row(label: str, base: str, method: str, unit: str, expected: Expected | None = None) -> Part:
        where = {"base": base, "venue": "binance", "method": method, "period": period}
        return row_part(tables, "out_fair_funding", label, unit, expected, **where)

    def judged(label: str, base: str, spread: str, by_night: str, expected: Expected) -> Part:
        def read(words: str, name: str) -> Part:
            return row(words, base, f"terminal_spread_{name}", _SPREAD, expected)

        variants, _ = attempt(lambda: read("by spreads averaged over the night", by_night))
        return replace(read(label, spread), variants=tuple(variants))

    future = "future less spot when the averaging begins"
    further = "distance of the perp from spot less that of the future, in the night before"
    names = ("abs_perp_less_delivery", "abs_night_perp_less_delivery")
    return gather(
        lambda: judged(f"BTC {future}", "BTC", "delivery", "delivery_night", value(0.0)),
        lambda: judged(f"ETH {future}", "ETH", "delivery", "delivery_night", value(0.0)),
        lambda: judged(f"BTC, {further}", "BTC", *names, POSITIVE),
        lambda: judged(f"ETH, {further}", "ETH", *names, POSITIVE),
        shown=(
            lambda: row("BTC future's distance from spot", "BTC", "terminal_spread_delivery_abs", _SPREAD),
            lambda: row("BTC perp's distance from spot", "BTC", "terminal_spread_perp_abs", _SPREAD),
            lambda: row("BTC perp's at any time", "BTC", "terminal_spread_perp_any_abs", _SPREAD),
            lambda: row(
                "last trade of the BTC future less spot", "BTC", "terminal_spread_last_trade", _SPREAD
            ),
            lambda: row("lock-in of BTC futures", "BTC", "lock_in", "fraction a year"),
            lambda: row("lock-in less what the perp cost", "BTC", "lock_in_less_realised", "fraction a year"),
        ),
        note="Delivery is at the average of the last hour, which hourly prices do not show; it moves the "
        "last trade away from the last spot price.",
    )


CLAIMS = (
    Claim(
        41,
        "B",
        "F/S = (1 + R_us)/(1 + R_A), so F/S - 1 = (R_us - R_A)/(1 + R_A)",
        "identity",
        "1",
        "all",
        covered_parity,
        theory=("carry",),
    ),
    Claim(
        42,
        "B",
        "Shiller's perpetual future settles f(t+1) - f(t) + d(t+1) - r f(t)",
        "identity",
        "1",
        "all",
        shiller_settlement,
        theory=("shiller",),
    ),
    Claim(
        43,
        "A",
        "On the CGSES 111.00 plus 0.15 interest is 111.15; sold at 112.00 the long makes 0.85",
        "111.15; 0.85",
        "USD",
        "all",
        cgses_example,
        theory=("gehr",),
    ),
    Claim(
        44,
        "B",
        "100.00 at 0.01 % is 100.01; a flat price costs the long 0.01",
        "100.01; 0.01",
        "USD",
        "all",
        flat_price_example,
        theory=("gehr",),
    ),
    Claim(
        45,
        "A, C24c",
        "A delivery future locks in F(0) - S(0); a perp leaves S(t) - P(t) open",
        "zero; open",
        "fraction of the index",
        "all",
        terminal_spread,
        ("out_fair_funding",),
        ("delivery",),
    ),
)
