"""A chain's JSON-RPC node: how its requests are named, so that neither its key nor its owner matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.endpoints import Endpoint
from perp_pipeline.sources.errors import PermanentError
from perp_pipeline.sources.evm_rpc import Call, loads, quantity, result_of

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http
    from perp_pipeline.sources.pools import Chain
    from perp_pipeline.sources.store import BodyStore


@dataclass(frozen=True)
class Node:
    """A chain's node.

    What a chain says is the same at every node, so that requests are named after the chain: bodies that one
    provider gave serve when another is used. What only this node says is named after its host as well.

    Attributes:
        chain: the chain's name.
        setting: environment variable that the address came from, for messages.
    """

    chain: str
    setting: str
    endpoint: Endpoint = field(repr=False)

    @classmethod
    def at(cls, chain: Chain, url: str) -> Node:
        """The node at an address.

        Raises:
            PermanentError: that is no address.
        """
        try:
            return cls(chain.name, chain.rpc_setting, Endpoint(url.strip()))
        except ValueError as error:
            raise PermanentError(f"{chain.rpc_setting}: {error}") from None

    @property
    def address(self) -> str:
        """What is written in place of the node's address."""
        return f"rpc://{self.chain}/"

    def request(self, payload: Any) -> Request:
        """A question about the chain."""
        return Request(self.address, method="POST", payload=payload, via=self.endpoint)

    def own_request(self, payload: Any) -> Request:
        """A question whose answer is this node's own."""
        return Request(
            f"{self.address}{self.endpoint.host}", method="POST", payload=payload, via=self.endpoint
        )

    def single(self, http: Http, call: Call) -> Any:
        """The result of one call whose answer changes with time.

        Raises:
            SourceError: the node gives none.
        """

        def check(content: bytes) -> None:
            result_of(loads(content))

        name = f"{self.chain} {call.method}"
        body = http.fetch(self.request(call.payload(1)), final=False, check=check, label=name)
        if body is None:
            raise PermanentError(f"{name}: no answer")
        return result_of(loads(body.content))

    def require_chain(self, http: Http, chain: Chain) -> None:
        """Check that the node serves the chain, before anything that it says is kept under the chain's name.

        Raises:
            PermanentError: it serves another.
        """
        found = quantity(self.single(http, Call("eth_chainId", ())))
        if found != chain.chain_id:
            raise PermanentError(f"{self.setting} leads to chain {found}; {chain.name} is {chain.chain_id}")


def adopt(store: BodyStore, node: Node) -> int:
    """Rename bodies that were stored under the node's own address by earlier versions after the chain.

    The old entries, which held the address with its key, are removed.

    Returns:
        How many there were.
    """
    moved = 0
    for entry in store.entries_of(node.endpoint.url):
        # the second of two like questions was about what the node holds
        own = isinstance(entry.payload, dict) and entry.payload.get("id") == 2
        payload = entry.payload | {"id": 1} if own else entry.payload
        store.move(entry, node.own_request(payload) if own else node.request(payload))
        moved += 1
    return moved
