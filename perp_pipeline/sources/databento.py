"""CME settlements from Databento (paid), turned into a CSV that an archive list can declare.

Databento's client makes its own requests, so its answers do not go through the body store. They become a
file of the user's own instead: ``write_settlements`` writes the CSV and returns the entry for the archive
list, and from there on the file is a source like any other, pinned by its digest.
"""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from perp_pipeline.sources.errors import FormatChanged, PermanentError

DATASET = "GLBX.MDP3"
_OUTRIGHT = r"[FGHJKMNQUVXZ]\d{1,2}"
"""Month letter and year: what follows the product in the symbol of a future that is not a spread."""
_SETTLEMENT_PRICE = 3
_DELETED = 2
_FINAL, _INTRADAY = 1, 8
_NEEDED = ("ts_event", "ts_ref", "price", "stat_type", "update_action", "stat_flags", "symbol")


def settlements(frame: pd.DataFrame, product: str) -> pd.DataFrame:
    """Daily settlements in a frame of Databento's ``statistics`` schema.

    Of several prices of one contract and trade date the last final one counts, or the last preliminary one
    where there is no final one. Spreads, intraday values and withdrawn records are left out.

    Args:
        frame: ``DBNStore.to_df()``: price in USD, ts_event and ts_ref in UTC, symbol as CME's.
        product: product code, for example BTC.

    Returns:
        trade_date (naive date), contract (CME's symbol), settle (USD), sorted; empty if the frame has none.

    Raises:
        FormatChanged: a column is missing, or a settlement has no trade date.
    """
    if missing := [name for name in _NEEDED if name not in frame.columns]:
        raise FormatChanged(f"cme databento statistics: no column {', '.join(missing)}")
    outright = frame["symbol"].astype("str").str.fullmatch(product + _OUTRIGHT)
    flags = frame["stat_flags"].astype("int64").to_numpy()
    known = np.where(flags == 255, 0, flags)
    wanted = frame[
        (frame["stat_type"] == _SETTLEMENT_PRICE)
        & outright
        & (frame["update_action"] != _DELETED)
        & ((known & _INTRADAY) == 0)
        & (frame["price"] > 0)
    ]
    if wanted["ts_ref"].isna().any():
        raise FormatChanged(f"cme databento statistics: a settlement of {product} has no trade date (ts_ref)")
    rows = pd.DataFrame(
        {
            "trade_date": wanted["ts_ref"].dt.tz_localize(None).dt.normalize().astype("datetime64[us]"),
            "contract": wanted["symbol"].astype("str"),
            "settle": wanted["price"].astype("float64"),
            "final": wanted["stat_flags"].astype("int64") & _FINAL,
            "ts_event": wanted["ts_event"],
        }
    )
    rows = rows.sort_values(["trade_date", "contract", "final", "ts_event"])
    last = rows.drop_duplicates(["trade_date", "contract"], keep="last")
    return last[["trade_date", "contract", "settle"]].reset_index(drop=True)


def download(product: str, first: date, last: date, key: str | None = None) -> pd.DataFrame:
    """Buy the settlements of all contracts of a product, first to last trade date included.

    Args:
        key: API key; Databento's client reads DATABENTO_API_KEY where it is None.

    Returns:
        As :func:`settlements`.

    Raises:
        PermanentError: the extra is not installed, there is no key, or Databento refuses.
    """
    try:
        import databento
    except ImportError as error:
        raise PermanentError(
            "cme databento: the client is not installed; pip install 'perp-pipeline[databento]'"
        ) from error
    try:
        client: Any = databento.Historical(key)
    except ValueError as error:
        raise PermanentError(f"cme databento: no API key; set DATABENTO_API_KEY ({error})") from error
    try:
        store = client.timeseries.get_range(
            dataset=DATASET,
            schema="statistics",
            symbols=f"{product}.FUT",
            stype_in="parent",
            start=first.isoformat(),
            end=(pd.Timestamp(last) + pd.Timedelta(days=3)).date().isoformat(),
        )
    except databento.BentoError as error:
        raise PermanentError(f"cme databento {product} {first}..{last}: {error}") from error
    rows = settlements(store.to_df().reset_index(), product)
    inside = rows["trade_date"].between(pd.Timestamp(first), pd.Timestamp(last))
    return rows[inside].reset_index(drop=True)


def write_settlements(rows: pd.DataFrame, product: str, path: Path) -> str:
    """Write settlements as CSV and return the TOML entry that declares the file in an archive list.

    Args:
        rows: as :func:`settlements` returns.
    """
    content = rows.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n").encode()
    path.write_bytes(content)
    return "\n".join(
        [
            "[[archive]]",
            f'name = "databento_{product.lower()}"',
            'table = "raw_cme_futures"',
            'venue = "cme"',
            f'symbol = "{product}"',
            f'url = "{path.resolve().as_uri()}"',
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"',
            'time_column = "trade_date"',
            'time_unit = "text"',
            'time_format = "%Y-%m-%d"',
            'time_zone = "America/Chicago"',
            'time_means = "session"',
            'columns = { contract = "contract", settle = "settle" }',
            "",
        ]
    )
