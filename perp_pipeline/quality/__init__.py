"""Contracts judged by Great Expectations."""

from perp_pipeline.quality.results import CheckResult, blocking
from perp_pipeline.quality.suites import audit, suite

__all__ = ["CheckResult", "audit", "blocking", "suite"]
