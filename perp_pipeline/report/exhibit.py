"""What a figure and a table of the report are, and the texts that they stand under."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from perp_pipeline.report import cells

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Essay:
    """A text whose claims the report walks through, on a page of its own.

    Attributes:
        code: how a claim's source names it; C stands for C19, C22 and so on.
        file: name of its page, beside the report's.
    """

    code: str
    title: str
    when: str
    file: str


ESSAYS = (
    Essay("A", "“Will Perps Replace Broken AMMs?”", "May 2024", "essay-a.html"),
    Essay("B", "“Perp Funding Rate Fraud”", "November 2022", "essay-b.html"),
    Essay("C", "Companion posts", "2019 to 2024", "companions.html"),
)


@dataclass(frozen=True)
class FigureExhibit:
    """A figure of the report.

    Attributes:
        slug: file name and anchor.
        essay: the essay on whose page it stands, a code of :data:`ESSAYS`.
        claims: the claims that it answers, by number.
        needs: tables it is drawn from.
        draw: from the tables and the source line to the figure.
        describe: the figure in words and numbers, for those who do not see it.
        headline: shown on the report's first page too.
        across: it is of many claims at once, and stands after the walk through them.
    """

    slug: str
    essay: str
    title: str
    caption: str
    claims: tuple[int, ...]
    needs: tuple[str, ...]
    draw: Callable[[Tables, str], Figure]
    describe: Callable[[Tables], str]
    headline: bool = False
    across: bool = False


@dataclass(frozen=True)
class TableExhibit:
    """A table of the report.

    Attributes:
        build: from the tables to the printed table, or to an HTML fragment that is trusted as it is.
        folded: shown only when opened.
        essay: the essay on whose page it stands too, a code of :data:`ESSAYS`; none if empty.
        claims: the claims that it answers, by number.
        latex: the table as LaTeX, written beside the report.
    """

    slug: str
    title: str
    caption: str
    needs: tuple[str, ...]
    build: Callable[[Tables], cells.TableView | str]
    folded: bool = False
    essay: str = ""
    claims: tuple[int, ...] = ()
    latex: Callable[[Tables], str] | None = None


def ready(needs: Iterable[str], held: Tables) -> bool:
    """All tables that an exhibit needs are there."""
    return all(name in held for name in needs)


def source_line(needs: Iterable[str], simulated: bool) -> str:
    """What a figure says of its source: its tables, and the simulated market where that is what they hold."""
    return ", ".join(needs) + (", SIMULATED MARKET" if simulated else "")
