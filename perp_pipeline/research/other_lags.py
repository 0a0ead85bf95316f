"""Other bandwidths at which what claims judge is estimated again, to show whether a verdict hangs on them.

Tables hold such an estimate under the key of the number with the lags behind it: ``share_long_lags120``. Lags
count observations: 120 days are 120 lags of a daily series and 360 of payments 8 hours apart.
"""

from __future__ import annotations

from typing import Final

OTHER_DAYS: Final = (30, 60, 120, 250)


def other_lags(n: int, per_day: float = 1.0, period: str = "") -> list[int]:
    """Bandwidths of :data:`OTHER_DAYS` in a series' own observations, as far as a third of it allows.

    Args:
        n: observations.
        per_day: observations a day.
        period: single calendar years go without: half of these bandwidths are too long for them.
    """
    if period.isdigit():
        return []
    wanted = (round(days * per_day) for days in OTHER_DAYS)
    return [lags for lags in wanted if lags <= n // 3]


def lag_key(key: str, lags: int) -> str:
    """The key of a number with another bandwidth."""
    return f"{key}_lags{lags}"
