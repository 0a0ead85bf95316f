"""Swaps, liquidity and pool-days of AMM pools."""

from perp_pipeline.orchestration.build import chapter_assets

amm_assets = chapter_assets("amm")
