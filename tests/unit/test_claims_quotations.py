"""Texts in quotation marks in the claims register are the essays' own words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from perp_pipeline.research import claims

MODULES = sorted(Path(claims.__file__).parent.glob("*.py"))
_QUOTED = re.compile(r'["“]([^"“”]+)["”]')


def _quotations(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _QUOTED.findall(node.value)


def _words(text: str) -> str:
    return " ".join(text.split()).casefold()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_what_stands_in_quotation_marks_was_published(module: Path, shared: Path) -> None:
    published = _words((shared / "claims.md").read_text(encoding="utf-8"))
    for quoted in _quotations(module):
        assert _words(quoted).rstrip(".,") in published, quoted


def test_quotations_are_found() -> None:
    assert any(_quotations(module) for module in MODULES)
