"""The simulated venues answer in the same form as the replay server does with real data."""

from __future__ import annotations

import io
import json
import re
import urllib.error
import urllib.request
import zipfile
from typing import Any

import pytest

from perp_pipeline.months import Month
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.transport import SimulatedVenues
from perp_pipeline.simulation.wire import Answer
from perp_pipeline.sources.pinned import load_archives

FIRST, LAST = Month(2023, 6), Month(2023, 8)
JUNE = "startTime=1685577600000&endTime=1688169599999"
JUNE_ISO = "startTime=2023-06-01T00:00:00.000Z&endTime=2023-06-30T23:59:59.999Z"
FUNDING = "data.binance.vision/data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2023-06.zip"
SPOT = "data.binance.vision/data/spot/monthly/klines/ETHUSDT/1h/ETHUSDT-1h-2023-07.zip"
PREMIUM = "data.binance.vision/data/futures/um/monthly/premiumIndexKlines/BTCUSDT/8h/BTCUSDT-8h-2023-07.zip"
FAPI, BITMEX = "fapi.binance.com/fapi/v1", "www.bitmex.com/api/v1"

JSON_ADDRESSES = (
    f"{FAPI}/fundingRate?symbol=BTCUSDT&{JUNE}&limit=1000",
    f"{FAPI}/fundingRate?symbol=ETHUSDT&{JUNE}&limit=7",
    f"{FAPI}/fundingRate?symbol=NOPE",
    f"{FAPI}/fundingRate?symbol=BTCUSDT&limit=5000",
    f"{FAPI}/fundingRate?symbol=BTCUSDT&startTime=2&endTime=1",
    f"{FAPI}/fundingRate?symbol=BTCUSDT&startTime=x",
    f"{FAPI}/fundingInfo",
    f"{FAPI}/premiumIndexKlines?symbol=BTCUSDT&interval=8h&{JUNE}",
    f"{FAPI}/premiumIndexKlines?symbol=ETHUSDT&interval=1h&{JUNE}&limit=1500",
    f"{FAPI}/premiumIndexKlines?symbol=BTCUSDT&interval=no",
    f"{FAPI}/premiumIndexKlines?symbol=BTCUSDT",
    f"{BITMEX}/funding?symbol=XBTUSD&count=500&{JUNE_ISO}",
    f"{BITMEX}/funding?symbol=ETHUSD&count=3&start=2&reverse=true&{JUNE_ISO}",
    f"{BITMEX}/funding?symbol=NOPE",
    f"{BITMEX}/funding?symbol=XBTUSD&count=501",
    f"{BITMEX}/funding?symbol=XBTUSD&startTime=never",
    f"{BITMEX}/trade/bucketed?symbol=XBTUSD&binSize=1d&count=20&{JUNE_ISO}",
    f"{BITMEX}/trade/bucketed?symbol=XBTUSD&binSize=2h",
)
FILE_ADDRESSES = (
    FUNDING,
    SPOT,
    PREMIUM,
    f"{FUNDING}.CHECKSUM",
    "data.binance.vision/data/futures/um/monthly/fundingRate/NOPE/NOPE-fundingRate-2023-06.zip",
    "fred.stlouisfed.org/graph/fredgraph.csv?id=DTB3&cosd=2023-06-26&coed=2023-07-07",
    "fred.stlouisfed.org/graph/fredgraph.csv?id=DFF&cosd=2023-06-26&coed=2023-07-07",
    "fred.stlouisfed.org/graph/fredgraph.csv?id=NOPE",
    "www.cryptodatadownload.com/cdd/nothing.csv",
    "raw.githubusercontent.com/a/b/" + "0" * 40 + "/nothing.csv",
    *(a.url.removeprefix("https://") for a in load_archives() if "/SainyTK/" in a.url or "cme" in a.venue),
    *(
        f"www.cryptodatadownload.com/cdd/{name}.csv"
        for name in (
            "Gemini_BTCUSD_d",
            "Gemini_BTCUSD_1h",
            "Gemini_ETHUSD_1h",
            "Bitstamp_BTCUSD_1h",
            "Bitstamp_ETHUSD_1h",
        )
    ),
)


@pytest.fixture(scope="module")
def venues() -> SimulatedVenues:
    return SimulatedVenues(SimulatedMarket(5, FIRST, LAST))


