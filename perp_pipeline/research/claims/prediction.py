"""Claims 18 and 19: what predicts funding."""

from __future__ import annotations

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
    beats the premium through the venue's formula (the instant premium where no window average is known).
    Shown: each against no-change; Diebold-Mariano statistics are in the table.
    """

    def against_premium() -> Part:
        try:
            return _race(tables, "ma9_vs_premium_formula", period, POSITIVE)
        except MissingData:
            return _race(tables, "ma9_vs_premium_instant", period, POSITIVE)

    return gather(
        against_premium,
        lambda: _race(tables, "ma9", period, None),
        lambda: _race(tables, "premium_instant", period, None),
        lambda: _race(tables, "premium_formula", period, None),
    )


def premium_of_the_trade(tables: Tables, period: str) -> Answer:
    """Out-of-sample R2, against no-change, of the instant premium for the rate that a trade then pays.

    Published: it may not enter, so the R2 is zero or below. Shown: four hours before the payment, the
    instant premium and the premium of the window so far through the venue's formula.
    """
    return gather(
        lambda: _race(tables, "premium_instant", period, NEGATIVE),
        lambda: _race(tables, "premium_instant_4h_left", period, None),
        lambda: _race(tables, "premium_window_4h_left", period, None),
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
        "1",
        B_WINDOW,
        premium_of_the_trade,
        ("out_predictor_race",),
    ),
)
