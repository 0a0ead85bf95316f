"""Every table that is built: from what, by which function. Downloads are listed in perp_pipeline.sources."""

from __future__ import annotations

from perp_pipeline import contracts
from perp_pipeline.amm.steps import AMM
from perp_pipeline.funding.copies import CONTEXT_MONTHS
from perp_pipeline.funding.grid import core_funding_8h, core_funding_daily
from perp_pipeline.funding.payments import core_funding_payments
from perp_pipeline.funding.premium import core_premium
from perp_pipeline.futures.curve import core_cme_curve
from perp_pipeline.futures.delivery import core_delivery_futures
from perp_pipeline.futures.implied import core_cme_implied
from perp_pipeline.futures.reference_rates import core_reference_rates
from perp_pipeline.prices.returns import core_returns_8h
from perp_pipeline.prices.spot import core_spot_1h
from perp_pipeline.research.amm_cumulative import out_amm_cumulative
from perp_pipeline.research.amm_price_gap import out_amm_price_gap
from perp_pipeline.research.amm_profit import out_amm_profit_per_volume
from perp_pipeline.research.averages import out_funding_averages, out_funding_monthly
from perp_pipeline.research.claims import out_claim_parts, out_claims, tables_needed
from perp_pipeline.research.fair_funding import out_fair_funding
from perp_pipeline.research.funding_audit import out_funding_audit
from perp_pipeline.research.house_money import out_house_money
from perp_pipeline.research.lead_lag import out_lead_lag
from perp_pipeline.research.predictor_race import out_predictor_race
from perp_pipeline.research.premium_precision import out_premium_precision
from perp_pipeline.research.quanto import out_quanto
from perp_pipeline.research.regressions import out_regressions
from perp_pipeline.research.sides import out_sides
from perp_pipeline.research.spreads import out_venue_spreads, out_venue_spreads_monthly
from perp_pipeline.steps import Input, Step


def _whole(*tables: str, optional: bool = False) -> tuple[Input, ...]:
    return tuple(Input(table, whole=True, optional=optional) for table in tables)


FUNDING = (
    Step(
        contracts.get("core_funding_payments"),
        core_funding_payments,
        # A payment's interval is read off the spacing to the one before it, a price that stands still off its
        # neighbours on both sides. No venue is needed: before 2019-09 there is one only, and one may refuse.
        # The address tells a row of the archive from an answer.
        # Whether a rate is another contract's is known from when the two were last compared.
        (
            *(
                Input(table, before=CONTEXT_MONTHS, after=1, optional=True, provenance=True)
                for table in contracts.funding_of_venues()
            ),
            Input("raw_bitmex_bucketed", before=1, after=1, optional=True, provenance=True),
        ),
        parameters=("universe",),
        chapter="funding",
    ),
    Step(
        contracts.get("core_funding_8h"),
        core_funding_8h,
        # A window's hours may be paid in the next month, or have been paid for since the month before.
        (Input("core_funding_payments", before=1, after=1),),
        chapter="funding",
    ),
    Step(
        contracts.get("core_funding_daily"),
        core_funding_daily,
        (Input("core_funding_payments", before=1, after=1),),
        chapter="funding",
    ),
    Step(
        contracts.get("core_premium"),
        core_premium,
        # The window that ends with the month's first payment began in the month before.
        (
            Input("core_funding_payments"),
            Input("raw_binance_premium", before=1, optional=True),
            Input("raw_hyperliquid_funding", optional=True),
        ),
        chapter="funding",
    ),
)

RATES = (
    Step(
        contracts.get("core_spot_1h"),
        core_spot_1h,
        (
            Input("raw_binance_spot_1h"),
            Input("raw_cdd_candles", optional=True),
            Input("raw_spot_candles", optional=True),
        ),
        chapter="rates",
    ),
    Step(
        contracts.get("core_returns_8h"),
        core_returns_8h,
        # The first return of a month starts at the last close of the month before.
        (Input("core_spot_1h", before=1),),
        chapter="rates",
    ),
    Step(
        contracts.get("core_cme_curve"),
        core_cme_curve,
        # A holiday's price is recognised by the session after it.
        (
            Input("raw_cme_futures", before=1, after=1),
            Input("core_spot_1h", before=1, after=1, beside=True),
        ),
        chapter="rates",
    ),
    Step(
        contracts.get("core_cme_implied"),
        core_cme_implied,
        (Input("core_cme_curve"),),
        chapter="rates",
    ),
    Step(
        contracts.get("core_delivery_futures"),
        core_delivery_futures,
        # The bar that ends when a month begins is of the month before.
        (
            Input("raw_binance_futures_klines", before=1, optional=True),
            Input("core_spot_1h", before=1, optional=True),
        ),
        parameters=("universe",),
        chapter="rates",
    ),
    Step(
        contracts.get("core_reference_rates"),
        core_reference_rates,
        (
            Input("raw_fred"),
            Input("raw_lending_rates", optional=True),
            Input("raw_defillama_yields", optional=True),
        ),
        chapter="rates",
    ),
)

