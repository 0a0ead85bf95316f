"""The rules of the claims register: verdicts, what caps them, which number decides, digits and reasons."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

from perp_pipeline.research.claims import Verdict, evaluate, find_claim, verdict_of
from perp_pipeline.research.claims.formats import bare, digits
from perp_pipeline.research.claims.model import (
    NEGATIVE,
    POSITIVE,
    Answer,
    Beyond,
    Expected,
    Lack,
    MissingData,
    Part,
    Printed,
    Within,
    combined,
    value,
)
from perp_pipeline.research.claims.reading import gather
from perp_pipeline.research.claims.reasons import reason_of


def part(estimate: float, half: float, expected: Expected | None) -> Part:
    return Part("x", "1", estimate, half / 2, estimate - half, estimate + half, 100, expected=expected)


@pytest.mark.parametrize(
    ("estimate", "half", "expected", "verdict"),
    [
        (0.09, 0.03, value(0.10), "holds"),
        (0.02, 0.03, value(0.10), "fails"),
        (0.20, 0.03, value(0.10), "fails"),
        (0.05, 0.07, value(0.10), "weak"),
        (0.01, 0.03, value(0.0), "holds"),
        (0.10, 0.03, value(0.0), "fails"),
        (-0.3, 0.1, value(-0.25), "holds"),
        (0.45, 0.10, Within(0.5, 1.0), "holds"),
        (0.30, 0.10, Within(0.5, 1.0), "fails"),
        (0.10, 0.05, POSITIVE, "holds"),
        (0.10, 0.20, POSITIVE, "weak"),
        (-0.01, 0.20, POSITIVE, "weak"),
        (-0.30, 0.20, POSITIVE, "fails"),
        (-0.10, 0.05, NEGATIVE, "holds"),
        (-0.10, 0.20, NEGATIVE, "weak"),
        (0.60, 0.05, Beyond(0.5), "holds"),
        (0.60, 0.20, Beyond(0.5), "weak"),
        (0.40, 0.20, Beyond(0.5), "weak"),
        (0.20, 0.20, Beyond(0.5), "fails"),
        (0.10951, 0.0, Printed(0.1095, 0.00005), "arithmetic"),
        (0.2740, 0.0, Printed(0.1, 0.05), "wrong as stated"),
        (0.1, math.nan, value(0.1), "no data"),
        (0.1, 0.1, None, None),
    ],
)
def test_the_verdict_rule(
    estimate: float, half: float, expected: Expected | None, verdict: str | None
) -> None:
    assert verdict_of(part(estimate, half, expected)) == verdict


def test_a_claim_is_as_good_as_its_worst_part() -> None:
    assert combined([Verdict.HOLDS, Verdict.WEAK, None]) is Verdict.WEAK
    assert combined([Verdict.FAILS, Verdict.WEAK]) is Verdict.FAILS
    assert combined([Verdict.ARITHMETIC, Verdict.HOLDS]) is Verdict.HOLDS
    assert combined([None, Verdict.NO_DATA]) is Verdict.NO_DATA
    assert combined([None]) is Verdict.NO_DATA


@pytest.mark.parametrize(
    ("verdicts", "lacking", "whole"),
    [
        ([Verdict.HOLDS], 1, Verdict.WEAK),
        ([Verdict.HOLDS, Verdict.NO_DATA], 0, Verdict.WEAK),
        ([Verdict.ARITHMETIC], 1, Verdict.WEAK),
        ([Verdict.FAILS, Verdict.HOLDS], 2, Verdict.FAILS),
        ([Verdict.WRONG, Verdict.NO_DATA], 0, Verdict.WRONG),
        ([Verdict.HOLDS, None], 0, Verdict.HOLDS),
        ([None], 2, Verdict.NO_DATA),
        ([Verdict.NO_DATA], 1, Verdict.NO_DATA),
    ],
)
def test_what_cannot_be_judged_caps_the_verdict(
    verdicts: list[Verdict | None], lacking: int, whole: Verdict
) -> None:
    missing = (Lack("shown only"), Lack("this", lacking))
    assert combined(verdicts, missing) is whole
    assert combined(verdicts, missing[:1]) is combined(verdicts)


def _lost() -> Part:
    raise MissingData("this")


def test_a_reason_counts_the_published_numbers_and_names_what_only_would_be_shown() -> None:
    one, shown = part(0.1, 0.05, POSITIVE), part(0.2, 0.05, None)
    answer = gather(lambda: one, _lost, _lost, shown=(lambda: shown,))
    assert answer.missing == (Lack("this", 2),)
    claim = replace(find_claim(1), compute=lambda tables, period: answer)
    found = evaluate(claim, {})
    assert found.verdict is Verdict.WEAK
    assert found.reason.endswith("Judged on 1 of 3 published numbers. Missing: this.")
    beside = replace(claim, compute=lambda tables, period: gather(lambda: one, shown=(_lost,)))
    assert evaluate(beside, {}).verdict is Verdict.HOLDS
    assert evaluate(beside, {}).reason.endswith("Not shown beside it, because missing: this.")
    with pytest.raises(ValueError, match="published numbers"):
        gather(lambda: shown)


def test_the_number_that_decides_is_named_unless_it_is_the_first() -> None:
    def decided(*parts: Part) -> tuple[str, float]:
        claim = replace(find_claim(1), compute=lambda tables, period: Answer(parts))
        found = evaluate(claim, {})
        return found.decided_by, found.estimate

    good = part(0.1, 0.05, POSITIVE)
    weak = replace(part(0.1, 0.5, POSITIVE), label="second")
    worse = replace(part(-0.9, 0.5, POSITIVE), label="third")
    assert decided(good, weak, worse) == ("third", 0.1)
    assert decided(good, weak) == ("second", 0.1)
    assert decided(weak, replace(weak, label="another")) == ("", 0.1)
    assert decided(part(0.7, 0.1, None), good) == ("", 0.1)
    assert math.isnan(decided(part(0.7, 0.1, None))[1])


@pytest.mark.parametrize(
    ("estimate", "se", "half", "unit", "told"),
    [
        (0.10377, 0.0197, 0.0401, "fraction a year", ("6.4", "10.4", "14.4")),
        (-0.00144, 0.000718, 0.00141, "fraction a year", ("-0.285", "-0.144", "-0.003")),
        (0.0003, 0.00045, 0.0009, "fraction a year", ("-0.060", "0.030", "0.120")),
        (0.729786, 0.05, 0.099, "1", ("0.631", "0.730", "0.829")),
        (-1.43, 2.6, 5.75, "1", ("-7.18", "-1.43", "4.32")),
        (91216.5, 2e5, 4e5, "USD a day", ("-308,784", "91,216", "491,216")),
        (0.5, math.nan, 0.0004, "share", ("49.960", "50.000", "50.040")),
    ],
)
def test_digits_follow_the_error(
    estimate: float, se: float, half: float, unit: str, told: tuple[str, str, str]
) -> None:
    low, high = estimate - half, estimate + half
    count = digits(unit, estimate, se, low, high)
    assert tuple(bare(number, unit, count) for number in (low, estimate, high)) == told


def test_exact_numbers_have_their_unit_s_digits() -> None:
    assert digits("fraction a year", 0.1095, 0.0, 0.1095, 0.1095) is None
    assert digits("fraction a year", 0.1095, math.nan, math.nan, math.nan) is None
    assert bare(0.1095, "fraction a year") == "10.95"


def test_the_reason_says_what_a_verdict_hangs_on() -> None:
    def reason(*halves: float) -> str:
        variants = tuple(replace(part(0.1, half, None), label=f"{n} lags") for n, half in enumerate(halves))
        head = replace(part(0.1, 0.05, POSITIVE), variants=variants)
        claim = replace(find_claim(1), compute=lambda tables, period: Answer((head,)))
        return evaluate(claim, {}).reason

    first = "Holds: x is 0.100 (95 %: 0.050 to 0.150), above 0 as claimed."
    assert reason(0.04, 0.06) == f"{first} The verdict is the same with 0 and 1 lags."
    assert reason(0.04, 0.2) == f"{first} It is weak on 1 of 2 other routes (with 1 lags)."
    assert reason(0.2) == f"{first} It is weak on the one other route (with 0 lags)."


def test_a_variant_of_other_dates_or_of_the_other_sign_is_not_the_same() -> None:
    def dated(estimate: float, label: str, year: int) -> Part:
        ends = (pd.Timestamp(f"{year}-01-01", tz="UTC"), pd.Timestamp("2022-01-01", tz="UTC"))
        one = replace(part(estimate, 0.5, None), label=label)
        return replace(one, window_start=ends[0], window_end=ends[1])

    variants = (
        dated(0.2, "on daily prices", 2019),
        dated(0.2, "for ETH", 2020),
        dated(-0.1, "by trades", 2020),
    )
    head = replace(dated(0.1, "x", 2019), expected=value(0.15), variants=variants)
    reason = reason_of(Answer((head,)), [Verdict.WEAK], "all")
    assert "It is weak with the other sign on 1 of 3 other routes (for other dates, by trades)." in reason
    steady = reason_of(Answer((replace(head, variants=variants[:2]),)), [Verdict.WEAK], "all")
    assert steady.endswith("The verdict is the same on daily prices; for other dates, for ETH.")


def _labelled(label: str, estimate: float, half: float, *halves: float) -> Part:
    variants = tuple(replace(part(estimate, own, None), label=f"{n} lags") for n, own in enumerate(halves))
    return replace(part(estimate, half, POSITIVE), label=label, variants=variants)


def _reason(*parts: Part, shown: int = 0, missing: tuple[Lack, ...] = ()) -> str:
    beside = tuple(replace(part(0.5, 0.1, None), label=f"beside {place}") for place in range(shown))
    answer = Answer((*parts, *beside), missing=missing)
    return evaluate(replace(find_claim(1), compute=lambda tables, period: answer), {}).reason


def test_the_reason_begins_with_the_number_that_decides_and_counts_the_others() -> None:
    good = [_labelled(f"good {place}", 0.1, 0.05, 0.04) for place in range(4)]
    told = _reason(good[0], _labelled("bad", -0.1, 0.05, 0.2, 0.04), *good[1:], _labelled("soft", 0.1, 0.5))
    assert told.startswith(
        "Fails: bad is -0.100 (95 %: -0.150 to -0.050), where the claim is above 0. "
        "It is weak on 1 of 2 other routes (with 0 lags). "
        "Of 5 other published numbers 4 hold and 1 is weak; 1 of the 6 verdicts hangs on the lags. "
    )
    assert "Soft (0.10) is weak." in told
    assert "good" not in told
    few = _reason(*good[:3])
    assert few.endswith("Good 1 (0.100) and good 2 (0.100) hold. Verdicts are the same with 0 lags.")
    assert _reason(*good).count("All 3 other") == 0
    hanging = _labelled("hangs", 0.1, 0.05, 0.2, 0.3, 0.4, 0.5)
    assert "All 4 other published numbers hold; 1 of the 5 verdicts hangs on the lags." in _reason(
        *good, hanging
    )
    assert "Hangs (0.100) holds, but is weak on 4 of 4 other routes." in _reason(*good, hanging)


def test_many_numbers_beside_are_counted_and_a_capped_verdict_says_so_first() -> None:
    one = _labelled("one, two", 0.1, 0.05)
    assert _reason(one, shown=2).endswith("Beside it: beside 0: 0.500; beside 1: 0.500.")
    assert _reason(one, shown=4).endswith("4 more numbers are shown, not judged.")
    assert _reason(one, missing=(Lack("this", 1),)) == (
        "Weak, since not all published numbers can be judged: one, two, is 0.100 (95 %: 0.050 to 0.150), "
        "above 0 as claimed. Judged on 1 of 2 published numbers. Missing: this."
    )


@pytest.mark.parametrize(
    ("expected", "estimate", "half", "told"),
    [
        (value(0.12), 0.1, 0.05, ", in agreement with the published 0.12."),
        (value(0.12), 0.1, 0.2, ", in agreement with the published 0.12, but with zero too."),
        (value(0.3), 0.1, 0.05, ", at odds with the published 0.3."),
        (POSITIVE, 0.1, 0.2, ", above 0 as claimed, but the interval has the other side too."),
        (POSITIVE, -0.1, 0.2, "what is claimed (above 0), which the interval does not rule out."),
        (Printed(0.1, 0.01), 0.1, 0.0, "x = 0.1, as published."),
        (Printed(0.12, 0.1), 0.1, 0.0, "x = 0.1, published as 0.12."),
        (Printed(0.3, 0.01), 0.1, 0.0, "x = 0.1, where the text prints 0.3."),
    ],
)
def test_each_verdict_is_told_in_words(expected: Expected, estimate: float, half: float, told: str) -> None:
    assert _reason(part(estimate, half, expected)).endswith(told)
