"""The order in which an essay's page walks through its claims, and what stands beside what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from perp_pipeline.report.exhibit import Essay, FigureExhibit

Claim = Mapping[str, Any]
"""A claim as the pages print it."""


@dataclass
class Stop:
    """One stop of the walk: a figure or a table with the claims beside it, or claims alone.

    Attributes:
        figure: a drawn figure: ``exhibit``, ``svg``, ``words``.
        table: a printed table.
        claims: told here.
        also: claims told elsewhere that it answers too.
    """

    figure: Mapping[str, Any] | None = None
    table: Mapping[str, Any] | None = None
    claims: list[Claim] = field(default_factory=list)
    also: list[Claim] = field(default_factory=list)

    @property
    def answers(self) -> tuple[int, ...]:
        """Numbers of the claims that its figure or table answers."""
        item = self.figure or self.table
        return item["exhibit"].claims if item else ()

    @property
    def roomy(self) -> bool:
        """The texts beside the figure are so much shorter than it is that its words fit there too."""
        if self.figure is None:
            return False
        room = _height(self.figure) - _text_height(self.claims, self.figure["exhibit"].caption)
        words = _LINE * (len(self.figure["words"]) / _CAPTION)
        return room > _ROOM and (words < _OVERFLOW * room or room > _BLANK)


@dataclass(frozen=True)
class Walk:
    """An essay's page.

    Attributes:
        stops: in the order of the claims; a figure stands at its first claim.
        across: figures of many claims at once, after the walk.
        tables: folded tables, after the walk.
        sums: claims without a figure that a calculation settles.
        silent: claims that there are no data for and that no figure on the page is of.
        shown: names of the figures on the page.
    """

    essay: Essay
    claims: Sequence[Claim]
    stops: Sequence[Stop]
    across: Sequence[Mapping[str, Any]]
    tables: Sequence[Mapping[str, Any]]
    sums: Sequence[Claim]
    silent: Sequence[Claim]
    shown: frozenset[str]

    @property
    def figures(self) -> int:
        """How many figures the page has."""
        return len(self.shown)


def walk(
    essay: Essay,
    claims: Iterable[Claim],
    drawn: Mapping[str, Mapping[str, Any]],
    printed: Iterable[Mapping[str, Any]],
) -> Walk:
    """The page of an essay: its claims in ascending order, which is that of its argument.

    A figure stands where its first claim does, claims that follow at once beside it; a later one of the same
    figure links to it. A claim that has figures on other essays' pages only has the first of these repeated.

    Args:
        claims: all claims, of which those of the essay are told.
        drawn: figures by name, in the report's order.
        printed: tables.
    """
    told = sorted(claims, key=lambda claim: int(claim["number"]))
    own = [claim for claim in told if essay.code in claim["essays"]]
    across = [figure for figure in drawn.values() if _of(figure).across and _of(figure).essay == essay.code]
    single = [figure for figure in drawn.values() if not _of(figure).across]
    tables = [item for item in printed if item["exhibit"].essay == essay.code]
    open_tables = [item for item in tables if not item["exhibit"].folded]
    path = _Path([figure for figure in single if _of(figure).essay == essay.code], single, open_tables)
    for claim in own:
        path.take(claim)
    path.finish()
    for stop in path.stops:
        here = {claim["number"] for claim in stop.claims}
        stop.also = [c for c in told if c["number"] in stop.answers and c["number"] not in here]
    shown = {_of(figure).slug for figure in across}
    shown |= {_of(stop.figure).slug for stop in path.stops if stop.figure is not None}
    folded = [
        {**item, "also": [claim for claim in told if claim["number"] in item["exhibit"].claims]}
        for item in tables
        if item["exhibit"].folded
    ]
    return Walk(essay, own, path.stops, across, folded, path.sums, path.silent, frozenset(shown))


class _Path:
    """Stops in the making."""

    def __init__(
        self,
        home: Sequence[Mapping[str, Any]],
        every: Sequence[Mapping[str, Any]],
        tables: Sequence[Mapping[str, Any]],
    ) -> None:
        self.stops: list[Stop] = []
        self.sums: list[Claim] = []
        self.silent: list[Claim] = []
        self._home, self._every, self._tables = home, every, tables
        self._seen: set[str] = set()
        self._waiting: list[Stop] = []

    def take(self, claim: Claim) -> None:
        """Put a claim where it belongs, with what it is the first to need."""
        figures, known = self._needed(claim)
        new = [Stop(figure=figure) for figure in figures]
        new += [Stop(table=item) for item in self._tables if self._first(item, claim)]
        self._seen |= {_of(stop.figure or stop.table or {}).slug for stop in new}
        if not new and self._beside(claim):
            return
        self._flush()
        if not new and self._beside(claim):
            return
        if new:
            new[0].claims.append(claim)
            self.stops.append(new[0])
            self._waiting = new[1:]
        elif not known and claim["verdict"] == "no data":
            self.silent.append(claim)
        elif not known and claim["exact"]:
            self.sums.append(claim)
        else:
            self._alone(claim)

    def finish(self) -> None:
        """Figures and tables of the essay that none of its claims needed come last."""
        self._flush()
        self.stops += [Stop(figure=figure) for figure in self._home if _of(figure).slug not in self._seen]
        self.stops += [Stop(table=item) for item in self._tables if _of(item).slug not in self._seen]

    def _needed(self, claim: Claim) -> tuple[list[Mapping[str, Any]], bool]:
        """Figures to show now, and whether any figure on the page is of the claim."""
        mine = [figure for figure in self._every if claim["number"] in _of(figure).claims]
        new = [figure for figure in mine if figure in self._home and _of(figure).slug not in self._seen]
        seen = any(_of(figure).slug in self._seen for figure in mine)
        if not new and not seen and claim["verdict"] != "no data":
            new = mine[:1]
        return new, seen or bool(new)

    def _first(self, item: Mapping[str, Any], claim: Claim) -> bool:
        exhibit = _of(item)
        return claim["number"] in exhibit.claims and exhibit.slug not in self._seen

    def _beside(self, claim: Claim) -> bool:
        if not self.stops or claim["number"] not in self.stops[-1].answers:
            return False
        self.stops[-1].claims.append(claim)
        return True

    def _alone(self, claim: Claim) -> None:
        if not self.stops or self.stops[-1].figure is not None or self.stops[-1].table is not None:
            self.stops.append(Stop())
        self.stops[-1].claims.append(claim)

    def _flush(self) -> None:
        self.stops += self._waiting
        self._waiting = []


def _of(item: Mapping[str, Any]) -> FigureExhibit:
    exhibit: FigureExhibit = item["exhibit"]
    return exhibit


_LEAD = 520
"""Characters of a reason that a card shows at once."""


def split_reason(reason: str) -> tuple[str, str]:
    """A long reason's first sentences and the rest of it; the whole of one that is not long."""
    if len(reason) <= 1.4 * _LEAD:
        return reason, ""
    ends = [found.end() for found in re.finditer(r"\.(?=\s[A-Z])", reason)]
    cut = next((end for end in reversed(ends) if end <= _LEAD), ends[0] if ends else len(reason))
    return reason[:cut], reason[cut:].strip()


_DRAWING = 752.0
"""Pixels of width of a figure beside its claims."""
_LINE, _TIGHT = 22.0, 20.0
_ROOM, _BLANK = 160.0, 300.0
"""Pixels from which room beside a figure is worth filling, and is even by words that are too long for it."""
_OVERFLOW = 1.3
_CAPTION, _STATEMENT, _SMALL = 55, 48, 60
"""Characters of a line beside a figure."""


def _height(figure: Mapping[str, Any]) -> float:
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', str(figure["svg"]))
    return _DRAWING * float(box[2]) / float(box[1]) if box else 0.0


def _text_height(claims: Iterable[Claim], caption: str) -> float:
    """Pixels that the texts beside a figure take, roughly."""
    height = 3 * _LINE + _LINE * (len(caption) // _CAPTION + 1)
    for claim in claims:
        height += _LINE * (len(claim["statement"]) // _STATEMENT + 2)
        height += _TIGHT * (len(claim["lead"]) // _SMALL + 1) + 9 * _LINE
    return height
