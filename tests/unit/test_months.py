from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perp_pipeline.months import Month, Span

months = st.builds(Month, st.integers(2000, 2100), st.integers(1, 12))


@given(months, st.integers(-600, 600))
def test_adding_and_subtracting_months_cancel(month: Month, n: int) -> None:
    assert (month + n) - n == month


@given(months)
def test_text_round_trip_and_abutting_months(month: Month) -> None:
    assert Month.parse(str(month)) == month
    assert month.end == (month + 1).start
    assert Month.of(month.start) == month


def test_a_month_closes_at_its_end() -> None:
    month = Month(2024, 2)
    assert not month.is_closed(datetime(2024, 2, 29, 23, 59, tzinfo=UTC))
    assert month.is_closed(datetime(2024, 3, 1, tzinfo=UTC))


def test_span_counts_and_contains_both_ends() -> None:
    span = Span.parse("2019-11", "2020-02")
    assert [str(month) for month in span] == ["2019-11", "2019-12", "2020-01", "2020-02"]
    assert len(span) == 4
    assert Month(2020, 2) in span and Month(2020, 3) not in span
    assert str(span.widened(1, 2)) == "2019-10..2020-04"


@pytest.mark.parametrize("text", ["2020", "2020-13", "2020-1", "20-01", "2020-01-01"])
def test_not_a_month(text: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM"):
        Month.parse(text)


def test_a_span_runs_forward() -> None:
    with pytest.raises(ValueError, match="forward"):
        Span.parse("2020-02", "2020-01")
