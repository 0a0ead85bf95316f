"""Row checks that several contracts share: factories that return a :class:`RowCheck`.

Every check is a pure function of one table (pandas, sorted by its key) and answers a boolean Series on the
table's index, True where the row is good. A null passes: whether nulls are allowed is the column's business.
``by`` names the columns that tell one series from another (venue, symbol); they come before the time in the
table's key, so that the rows of a series lie together and in time order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from perp_pipeline.contracts.model import RowCheck, Severity

Columns = Sequence[str]
Bounds = tuple[float, float]


def _starts(frame: pd.DataFrame, by: Columns) -> pd.Series:
    """True on the first row of each series."""
    if not by:
        return pd.Series(np.arange(len(frame)) == 0, index=frame.index)
    names = frame[list(by)]
    return (names != names.shift()).any(axis=1)


def _all(frame: pd.DataFrame, value: bool) -> pd.Series:
    return pd.Series(value, index=frame.index)


def run_lengths(frame: pd.DataFrame, column: str, by: Columns = ()) -> pd.Series:
    """Length of the run of equal, consecutive values that each row belongs to (nulls are runs of one)."""
    values = frame[column]
    changed = _starts(frame, by) | (values != values.shift()) | values.isna()
    run = changed.cumsum()
    return run.groupby(run).transform("size")


def finite(*columns: str, severity: Severity = Severity.ERROR) -> RowCheck:
    """No infinite number (a missing one is null, never NaN or infinity by accident)."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        return ~frame[list(columns)].isin([np.inf, -np.inf]).any(axis=1)

    return RowCheck(
        f"finite_{'_'.join(columns)}",
        f"{', '.join(columns)}: no infinite value.",
        passes,
        "A division by zero upstream: look at the inputs of the row.",
        severity,
    )


def positive(*columns: str, severity: Severity = Severity.ERROR) -> RowCheck:
    """Values above zero: prices, volumes that must be there, intervals."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        values = frame[list(columns)]
        return ((values > 0) | values.isna()).all(axis=1)

    return RowCheck(
        f"positive_{'_'.join(columns)}",
        f"{', '.join(columns)}: above zero.",
        passes,
        "A zero or negative price is a venue's placeholder: the cleaned table must leave the row out.",
        severity,
    )


def not_negative(*columns: str, severity: Severity = Severity.ERROR) -> RowCheck:
    """Values of zero or more: volumes, counts."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        values = frame[list(columns)]
        return ((values >= 0) | values.isna()).all(axis=1)

    return RowCheck(
        f"not_negative_{'_'.join(columns)}",
        f"{', '.join(columns)}: zero or more.",
        passes,
        "Compare the row with the stored body it came from.",
        severity,
    )


def one_of(column: str, values: Sequence[float], severity: Severity = Severity.ERROR) -> RowCheck:
    """Values out of a short list of numbers (funding intervals, fee tiers)."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        return frame[column].isin(list(values)) | frame[column].isna()

    return RowCheck(
        f"{column}_known",
        f"{column} is one of {', '.join(f'{value:g}' for value in values)}.",
        passes,
        "A value that the venue has not used before: read its announcement, then extend the list.",
        severity,
    )


def within(
    column: str,
    bounds: Mapping[str, Bounds],
    by: str = "venue",
    otherwise: Bounds | None = None,
    severity: Severity = Severity.ERROR,
) -> RowCheck:
    """Inclusive bounds that differ by venue (or by whatever ``by`` names).

    Args:
        bounds: (low, high) per value of ``by``, in the column's unit.
        otherwise: bounds of values of ``by`` that are not listed; None lets them pass.
    """

    def passes(frame: pd.DataFrame) -> pd.Series:
        fallback = otherwise or (-np.inf, np.inf)
        low = (
            frame[by].map({name: pair[0] for name, pair in bounds.items()}).astype(float).fillna(fallback[0])
        )
        high = (
            frame[by].map({name: pair[1] for name, pair in bounds.items()}).astype(float).fillna(fallback[1])
        )
        values = frame[column]
        return ((values >= low) & (values <= high)) | values.isna()

    listed = "; ".join(f"{name} {low:g}..{high:g}" for name, (low, high) in bounds.items())
    return RowCheck(
        f"{column}_within_{by}_bounds",
        f"{column} lies inside what the {by} can publish ({listed}).",
        passes,
        "A unit slip (percent for fraction), or a rule that the venue changed: see its published cap.",
        severity,
    )


def ordered(first: str, second: str, strictly: bool = False, severity: Severity = Severity.ERROR) -> RowCheck:
    """``first <= second`` in each row (``<`` if strictly): times, bounds, intervals."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        good = frame[first] < frame[second] if strictly else frame[first] <= frame[second]
        return good | frame[first].isna() | frame[second].isna()

    return RowCheck(
        f"{first}_before_{second}",
        f"{first} {'<' if strictly else '<='} {second}.",
        passes,
        "The builder of the table put two columns the wrong way round, or the input has a wrong time stamp.",
        severity,
    )


