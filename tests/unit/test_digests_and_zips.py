"""Bodies against their digests, and what is unpacked of them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable

import httpx
import pytest
from http_venue import LABEL, RATES, Venue

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.checksums import fetch_with_checksum
from perp_pipeline.sources.errors import (
    ChecksumMismatch,
    FormatChanged,
    NotInStore,
    TransientError,
)
from perp_pipeline.sources.http import Http
from perp_pipeline.sources.unpack import parse_json, unzip_single


def test_a_stated_digest_must_match(open_http: Callable[..., Http]) -> None:
    right = hashlib.sha256(b"right").hexdigest()
    http = open_http(Venue(httpx.Response(200, text="wrong"), httpx.Response(200, text="right")))
    body = http.fetch(RATES, final=True, sha256=right.upper())
    assert body is not None and body.content == b"right"
    with pytest.raises(ChecksumMismatch, match=right):
        open_http(Venue(httpx.Response(200, text="wrong"))).fetch(
            Request("https://x.example/"), final=True, sha256=right
        )


def test_a_stored_body_with_another_digest_is_asked_for_again(open_http: Callable[..., Http]) -> None:
    http = open_http(Venue(httpx.Response(200, text="old"), httpx.Response(200, text="new")))
    http.fetch(RATES, final=True)
    new = hashlib.sha256(b"new").hexdigest()
    with pytest.raises(NotInStore, match=new):
        open_http(offline=True).fetch(RATES, final=True, sha256=new)
    body = http.fetch(RATES, final=True, sha256=new)
    assert body is not None and body.content == b"new"


ZIP = Request("https://data.binance.vision/data/BTCUSDT-1h-2020-01.zip")
ZIP_CHECKSUM = Request(ZIP.url + ".CHECKSUM")


class Archive(httpx.BaseTransport):
    """A file and its checksum; the first ``bad`` checksums are wrong."""

    def __init__(self, content: bytes | None, bad: int = 0) -> None:
        self.content, self.bad = content, bad

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.content is None:
            return httpx.Response(404)
        if not request.url.path.endswith(".CHECKSUM"):
            return httpx.Response(200, content=self.content)
        self.bad -= 1
        digest = "0" * 64 if self.bad >= 0 else hashlib.sha256(self.content).hexdigest()
        return httpx.Response(200, text=f"{digest}  BTCUSDT-1h-2020-01.zip\n")


def test_a_file_is_checked_against_the_digest_beside_it(open_http: Callable[..., Http]) -> None:
    http = open_http(Archive(b"zip"))
    body = fetch_with_checksum(http, ZIP, ZIP_CHECKSUM, final=True, label=LABEL)
    assert body is not None and body.content == b"zip"
    assert fetch_with_checksum(open_http(offline=True), ZIP, ZIP_CHECKSUM, final=True) == body


def test_a_wrong_checksum_file_is_asked_for_again(open_http: Callable[..., Http]) -> None:
    body = fetch_with_checksum(open_http(Archive(b"zip", bad=1)), ZIP, ZIP_CHECKSUM, final=True)
    assert body is not None and body.content == b"zip"


def test_a_checksum_that_stays_wrong_is_an_error_and_is_not_kept(open_http: Callable[..., Http]) -> None:
    http = open_http(Archive(b"zip", bad=99))
    with pytest.raises(ChecksumMismatch):
        fetch_with_checksum(http, ZIP, ZIP_CHECKSUM, final=True)
    assert http.store.manifest().empty


def test_a_checksum_of_another_file_is_refused(open_http: Callable[..., Http]) -> None:
    other = Request("https://data.binance.vision/data/ETHUSDT-1h-2020-01.zip")
    with pytest.raises(TransientError, match=r"is for 'BTCUSDT-1h-2020-01\.zip'"):
        fetch_with_checksum(open_http(Archive(b"zip")), other, ZIP_CHECKSUM, final=True)


def test_a_file_that_is_not_there_has_no_checksum_either(open_http: Callable[..., Http]) -> None:
    assert fetch_with_checksum(open_http(Archive(None)), ZIP, ZIP_CHECKSUM, final=True) is None


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_the_one_member_of_a_zip() -> None:
    assert unzip_single(zipped(a=b"1,2,3\n")) == b"1,2,3\n"


def test_damaged_zips_are_worth_another_attempt() -> None:
    whole = zipped(a=bytes(range(256)) * 20)
    middle = len(whole) // 2
    flipped = (
        whole[: middle - 8] + bytes(b ^ 255 for b in whole[middle - 8 : middle + 8]) + whole[middle + 8 :]
    )
    for content in (b"", b"<html>", whole[: len(whole) // 2], flipped):
        with pytest.raises(TransientError, match="damaged"):
            unzip_single(content)


def test_a_zip_bomb_is_not_unpacked() -> None:
    bomb = zipped(a=b"\n" * 5_000_000)
    assert len(unzip_single(bomb, cap=5_000_000)) == 5_000_000
    with pytest.raises(TransientError, match=r"more than 4,999,999 bytes"):
        unzip_single(bomb, cap=4_999_999)


def test_a_zip_with_other_than_one_member_is_another_format() -> None:
    for content in (zipped(), zipped(a=b"1", b=b"2")):
        with pytest.raises(FormatChanged, match="one file"):
            unzip_single(content)


def test_json_that_is_cut_off_is_worth_another_attempt() -> None:
    assert parse_json(b'{"a": [1]}') == {"a": [1]}
    with pytest.raises(TransientError, match="not JSON"):
        parse_json(b'{"a": [1')
