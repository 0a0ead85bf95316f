"""Claims 41-45: what a future should cost."""

from __future__ import annotations

import numpy as np

from perp_pipeline.research.claims.model import Answer, Claim, Expected, Part, Tables, value
from perp_pipeline.research.claims.reading import gather, row_part, sum_part
from perp_pipeline.theory import gehr
from perp_pipeline.theory.carry import fair_funding, forward_ratio
from perp_pipeline.theory.shiller import settlement, settlements


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
    """Mean spread over spot at delivery of Binance's dated BTC and ETH futures: zero if they lock in F - S.

    Last trade against the mean of spot over the last hour, near the average that a contract delivers at.
    Shown beside it, of BTC: the perpetual's spread at the same times, its mean size at any time, and what the
    perpetual leaves open on the way, the lock-in less the cost of the perpetual over the same days.
    """

    def row(label: str, base: str, method: str, unit: str, expected: Expected | None = None) -> Part:
        where = {"base": base, "venue": "binance", "method": method, "period": period}
        return row_part(tables, "out_fair_funding", label, unit, expected, **where)

    def delivery(base: str) -> Part:
        label = f"{base} future less spot at delivery"
        return row(label, base, "terminal_spread_delivery", "fraction", value(0.0))

    a_year = "fraction a year"
    return gather(
        lambda: delivery("BTC"),
        lambda: delivery("ETH"),
        lambda: row("perp less spot at the same times", "BTC", "terminal_spread_perp", "fraction"),
        lambda: row(
            "size of the perp's spread at any time", "BTC", "terminal_spread_perp_any_abs", "fraction"
        ),
        lambda: row("lock-in", "BTC", "lock_in", a_year),
        lambda: row("lock-in less what the perp cost", "BTC", "lock_in_less_realised", a_year),
        note="What the perp leaves open is the funding on the way; its own spread at the end is small.",
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
        "fraction",
        "all",
        terminal_spread,
        ("out_fair_funding",),
        ("delivery",),
    ),
)
