"""Raw downloads: what each venue said, typed but untouched."""

from perp_pipeline.orchestration.build import chapter_assets

raw_assets = chapter_assets("raw")
