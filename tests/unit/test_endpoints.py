"""Addresses with keys: sent, but never written."""

from __future__ import annotations

import logging
from base64 import b64decode
from pathlib import Path

import httpx
import pytest

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.endpoints import HIDDEN, Endpoint
from perp_pipeline.sources.errors import SourceError
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.store import BodyStore

KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.secret"
ADDRESSES = (
    f"https://mainnet.infura.io/v3/{KEY}",
    f"https://rpc.example.org/?apikey={KEY}&net=1",
    f"https://user:{KEY}@node.example.org:8545/rpc",
)


def _written(folder: Path) -> bytes:
    import gzip

    found = b""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found += str(path).encode() + (gzip.decompress(content) if path.suffix == ".gz" else content)
    return found


def _ask(folder: Path, endpoint: Endpoint, answer: httpx.Response) -> tuple[httpx.Request, Exception | None]:
    asked: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer

    transport = httpx.MockTransport(respond)
    http = Http(BodyStore(folder), transport=transport, sleep=lambda _: None, attempts=2)
    request = Request("rpc://ethereum/", method="POST", payload={"method": "eth_chainId"}, via=endpoint)
    assert KEY not in repr(request) + repr(endpoint)
    try:
        http.fetch(request, final=True, label="chain")
    except SourceError as error:
        return asked[0], error
    return asked[0], None


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_key_is_sent_and_written_nowhere(tmp_path: Path, address: str) -> None:
    endpoint = Endpoint(address, {"Authorization": f"Bearer {TOKEN}"})
    good = httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": "0x1"})
    asked, error = _ask(tmp_path, endpoint, good)
    assert error is None
    assert "@" not in str(asked.url)
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    plain, _ = _ask(tmp_path / "plain", Endpoint(address), good)
    given = b64decode(plain.headers.get("authorization", "Basic ").partition(" ")[2]).decode()
    assert KEY in str(plain.url) or given == f"user:{KEY}"
    written = _written(tmp_path)
    assert b"rpc://ethereum/" in written
    assert KEY.encode() not in written
    assert TOKEN.encode() not in written


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("status", [200, 301, 401, 403, 404, 429, 503])
def test_an_answer_that_repeats_the_key_does_not_spread_it(
    tmp_path: Path, address: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = Endpoint(address, {"Authorization": f"Bearer {TOKEN}"})
    text = f'{{"error": "no project {KEY} for {TOKEN}"}}'
    answer = httpx.Response(status, text=text, headers={"location": address})
    _, error = _ask(tmp_path, endpoint, answer)
    assert (error is None) == (status == 200)
    for said in (str(error), caplog.text, _written(tmp_path).decode()):
        assert KEY not in said
        assert TOKEN not in said
    if status != 200:
        assert HIDDEN in str(error)


def test_long_bodies_are_kept_as_they_came() -> None:
    endpoint = Endpoint(ADDRESSES[0])
    data = KEY.encode() * 1000
    assert endpoint.redacted_body(data) == data


@pytest.mark.parametrize("address", [f"wss://host/{KEY}", KEY, "", "https://", f"https://host:{KEY}/"])
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(ValueError, match="not http") as caught:
        Endpoint(address)
    assert KEY not in str(caught.value)


def test_requests_are_equal_wherever_they_are_sent() -> None:
    here, there = (Request("rpc://ethereum/", via=Endpoint(address)) for address in ADDRESSES[:2])
    assert here == there
    assert here.identity == there.identity
    assert here.sent_to != there.sent_to
