"""Dagster assets, one module per chapter. What a table is stands in perp_pipeline/contracts."""
