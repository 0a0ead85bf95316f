"""Fixtures that several test folders share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A loaded machine is slow, not wrong; and what lands is judged by the same examples each time.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Recorded bodies and the replay server, kept beside the project; PERP_SHARED says where."""
    root = os.environ.get("PERP_SHARED")
    if not root:
        pytest.skip("PERP_SHARED is not set: no recorded bodies, no replay server")
    return Path(root)


@dataclass
class Replay:
    """A running replay server."""

    url: str

    def _call(self, path: str, payload: Any = None) -> Any:
        data = None if payload is None else json.dumps(payload).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=data), timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def faults(self, rules: list[dict[str, Any]]) -> None:
        """Replace the active fault plan."""
        self._call("/_faults", rules)

    def fired(self) -> int:
        """How often the active rules struck."""
        return sum(rule["fired"] for rule in self._call("/_faults"))

    def reset(self) -> None:
        """Set request counts to zero."""
        self._call("/_reset", {})

    def stats(self) -> dict[str, Any]:
        """Requests, bytes and faults per endpoint since the last reset."""
        stats: dict[str, Any] = self._call("/_stats")
        return stats


@pytest.fixture(scope="session")
def replay_server(shared: Path) -> Iterator[Replay]:
    """The replay server, started once for the session."""
    process = subprocess.Popen(
        [sys.executable, str(shared / "replay" / "serve"), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield Replay(process.stdout.readline().split()[-1])
    finally:
        process.terminate()
        process.wait(timeout=10)
        process.stdout.close()


@pytest.fixture
def replay(replay_server: Replay) -> Iterator[Replay]:
    """The replay server with no faults and fresh counts."""
    replay_server.faults([])
    replay_server.reset()
    yield replay_server
    replay_server.faults([])
