"""What a pool contract says of itself: tokens, decimals, fee, tick spacing, by eth_call.

Function selectors are the first four bytes of the Keccak-256 of the signature (Ethereum contract ABI
specification, "Function Selector").
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.errors import NotServed, PermanentError
from perp_pipeline.sources.evm_rpc import Call, batch_payload, results_of
from perp_pipeline.sources.pools import Pool

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

SELECTORS = {
    "token0()": "0x0dfe1681",
    "token1()": "0xd21220a7",
    "fee()": "0xddca3f43",
    "tickSpacing()": "0xd0c93a7c",
    "decimals()": "0x313ce567",
    "symbol()": "0x95d89b41",
    "balanceOf(address)": "0x70a08231",
}


def complete(http: Http, url: str, pool: Pool) -> Pool:
    """The pool with what its contract and its tokens' contracts say.

    A contract without ``fee()`` is a v2 pair (30 bp).

    Raises:
        NotServed: there is no pool at the address, or the node has no eth_call.
    """
    tokens = token_addresses(http, url, pool)
    protocol, fee, spacing = "uniswap_v2", 3000, 0
    try:
        terms = _call(http, url, pool, [(pool.address, "fee()"), (pool.address, "tickSpacing()")])
    except PermanentError:
        pass  # the call reverts: the contract has no such function
    else:
        protocol, fee, spacing = "uniswap_v3", int(terms[0], 16), int(terms[1], 16)
    facts = _call(http, url, pool, [(token, name) for token in tokens for name in ("decimals()", "symbol()")])
    return replace(
        pool,
        protocol=protocol,
        token0=_text(facts[1]),
        token1=_text(facts[3]),
        decimals0=int(facts[0], 16),
        decimals1=int(facts[2], 16),
        fee_pips=fee,
        tick_spacing=spacing,
    )


def token_addresses(http: Http, url: str, pool: Pool) -> list[str]:
    """Addresses of the pool's tokens.

    Raises:
        NotServed: there is no pool at the address.
        SourceError: the node has no eth_call.
    """
    answers = _call(http, url, pool, [(pool.address, "token0()"), (pool.address, "token1()")])
    tokens = [_address(answer) for answer in answers]
    if not all(tokens):
        raise NotServed(
            f"{pool.label}: no pool contract at this address (token0() and token1() answer nothing)"
        )
    return tokens


def balances(http: Http, url: str, pool: Pool, tokens: list[str], block: int) -> list[int]:
    """What the pool holds of each token after a block, in smallest units.

    Raises:
        SourceError: the node does not keep the state of that block (it is no archive node).
    """
    data = SELECTORS["balanceOf(address)"] + pool.address[2:].rjust(64, "0")
    calls = [Call("eth_call", ({"to": token, "data": data}, hex(block))) for token in tokens]
    answers = _batch(http, url, pool, calls, f"balances at block {block}")
    return [int(answer, 16) for answer in answers]


def _call(http: Http, url: str, pool: Pool, wanted: list[tuple[str, str]]) -> list[str]:
    calls = [Call("eth_call", ({"to": to, "data": SELECTORS[name]}, "latest")) for to, name in wanted]
    return _batch(http, url, pool, calls, "facts of the contract")


def _batch(http: Http, url: str, pool: Pool, calls: list[Call], what: str) -> list[str]:

    def parse(content: bytes) -> list[str]:
        return [str(result) for result in results_of(content, len(calls))]

    def check(content: bytes) -> None:
        parse(content)

    body = http.fetch(
        Request(url, method="POST", payload=batch_payload(calls)),
        final=True,
        check=check,
        label=f"{pool.label} {what}",
    )
    if body is None:
        raise NotServed(f"{pool.label}: the node does not answer eth_call; declare the pool in a pools file")
    return parse(body.content)


def _address(word: str) -> str:
    """The address in a word, or nothing."""
    address = f"0x{word[-40:]}".lower()
    return address if len(word) == 66 and int(word, 16) else ""


def _text(answer: str) -> str:
    """A symbol: an ABI string, or the bytes32 that some early tokens return."""
    raw = bytes.fromhex(answer[2:])
    if len(raw) >= 64:
        length = int.from_bytes(raw[32:64], "big")
        return raw[64 : 64 + length].decode("utf-8", "replace")
    return raw.rstrip(b"\0").decode("utf-8", "replace")
