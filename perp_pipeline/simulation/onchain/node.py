"""The JSON-RPC of an archive node of the simulated chain.

Methods, errors and limits are those that providers of Ethereum nodes document: a range that is too wide or
holds too many logs is refused with an error, never cut.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from perp_pipeline.simulation.onchain.chain import (
    Entry,
    PoolRecord,
    SimulatedChain,
    block_time,
    pseudo_hash,
)
from perp_pipeline.simulation.onchain.deployed import address_of, word
from perp_pipeline.simulation.onchain.parameters import Token
from perp_pipeline.simulation.wire import Answer, json_answer
from perp_pipeline.sources.evm_events import V3
from perp_pipeline.sources.evm_pool_facts import SELECTORS

HOST = "eth-rpc.simulated"
URL = f"https://{HOST}/"
CHAIN_ID = 1
MAX_SPAN = 10_000
MAX_LOGS = 10_000
_ZERO = word(0)
FACTORY = address_of("factory of pairs")
_TOPICS = {event.name: event.topic0 for event in V3}
_FUNCTIONS = {selector: name for name, selector in SELECTORS.items()}


class _RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Node:
    """Answers POST bodies.

    Args:
        chain: makes the chain, when it is first needed.
        max_span: most blocks that eth_getLogs takes.
        max_logs: most logs that it gives.
    """

    def __init__(
        self, chain: Callable[[], SimulatedChain], max_span: int = MAX_SPAN, max_logs: int = MAX_LOGS
    ) -> None:
        self._chain = chain
        self.max_span = max_span
        self.max_logs = max_logs
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: hex(CHAIN_ID),
            "eth_blockNumber": lambda: hex(self._chain().head),
            "eth_getBlockByNumber": self._block,
            "eth_getLogs": self._logs,
            "eth_call": self._call,
        }

    def answer(self, body: bytes) -> Answer:
        """One call or a batch. Errors come with HTTP status 200, as nodes send them."""
        try:
            asked = json.loads(body)
        except ValueError:
            return json_answer(_failed(None, -32700, "parse error"))
        if isinstance(asked, list):
            whole = [self._one(call) for call in asked]
            return json_answer(whole or _failed(None, -32600, "empty batch"))
        return json_answer(self._one(asked))

    def _one(self, call: Any) -> dict[str, Any]:
        number = call.get("id") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return _failed(number, -32600, "invalid request")
        method = self._methods.get(call["method"])
        if method is None:
            return _failed(number, -32601, f"the method {call['method']} does not exist/is not available")
        try:
            return {"jsonrpc": "2.0", "id": number, "result": method(*call.get("params", []))}
        except _RpcError as error:
            return _failed(number, error.code, str(error))
        except (TypeError, AttributeError, KeyError) as error:
            return _failed(number, -32602, f"invalid params: {error}")

    def _number(self, text: Any) -> int:
        head = self._chain().head
        if text in (None, "latest", "safe", "finalized", "pending"):
            return head
        if text == "earliest":
            return 0
        if not isinstance(text, str) or not re.fullmatch(r"0x[0-9a-fA-F]{1,16}", text):
            raise _RpcError(-32602, "invalid argument 0: hex string without 0x prefix")
        return int(text, 16)

    def _block(self, tag: Any, full: bool = False) -> dict[str, Any] | None:
        """Number, time and hashes mean something; the rest is what an empty block has."""
        number = self._number(tag)
        if number > self._chain().head:
            return None
        return {
            "number": hex(number),
            "hash": pseudo_hash("block", number),
            "parentHash": pseudo_hash("block", number - 1) if number else f"0x{_ZERO}",
            "timestamp": hex(block_time(number)),
            "miner": "0x" + "0" * 40,
            "gasLimit": hex(30_000_000),
            "gasUsed": "0x0",
            "transactions": [],
            "uncles": [],
        }

    def _logs(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        first, last = (self._number(asked.get(name)) for name in ("fromBlock", "toBlock"))
        if first > last:
            raise _RpcError(-32000, "invalid block range params")
        if last - first + 1 > self.max_span:
            raise _RpcError(
                -32005,
                f"eth_getLogs block range too large, range: {last - first + 1}, max: {self.max_span}",
            )
        wanted = [_alternatives(topic) for topic in asked.get("topics") or []]
        records = self._chain().records
        addresses = _alternatives(asked.get("address")) or set(records)
        found = [
            (entry, record.planted.address)
            for address in addresses
            if (record := records.get(address)) is not None
            for entry in record.between(first, last)
            if _matches(entry, wanted)
        ]
        if len(found) > self.max_logs:
            raise _RpcError(-32005, f"query returned more than {self.max_logs} results")
        found.sort(key=lambda row: (row[0].block, row[0].log_index))
        return [_log(entry, address) for entry, address in found]

    def _call(self, call: dict[str, Any], tag: Any = "latest") -> str:
        target, data = str(call["to"]).lower(), str(call["data"])
        function, block = _FUNCTIONS.get(data[:10], ""), self._number(tag)
        records = self._chain().records
        if target in records:
            return _pool_answer(records[target], function, block)
        tokens = {
            token.address: token
            for record in records.values()
            for token in (record.planted.token0, record.planted.token1)
        }
        if target == FACTORY and function == "feeTo()":
            return f"0x{_ZERO}"
        if target in tokens:
            return _token_answer(tokens[target], function, data, block, records)
        return "0x"


def _pool_answer(record: PoolRecord, function: str, block: int) -> str:
    planted = record.planted
    if block < record.balances[0][0]:
        return "0x"  # there is no contract yet
    answers = {"token0()": _padded(planted.token0.address), "token1()": _padded(planted.token1.address)}
    if planted.protocol == "uniswap_v3":
        answers |= {
            "fee()": word(planted.fee_pips),
            "tickSpacing()": word(planted.tick_spacing),
            "slot0()": _slot0(record, block),
        }
    else:
        held = record.balance_at(block)
        answers |= {"getReserves()": word(held[0]) + word(held[1]) + _ZERO, "factory()": _padded(FACTORY)}
    if function not in answers:
        raise _RpcError(3, "execution reverted")
    return f"0x{answers[function]}"


def _slot0(record: PoolRecord, block: int) -> str:
    """Price and tick of the last swap, zero before the first; no oracle; the protocol's share; not locked."""
    last = {entry.log.topics[0]: entry.log.data[2:] for entry in record.between(0, block)}
    swap, switch = (last.get(_TOPICS[name], "").ljust(320, "0") for name in ("swap", "set_fee_protocol"))
    root, tick = swap[128:192], swap[256:320]
    share0, share1 = int(switch[128:192], 16), int(switch[192:256], 16)
    return root + tick + 3 * _ZERO + word(share0 + (share1 << 4)) + word(1)


