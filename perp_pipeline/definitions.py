"""The Dagster code location that workspace.yaml names."""

from perp_pipeline.orchestration.build import build_definitions

defs = build_definitions()
