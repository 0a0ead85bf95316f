"""What claims rest on that does not come from the venues themselves: public copies, plots read off."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from perp_pipeline import contracts
from perp_pipeline.research.words import venue_words
from perp_pipeline.settings import Settings
from perp_pipeline.sources.amm_archives import load_archives as load_amm_archives
from perp_pipeline.sources.pinned import PinnedArchive, archives_for, load_archives


def raw_tables(tables: Iterable[str]) -> list[str]:
    """Raw tables that some tables are made from, directly or through others, in order of name."""
    from perp_pipeline.tables import STEPS

    inputs = {step.output.name: [item.table for item in step.inputs] for step in STEPS}
    found: set[str] = set()
    ahead = list(tables)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += inputs.get(name, [])
    return sorted(name for name in found if name.startswith("raw_"))


def copies_behind(
    tables: Iterable[str], text: str, settings: Settings, holds: Callable[[str], bool]
) -> list[str]:
    """Lines on the pinned public files below some tables, from their contracts and the lists of archives.

    Files of venues that the text names come with their notes, and their table with all that its contract
    says; other tables are named with the number of their files. Where it names none, each table is told.

    Args:
        tables: those that a claim reads.
        text: what a claim says of itself: its statement, definition and the labels of its numbers.
        holds: whether the lake has rows of a raw table.
    """
    archives = load_archives(settings.archives)
    pools = load_amm_archives()
    told: list[str] = []
    others: dict[str, list[str]] = {}
    for name in raw_tables(tables):
        files = archives_for(archives, name)
        names = [_titled(file) for file in files]
        names += [archive.name for archive in pools if name == f"raw_amm_{archive.kind}"]
        if not names or not holds(name):
            continue
        named = [file for file in files if _named(file, text)]
        if named:
            told.append(f"{name}: {contracts.get(name).doc}")
            told += [f"{name}: {_titled(file)}: {file.notes}" for file in named]
            names = [title for title in names if title not in {_titled(file) for file in named}]
        if names:
            others[name] = names
    if told and others:
        counts = [
            f"{name} ({len(names)} file{'s' if len(names) > 1 else ''})" for name, names in others.items()
        ]
        return [*told, f"others below the same tables: {', '.join(counts)}"]
    return told or [
        f"{name}: {contracts.get(name).doc} Files: {', '.join(names)}." for name, names in others.items()
    ]


def _named(file: PinnedArchive, text: str) -> bool:
    return venue_words(file.venue).casefold() in text.casefold()


def _titled(file: PinnedArchive) -> str:
    about = f"{venue_words(file.venue)} {file.symbol}".strip()
    return f"{file.name} ({about})"
