from pathlib import Path

from perp_pipeline import contracts
from perp_pipeline.contracts.docs import render

FOLDER = Path(__file__).parents[2] / "docs" / "tables"


def test_pages_on_disk_are_those_of_the_contracts() -> None:
    on_disk = {file.name: file.read_text() for file in FOLDER.glob("*.md")}
    assert on_disk == render(), "run: python -m perp_pipeline.contracts.docs docs/tables"


def test_every_column_says_what_it_is_and_numbers_say_their_unit() -> None:
    silent = [
        f"{contract.name}.{column.name}"
        for contract in contracts.tables().values()
        for column in contract.columns
        if not column.doc or (column.kind == "float64" and not column.unit)
    ]
    assert silent == []
