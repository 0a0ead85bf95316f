"""The simulated market: same seed, same bytes; every venue's rule holds in what it publishes."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from perp_pipeline.months import Month, Span
from perp_pipeline.simulation import open_market
from perp_pipeline.simulation.clamp import RateMap
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.parameters import PERPS, Perp
from perp_pipeline.simulation.premium import WindowPremium, window_weights
from perp_pipeline.simulation.transport import SimulatedVenues, simulated_archives, simulated_universe
from perp_pipeline.simulation.wire import Answer

SPAN = Span.parse("2021-10", "2022-01")
RAW = "https://raw.githubusercontent.com/a/b/" + "0" * 40 + "/data"
ADDRESSES = (
    "https://data.binance.vision/data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2021-12.zip",
    "https://data.binance.vision/data/spot/monthly/klines/ETHUSDT/1h/ETHUSDT-1h-2021-10.zip",
    "https://fapi.binance.com/fapi/v1/fundingRate?symbol=ETHUSDT&limit=1000",
    "https://fapi.binance.com/fapi/v1/premiumIndexKlines?symbol=BTCUSDT&interval=1h&limit=1500",
    "https://www.bitmex.com/api/v1/funding?symbol=ETHUSD&count=500",
    "https://www.bitmex.com/api/v1/trade/bucketed?symbol=XBTUSDT&binSize=1d&count=500",
    "https://www.cryptodatadownload.com/cdd/Gemini_BTCUSD_d.csv",
    "https://www.cryptodatadownload.com/cdd/Bitstamp_ETHUSD_1h.csv",
    "https://fred.stlouisfed.org/graph/fredgraph.csv?id=DTB3",
    f"{RAW}/cme_btc_futures_daily.csv",
    "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=1000",
)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return SimulatedMarket(3, SPAN.first, SPAN.last)


@pytest.fixture(scope="module")
def venues(market: SimulatedMarket) -> SimulatedVenues:
    return SimulatedVenues(market)


def get(venues: SimulatedVenues, url: str) -> Answer:
    answer = venues.answer(url)
    assert answer.status == 200, url
    return answer


def digest(seed: int, addresses: tuple[str, ...] = ADDRESSES) -> str:
    venues = SimulatedVenues(SimulatedMarket(seed, SPAN.first, SPAN.last))
    return hashlib.sha256(b"".join(get(venues, url).body for url in addresses)).hexdigest()


def test_same_seed_gives_same_bytes_in_a_fresh_process_and_any_order() -> None:
    code = f"""
