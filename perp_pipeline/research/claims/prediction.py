"""Claims 18 and 19: what predicts funding."""

from __future__ import annotations

from dataclasses import replace

from perp_pipeline.research.claims.averages import B_WINDOW
from perp_pipeline.research.claims.model import (
    NEGATIVE,
    POSITIVE,
    Answer,
    Claim,
    Expected,
    MissingData,
    Part,
    Tables,
)
from perp_pipeline.research.claims.reading import gather, row_part


def _race(tables: Tables, predictor: str, period: str, expected: Expected | None) -> Part:
    return row_part(
        tables,
        "out_predictor_race",
        f"out-of-sample R2 of {predictor}",
        "1",
        expected,
        venue="binance",
        symbol="BTCUSDT",
        target="next",
        predictor=predictor,
        scheme="expanding",
        period=period,
    )


def moving_average_wins(tables: Tables, period: str) -> Answer:
    """Squared error of the nine-payment average against that of the current premium, out of sample.

    Next payment of Binance BTCUSDT, expanding least squares, out_predictor_race. Judged: the moving average
    beats the premium through the venue's formula, over all premiums there are where none are in the window.
    Shown: each against no-change; Diebold-Mariano statistics are in the table.
    """

    def against_premium() -> Part:
        try:
            return _race(tables, "ma9_vs_premium_formula", period, POSITIVE)
        except MissingData:
            # The public premium index may not reach back to the essay's window: then all of it is judged.
            known = _race(tables, "ma9_vs_premium_formula", "all", POSITIVE)
            return replace(known, label=f"{known.label}, since premiums are known", period="all")

    return gather(
        against_premium,
        lambda: _race(tables, "ma9", period, None),
        lambda: _race(tables, "premium_instant", period, None),
        lambda: _race(tables, "premium_formula", period, None),
    )


def premium_of_the_trade(tables: Tables, period: str) -> Answer:
    """Share of the variance of Binance BTCUSDT's rates that one hour's premium explains through the venue's
    map, four hours before the payment (out_premium_precision, share_explained_instant_4h_left).

    Published: it may not enter, so that the share is zero or below. Shown: the premium at the payment, and
    the average of the window so far, which is what the venue's rule takes.
    """

    def explained(quantity: str, expected: Expected | None) -> Part:
        return row_part(
            tables,
            "out_premium_precision",
            quantity.replace("_", " "),
            "share",
            expected,
            venue="binance",
            base="BTC",
            quantity=quantity,
            period=period,
        )

    return gather(
        lambda: explained("share_explained_instant_4h_left", NEGATIVE),
        lambda: explained("share_explained_instant_0h_left", None),
        lambda: explained("share_explained_4h_left", None),
        lambda: explained("share_explained_1h_left", None),
        lambda: explained("share_explained_0h_left", None),
        note="A trade's premium enters through the window's average, as one of many samples.",
    )


CLAIMS = (
    Claim(
        18,
        "B",
        "The best predictor of funding is a moving average of funding, not the current premium",
        "moving average best",
        "1",
        B_WINDOW,
        moving_average_wins,
        ("out_predictor_race",),
    ),
    Claim(
        19,
        "A",
        "The premium at the time of a trade may not enter the rate that it pays",
        "does not enter",
        "share",
        "all",
        premium_of_the_trade,
        ("out_premium_precision",),
    ),
)
