"""Paths, atomic commits and typed reads of the Parquet lake."""

from perp_pipeline.lake.errors import LakeError, LostRows, SchemaMismatch, TableMissing
from perp_pipeline.lake.lake import Commit, Lake
from perp_pipeline.lake.paths import PartitionKey

__all__ = ["Commit", "Lake", "LakeError", "LostRows", "PartitionKey", "SchemaMismatch", "TableMissing"]
