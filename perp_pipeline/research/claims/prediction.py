"""Claims 18 and 19: what predicts funding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd

from perp_pipeline.funding.premium import bar_weights
from perp_pipeline.research.claims.model import (
    NEGATIVE,
    POSITIVE,
    Answer,
    Claim,
    Expected,
    Part,
    Tables,
)
from perp_pipeline.research.claims.precision import precision_part
from perp_pipeline.research.claims.reading import attempt, gather, row_part

_MEANS = {
    "ma3": "by the mean of one day",
    "ma21": "by the mean of 7 days",
    "ma90": "by the mean of 30 days",
}
_TARGETS = {
    "mean_1d": "for the next day's mean rate",
    "mean_7d": "for the next 7 days' mean rate",
    "mean_30d": "for the next 30 days' mean rate",
}
_AS_IT_IS = "with forecasts taken as they are"
SAMPLE_ENDS = pd.Timestamp("2022-07-01", tz="UTC")
"""Where the essay's sample ends."""


def _race(
    tables: Tables,
    label: str,
    predictor: str,
    period: str,
    expected: Expected | None = None,
    *,
    target: str = "next",
    scheme: str = "expanding",
) -> Part:
    """A row of the race of Binance BTCUSDT."""
    return row_part(
        tables,
        "out_predictor_race",
        label,
        "1",
        expected,
        venue="binance",
        symbol="BTCUSDT",
        target=target,
        predictor=predictor,
        scheme=scheme,
        period=period,
    )


def _with(part: Part, *others: Callable[[], Part]) -> Part:
    """The part with those of the other routes that the table has, after its variants by lags."""
    return replace(part, variants=(*part.variants, *attempt(*others)[0]))


def moving_average_wins(tables: Tables, period: str) -> Answer:
    """Squared errors of the mean rate of the last three days against those of the current premium.

    Out of sample, next payment of Binance BTCUSDT, expanding least squares; the number is one less the ratio
    of the errors, its interval the Diebold-Mariano test's (out_predictor_race). That a moving average is best
    and the current premium is not is read as: at any moment of a window the moving average forecasts its
    payment better than the premium known then, and better than the last rate as it is.
    Judged at the window's start, when a rate has just been announced, against the premium of the moment; in
    its middle and in its last hour, four hours and one before the payment, against the window's premium so
    far through the venue's formula, which is the rate that the venue displays; and against no change. The
    claim holds if all do. The text names no window: over all that the lake has. Variants: means of other
    lengths, targets of a day to 30 days, other hours, the premium through the formula at the start, the
    premium of the moment later, forecasts that are not fitted.
    """

    def start() -> Part:
        words = "mean of 3 days against the premium of the moment, at the window's start"
        name = "premium_instant"
        return _with(
            _race(tables, words, f"ma9_vs_{name}", period, POSITIVE),
            *(lambda m=m, w=w: _race(tables, w, f"{m}_vs_{name}", period) for m, w in _MEANS.items()),
            *(
                lambda t=t, w=w: _race(tables, w, f"ma9_vs_{name}", period, target=t)
                for t, w in _TARGETS.items()
            ),
            lambda: _race(
                tables, "against the premium through the formula", "ma9_vs_premium_formula", period
            ),
            lambda: _race(tables, _AS_IT_IS, "ma9_vs_premium_formula", period, scheme="direct"),
        )

    def inside(left: int, when: str, hours: tuple[int, ...]) -> Part:
        words = f"mean of 3 days against the premium so far in the window, {when}"
        name = f"ma9_vs_premium_window_{left}h_left"
        return _with(
            _race(tables, words, name, period, POSITIVE),
            *(
                lambda h=h: _race(
                    tables, f"{h} hours before the payment", f"ma9_vs_premium_window_{h}h_left", period
                )
                for h in hours
            ),
            *(
                lambda m=m, w=w: _race(tables, w, f"{m}_vs_premium_window_{left}h_left", period)
                for m, w in _MEANS.items()
            ),
            lambda: _race(
                tables, "against the premium of the moment", f"ma9_vs_premium_instant_{left}h_left", period
            ),
            lambda: _race(tables, _AS_IT_IS, name, period, scheme="direct"),
        )

    def no_change() -> Part:
        return _with(
            _race(tables, "mean of 3 days against no change", "ma9", period, POSITIVE),
            *(lambda m=m, w=w: _race(tables, w, m, period) for m, w in _MEANS.items()),
            *(lambda t=t, w=w: _race(tables, w, "ma9", period, target=t) for t, w in _TARGETS.items()),
            lambda: _race(tables, _AS_IT_IS, "ma9", period, scheme="direct"),
        )

    shown = {
        "last": "last rate, fitted, against no change",
        "premium_instant": "premium of the moment at the window's start, against no change",
        "premium_window_4h_left": "premium so far, 4 hours before the payment, against no change",
        "premium_window_1h_left": "premium so far, 1 hour before the payment, against no change",
    }
    answer = gather(
        start,
        lambda: inside(4, "4 hours before the payment", (7, 6, 5, 3, 2)),
        lambda: inside(1, "1 hour before the payment", ()),
        no_change,
        shown=[partial(_race, tables, words, name, period) for name, words in shown.items()],
        note="The numbers are one less the ratio of squared errors out of sample: above zero, the first is "
        "better.",
    )
    begins = answer.parts[0].window_start
    if begins is None or begins < SAMPLE_ENDS:
        return answer
    after = "All premiums here are of days after the text's sample, which ends in June 2022."
    return replace(answer, note=f"{answer.note} {after}")