import hashlib
from perp_pipeline.months import Month
from perp_pipeline.simulation.market import SimulatedMarket
from perp_pipeline.simulation.transport import SimulatedVenues
venues = SimulatedVenues(SimulatedMarket(3, Month.parse("{SPAN.first}"), Month.parse("{SPAN.last}")))
addresses = {ADDRESSES!r}
bodies = {{url: venues.answer(url).body for url in reversed(addresses)}}
print(hashlib.sha256(b"".join(bodies[url] for url in addresses)).hexdigest())
"""
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == digest(3)
    assert digest(3) != digest(4)


def test_months_before_the_contracts_existed_are_refused() -> None:
    with pytest.raises(ValueError, match="2018-01"):
        SimulatedMarket(1, Month(2017, 12), Month(2018, 2))


@pytest.mark.parametrize("perp", PERPS, ids=lambda perp: f"{perp.venue}-{perp.symbol}")
def test_every_published_rate_obeys_the_venues_rule(market: SimulatedMarket, perp: Perp) -> None:
    paid, premium, weights = market.payments(perp), market.premium(perp), window_weights(perp)
    assert len(paid) > 100
    assert set((paid.paid_at // 3600) % 24) == {perp.pays_at, perp.pays_at + 8, perp.pays_at + 16}
    interest, clamp = perp.rate_map.interest, perp.rate_map.clamp
    behind = 8 if perp.announced_ahead else 0
    for row, rate in zip(market.rows(paid.paid_at // 3600), paid.rate, strict=True):
        p = float(weights @ premium[row - behind - 7 : row - behind + 1])
        rule = p + min(max(interest - p, -clamp), clamp)
        rule = min(max(rule, -perp.rate_map.cap), perp.rate_map.cap)
        assert abs(rate - rule) <= 0.5001 * 10.0**-perp.rate_map.decimals


def test_binance_rates_follow_from_its_premium_klines(venues: SimulatedVenues) -> None:
    base = "https://fapi.binance.com/fapi/v1"
    bounds = "symbol=BTCUSDT&startTime=1635724800000&endTime=1638316799999"
    rates = json.loads(get(venues, f"{base}/fundingRate?{bounds}&limit=1000").body)
    bars = json.loads(get(venues, f"{base}/premiumIndexKlines?{bounds}&interval=1h&limit=1500").body)
    close = {bar[0] + 3_600_000: float(bar[4]) for bar in bars}
    checked = 0
    for row in rates:
        at = row["fundingTime"] // 3_600_000 * 3_600_000
        hours = [at - 3_600_000 * k for k in range(7, -1, -1)]
        if not all(hour in close for hour in hours):
            continue
        samples = [close[hour] for hour in hours for _ in range(720)]
        p = sum(w * sample for w, sample in enumerate(samples, start=1)) / (5760 * 5761 / 2)
        rate = p + min(max(0.0001 - p, -0.0005), 0.0005)
        assert float(row["fundingRate"]) == pytest.approx(max(-0.0012, min(0.0012, rate)), abs=1e-8)
        checked += 1
    assert checked == 89


def test_archive_and_rest_agree_and_checksums_hold(venues: SimulatedVenues) -> None:
    stem = "BTCUSDT-fundingRate-2021-11"
    url = f"https://data.binance.vision/data/futures/um/monthly/fundingRate/BTCUSDT/{stem}.zip"
    packed = get(venues, url).body
    assert (
        get(venues, f"{url}.CHECKSUM").body.decode() == f"{hashlib.sha256(packed).hexdigest()}  {stem}.zip\n"
    )
    text = zipfile.ZipFile(io.BytesIO(packed)).read(f"{stem}.csv").decode()
    archive = [line.split(",") for line in text.splitlines()[1:]]
    rest = json.loads(
        get(
            venues,
            "https://fapi.binance.com/fapi/v1/fundingRate?symbol=BTCUSDT&startTime=1635724800000"
            "&endTime=1638316799999&limit=1000",
        ).body
    )
    assert [(int(t), rate) for t, _, rate in archive] == [(r["fundingTime"], r["fundingRate"]) for r in rest]
    jitter = np.array([int(t) % 28_800_000 for t, _, _ in archive])
    assert len(archive) == 90 and 0 < jitter.max() <= 47


def test_spot_klines_turn_to_microseconds_in_2025() -> None:
    venues = SimulatedVenues(SimulatedMarket(1, Month(2024, 12), Month(2025, 1)))
    for month, unit in (("2024-12", 10**3), ("2025-01", 10**6)):
        url = f"https://data.binance.vision/data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-{month}.zip"
        archive = zipfile.ZipFile(io.BytesIO(get(venues, url).body))
        rows = [line.split(",") for line in archive.read(archive.namelist()[0]).decode().splitlines()]
        assert len(rows) == 744 and {len(row) for row in rows} == {12}
        assert int(rows[0][0]) == int(datetime.fromisoformat(f"{month}-01T00:00Z").timestamp()) * unit
        assert int(rows[0][6]) == int(rows[0][0]) + 3600 * unit - 1


def test_bars_contain_their_ends_and_outages_are_missing() -> None:
    venues = SimulatedVenues(SimulatedMarket(1, Month(2021, 8), Month(2021, 8)))
    url = "https://data.binance.vision/data/spot/monthly/klines/ETHUSDT/1h/ETHUSDT-1h-2021-08.zip"
    rows = pd.read_csv(io.BytesIO(get(venues, url).body), compression="zip", header=None)
    assert len(rows) == 744 - 4
    assert (rows[2] >= rows[[1, 4]].max(axis=1)).all() and (rows[3] <= rows[[1, 4]].min(axis=1)).all()


def test_bitmex_pages_by_count_start_and_reverse_and_stamps_bar_ends(venues: SimulatedVenues) -> None:
    base = "https://www.bitmex.com/api/v1"
    bounds = "symbol=XBTUSD&startTime=2021-11-01&endTime=2021-11-30T23:59:59.999Z"
    whole = json.loads(get(venues, f"{base}/funding?{bounds}&count=500").body)
    assert len(whole) == 90 and whole[0]["timestamp"] == "2021-11-01T04:00:00.000Z"
    assert whole[10:15] == json.loads(get(venues, f"{base}/funding?{bounds}&count=5&start=10").body)
    assert whole[::-1][:5] == json.loads(get(venues, f"{base}/funding?{bounds}&count=5&reverse=true").body)
    bars = json.loads(
        get(venues, f"{base}/trade/bucketed?symbol=XBTUSD&binSize=1h&startTime=2021-10-01&count=2").body
    )
    assert [bar["timestamp"] for bar in bars] == ["2021-10-01T00:00:00.000Z", "2021-10-01T01:00:00.000Z"]
    assert bars[0]["close"] == bars[1]["open"]


def test_gemini_files_mix_seconds_and_milliseconds_and_repeat_days(venues: SimulatedVenues) -> None:
    for name in ("Gemini_BTCUSD_d", "Gemini_BTCUSD_1h"):
        lines = (
            get(venues, f"https://www.cryptodatadownload.com/cdd/{name}.csv").body.decode().splitlines()[2:]
        )
        stamps = [line.split(",")[0] for line in lines]
        assert {len(stamp) for stamp in stamps} == {10, 13}
        seconds = [int(stamp[:10]) for stamp in stamps]
        assert seconds == sorted(seconds, reverse=True)
        days = pd.Series([line.split(",")[1][:10] for line in lines]).value_counts()
        if name.endswith("_d"):
            assert (days == 2).sum() == 30
    body = get(venues, "https://www.cryptodatadownload.com/cdd/Bitstamp_BTCUSD_1h.csv").body.decode()
    stamps = [line.split(",")[0] for line in body.splitlines()[1:]]
    assert len(stamps) - len(set(stamps)) == 24


def test_curve_files_holidays_under_the_eve() -> None:
    venues = SimulatedVenues(SimulatedMarket(1, Month(2021, 11), Month(2022, 1)))
    lines = get(venues, f"{RAW}/cme_btc_futures_daily.csv").body.decode().splitlines()
    days = {line.split(",")[0] for line in lines[1:]}
    assert lines[0] == "date,f1_close,f2_close"
    assert "2021-11-25" in days and "2021-11-26" not in days  # Thanksgiving carries Friday's prices
    assert "2022-01-17" in days and "2022-01-18" not in days
    assert not {"2021-12-24", "2021-11-27"} & days


def test_unknown_addresses_get_the_venues_own_refusal(venues: SimulatedVenues) -> None:
    missing = "https://data.binance.vision/data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2020-01.zip"
    assert (venues.answer(missing).status, b"NoSuchKey" in venues.answer(missing).body) == (404, True)
    unknown = venues.answer("https://fapi.binance.com/fapi/v1/fundingRate?symbol=NOPE")
    assert (unknown.status, json.loads(unknown.body)["code"]) == (400, -1121)
    assert venues.answer("https://www.bitmex.com/api/v1/funding?symbol=NOPE").body == b"[]"
    assert venues.answer("https://example.org/").status == 404


def test_archives_and_universe_are_what_the_market_has(
    market: SimulatedMarket, venues: SimulatedVenues
) -> None:
    archives = simulated_archives(market)
    assert {archive.venue for archive in archives} == {"binance", "bitmex", "gemini", "bitstamp", "cme"}
    for archive in archives:
        assert hashlib.sha256(get(venues, archive.url).body).hexdigest() == archive.sha256
    universe = simulated_universe(market)
    declared = {(i.venue, i.symbol): i for i in universe.instruments}
    assert set(declared) == {(perp.venue, perp.symbol) for perp in PERPS}
    for perp in PERPS:
        entry = declared[perp.venue, perp.symbol]
        assert (entry.base, entry.contract_type) == (perp.base, perp.contract_type)
        assert entry.listed_from == perp.first_payment
        assert universe.announced_ahead[perp.venue] == int(perp.announced_ahead)


def test_transport_answers_an_http_client() -> None:
    import httpx

    opened = open_market(3, SPAN)
    with httpx.Client(transport=opened.transport) as client:
        answer = client.get(ADDRESSES[4])
        assert answer.headers["x-ratelimit-limit"] == "30" and len(answer.json()) > 300
        assert client.post(ADDRESSES[4]).status_code == 405


def test_truth_states_what_was_published(market: SimulatedMarket) -> None:
    truth = market.truth
    for perp in PERPS:
        stated, paid = truth.perp(perp.venue, perp.symbol), market.payments(perp)
        assert stated.realised_n == len(paid)
        assert stated.realised_mean_annual == pytest.approx(paid.rate.mean() * 1095, rel=1e-12)
        assert stated.first_paid_at == max(
            perp.first_payment, datetime(2021, 10, 1, perp.pays_at, tzinfo=UTC)
        )
    quanto = truth.perp("bitmex", "ETHUSD")
    assert quanto.mean_annual == truth.quanto_covariance_annual + truth.quanto_net_annual
    with pytest.raises(KeyError, match="not simulated"):
        truth.perp("bitmex", "NOPE")


@pytest.mark.parametrize("m, s", [(0.0, 0.0003), (0.0005, 0.0004), (-0.001, 0.0006), (0.0015, 0.0005)])
def test_moments_of_the_rate_map_agree_with_numerical_integration(m: float, s: float) -> None:
    rate_map = RateMap(cap=0.0012)
    z = np.linspace(-9.0, 9.0, 200_001)
    weight = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    premium = m + s * z
    rate = rate_map(premium)
    assert rate_map.mean(m, s) == pytest.approx(weight @ rate, abs=5e-9)
    assert rate_map.share_default(m, s) == pytest.approx(weight @ (rate == 0.0001), abs=1e-4)
    assert rate_map.share_negative(m, s) == pytest.approx(weight @ (rate < 0), abs=1e-4)
    assert rate_map.slope(m, s) == pytest.approx(weight @ (rate * z) / s, rel=1e-4)
    assert rate_map.premium_mean_for(rate_map.mean(m, s), s) == pytest.approx(m, abs=1e-9)
    variance = weight @ (rate - weight @ rate) ** 2
    assert rate_map.covariance(m, s, np.array([1.0, 0.0])) == pytest.approx([variance, 0.0], abs=1e-12)


def test_a_mean_rate_beyond_the_cap_is_refused() -> None:
    with pytest.raises(ValueError, match="out of reach"):
        RateMap(cap=0.001).premium_mean_for(0.002, 0.0004)


def test_rate_covariance_of_two_windows_agrees_with_drawn_pairs() -> None:
    law = WindowPremium(PERPS[0], SimulatedMarket(1, SPAN.first, SPAN.last).planted)
    correlation = law.autocovariance(1) / law.autocovariance(0)
    z = np.random.default_rng(0).standard_normal((2, 400_000))
    pair = law.mean + law.sd * np.stack([z[0], correlation * z[0] + np.sqrt(1 - correlation**2) * z[1]])
    drawn = np.cov(PERPS[0].rate_map(pair))
    expected = law.rate_autocovariances(1)
    assert drawn[0, 1] == pytest.approx(expected[1], rel=0.02)
    assert drawn[0, 0] == pytest.approx(expected[0], rel=0.02)


# --- a month that is not over

NOW = datetime(2021, 12, 20, 12, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def then(market: SimulatedMarket) -> SimulatedVenues:
    return SimulatedVenues(market, NOW)


def test_spot_klines_by_rest_are_those_of_the_file(venues: SimulatedVenues) -> None:
    start, end = (int(at.timestamp() * 1000) for at in (Month(2021, 11).start, Month(2021, 11).end))
    asked = f"symbol=ETHUSDT&interval=1h&startTime={start}&endTime={end - 1}&limit=1000"
    rows = json.loads(get(venues, f"https://api.binance.com/api/v3/klines?{asked}").body)
    mirrored = get(venues, f"https://data-api.binance.vision/api/v3/klines?{asked}")
    assert json.loads(mirrored.body) == rows
    name = "ETHUSDT-1h-2021-11"
    packed = get(venues, f"https://data.binance.vision/data/spot/monthly/klines/ETHUSDT/1h/{name}.zip").body
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        lines = archive.read(f"{name}.csv").decode().splitlines()
    assert [",".join(map(str, row)) for row in rows] == lines
    assert {tuple(type(field) for field in row) for row in rows} == {
        (int, str, str, str, str, str, int, str, int, str, str, str)
    }


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("symbol=NOPEUSDT&interval=1h", -1121),
        ("symbol=BTCUSDT&interval=7h", -1120),
        ("symbol=BTCUSDT", -1102),
        ("symbol=BTCUSDT&interval=1h&limit=1001", -1130),
        ("symbol=BTCUSDT&interval=1h&startTime=2&endTime=1", -1023),
    ],
)
def test_spot_klines_refuse_as_the_venue_does(venues: SimulatedVenues, query: str, code: int) -> None:
    answer = venues.answer(f"https://api.binance.com/api/v3/klines?{query}")
    assert (answer.status, json.loads(answer.body)["code"]) == (400, code)


def test_nothing_is_known_after_the_moment(venues: SimulatedVenues, then: SimulatedVenues) -> None:
    """What was known then is what is known later, but for the bar that was still running."""
    millis = int(NOW.timestamp() * 1000)
    stamp = {"fundingRate": "fundingTime", "funding": "timestamp", "bucketed": "timestamp"}
    for url in (*ADDRESSES[2:6], ADDRESSES[10]):
        url = f"{url}&startTime={'2021-12-01' if 'bitmex' in url else 1638316800000}"
        early, late = (json.loads(get(at, url).body) for at in (then, venues))
        name = stamp.get(url.partition("?")[0].rsplit("/", 1)[-1])
        times = [row[name] if name else row[0] for row in early]
        assert times and max(times) <= (f"{NOW:%Y-%m-%dT%H:%M}" if "bitmex" in url else millis)
        same = early if name else [row for row in early if row[6] < millis]
        assert len(early) - len(same) == (0 if name else 1)
        assert late[: len(same)] == same
        assert len(late) > len(early)


def test_files_of_the_moment(venues: SimulatedVenues, then: SimulatedVenues) -> None:
    spot = "https://data.binance.vision/data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2021-{}.zip"
    assert then.answer(spot.format("11")).body == get(venues, spot.format("11")).body
    assert then.answer(spot.format("12")).status == 404
    for url, day in ((ADDRESSES[7], "2021-12-20 11:00:00"), (ADDRESSES[9], "2021-12-17")):
        early, late = (get(at, url).body.decode().splitlines() for at in (then, venues))
        newest = early[1] if "cdd" in url else early[-1]
        assert day in newest
        assert set(early) <= set(late)
    pinned = {archive.name: archive.sha256 for archive in simulated_archives(then.market, NOW)}
    assert pinned.keys() == {archive.name for archive in simulated_archives(then.market)}
    body = get(then, ADDRESSES[7]).body
    assert pinned["cdd_bitstamp_ethusd_1h"] == hashlib.sha256(body).hexdigest()
