"""The report: one HTML page and its figures, made anew from the result tables."""

from perp_pipeline.orchestration.report import report_asset

report = report_asset()