RESULTS = (
    Step(
        contracts.get("out_funding_averages"),
        out_funding_averages,
        _whole("core_funding_daily", "core_funding_payments", "core_cme_implied"),
        parameters=("periods",),
    ),
    Step(
        contracts.get("out_funding_monthly"),
        out_funding_monthly,
        _whole("core_funding_daily", "core_funding_payments", "core_cme_implied"),
    ),
    Step(
        contracts.get("out_venue_spreads"),
        out_venue_spreads,
        _whole("core_funding_daily", "core_cme_implied"),
        parameters=("periods",),
    ),
    Step(
        contracts.get("out_venue_spreads_monthly"),
        out_venue_spreads_monthly,
        _whole("core_funding_daily", "core_cme_implied"),
    ),
)

REGRESSIONS = (
    Step(
        contracts.get("out_regressions"),
        out_regressions,
        _whole(
            "core_funding_daily",
            "core_funding_payments",
            "core_returns_8h",
            "core_cme_implied",
            "core_cme_curve",
        ),
        parameters=("periods",),
    ),
    Step(
        contracts.get("out_lead_lag"),
        out_lead_lag,
        _whole("core_funding_payments", "core_spot_1h"),
        parameters=("periods",),
    ),
    Step(
        contracts.get("out_predictor_race"),
        out_predictor_race,
        (*_whole("core_funding_payments"), *_whole("core_premium", "raw_binance_premium", optional=True)),
        parameters=("periods",),
    ),
    Step(
        contracts.get("out_quanto"),
        out_quanto,
        (
            *_whole("core_funding_payments", "core_funding_8h", "core_funding_daily", "core_returns_8h"),
            *_whole("raw_bitmex_bucketed", optional=True),
        ),
        parameters=("periods",),
    ),
    Step(
        contracts.get("out_house_money"),
        out_house_money,
        _whole("core_funding_daily", "core_returns_8h"),
        parameters=("periods",),
    ),
    Step(
        contracts.get("out_sides"),
        out_sides,
        (
            *_whole("core_funding_payments"),
            *_whole("core_premium", "core_spot_1h", "raw_gmx_open_interest", optional=True),
            # Tables that only a user's own archives fill.
            *_whole("raw_perp_prices", "raw_venue_days", optional=True),
        ),
        parameters=("periods",),
    ),
    Step(
        contracts.get("out_fair_funding"),
        out_fair_funding,
        (
            *_whole("core_funding_daily", "core_funding_8h", "core_reference_rates", "core_cme_implied"),
            # Contracts that deliver are there from 2023 on.
            *_whole("core_delivery_futures", optional=True),
        ),
        parameters=("periods",),
    ),
)

_PREMIUM_INPUTS = (
    *_whole("core_premium", "core_funding_payments"),
    *_whole("raw_binance_premium", optional=True),
)

PREMIUM = (
    Step(
        contracts.get("out_premium_precision"),
        out_premium_precision,
        (*_PREMIUM_INPUTS, *_whole("raw_trades", optional=True)),
        parameters=("periods",),
    ),
    Step(contracts.get("out_funding_audit"), out_funding_audit, _PREMIUM_INPUTS, parameters=("periods",)),
)

AMM_RESULTS = (
    Step(
        contracts.get("out_amm_profit_per_volume"),
        out_amm_profit_per_volume,
        _whole("core_amm_pool_day", "core_amm_marks", optional=True),
        parameters=("periods",),
        chapter="amm",
    ),
    Step(
        contracts.get("out_amm_cumulative"),
        out_amm_cumulative,
        _whole("core_amm_pool_day", optional=True),
        chapter="amm",
    ),
    Step(
        contracts.get("out_amm_price_gap"),
        out_amm_price_gap,
        _whole("core_amm_price_1h", "raw_amm_days", "core_spot_1h", optional=True),
        parameters=("periods",),
        chapter="amm",
    ),
)

BUILT = (*FUNDING, *RATES, *RESULTS, *REGRESSIONS, *PREMIUM, *AMM, *AMM_RESULTS)

# A claim whose table is not in the lake says so; it does not stop the others.
_JUDGED_BY = _whole(*sorted({step.output.name for step in BUILT} & set(tables_needed())), optional=True)

# One without the other would tell of two computations.
CLAIMS = (
    Step(contracts.get("out_claims"), out_claims, _JUDGED_BY, together=("out_claim_parts",)),
    Step(contracts.get("out_claim_parts"), out_claim_parts, _JUDGED_BY, together=("out_claims",)),
)

STEPS = (*BUILT, *CLAIMS)