def same(first: str, second: str, severity: Severity = Severity.ERROR) -> RowCheck:
    """Two columns are equal in each row."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        return (frame[first] == frame[second]) | (frame[first].isna() & frame[second].isna())

    return RowCheck(
        f"{first}_is_{second}",
        f"{first} equals {second}.",
        passes,
        "The two columns are one fact by definition: the builder of the table is wrong.",
        severity,
    )


def ohlc_ordered(severity: Severity = Severity.ERROR) -> RowCheck:
    """``low <= open, close <= high`` in each bar."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        body = frame[["open", "close"]]
        good = (frame["low"] <= body.min(axis=1)) & (body.max(axis=1) <= frame["high"])
        return good | frame[["open", "high", "low", "close"]].isna().any(axis=1)

    return RowCheck(
        "ohlc_ordered",
        "low <= open and close <= high.",
        passes,
        "A bar that contradicts itself: the venue's aggregate is wrong; leave it out and name it.",
        severity,
    )


def on_grid(
    column: str,
    hours: float,
    offset_hours: float = 0.0,
    tolerance_seconds: float = 0.0,
    severity: Severity = Severity.ERROR,
) -> RowCheck:
    """Time stamps fall on a UTC grid of ``hours``, shifted by ``offset_hours`` from midnight.

    Args:
        tolerance_seconds: how far a stamp may lie from the nearest grid point (jitter of a venue's clock).
    """
    step = round(hours * 3_600_000_000)
    shift = round(offset_hours * 3_600_000_000)
    allowed = round(tolerance_seconds * 1_000_000)

    def passes(frame: pd.DataFrame) -> pd.Series:
        stamps = frame[column]
        micros = stamps.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]")
        late = (micros.astype("int64") - shift) % step
        near: pd.Series = np.minimum(late, step - late) <= allowed
        return near | stamps.isna()

    return RowCheck(
        f"{column}_on_{hours:g}h_grid",
        f"{column} lies on the {hours:g}-hour grid of UTC"
        + (f", {tolerance_seconds:g} s of jitter allowed." if tolerance_seconds else "."),
        passes,
        "A stamp off the grid is a bad time zone, a unit slip or a venue that moved its schedule.",
        severity,
    )


def increasing(column: str, by: Columns = (), severity: Severity = Severity.ERROR) -> RowCheck:
    """Values rise strictly from row to row inside each series."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        return _starts(frame, by) | (frame[column] > frame[column].shift())

    return RowCheck(
        f"{column}_increasing",
        f"{column} rises strictly inside each {' and '.join(by) or 'table'}.",
        passes,
        "Repeated or shuffled rows: compare with the stored body.",
        severity,
    )


def no_overlap(start: str, end: str, by: Columns = (), severity: Severity = Severity.ERROR) -> RowCheck:
    """The ranges [start, end) of one series do not overlap: no time is counted twice."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        return _starts(frame, by) | (frame[start] >= frame[end].shift())

    return RowCheck(
        f"no_overlap_{start}_{end}",
        f"A row's {start} is not before the {end} of the row before it.",
        passes,
        "Two payments claim the same hours: an interval is wrong, or two sources were merged without a rule.",
        severity,
    )


def gap_free(
    column: str,
    by: Columns = (),
    hours: float | str = 1.0,
    slack_seconds: float = 1.0,
    declared: Callable[[pd.DataFrame], pd.Series] | None = None,
    severity: Severity = Severity.WARN,
) -> RowCheck:
    """Each row follows the one before it by no more than its interval.

    Args:
        hours: the interval, as a number or as the name of the column that holds it.
        slack_seconds: jitter allowed on top.
        declared: True for rows whose gap before them is known and explained.
    """

    def passes(frame: pd.DataFrame) -> pd.Series:
        step = (frame[column] - frame[column].shift()).dt.total_seconds()
        allowed = frame[hours] * 3600 if isinstance(hours, str) else hours * 3600
        good = _starts(frame, by) | (step <= allowed + slack_seconds)
        return good | declared(frame) if declared is not None else good

    return RowCheck(
        f"gap_free_{column}",
        f"No hole between consecutive {column}" + (f" of one {' and '.join(by)}." if by else "."),
        passes,
        "Rows are missing before this one. If the venue has a hole there, declare it in known_gaps.toml "
        "with the reason; otherwise download the month again.",
        severity,
    )