def real(replay: Any, address: str) -> Answer:
    """What the replay server says, as an :class:`Answer`."""
    try:
        with urllib.request.urlopen(f"{replay.url}/{address}", timeout=30) as got:
            body, status, headers = got.read(), got.status, dict(got.headers)
    except urllib.error.HTTPError as error:
        body, status, headers = error.read(), error.code, dict(error.headers)
    return Answer(body, status, headers.pop("Content-Type"), headers)


def assert_same_envelope(simulated: Answer, replayed: Answer) -> None:
    assert simulated.status == replayed.status
    assert simulated.content_type == replayed.content_type
    own = {"Server", "Date", "Content-Length", "X-Replay-Note", "Connection"}
    assert set(simulated.headers) == set(replayed.headers) - own


def shape(value: Any) -> Any:
    """Keys in order, types, digits of printed numbers as a pattern; rows as the set of their shapes."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        if value and isinstance(value[0], dict | list):
            return {json.dumps(shape(item)) for item in value}
        return [shape(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"\d+", "9", value.replace("-", "")) if re.search(r"\d", value) else value
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


@pytest.mark.parametrize("address", JSON_ADDRESSES)
def test_json_answers_have_the_same_form(venues: SimulatedVenues, replay: Any, address: str) -> None:
    simulated, replayed = venues.answer(f"https://{address}"), real(replay, address)
    assert_same_envelope(simulated, replayed)
    ours, theirs = json.loads(simulated.body), json.loads(replayed.body)
    assert type(ours) is type(theirs)
    if "fundingInfo" in address:  # the recorded flags and times differ from contract to contract
        assert [list(row) for row in ours[:1]] == [list(row) for row in theirs[:1]]
        return
    assert shape(ours) == shape(theirs)
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        assert [stamp(row) for row in ours] == [stamp(row) for row in theirs]


def stamp(row: Any) -> Any:
    """When a row is, less the milliseconds of jitter."""
    if isinstance(row, list):
        return row[0], row[6]
    return row["timestamp"] if "timestamp" in row else row["fundingTime"] // 1000


@pytest.mark.parametrize("address", FILE_ADDRESSES)
def test_files_have_the_same_form(venues: SimulatedVenues, replay: Any, address: str) -> None:
    simulated, replayed = venues.answer(f"https://{address}"), real(replay, address)
    assert_same_envelope(simulated, replayed)
    if simulated.content_type == "application/xml":
        assert re.sub(b"<HostId>.*?</HostId>", b"", simulated.body) == re.sub(
            b"<HostId>.*?</HostId>", b"", replayed.body
        )
        return
    if simulated.status != 200:
        assert simulated.body == replayed.body
        return
    if simulated.content_type == "binary/octet-stream":
        assert re.sub(rb"^[0-9a-f]{64}", b"", simulated.body) == re.sub(rb"^[0-9a-f]{64}", b"", replayed.body)
        return
    ours, theirs = lines(simulated), lines(replayed)
    heading = 2 if ours[0].count(",") < 4 and "http" in ours[0] else 0 if ours[0][0].isdigit() else 1
    assert [re.sub(r"\d", "9", line) for line in ours[:heading]] == [
        re.sub(r"\d", "9", line) for line in theirs[:heading]
    ]
    ours, theirs = ours[heading:], theirs[heading:]
    if "fredgraph" in address or ".zip" in address:
        assert [line.split(",")[0][:10] for line in ours] == [line.split(",")[0][:10] for line in theirs]
    forms = {field_forms(line) for line in theirs}
    widths = {len(line.split(",")) for line in theirs if line.strip()}
    assert {len(line.split(",")) for line in ours if line.strip()} == widths
    assert {field_forms(line) for line in ours} <= forms


def lines(answer: Answer) -> list[str]:
    """Lines with their ends, of the file itself or of the one member of a zip."""
    body = answer.body
    if answer.content_type == "application/zip":
        archive = zipfile.ZipFile(io.BytesIO(body))
        (name,) = archive.namelist()
        body = archive.read(name)
    return body.decode().splitlines(keepends=True)


def field_forms(line: str) -> tuple[str, ...]:
    """Each field as number, empty or text pattern, and the line's end; a float may print as an integer."""
    fields = line.rstrip("\r\n").split(",")
    forms = [
        "number" if re.fullmatch(r"-?\d+(\.\d+)?(e-\d+)?", field) else re.sub(r"\d+", "9", field)
        for field in fields
    ]
    return (*forms, line[len(line.rstrip("\r\n")) :])
