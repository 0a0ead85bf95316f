"""What a pool contract says of itself by eth_call: tokens, decimals, fee, tick spacing, the protocol's share.

Function selectors are the first four bytes of the Keccak-256 of the signature (Ethereum contract ABI
specification, "Function Selector").
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from perp_pipeline.sources.errors import NotInStore, NotServed, PermanentError
from perp_pipeline.sources.evm_node import Node
from perp_pipeline.sources.evm_rpc import Call, quantity, result_of
from perp_pipeline.sources.pools import Pool

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http

SELECTORS = {
    "token0()": "0x0dfe1681",
    "token1()": "0xd21220a7",
    "fee()": "0xddca3f43",
    "tickSpacing()": "0xd0c93a7c",
    "getReserves()": "0x0902f1ac",
    "decimals()": "0x313ce567",
    "symbol()": "0x95d89b41",
    "balanceOf(address)": "0x70a08231",
    "slot0()": "0x3850c7bd",
    "factory()": "0xc45a0155",
    "feeTo()": "0x017e7e58",
}
V2_PROTOCOL_SHARE = 6
"""Denominator of the protocol's share of a v2 pair's fees while feeTo() is set (Uniswap v2 Core, 2.4)."""


def complete(http: Http, node: Node, pool: Pool) -> Pool:
    """The pool with what its contract and its tokens' contracts say.

    A contract that tells fee and tick spacing is a v3 pool, one that tells its reserves a v2 pair (30 bp).

    Raises:
        NotServed: there is no pool at the address, or the node does not say.
    """
    try:
        tokens = token_addresses(http, node, pool)
    except (NotServed, NotInStore):
        raise
    except PermanentError as error:
        raise NotServed(
            f"{pool.label}: the node does not say what pool this is ({_words(error)}). Use a node with "
            "eth_call, or declare the pool in a TOML file named in PERP_POOLS: [[pool]] with chain, address, "
            "protocol, token0, token1, decimals0, decimals1, fee_pips, tick_spacing"
        ) from None
    protocol, fee, spacing = _terms(http, node, pool)
    asked = [(token, name) for token in tokens for name in ("decimals()", "symbol()")]
    facts = _call(http, node, pool, asked)
    return replace(
        pool,
        protocol=protocol,
        token0=_text(facts[1]),
        token1=_text(facts[3]),
        decimals0=_number(pool, "decimals of token0", facts[0], 36),
        decimals1=_number(pool, "decimals of token1", facts[2], 36),
        fee_pips=fee,
        tick_spacing=spacing,
    )


def _words(error: PermanentError) -> str:
    """What went wrong, without the request."""
    return str(error).partition(" (POST ")[0]


def _terms(http: Http, node: Node, pool: Pool) -> tuple[str, int, int]:
    """Protocol, fee and tick spacing."""
    try:
        fee, spacing = _call(http, node, pool, [(pool.address, "fee()"), (pool.address, "tickSpacing()")])
    except NotInStore:
        raise
    except PermanentError as refused:  # mostly a call that reverts: the contract has no such function
        try:
            (reserves,) = _call(http, node, pool, [(pool.address, "getReserves()")])
        except PermanentError:
            raise refused from None
        if len(reserves) != 2 + 3 * 64:
            raise NotServed(f"{pool.label}: neither a v3 pool nor a v2 pair is at this address") from None
        return "uniswap_v2", 3000, 0
    limit = 1_000_000
    return "uniswap_v3", _number(pool, "fee", fee, limit), _number(pool, "tick spacing", spacing, limit)


def _number(pool: Pool, what: str, word: str, limit: int) -> int:
    """A word as a number.

    Raises:
        NotServed: it is none, or above the limit.
    """
    found = quantity(word) if len(word) == 66 else limit + 1
    if found > limit:
        raise NotServed(f"{pool.label}: the contract answers {word!r} for the {what}: no Uniswap pool")
    return found


def token_addresses(http: Http, node: Node, pool: Pool) -> list[str]:
    """Addresses of the pool's tokens.

    Raises:
        NotServed: there is no pool at the address.
        SourceError: the node has no eth_call.
    """
    answers = _call(http, node, pool, [(pool.address, "token0()"), (pool.address, "token1()")])
    tokens = [_address(answer) for answer in answers]
    if not all(tokens):
        raise NotServed(
            f"{pool.label}: no pool contract at this address (token0() and token1() answer nothing)"
        )
    return tokens


def balances(http: Http, node: Node, pool: Pool, tokens: list[str], block: int) -> list[int]:
    """What the pool holds of each token after a block, in smallest units.

    Raises:
        SourceError: the node does not keep the state of that block (it is no archive node).
    """
    data = SELECTORS["balanceOf(address)"] + pool.address[2:].rjust(64, "0")
    calls = [Call("eth_call", ({"to": token, "data": data}, hex(block))) for token in tokens]
    answers = _batch(http, node, pool, calls, f"balances at block {block}")
    return [int(answer, 16) for answer in answers]


def fee_denominators(http: Http, node: Node, pool: Pool, blocks: list[int]) -> list[tuple[int, int]]:
    """The protocol's share of the fees in token0 and token1 after each of some blocks: one n-th; 0: none.

    Before the contract was made there is none.

    Raises:
        SourceError: the node does not keep the state of those blocks, or the contract has no share to tell.
    """
    if pool.protocol == "uniswap_v2":
        target, function, read = _factory(http, node, pool), "feeTo()", _v2_share
    else:
        target, function, read = pool.address, "slot0()", _v3_share
    asked = {"to": target, "data": SELECTORS[function]}
    calls = [Call("eth_call", (asked, hex(block))) for block in blocks]
    answers = _batch(http, node, pool, calls, f"{function} from block {blocks[0]}")
    return [read(pool, answer) for answer in answers]


def is_fee_on(http: Http, node: Node, pool: Pool) -> bool:
    """Whether feeTo() of a v2 pair's factory is set at the node's head.

    Raises:
        SourceError: the node does not tell.
    """
    asked = {"to": _factory(http, node, pool), "data": SELECTORS["feeTo()"]}
    return _v2_share(pool, str(node.single(http, Call("eth_call", (asked, "latest"))))) != (0, 0)


def _factory(http: Http, node: Node, pool: Pool) -> str:
    (answer,) = _call(http, node, pool, [(pool.address, "factory()")])
    if not (factory := _address(answer)):
        raise NotServed(f"{pool.label}: the contract answers {answer!r} for its factory: no Uniswap pair")
    return factory


def _v2_share(pool: Pool, answer: str) -> tuple[int, int]:
    share = V2_PROTOCOL_SHARE if _address(answer) else 0
    return share, share


def _v3_share(pool: Pool, answer: str) -> tuple[int, int]:
    """feeProtocol, the sixth word of slot0: four bits of each token, token0 in the low ones."""
    if answer == "0x":
        return 0, 0
    try:
        both = int(answer[2 + 5 * 64 : 2 + 6 * 64], 16)
    except ValueError:
        both = 256
    if both > 255:
        raise NotServed(f"{pool.label}: slot0() answers {answer!r}: not that of a Uniswap v3 pool")
    return both % 16, both >> 4


def _call(http: Http, node: Node, pool: Pool, wanted: list[tuple[str, str]]) -> list[str]:
    calls = [Call("eth_call", ({"to": to, "data": SELECTORS[name]}, "latest")) for to, name in wanted]
    return _batch(http, node, pool, calls, "facts of the contract")


def _batch(http: Http, node: Node, pool: Pool, calls: list[Call], what: str) -> list[str]:
    return node.results(http, calls, f"{pool.label} {what}", read=lambda answer: str(result_of(answer)))


def _address(word: str) -> str:
    """The address in a word, or nothing."""
    address = f"0x{word[-40:]}".lower()
    return address if len(word) == 66 and int(word, 16) else ""


def _text(answer: str) -> str:
    """A symbol: an ABI string, or the bytes32 that some early tokens return."""
    try:
        raw = bytes.fromhex(answer[2:])
    except ValueError:
        return ""
    if len(raw) >= 64:
        length = int.from_bytes(raw[32:64], "big")
        return raw[64 : 64 + length].decode("utf-8", "replace")
    return raw.rstrip(b"\0").decode("utf-8", "replace")