def _token_answer(token: Token, function: str, data: str, block: int, records: dict[str, PoolRecord]) -> str:
    if function == "decimals()":
        return f"0x{word(token.decimals)}"
    if function == "symbol()":
        text = token.symbol.encode()
        return f"0x{word(32)}{word(len(text))}{text.hex().ljust(64, '0')}"
    if function == "balanceOf(address)":
        record = records.get(f"0x{data[-40:]}".lower())
        if record is None:
            return f"0x{_ZERO}"
        tokens = (record.planted.token0, record.planted.token1)
        return f"0x{word(record.balance_at(block)[tokens.index(token)] if token in tokens else 0)}"
    raise _RpcError(3, "execution reverted")


def _log(entry: Entry, address: str) -> dict[str, Any]:
    return {
        "address": address,
        "topics": list(entry.log.topics),
        "data": entry.log.data,
        "blockNumber": hex(entry.block),
        "transactionHash": entry.tx_hash,
        "transactionIndex": hex(entry.tx_index),
        "blockHash": pseudo_hash("block", entry.block),
        "blockTimestamp": hex(block_time(entry.block)),
        "logIndex": hex(entry.log_index),
        "removed": False,
    }


def _alternatives(value: Any) -> set[str]:
    """A filter's string or list of strings, in lower case; empty for null, which matches all."""
    if value is None:
        return set()
    return {str(one).lower() for one in (value if isinstance(value, list) else [value])}


def _matches(entry: Entry, wanted: list[set[str]]) -> bool:
    topics = entry.log.topics
    return len(wanted) <= len(topics) and all(
        not some or topic in some for some, topic in zip(wanted, topics, strict=False)
    )


def _padded(address: str) -> str:
    return address[2:].rjust(64, "0")


def _failed(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
