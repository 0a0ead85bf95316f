"""Claims 34-40: BitMEX ETHUSD, the quanto contract."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from perp_pipeline.research.claims.model import (
    Answer,
    Claim,
    Expected,
    Lack,
    MissingData,
    Part,
    Tables,
    value,
)
from perp_pipeline.research.claims.reading import attempt, gather, require_inside, row_part, sum_part
from perp_pipeline.research.quanto import C19_WINDOW, FREQUENCIES
from perp_pipeline.theory.quanto import dollar_notional, dollar_profit, dollar_return, mean_of_product

SYMBOL = "ETHUSD"
POST_WINDOW = "2018-08..2022-06"
COMPANION_WINDOW = "2019-01..2024-05"


_LABELS = {
    "asset_return": "return of ETH",
    "perp_return": "return of the contract",
    "difference": "return of the contract less that of ETH",
    "covariance": "covariance of ETH and BTC",
    "product_of_means": "product of the mean returns",
    "funding": "funding",
    "net_funding": "funding less covariance",
    "vol_base": "volatility of ETH",
    "vol_margin": "volatility of BTC",
    "corr": "correlation of ETH and BTC",
}
_MAIN = "8h"
"""Judged are 8-hour windows on spot prices, the windows that funding is paid for."""

_JUDGED = "Judged on 8-hour spot prices."


def _quanto(
    tables: Tables,
    quantity: str,
    period: str,
    expected: Expected | None = None,
    unit: str = "fraction a year",
) -> Part:
    """One quantity on 8-hour spot prices, with the same at other lags, by the other price sources and daily
    as variants.

    Variants may be of other dates: the venue's trades begin with the contract.
    """

    def read(frequency: str, label: str, expected: Expected | None = None) -> Part:
        where = {"symbol": SYMBOL, "frequency": frequency, "quantity": quantity, "period": period}
        return row_part(tables, "out_quanto", label, unit, expected, **where)

    head = read(_MAIN, _LABELS[quantity], expected)
    others = {name: words for name, words in FREQUENCIES.items() if name != _MAIN}
    variants, _ = attempt(*(partial(read, name, f"on {words}") for name, words in others.items()))
    return replace(head, period=period, variants=(*head.variants, *variants))


def return_identity(tables: Tables, period: str) -> Answer:
    """Dollar profit over dollar notional against rE (1 + rB), over a grid of price moves of both coins."""
    moves = np.linspace(-0.5, 1.0, 16)
    eth, xbt = 2000.0, 40_000.0
    off = 0.0
    for asset in moves:
        for margin in moves:
            profit = dollar_profit((eth, eth * (1 + asset)), (xbt, xbt * (1 + margin)), contracts=1.0)
            ratio = profit / dollar_notional(eth, xbt, contracts=1.0)
            off = max(off, abs(ratio - float(dollar_return(asset, margin))))
    return Answer((sum_part("departure from the identity", "1", off, 0.0, 1e-9),))


def covariance_identity(tables: Tables, period: str) -> Answer:
    """E[rE rB] less covariance less product of means, on correlated draws; zero if both terms are counted.

    The text names the covariance alone. Shown: covariance and product of means of the real returns.
    """
    rng = np.random.default_rng(35)
    asset = rng.normal(0.001, 0.03, 10_000)
    margin = 0.5 * asset + rng.normal(0.001, 0.03, 10_000)
    covariance, product = mean_of_product(asset, margin)
    by_numpy = float(np.cov(asset, margin, bias=True)[0, 1])
    off = abs(covariance - by_numpy) + abs(product - float(asset.mean()) * float(margin.mean()))
    head = sum_part("departure from the identity", "1", off, 0.0, 1e-12)
    real, missing = attempt(
        lambda: _quanto(tables, "covariance", period),
        lambda: _quanto(tables, "product_of_means", period),
    )
    return Answer((head, *real), missing=tuple(Lack(text) for text in missing))


def four_years(tables: Tables, period: str) -> Answer:
    """Arithmetic annual means of 8-hour ETH and contract returns, their difference, funding, volatilities."""
    return gather(
        lambda: _quanto(tables, "difference", period, value(0.66)),
        lambda: _quanto(tables, "asset_return", period, value(0.83)),
        lambda: _quanto(tables, "perp_return", period, value(1.49)),
        lambda: _quanto(tables, "funding", period, value(0.63)),
        lambda: _quanto(tables, "vol_margin", period, value(0.78)),
        lambda: _quanto(tables, "vol_base", period, value(1.03)),
        lambda: _quanto(tables, "corr", period, value(0.83), "1"),
        shown=(lambda: _quanto(tables, "covariance", period),),
        note=f"{_JUDGED} The post's own 78 x 103 x 83 % is {100 * 0.78 * 1.03 * 0.83:.1f} %; it prints 63 %.",
    )


def net_of_covariance(tables: Tables, period: str) -> Answer:
    """Funding of ETHUSD less the covariance of ETH and BTC returns; published as about zero."""
    return gather(
        lambda: _quanto(tables, "net_funding", period, value(0.0)),
        shown=(
            lambda: _quanto(tables, "funding", period),
            lambda: _quanto(tables, "covariance", period),
        ),
        note=_JUDGED,
    )


def five_years(tables: Tables, period: str) -> Answer:
    """The same over the companion post's window, and funding against covariance in 2021 and 2023.

    Over another window those of the two years that lie inside it.
    """

    def year(quantity: str, own: str, published: float) -> Part:
        words = f"{_LABELS[quantity]} in {own}"
        require_inside(own, period, _LABELS[quantity])
        part = _quanto(tables, quantity, own, value(published))
        return replace(part, label=words, published_for=own)

    return gather(
        lambda: _quanto(tables, "net_funding", period, value(0.10)),
        lambda: _quanto(tables, "asset_return", period, value(0.94)),
        lambda: _quanto(tables, "perp_return", period, value(1.40)),
        lambda: _quanto(tables, "covariance", period, value(0.46)),
        lambda: _quanto(tables, "funding", period, value(0.55)),
        lambda: _quanto(tables, "vol_margin", period, value(0.67)),
        lambda: _quanto(tables, "vol_base", period, value(0.83)),
        lambda: _quanto(tables, "corr", period, value(0.82), "1"),
        lambda: year("covariance", "2021", 0.74),
        lambda: year("funding", "2021", 0.94),
        lambda: year("covariance", "2023", 0.18),
        lambda: year("funding", "2023", 0.32),
        note=_JUDGED,
    )


def since_june_2017(tables: Tables, period: str) -> Answer:
    """ETH return, contract return and covariance from June 2017 to the post of April 2019."""
    return gather(
        lambda: _quanto(tables, "covariance", period, value(0.64)),
        lambda: _quanto(tables, "asset_return", period, value(0.51)),
        lambda: _quanto(tables, "perp_return", period, value(1.15)),
        note=_JUDGED,
    )


def margin_currency(tables: Tables, period: str) -> Answer:
    """BitMEX XBTUSDT (USDT-margined) less XBTUSD (coin-margined), mean daily funding over common days.

    Two contracts do not pay the same rate to the last digit for long: payments at which a source gives one
    contract's rates under both names are kept out of core_funding_payments.
    """
    # out_venue_spreads holds XBTUSD minus XBTUSDT: turn it round.
    where = {
        "venue_a": "bitmex",
        "venue_b": "bitmex",
        "symbol_a": "XBTUSD",
        "symbol_b": "XBTUSDT",
        "period": period,
    }
    try:
        part = row_part(
            tables, "out_venue_spreads", "XBTUSDT less XBTUSD", "fraction a year", value(0.06), **where
        )
    except MissingData as lack:
        raise MissingData(
            "rates of XBTUSDT of its own: public copies give one contract's rates under the names of both, "
            "and such payments are kept out of the lake"
        ) from lack
    turned = replace(part, estimate=-part.estimate, ci_low=-part.ci_high, ci_high=-part.ci_low)
    return Answer((turned,))


CLAIMS = (
    Claim(
        34,
        "B",
        "The dollar return of the contract is rE (1 + rB)",
        "rE (1 + rB)",
        "1",
        "all",
        return_identity,
        theory=("quanto",),
    ),
    Claim(
        35,
        "B",
        "The expected product E[rE rB] is the covariance",
        "covariance",
        "1",
        POST_WINDOW,
        covariance_identity,
        ("out_quanto",),
        ("quanto",),
    ),
    Claim(
        36,
        "B, C22",
        "August 2018 to June 2022, annual: ETH 83 %, perp 149 %, difference 66 %, funding 63 %; "
        "volatility BTC 78 %, ETH 103 %, correlation 83 %",
        "83, 149, 66, 63; 78, 103, 83",
        "fraction a year",
        POST_WINDOW,
        four_years,
        ("out_quanto",),
        dated=True,
    ),
    Claim(
        37,
        "B",
        "Net of the covariance the funding rate of ETHUSD is about zero",
        "about 0",
        "fraction a year",
        POST_WINDOW,
        net_of_covariance,
        ("out_quanto",),
    ),
    Claim(
        38,
        "C24c",
        "January 2019 to May 2024: ETH 94 %, perp 140 %, covariance 46 %, funding about 55 %, net "
        "10 %; volatility 67 % and 83 %, correlation 82 %; 2021: 74 against 94; 2023: 18 against 32",
        "94, 140, 46, 55, 10; 67, 83, 82; 74, 94; 18, 32",
        "fraction a year",
        COMPANION_WINDOW,
        five_years,
        ("out_quanto",),
        dated=True,
    ),
    Claim(
        39,
        "C19",
        "Since June 2017: ETH 51 %, perp 115 %, covariance 64 %",
        "51, 115, 64",
        "fraction a year",
        C19_WINDOW,
        since_june_2017,
        ("out_quanto",),
        dated=True,
    ),
    Claim(
        40,
        "C24c",
        "On BitMEX USDT-margined BTC funding is about 6 points above coin-margined",
        "6 points",
        "fraction a year",
        COMPANION_WINDOW,
        margin_currency,
        ("out_venue_spreads",),
    ),
)
