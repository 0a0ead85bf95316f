"""Which numbers rest on data that are derived, not downloaded from the venue, by the archives' notes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perp_pipeline.research.words import venue_words

if TYPE_CHECKING:
    from perp_pipeline.sources.pinned import PinnedArchive
    from perp_pipeline.steps import Step

_DERIVED = re.compile(r"\bDerived: (.+?)(?:\.(?=\s|$)|$)")


@dataclass(frozen=True)
class Caveat:
    """A warning about the numbers of one venue.

    Attributes:
        venue: as people write it, and as numbers of claims name it.
        tables: the derived table and all that are built from it.
        text: one sentence.
    """

    venue: str
    tables: frozenset[str]
    text: str


def derived_sources(
    archives: Iterable[PinnedArchive], digests: Collection[str], steps: Iterable[Step]
) -> tuple[Caveat, ...]:
    """A caveat for each archive whose notes say ``Derived:`` and whose bytes a lake was built from.

    Args:
        archives: the declared ones.
        digests: sha256 of the lake's stored bodies.
        steps: what is built from what.
    """
    steps = tuple(steps)
    found = []
    for archive in archives:
        how = _DERIVED.search(archive.notes)
        if how is None or not archive.sha256 or archive.sha256 not in digests:
            continue
        venue = venue_words(archive.venue)
        text = f"The data of {venue} are derived, not downloaded from the venue: {how[1]}."
        found.append(Caveat(venue, _built_from(archive.table, steps), text))
    return tuple(found)


def caveats_of(claim: Mapping[str, Any], labels: Iterable[str], caveats: Iterable[Caveat]) -> list[str]:
    """Caveats of a claim: those on tables that it reads, of venues that its numbers are about.

    Args:
        claim: a row of out_claims; without data nothing rests on anything.
        labels: what its numbers are, beside those that its reason names.
    """
    if claim["verdict"] == "no data":
        return []
    read = set(str(claim["table"]).split(", "))
    told = " ".join([str(claim["reason"]), *labels])
    return [caveat.text for caveat in caveats if read & caveat.tables and caveat.venue in told]


def _built_from(table: str, steps: Iterable[Step]) -> frozenset[str]:
    reached = {table}
    grown = True
    while grown:
        more = {step.output.name for step in steps if any(item.table in reached for item in step.inputs)}
        grown = not more <= reached
        reached |= more
    return frozenset(reached)
