"""Tables as Dagster assets: one thin asset per node of the graph, all running the library's own step."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg

from perp_pipeline.contracts.model import Contract
from perp_pipeline.graph import Node
from perp_pipeline.months import FIRST_MONTH, Month, Span
from perp_pipeline.orchestration.checks import check_results, check_specs, unjudged
from perp_pipeline.orchestration.describe import column_schema, materialization_metadata, rows_by_month
from perp_pipeline.orchestration.partitions import MONTHS, mapping, span_of
from perp_pipeline.orchestration.resources import Pipeline
from perp_pipeline.runner import StepFailed, run_node
from perp_pipeline.sources.errors import TransientError

OWNERS = ["team:data"]
POOL = "perp_lake"
"""Concurrency pool of everything that writes the lake: dagster.yaml lets one run at a time hold it."""

FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26))
ASK_AGAIN = dg.RetryPolicy(max_retries=1, delay=60, jitter=dg.Jitter.PLUS_MINUS)
"""For downloads whose venue is still down after the HTTP client's own retries."""


def asset_key(table: str) -> dg.AssetKey:
    """``core_funding_8h`` is the asset core / funding_8h."""
    layer, subject = table.split("_", 1)
    return dg.AssetKey([layer, subject])


def table_asset(node: Node, nodes: dict[str, Node]) -> dg.AssetsDefinition:
    """The asset of one table.

    Audit comes before publication, inside the asset: a table that fails a blocking check is not
    published, its checks are reported with the failing rows, and the asset fails. A download is
    tried again where the cause may pass (:class:`TransientError`), nothing else is.
    """
    contract = node.contract
    key = asset_key(node.name)
    inputs = node.step.inputs if node.step else ()
    by_month = contract.time is not None

    @dg.asset(
        key=key,
        description=_description(node),
        group_name=contract.layer,
        owners=OWNERS,
        kinds={"python", "parquet"} | ({"http"} if contract.layer == "raw" else set()),
        tags={"chapter": node.chapter},
        metadata={
            "dagster/column_schema": column_schema(contract),
            "grain": contract.grain,
            "key": ", ".join(contract.key),
        },
        deps=[
            dg.AssetDep(
                asset_key(item.table),
                partition_mapping=mapping(item, nodes[item.table].contract.time is not None, by_month),
            )
            for item in inputs
        ],
        partitions_def=MONTHS if by_month else None,
        backfill_policy=dg.BackfillPolicy.single_run() if by_month else None,
        check_specs=check_specs(contract, key),
        freshness_policy=FRESHNESS,
        code_version=_version(contract),
        retry_policy=ASK_AGAIN if node.step is None else None,
        pool=POOL,
    )
    def build(
        context: dg.AssetExecutionContext, pipeline: Pipeline
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        now = Month.of(pipeline.now())
        span = span_of(list(context.partition_keys)) if by_month else Span(FIRST_MONTH, now)
        with pipeline.session() as session:
            try:
                report = run_node(node.name, span, session)
            except StepFailed as failure:
                yield from check_results(contract, key, failure.report.checks, span)
                raise dg.Failure(
                    description=str(failure.cause),
                    metadata={"rejected_partitions": [str(part) for part in failure.report.rejected]},
                    allow_retries=isinstance(failure.cause, TransientError),
                ) from failure
            for check in report.warnings:
                context.log.warning(check.describe(contract))
            metadata = materialization_metadata(contract, report, session.lake, span if by_month else None)
            if by_month:
                for month, rows in rows_by_month(contract, span, session.lake).items():
                    context.add_asset_metadata({"dagster/partition_row_count": rows}, key, month)
        yield from check_results(contract, key, report.checks, span)
        if not report.checks:
            yield from unjudged(contract, key, report.note)
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    return build


def _description(node: Node) -> str:
    contract = node.contract
    parts = [contract.doc, f"A row is {contract.grain}."]
    if node.step is not None and node.step.build.__doc__:
        parts.append(node.step.build.__doc__.strip().splitlines()[0])
    return "\n\n".join(parts)


def _version(contract: Contract) -> str:
    """Changes when the table's columns do: what is in the lake then shows as made by older code."""
    return hashlib.sha256(contract.schema.serialize().to_pybytes()).hexdigest()[:8]
