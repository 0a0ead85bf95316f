"""Dagster assets, one module per chapter of the pipeline. What a table is stands in perp_pipeline/contracts."""
