"""Raw tables that come from pinned archives: what they share. What a file's rows are, a subclass says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

import pandas as pd

from perp_pipeline.contracts.model import Contract
from perp_pipeline.months import Span
from perp_pipeline.sources.base import Body
from perp_pipeline.sources.pinned import (
    PinnedArchive,
    archives_for,
    available,
    fetch_archive,
    load_archives,
)

if TYPE_CHECKING:
    from perp_pipeline.sources.http import Http


@dataclass(frozen=True)
class PinnedDataset(ABC):
    """A raw table from every declared file of it.

    Attributes:
        archives: the list to read; None is the project's own.
    """

    archives: tuple[PinnedArchive, ...] | None = None
    contract: ClassVar[Contract]
    venue: ClassVar[str] = "pinned"

    @abstractmethod
    def rows(self, archive: PinnedArchive, body: Body) -> pd.DataFrame:
        """All rows of one file, with the table's columns.

        Raises:
            FormatChanged: it does not read.
        """

    def fetch(self, http: Http, span: Span, now: datetime) -> Iterator[pd.DataFrame]:
        """Rows of the span, file by file; see :class:`~perp_pipeline.sources.base.Dataset`.

        Raises:
            SourceError: a file cannot be had, is not the pinned one, or does not read.
        """
        known = load_archives() if self.archives is None else self.archives
        for archive in archives_for(known, self.contract.name):
            if not available(http, archive):
                continue
            frame = self.rows(archive, fetch_archive(http, archive))
            times = frame[self.contract.time]
            # Days are dates without a zone.
            start, end = (pd.Timestamp(at).tz_convert(times.dt.tz) for at in (span.start, span.end))
            inside = (times >= start) & (times < end)
            if inside.any():
                yield frame[inside].reset_index(drop=True)
