"""The report as an asset that follows every result table."""

from typing import Any

import dagster as dg

from perp_pipeline.orchestration.assets import FRESHNESS, OWNERS, POOL, asset_key
from perp_pipeline.orchestration.build import nodes
from perp_pipeline.orchestration.resources import Pipeline
from perp_pipeline.publish import publish_report, result_tables
from perp_pipeline.report import as_markdown_image, essay_figures, is_simulated


def report_asset() -> dg.AssetsDefinition:
    """The asset out / report."""

    @dg.asset(
        key=["out", "report"],
        group_name="out",
        owners=OWNERS,
        kinds={"python", "html"},
        description="An index and a page per essay, every claim beside its figure. Figures as PNG and SVG.",
        deps=[asset_key(node.name) for node in nodes().values() if node.contract.layer == "out"],
        freshness_policy=FRESHNESS,
        pool=POOL,
    )
    def report(pipeline: Pipeline) -> dg.MaterializeResult[Any]:
        page = publish_report(pipeline.settings())
        with pipeline.session() as session:
            figures = essay_figures(result_tables(session.lake), simulated=is_simulated(session.lake))
        plots = {name: dg.MetadataValue.md(as_markdown_image(figure)) for name, figure in figures.items()}
        return dg.MaterializeResult(metadata={"page": dg.MetadataValue.path(page), **plots})

    return report
