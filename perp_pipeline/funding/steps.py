"""The funding tables as steps of the pipeline."""

from __future__ import annotations

from perp_pipeline.contracts.funding import CORE_FUNDING_8H, CORE_FUNDING_DAILY, CORE_FUNDING_PAYMENTS
from perp_pipeline.funding.grid import core_funding_8h, core_funding_daily
from perp_pipeline.funding.payments import core_funding_payments
from perp_pipeline.steps import Input, Step

STEPS: tuple[Step, ...] = (
    Step(
        CORE_FUNDING_PAYMENTS,
        core_funding_payments,
        # A payment's interval is the time since the one before; a frozen price is seen by its neighbours.
        (
            Input("raw_binance_funding", before=1, after=1, optional=True),
            Input("raw_bitmex_funding", before=1, after=1, optional=True),
            Input("raw_bitmex_bucketed", before=1, after=1, optional=True),
            Input("raw_pinned_funding", before=1, after=1, optional=True),
        ),
        parameters=("universe",),
        chapter="funding",
    ),
    Step(
        CORE_FUNDING_8H,
        core_funding_8h,
        # Accruals reach over the borders of months on both sides.
        (Input("core_funding_payments", before=1, after=1),),
        chapter="funding",
    ),
    Step(
        CORE_FUNDING_DAILY,
        core_funding_daily,
        (Input("core_funding_payments", before=1, after=1),),
        chapter="funding",
    ),
)
