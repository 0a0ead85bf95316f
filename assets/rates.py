"""Spot prices and returns, the CME curve and the rates it implies, reference rates."""

from perp_pipeline.orchestration.build import chapter_assets

rates_assets = chapter_assets("rates")
