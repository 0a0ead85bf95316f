"""Funding payments, the common 8-hour grid, days."""

from perp_pipeline.orchestration.build import chapter_assets

funding_assets = chapter_assets("funding")
