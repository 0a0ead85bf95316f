"""Hourly spot candles of all venues in one table, cleaned."""

from __future__ import annotations

import pandas as pd

from perp_pipeline.contracts.prices import CORE_SPOT_1H
from perp_pipeline.steps import DROPPED_COLUMNS, Built

QUOTES = ("USDT", "USD")
"""Longest first: BTCUSDT ends in USDT before it ends in anything else."""
BASES = {"XBT": "BTC"}
"""Venue's names of coins that differ from ours."""

SAME_PRICE = 0.001
"""Repeated bars whose closes differ by less (fraction) are one bar, rounded differently."""

_PRICES = ["open", "high", "low", "close"]
_BAR = ["venue", "base", "quote", "bar_start"]


def core_spot_1h(
    raw_binance_spot_1h: pd.DataFrame, raw_cdd_candles: pd.DataFrame, raw_spot_candles: pd.DataFrame
) -> Built:
    """Hourly candles by venue, coin and UTC hour.

    Bars with a price that is not above zero and bars whose low and high do not enclose open and close are
    kept out. Of repeated bars the fullest is kept if the others can be unfinished copies of it; else none.
    Daily files are not used. Where quote volume over base volume cannot be a price of the bar but its inverse
    can, the two volume columns were swapped at the source and are put right.

    Args:
        raw_binance_spot_1h: symbol, open_time, open, high, low, close (quote currency per coin),
            volume_base (coins).
        raw_cdd_candles, raw_spot_candles: as their contracts. A venue's file and its answers may overlap.

    Returns:
        The table, and each bar kept out with the reason.
    """
    nothing = {"archive": "", "volume_quote": float("nan")}
    binance = raw_binance_spot_1h.assign(table="raw_binance_spot_1h", venue="binance", **nothing)
    answers = raw_spot_candles.assign(table="raw_spot_candles", **nothing)
    files = raw_cdd_candles[raw_cdd_candles["bin_size"] == "1h"].assign(table="raw_cdd_candles")
    columns = ["table", "venue", "symbol", "archive", "open_time", *_PRICES, "volume_base", "volume_quote"]
    parts = [part[columns] for part in (binance, files, answers) if len(part)]
    bars = pd.concat(parts, ignore_index=True) if parts else binance[columns]
    bars = _named(bars).rename(columns={"open_time": "bar_start"})
    bars = bars[bars["base"].isin(CORE_SPOT_1H.column("base").values)]
    bars = _volumes_put_right(bars)

    reason = _impossible(bars)
    dropped = [_name_rows(bars[reason != ""], reason[reason != ""])]
    bars = bars[reason == ""]
    bars, repeated = _one_bar_each(bars)
    dropped.append(repeated)
    frame = bars[[column.name for column in CORE_SPOT_1H.columns]].sort_values(list(CORE_SPOT_1H.key))
    return Built(frame.reset_index(drop=True), pd.concat(dropped, ignore_index=True))


def _named(bars: pd.DataFrame) -> pd.DataFrame:
    """Coin and quote currency from the venue's symbol; BTC-USD, BTC/USD and XBTUSD read as BTCUSD."""
    names = bars["symbol"].drop_duplicates()
    plain = names.str.upper().str.replace(r"[^A-Z0-9]", "", regex=True)
    split = plain.str.extract(rf"^(?P<base>.+?)(?P<quote>{'|'.join(QUOTES)})$").set_axis(names.to_numpy())
    base = split["base"].replace(BASES).astype("str")
    return bars.assign(
        base=bars["symbol"].map(base).astype("str"),
        quote=bars["symbol"].map(split["quote"]).astype("str"),
    )


def _volumes_put_right(bars: pd.DataFrame) -> pd.DataFrame:
    base, quote = bars["volume_base"], bars["volume_quote"]
    inside = (quote > base * bars["low"] * 0.5) & (quote < base * bars["high"] * 2)
    swapped = (base > quote * bars["low"] * 0.5) & (base < quote * bars["high"] * 2) & ~inside
    return bars.assign(volume_base=base.mask(swapped, quote))


def _impossible(bars: pd.DataFrame) -> pd.Series:
    """Why a bar cannot be true; empty where it can."""
    reason = pd.Series("", index=bars.index, dtype="str")
    body = bars[["open", "close"]]
    outside = (body.min(axis=1) < bars["low"]) | (body.max(axis=1) > bars["high"])
    reason = reason.mask(outside, "open or close is outside low..high")
    not_positive = ~(bars[_PRICES] > 0).all(axis=1)
    return reason.mask(not_positive, "a price is zero, negative or missing")


def _one_bar_each(bars: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One bar per venue, coin, quote and hour.

    Of repeats the one of most volume is kept if all open alike and its range holds the others (they were
    printed before the hour was over), or if all close within :data:`SAME_PRICE`; otherwise none is kept.
    """
    repeated = bars.duplicated(_BAR, keep=False)
    if not repeated.any():
        return bars, _name_rows(bars.iloc[:0], pd.Series(dtype="str"))
    several = bars[repeated].sort_values([*_BAR, "volume_base"], ascending=[True] * len(_BAR) + [False])
    groups = several.groupby(_BAR)
    fullest = ~several.duplicated(_BAR)
    widest = several["low"].eq(groups["low"].transform("min"))
    widest &= several["high"].eq(groups["high"].transform("max"))
    same_open = groups["open"].transform("nunique") == 1
    span = groups["close"].transform("max") / groups["close"].transform("min") - 1
    kept = fullest & ((same_open & widest) | (span < SAME_PRICE))
    settled = kept.groupby([several[name] for name in _BAR]).transform("any")
    moved = (several[_PRICES] != groups[_PRICES].transform("first")).any(axis=1)
    reason = pd.Series("the hour is printed twice and the prices contradict each other", index=several.index)
    reason = reason.mask(settled, "an unfinished copy of a bar that is printed twice; the fuller one is kept")
    named = ~kept & (moved | ~settled)
    return pd.concat([bars[~repeated], several[kept]]), _name_rows(several[named], reason[named])


def _name_rows(rows: pd.DataFrame, reason: pd.Series) -> pd.DataFrame:
    key = (
        "venue="
        + rows["venue"]
        + " symbol="
        + rows["symbol"]
        + " open_time="
        + rows["bar_start"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    named = pd.DataFrame(
        {"table": rows["table"], "key": key, "reason": reason}, columns=list(DROPPED_COLUMNS)
    )
    return named.reset_index(drop=True)
