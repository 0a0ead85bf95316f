"""out_claims beside out_claim_parts: of one computation, or said not to be."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from perp_pipeline import contracts
from perp_pipeline.claims_terminal import print_claims
from perp_pipeline.graph import build_graph, select
from perp_pipeline.lake import Lake
from perp_pipeline.lake.tables import to_arrow
from perp_pipeline.report import ReportContext
from perp_pipeline.report.html import FILES, build_report
from perp_pipeline.research.claims import build_claim_parts, build_claims
from perp_pipeline.research.claims.agreement import ABSENT, APART, REMEDY, unmatched
from perp_pipeline.settings import Settings
from perp_pipeline.steps import Step
from perp_pipeline.tables import CLAIMS

CLAIM = 17


def _prices(scale: float) -> dict[str, pd.DataFrame]:
    """core_returns_8h of ETH and BTC, two years whose daily volatility is ``scale`` or a little more."""
    ends = pd.date_range("2021-01-01", "2022-12-31", freq="8h", tz="UTC").as_unit("us")
    rng = np.random.default_rng(1)
    frames = []
    for base in ("ETH", "BTC"):
        close = 1000.0 * np.exp(np.cumsum(rng.normal(0.0, scale / 3**0.5, len(ends))))
        frames.append(pd.DataFrame({"base": base, "window_end": ends, "close": close}))
    return {"core_returns_8h": pd.concat(frames, ignore_index=True)}


def _both(scale: float = 0.04) -> tuple[pd.DataFrame, pd.DataFrame]:
    tables = _prices(scale)
    return build_claims(tables), build_claim_parts(tables)


def _lake(folder: Path, claims: pd.DataFrame, parts: pd.DataFrame | None) -> Settings:
    lake = Lake.at(str(folder))
    for name, frame in (("out_claims", claims), ("out_claim_parts", parts)):
        if frame is not None:
            contract = contracts.get(name)
            lake.commit(contract, to_arrow(contract, frame), now=datetime(2023, 1, 1, tzinfo=UTC))
    return Settings(lake=str(folder))


def _told(settings: Settings, claim: int | None = None) -> str:
    console = Console(width=160, file=io.StringIO(), color_system=None)
    print_claims(console, settings, claim)
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def test_tables_of_one_computation_agree() -> None:
    claims, parts = _both()
    assert claims.set_index("claim_id").loc[CLAIM, "n"] == 24
    assert unmatched(claims, parts) == {}


def test_numbers_of_another_computation_are_found() -> None:
    claims, parts = _both()
    assert unmatched(claims, _both(0.05)[1]) == {CLAIM: APART}
    stretched = parts.assign(ci_high=parts["ci_high"] * 1.01)
    assert CLAIM in unmatched(claims, stretched)
    judged = (parts["claim_id"] == CLAIM) & (parts["variant"] == 0) & parts["published"].notna()
    turned = parts.assign(verdict=parts["verdict"].mask(judged, "fails"))
    assert claims.set_index("claim_id").loc[CLAIM, "verdict"] != "fails"
    assert unmatched(claims, turned) == {CLAIM: APART}


def test_numbers_that_are_not_there_are_found() -> None:
    claims, parts = _both()
    assert unmatched(claims, parts[parts["claim_id"] != CLAIM]) == {CLAIM: ABSENT}
    assert set(unmatched(claims, None)) == set(claims["claim_id"])


def test_a_claim_that_is_capped_for_want_of_numbers_agrees() -> None:
    claims, parts = _both()
    claims.loc[claims["claim_id"] == CLAIM, "verdict"] = "weak"
    assert unmatched(claims, parts) == {}


def test_the_terminal_tells_no_contradiction(tmp_path: Path) -> None:
    claims, parts = _both()
    good = _told(_lake(tmp_path / "good", claims, parts), CLAIM)
    assert "daily volatility of BTC" in good.split("Reason")[0]
    assert REMEDY not in good
    mixed = _lake(tmp_path / "mixed", claims, _both(0.05)[1])
    text = _told(mixed, CLAIM)
    assert f"Claim {CLAIM}: {APART}" in text
    assert "daily volatility of BTC" not in text.split("Reason")[0]
    assert f"Claim {CLAIM}: {APART}" in _told(mixed)


def test_without_the_parts_table_the_terminal_says_what_to_do(tmp_path: Path) -> None:
    settings = _lake(tmp_path, _both()[0], None)
    assert f"Claim {CLAIM}: {ABSENT}" in _told(settings, CLAIM)
    assert REMEDY in _told(settings)


@pytest.mark.parametrize("mixed", [False, True])
def test_the_report_leaves_numbers_of_another_computation_out(mixed: bool) -> None:
    claims, parts = _both()
    if mixed:
        parts = _both(0.05)[1]
    context = ReportContext(span="2021")
    report = build_report({"out_claims": claims, "out_claim_parts": parts}, context=context)
    page = report.pages[FILES["A"]]
    assert (APART in page) == mixed
    assert (f"Numbers of claim {CLAIM}" in page) == (not mixed)


@pytest.mark.parametrize("name", ["out_claims", "out_claim_parts"])
def test_selecting_either_table_of_claims_selects_both(name: str) -> None:
    steps = [Step(step.output, step.build, (), together=step.together) for step in CLAIMS]
    assert select(build_graph([], steps), [name]) == ["out_claims", "out_claim_parts"]
