"""Claims over a window of the user's choice: what the lake holds, and what is computed beside it."""

from __future__ import annotations

from typing import cast

import pandas as pd
import pytest
from test_regressions import market

from perp_pipeline.contracts.model import Contract
from perp_pipeline.lake import Lake, TableMissing
from perp_pipeline.recompute import claim_tables_over
from perp_pipeline.research.claims import evaluate, find_claim
from perp_pipeline.research.persistence_null import is_null
from perp_pipeline.research.regressions import out_regressions
from perp_pipeline.settings import Settings


class Held:
    """A lake of frames."""

    def __init__(self, frames: dict[str, pd.DataFrame]) -> None:
        self.frames = frames

    def frame(self, contract: Contract) -> pd.DataFrame:
        if contract.name not in self.frames:
            raise TableMissing(contract.name)
        return self.frames[contract.name]

    def partitions(self, contract: Contract) -> dict[object, object]:
        """Months are not told."""
        return {}


@pytest.fixture(scope="module")
def frames() -> dict[str, pd.DataFrame]:
    core = market(900, 3)
    return core | {"out_regressions": out_regressions(**core, simulations=10)}


def _over(frames: dict[str, pd.DataFrame], window: str, *simulated: str) -> tuple[pd.DataFrame, list[str]]:
    told: list[str] = []
    held = cast("Lake", Held(frames))
    found = claim_tables_over(held, ["out_regressions"], window, Settings(), told.append, simulated=simulated)
    return found["out_regressions"], told


def test_a_period_that_the_lake_holds_is_computed_again_for_its_simulation_alone(
    frames: dict[str, pd.DataFrame],
) -> None:
    year = "2020"
    held = frames["out_regressions"]
    assert (held["period"] == year).any()
    assert not is_null(held[held["period"] == year]).any()
    _, told = _over(frames, year)
    assert told == []
    table, told = _over(frames, year, "out_regressions")
    assert told == ["out_regressions"]
    assert is_null(table[table["period"] == year]).any()
    assert not table.duplicated(["venue", "base", "spec", "term", "period"]).any()
    assert set(table["period"]) == set(held["period"])


def test_what_slow_funding_gives_is_drawn_for_the_window_asked_for(frames: dict[str, pd.DataFrame]) -> None:
    claim = find_claim(13)
    assert claim.simulated == ("out_regressions",)
    year = "2020"
    without = evaluate(claim, {"out_regressions": _over(frames, year)[0]}, year)
    assert "simulation" in without.reason
    assert str(without.verdict) == "no data"
    table, _ = _over(frames, year, *claim.simulated)
    found = evaluate(claim, {"out_regressions": table}, year)
    assert found.ci_low < found.estimate < found.ci_high
    assert found.window_start is not None
    assert found.window_start.year == 2020