def not_frozen(
    column: str,
    by: Columns = (),
    rows: int = 24,
    allowed: Sequence[float] = (),
    severity: Severity = Severity.WARN,
) -> RowCheck:
    """No value is repeated ``rows`` times or more in a row: a feed that stands still.

    Args:
        allowed: values that may stand still (the default funding rate of a clamped venue).
    """

    def passes(frame: pd.DataFrame) -> pd.Series:
        return (run_lengths(frame, column, by) < rows) | frame[column].isin(list(allowed))

    return RowCheck(
        f"{column}_not_frozen",
        f"{column} does not repeat one value {rows} rows in a row.",
        passes,
        "A frozen feed, a halted market or forward filling at the source: leave the run out of statistics.",
        severity,
    )


def no_flat_tail(
    column: str, by: Columns, value: float, rows: int, severity: Severity = Severity.WARN
) -> RowCheck:
    """A series does not end in a run of one default value of ``rows`` rows or more.

    Binance goes on writing 0.0001 after a contract is delisted; such rows are no payments.
    """

    def passes(frame: pd.DataFrame) -> pd.Series:
        if frame.empty:
            return _all(frame, True)
        starts = _starts(frame, by)
        series = starts.cumsum()
        differs = frame[column] != value
        after = differs[::-1].groupby(series[::-1]).cummax()[::-1]
        tail = ~after
        return ~(tail & (tail.groupby(series).transform("sum") >= rows))

    return RowCheck(
        f"{column}_no_flat_tail",
        f"A series does not end in {rows} rows or more of exactly {value:g}.",
        passes,
        "Check whether the contract was delisted; if so give it a listed_to in the universe file.",
        severity,
    )


def no_jump(
    column: str, by: Columns = (), factor: float = 2.0, severity: Severity = Severity.WARN
) -> RowCheck:
    """A price does not move by more than ``factor`` (up or down) from one row to the next."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        before = frame[column].shift()
        ratio = frame[column] / before.where(before > 0)
        return _starts(frame, by) | ratio.isna() | ((ratio < factor) & (ratio > 1 / factor))

    return RowCheck(
        f"{column}_no_jump",
        f"{column} changes by less than a factor {factor:g} from row to row.",
        passes,
        "A bad print, a unit change or a reused ticker: compare with a second venue.",
        severity,
    )


def agrees_across(
    column: str,
    across: str,
    at: Columns,
    limit: float,
    relative: bool = False,
    severity: Severity = Severity.WARN,
) -> RowCheck:
    """Values of the same thing at the same time do not lie far from each other.

    Args:
        across: column whose values are compared (venue).
        at: columns that must agree for rows to be comparable (base, window_end).
        limit: largest distance from the median of the group, in the column's unit, or as a fraction of that
            median if ``relative``.
    """

    def passes(frame: pd.DataFrame) -> pd.Series:
        groups = frame.groupby(list(at), sort=False, observed=True)
        median = groups[column].transform("median")
        alone = groups[across].transform("nunique") < 2
        distance = (frame[column] - median).abs()
        return alone | distance.isna() | (distance <= (limit * median.abs() if relative else limit))

    return RowCheck(
        f"{column}_agrees_across_{across}",
        f"{column} of one {' and '.join(at)} lies within {limit:g}{' of' if relative else ' around'} the "
        f"median over {across}s.",
        passes,
        f"One {across} disagrees with the others: a real dislocation, or a bad row; look at its neighbours.",
        severity,
    )


def unique(*columns: str, severity: Severity = Severity.ERROR) -> RowCheck:
    """No two rows share the values of ``columns`` (for identities beside the key)."""

    def passes(frame: pd.DataFrame) -> pd.Series:
        return ~frame.duplicated(list(columns), keep=False)

    return RowCheck(
        f"unique_{'_'.join(columns)}",
        f"No two rows share {', '.join(columns)}.",
        passes,
        "The same fact was read twice: two pages overlap, or a file repeats rows.",
        severity,
    )