def premium_of_the_trade(tables: Tables, period: str) -> Answer:
    """Weight in a rate of the premium of one hour: the one that ends four hours before the payment.

    Binance BTC, out_premium_precision, weight_4_of_8.

    By regression, off the flat zone, of the premium that the published rate implies on the premiums of the
    window's eight hours. "May not enter" is read as a weight of zero or below. Variants: the other hours.
    Beside it: the weight by the venue's rule, (2 k - 1) / 64 for hour k of eight, and the share of the rate's
    variance that the premium of the moment, or that of the window so far, explains before the payment.
    """

    def found(label: str, quantity: str, expected: Expected | None = None) -> Part:
        return precision_part(tables, "binance", label, quantity, "share", period, expected)

    def weight() -> Part:
        return _with(
            found("weight of the window's fourth hour", "weight_4_of_8", NEGATIVE),
            *(lambda k=k: found(f"for hour {k}", f"weight_{k}_of_8") for k in (1, 2, 3, 5, 6, 7, 8)),
        )

    by_rule = 100 * float(bar_weights(8, 1.0)[3])
    share = "share of the rate's variance explained"
    moment, so_far = "by the premium of the moment", "by the premium so far in the window"
    return gather(
        weight,
        shown=(
            lambda: found(f"{share} 4 hours before the payment {moment}", "share_explained_instant_4h_left"),
            lambda: found(f"{share} at the payment {moment}", "share_explained_instant_0h_left"),
            lambda: found(f"{share} 4 hours before the payment {so_far}", "share_explained_4h_left"),
            lambda: found(f"{share} 1 hour before the payment {so_far}", "share_explained_1h_left"),
            lambda: found(f"{share} at the payment {so_far}", "share_explained_0h_left"),
        ),
        note=(
            f"The venue's rule gives that hour {by_rule:.1f} %: a trade's premium enters through the "
            "window's average, as one of many samples. Means of two samples stand for an hour, so that "
            "neighbours share what is one's."
        ),
    )


CLAIMS = (
    Claim(
        18,
        "B",
        "The best predictor of funding is a moving average of funding, not the current premium",
        "moving average best",
        "1",
        "all",
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
