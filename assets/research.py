"""Results with error bars, and the claims register."""

from perp_pipeline.orchestration.build import chapter_assets

research_assets = chapter_assets("research")
