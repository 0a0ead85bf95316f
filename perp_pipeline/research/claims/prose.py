"""Docstrings as texts for people: paragraphs on one line each, whatever the width of the source."""

from __future__ import annotations

import re

_ITEM = re.compile(r"([-*+]|\d+[.)]) ")


def reflowed(text: str) -> str:
    """The text with each paragraph on one line; blank lines, list items and indented blocks stay apart."""
    lines: list[str] = []
    joins = False
    for line in text.splitlines():
        told = line.strip()
        starts = not told or _ITEM.match(told) is not None or line != line.lstrip()
        item = bool(lines) and _ITEM.match(lines[-1].strip()) is not None
        if joins and told and (not starts or (item and not _ITEM.match(told))):
            lines[-1] = f"{lines[-1]} {told}"
        else:
            lines.append(line.rstrip())
        # What follows a block that is indented keeps its own line, unless the block is an item of a list.
        joins = bool(told) and (line == line.lstrip() or _ITEM.match(lines[-1].strip()) is not None)
    return "\n".join(lines)
