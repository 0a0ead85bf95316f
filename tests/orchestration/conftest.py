"""Fixtures: the code location on the simulated market."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from orchestrated import SPOILED, Launch, Spoil


@pytest.fixture
def spoil() -> Iterator[dict[str, Spoil]]:
    """Table name -> change of the built table."""
    SPOILED.clear()
    yield SPOILED
    SPOILED.clear()


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def launch(lake: Path, instance: dg.DagsterInstance) -> Launch:
    return Launch(lake, instance)
