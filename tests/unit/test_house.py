"""The dependency rule of the house, read off the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import perp_pipeline

ROOT = Path(perp_pipeline.__file__).parent
LAYERS = {"sources": 0, "prices": 1, "funding": 1, "futures": 1, "amm": 1, "research": 2, "report": 3}


def imports_of(file: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def library() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def test_dagster_is_imported_only_by_its_own_house() -> None:
    guilty = [
        str(file.relative_to(ROOT))
        for file in library()
        if any(name.split(".")[0] == "dagster" for name in imports_of(file))
        and file.parent.name != "orchestration"
        and file.name != "definitions.py"
    ]
    assert guilty == []


def test_great_expectations_is_imported_only_by_quality() -> None:
    guilty = [
        str(file.relative_to(ROOT))
        for file in library()
        if any(name.split(".")[0] == "great_expectations" for name in imports_of(file))
        and file.parent.name != "quality"
    ]
    assert guilty == []


def test_data_flow_one_way() -> None:
    guilty = []
    for file in library():
        package = file.relative_to(ROOT).parts[0]
        if package not in LAYERS:
            continue
        for name in imports_of(file):
            parts = name.split(".")
            if parts[0] == "perp_pipeline" and LAYERS.get(parts[1], -1) > LAYERS[package]:
                guilty.append(f"{file.relative_to(ROOT)} imports {name}")
    assert guilty == []


@pytest.mark.parametrize("module", ["perp_pipeline.definitions", "perp_pipeline.cli", "perp_pipeline.runner"])
def test_importing_loads_nothing_heavy_and_touches_no_network(module: str) -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('network at import')\n"
        "socket.socket.connect = refuse\n"
        f"import {module}\n"
        "heavy = {'great_expectations', 'statsmodels', 'scipy', 'matplotlib', 'polars', 'duckdb'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
