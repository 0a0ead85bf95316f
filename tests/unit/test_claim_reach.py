"""Windows that a lake's data do not reach, or that are too short: told before anything is computed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast

import pandas as pd
import pytest

from perp_pipeline.claim_reach import months_held, out_of_reach, without_numbers
from perp_pipeline.contracts.model import Contract
from perp_pipeline.lake import Lake, TableMissing
from perp_pipeline.lake.paths import PartitionKey
from perp_pipeline.recompute import claim_tables_over
from perp_pipeline.research.claims import find_claim
from perp_pipeline.settings import Settings

NOW = datetime(2023, 7, 1, tzinfo=UTC)
MONTHS = {
    "core_funding_payments": ("2016-05", "2022-12"),
    "core_funding_daily": ("2016-05", "2022-12"),
    "core_spot_1h": ("2017-01", "2022-11"),
    "core_cme_implied": ("2017-12", "2020-12"),
}


class Months:
    """A lake that tells the months of its tables; who reads rows gets none."""

    def partitions(self, contract: Contract) -> dict[PartitionKey, None]:
        ends = MONTHS.get(contract.name, ())
        return {PartitionKey((("venue", "any"), ("month", month))): None for month in ends}

    def frame(self, contract: Contract) -> pd.DataFrame:
        raise TableMissing(contract.name)


LAKE = cast("Lake", Months())


def test_months_of_a_result_table_are_those_of_what_it_is_made_from() -> None:
    assert str(months_held(LAKE, "core_cme_implied")) == "2017-12..2020-12"
    assert str(months_held(LAKE, "out_lead_lag")) == "2016-05..2022-12"
    assert months_held(LAKE, "out_amm_profit_per_volume") is None


@pytest.mark.parametrize(
    ("table", "window", "told"),
    [
        ("out_regressions", "2030", "2030 lies after the lake's data for regressions of funding"),
        ("out_regressions", "2015-01..2015-06", "lies before"),
        ("core_cme_implied", "2021", "2021 lies after the lake's data for rates implied by CME futures"),
        ("core_cme_implied", "2020-12..2021-06", ""),
        ("out_regressions", "2021-02", "2021-02 has 28 days, and regressions of funding on returns take"),
        ("out_lead_lag", "2021-02", "take at least 30"),
        ("out_lead_lag", "2021-03", ""),
        ("out_regressions", "all", ""),
        ("out_amm_profit_per_volume", "2030", ""),
    ],
)
def test_what_cannot_be_computed_is_known_from_months_alone(table: str, window: str, told: str) -> None:
    found = out_of_reach(LAKE, table, window)
    assert (told in found) if told else not found


@pytest.mark.parametrize(
    ("claim", "window", "told", "fetch"),
    [
        (12, "2030", "Ask for a window inside these months, such as --window 2022", False),
        (12, "2023-02..2023-05", "perp run --from 2023-02 --to 2023-05", True),
        (12, "2015", "lies before the lake's data", False),
        (2, "2021", "data behind the numbers, which reach over 2017-12..2020-12. Ask for a window", False),
        (4, "2030", "2030 lies after the lake's data behind the numbers", False),
        (15, "2021-02", "Ask for a longer window, such as --window 2021", False),
        (12, "2017", "its reason says what is missing. Without --window it is told over 2019-09..", False),
    ],
)
def test_the_remedy_helps(claim: int, window: str, told: str, fetch: bool) -> None:
    text = without_numbers(LAKE, find_claim(claim), window, NOW)
    assert told in text
    assert ("perp run" in text) is fetch


@pytest.mark.parametrize("window", ["2030", "2021-02"])
def test_nothing_is_computed_in_vain(window: str) -> None:
    computed: list[str] = []
    claim_tables_over(LAKE, ["out_regressions"], window, Settings(), computed.append)
    assert computed == []
    claim_tables_over(LAKE, ["out_regressions"], "2021", Settings(), computed.append)
    assert computed == ["out_regressions"]
