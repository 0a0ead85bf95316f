"""A chain's JSON-RPC node: how its requests are named, so that neither its key nor its owner matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from perp_pipeline.sources.base import Request
from perp_pipeline.sources.endpoints import Endpoint
from perp_pipeline.sources.errors import BodyTooLarge, NotInStore, NotServed, PermanentError, TooSlow
from perp_pipeline.sources.evm_rpc import (
    Call,
    CallRefused,
    batch_payload,
    loads,
    quantity,
    read_all,
    result_of,
)

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http
    from perp_pipeline.sources.pools import Chain
    from perp_pipeline.sources.store import BodyStore


T = TypeVar("T")
BATCH = 100
"""Calls in one body; providers allow 3 to 1000."""


@dataclass(frozen=True)
class Node:
    """A chain's node.

    What a chain says is the same at every node, so that requests are named after the chain: bodies that one
    provider gave serve when another is used. What only this node says is named after its host as well.

    Attributes:
        chain: the chain's name.
        setting: environment variable that the address came from, for messages.
        most: how many calls the node takes in one body, as far as is known; less once it refuses more.
    """

    chain: str
    setting: str
    endpoint: Endpoint = field(repr=False)
    most: list[int] = field(default_factory=lambda: [BATCH], compare=False)

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

    def single(self, http: Http, call: Call, *, again: bool = False) -> Any:
        """The result of one call whose answer changes with time.

        Args:
            again: ask a second time, and keep the answer beside the first.

        Raises:
            SourceError: the node gives none.
        """

        def check(content: bytes) -> None:
            result_of(loads(content))

        name = f"{self.chain} {call.method}"
        request = (self.own_request if again else self.request)(call.payload(1))
        body = http.fetch(request, final=False, check=check, label=name)
        if body is None:
            raise PermanentError(f"{name}: no answer")
        return result_of(loads(body.content))

    def results(
        self,
        http: Http,
        calls: Sequence[Call],
        label: str,
        *,
        check: Callable[[Sequence[Call], list[T]], None] = lambda calls, results: None,
        read: Callable[[Any], T] = result_of,
    ) -> list[T]:
        """Results of calls whose answers never change, in bodies of as many as the node takes.

        A body that is refused, too long or too late is sent in halves, and these in halves again: whatever a
        node takes, a further run finds what it needs under the same questions.

        Args:
            check: raises a SourceError for calls and results that must not be kept.
            read: what is made of one answer; raises a SourceError where it is none.

        Raises:
            SourceError: the node answers one of them with an error, or refuses it.
        """
        found: list[T] = []
        for start in range(0, len(calls), BATCH):
            found += self._results(http, calls[start : start + BATCH], label, check, read)
        return found

    def forget(self, http: Http, calls: Sequence[Call]) -> None:
        """Set aside the stored bodies that :meth:`results` would find for calls."""
        for start in range(0, len(calls), BATCH):
            waiting = [calls[start : start + BATCH]]
            while waiting:
                part = waiting.pop()
                http.forget(self._together(http, part))
                if len(part) > 1:
                    waiting += [part[: len(part) // 2], part[len(part) // 2 :]]

    def _results(
        self,
        http: Http,
        calls: Sequence[Call],
        label: str,
        check: Callable[[Sequence[Call], list[T]], None],
        read: Callable[[Any], T],
    ) -> list[T]:
        def parse(content: bytes) -> list[T]:
            if isinstance(request.payload, dict):
                return [read(loads(content))]
            return read_all(content, len(calls), read)

        def verify(content: bytes) -> None:
            check(calls, parse(content))

        request, middle = self._together(http, calls), len(calls) // 2
        if not self._goes_in_parts(http, calls):
            try:
                body = http.fetch(request, final=True, check=verify, divisible=True, label=label)
                if body is None:
                    raise NotServed(f"{label}: no answer")
                return parse(body.content)
            except (PermanentError, BodyTooLarge, TooSlow) as error:
                if not middle or isinstance(error, (NotServed, NotInStore, CallRefused)):
                    raise
                if isinstance(error, TooSlow):
                    self._results(http, calls[:1], label, check, read)  # a node that is down ends the search
                else:
                    self.most[0] = min(self.most[0], middle)
        return [
            *self._results(http, calls[:middle], label, check, read),
            *self._results(http, calls[middle:], label, check, read),
        ]

    def _together(self, http: Http, calls: Sequence[Call]) -> Request:
        """The question for calls: of one, a bare object, as not every node takes lists."""
        request = self.request(batch_payload(calls))
        alone = len(calls) == 1 and http.store.entry(request) is None
        return self.request(calls[0].payload(1)) if alone else request

    def _goes_in_parts(self, http: Http, calls: Sequence[Call]) -> bool:
        """Whether a body is too much for the node: it refused such, or its first half was sent before."""
        if len(calls) < 2 or http.store.entry(self._together(http, calls)) is not None:
            return False
        if len(calls) > self.most[0]:
            return True
        while len(calls) > 1:
            calls = calls[: len(calls) // 2]
            if http.store.entry(self._together(http, calls)) is not None:
                return True
        return False

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
