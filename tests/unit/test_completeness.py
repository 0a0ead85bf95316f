"""What is accepted as a whole month, and what is not."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from perp_pipeline.months import Month, Span
from perp_pipeline.sources.binance import spacing_allowed
from perp_pipeline.sources.complete import Window, hole_between, micros, require_whole
from perp_pipeline.sources.errors import IncompleteBody
from perp_pipeline.sources.known_gaps import KnownGap, load_known_gaps, parse_known_gaps
from perp_pipeline.sources.universe import Listed, load_universe, parse_universe

HOUR = 3_600_000_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAY = Month(2020, 5)


def listed(
    seen_to: datetime | None = NOW, listed_from: datetime = datetime(2019, 1, 1, tzinfo=UTC)
) -> Listed:
    return Listed("bitmex", "XBTUSD", "BTC", listed_from, None, seen_to)


def grid(offset: int = 4, month: Month = MAY, step: int = 8) -> np.ndarray:
    return np.arange(micros(month.start) + offset * HOUR, micros(month.end), step * HOUR)


def gap(first: int, last: int) -> KnownGap:
    first_at, last_at = (datetime.fromtimestamp(time / 1e6, UTC) for time in (first, last))
    return KnownGap("raw_bitmex_funding", "bitmex", ("XBTUSD",), first_at, last_at, "test")


@pytest.mark.parametrize("offset", [0, 4])
def test_a_whole_month_passes(offset: int) -> None:
    times = grid(offset)
    assert len(times) == 93
    for jitter in (0, 47_000):
        require_whole(times + jitter, 8 * HOUR, Window(listed(), MAY, NOW))  # raises where it is not whole


@pytest.mark.parametrize("offset", [0, 4])
@pytest.mark.parametrize("lost", [slice(0, 1), slice(5, 6), slice(40, 50), slice(-1, None)])
def test_a_missing_row_anywhere_is_seen(offset: int, lost: slice) -> None:
    times = np.delete(grid(offset), lost)
    with pytest.raises(IncompleteBody, match="no rows between"):
        require_whole(times, 8 * HOUR, Window(listed(), MAY, NOW))


@pytest.mark.parametrize("offset", [0, 4])
@pytest.mark.parametrize(("first", "last"), [(0, 3), (5, 9), (-4, None)])
def test_a_declared_hole_is_accepted_and_no_wider_one(offset: int, first: int, last: int | None) -> None:
    """Holes at the begin, in the middle and at the end; the rows around them may lie in the next months."""
    times = grid(offset)
    before = int(times[first] - 8 * HOUR)
    after = int(times[last]) if last is not None else int(times[-1] + 8 * HOUR)
    rest = np.delete(times, slice(first, last))
    require_whole(rest, 8 * HOUR, Window(listed(), MAY, NOW, (gap(before, after),)))
    with pytest.raises(IncompleteBody):
        require_whole(rest, 8 * HOUR, Window(listed(), MAY, NOW, (gap(before + 8 * HOUR, after),)))


def test_order_repeats_bounds_and_future() -> None:
    window = Window(listed(), MAY, NOW)
    for times, what in (
        (grid()[::-1], "out of order"),
        (np.repeat(grid(), [2] + [1] * (len(grid()) - 1)), "repeated"),
        (grid() + 31 * 24 * HOUR, "outside the month"),
    ):
        with pytest.raises(IncompleteBody, match=what):
            require_whole(times, 8 * HOUR, window)
    middle = datetime(2020, 5, 15, tzinfo=UTC)
    with pytest.raises(IncompleteBody, match="future"):
        require_whole(grid(), 8 * HOUR, Window(listed(), MAY, middle))


def test_empty_months() -> None:
    nothing = np.array([], dtype="int64")
    with pytest.raises(IncompleteBody, match="no rows"):
        require_whole(nothing, 8 * HOUR, Window(listed(), MAY, NOW))
    # Beyond what is known, in the open month, and before the listing, nothing is promised.
    require_whole(nothing, 8 * HOUR, Window(listed(seen_to=None), MAY, NOW))
    require_whole(nothing, 8 * HOUR, Window(listed(), MAY, datetime(2020, 5, 1, 1, tzinfo=UTC)))
    require_whole(nothing, 8 * HOUR, Window(listed(listed_from=datetime(2020, 6, 1, tzinfo=UTC)), MAY, NOW))
    whole = gap(micros(MAY.start) - HOUR, micros(MAY.end) + HOUR)
    require_whole(nothing, 8 * HOUR, Window(listed(), MAY, NOW, (whole,)))


def test_the_first_and_last_known_rows_must_be_there() -> None:
    times = grid()
    first = datetime.fromtimestamp(int(times[10]) / 1e6, UTC)
    last = datetime.fromtimestamp(int(times[80]) / 1e6, UTC)
    window = Window(listed(seen_to=last, listed_from=first), MAY, NOW)
    require_whole(times[10:81], 8 * HOUR, window)
    require_whole(times[10:85], 8 * HOUR, window)
    for part in (times[11:81], times[10:80]):
        with pytest.raises(IncompleteBody):
            require_whole(part, 8 * HOUR, window)


def test_months_must_join_up() -> None:
    assert hole_between(0, 8 * HOUR, 8 * HOUR, ()) is None
    assert hole_between(0, 16 * HOUR, 8 * HOUR, ()) is not None
    assert hole_between(0, 16 * HOUR, 8 * HOUR, (gap(0, 16 * HOUR),)) is None


def test_spacing_tells_a_hole_from_a_new_interval() -> None:
    def holes(hours: list[int]) -> list[int]:
        times = np.cumsum([0, *hours]) * HOUR
        return np.flatnonzero(np.diff(times) > spacing_allowed(times)[1:]).tolist()

    assert holes([8, 8, 8, 1, 1, 1, 4, 4]) == []
    assert holes([8, 8, 16, 8]) == [2]
    assert holes([1, 1, 5, 1, 1]) == [2]
    assert holes([8]) == []


def test_the_declared_gaps_and_instruments_are_consistent() -> None:
    universe = load_universe()
    series = {(i.venue, i.symbol) for i in universe.instruments} | {
        (b.venue, b.symbol) for b in universe.bars
    }
    gaps = load_known_gaps().gaps
    assert gaps
    for entry in gaps:
        assert all((entry.venue, symbol) in series for symbol in entry.symbols)
        assert entry.reason.endswith(".")
    frame = universe.frame()
    assert not frame.duplicated(["venue", "symbol"]).any()
    assert frame.loc[frame["venue"] == "bitmex", "announced_ahead"].eq(1).all()
    for entry in universe.instruments:
        assert entry.listed_to is None or entry.listed_from < entry.listed_to


def test_months_of_an_instrument() -> None:
    imx = next(i for i in load_universe().instruments if i.symbol == "IMXUSDT")
    assert imx.months(Span.parse("2019-01", "2024-01"), NOW) == (Month(2023, 10),)
    assert imx.months(Span.parse("2019-01", "2020-01"), NOW) == ()
    btc = next(i for i in load_universe().instruments if i.symbol == "BTCUSDT")
    assert btc.months(Span.parse("2019-08", "2019-10"), datetime(2019, 9, 20, tzinfo=UTC)) == (
        Month(2019, 9),
    )


def test_an_own_list_adds_replaces_and_removes() -> None:
    own = """
        [[instrument]]
        venue = "binance"
        symbol = "BTCUSDT"
        base = "BTC"
        listed_from = 2021-01-01T00:00:00Z
        [[instrument]]
        venue = "bitmex"
        symbol = "XRPUSD"
        base = "XRP"
        listed_from = 2021-01-01T00:00:00Z
        follow = false
        [[gap]]
        venue = "binance"
        table = "raw_binance_funding"
        symbols = ["BTCUSDT"]
        from = 2021-02-01T00:00:00Z
        to = 2021-02-02T00:00:00Z
        reason = "A test."
    """
    universe = load_universe().extended(parse_universe(own, origin="own.toml"))
    symbols = {(i.venue, i.symbol): i for i in universe.instruments}
    assert symbols["binance", "BTCUSDT"].listed_from.year == 2021
    assert ("bitmex", "XRPUSD") not in symbols
    assert len(parse_known_gaps(own, origin="own.toml").of("raw_binance_funding", "binance", "BTCUSDT")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[[instrument]]\nvenue = 'x'\nsymbol = 'Y'\nbase = 'Y'\nlisted_from = 2021-01-01",
            "time with a zone",
        ),
        ("[[instrument]]\nvenue = 'x'\nsymbol = 'Y'\nlisted_from = 2021-01-01T00:00:00Z", "x Y.*base"),
        ("[[contract]]\nvenue = 'x'", "unknown table contract"),
        ("[[instrument", "not valid TOML"),
    ],
)
def test_a_malformed_list_names_its_fault(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"own.toml: .*{message}"):
        parse_universe(text, origin="own.toml")


def test_malformed_gaps_name_their_fault() -> None:
    with pytest.raises(ValueError, match="gap number 1: the fields are"):
        parse_known_gaps("[[gap]]\nvenue = 'x'", origin="own.toml")
