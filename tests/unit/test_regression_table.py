"""Printed regression tables: cells, stars, well-formed HTML and LaTeX."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pandas as pd
import pytest

from perp_pipeline.research.regression_table import regression_table, stars

ROWS = pd.DataFrame(
    [
        ("binance", "BTC", "h30_accrual", "const", "all", 0.15, 0.03, 0.0001, 0.26, 1025, 42),
        ("binance", "BTC", "h30_accrual", "same_day", "all", 0.302, 0.462, 0.5, 0.26, 1025, 42),
        ("binance", "BTC", "h30_accrual", "prior", "all", 0.622, 0.1, 0.001, 0.26, 1025, 42),
        ("cme", "BTC", "h7_settle-cm30_std", "prior", "all", 0.5, 0.2, 0.03, float("nan"), 713, 35),
        (
            "cme",
            "BTC",
            "h7_settle-cm30_std",
            "prior_minus_same",
            "all",
            0.4,
            0.22,
            0.07,
            float("nan"),
            713,
            35,
        ),
        ("binance", "BTC", "h30_accrual_std", "prior_minus_same", "all", 0.47, 0.1, 0.0004, 0.26, 1025, 42),
    ],
    columns=["venue", "base", "spec", "term", "period", "estimate", "se", "p", "r2", "n", "hac_lags"],
)
ROWS["t"], ROWS["critical"] = ROWS["estimate"] / ROWS["se"], 2.3
BOTH = [("binance", "BTC", "h30_accrual", "all"), ("cme", "BTC", "h7_settle-cm30_std", "all")]


def test_cells() -> None:
    frame = regression_table(ROWS, BOTH).frame
    first, second = frame.columns
    assert (first, second) == ("(1) Binance BTC", "(2) CME BTC")
    assert frame.loc["Return, prior 30 days", first] == "0.622***"
    assert frame.loc["Return, prior 30 days (s.e.) [t; critical]", first] == "(0.100) [6.22; 2.30]"
    assert frame.loc["Return, same day", second] == ""
    assert frame.loc["Return, prior 7 days", second] == "0.500**"
    assert frame.loc["Prior minus same day", second] == "0.400*"
    assert frame.loc["Observations", first] == "1,025"
    assert frame.loc["R2", second] == ""
    labels = [label for label in frame.index if "[t; critical]" not in label]
    assert labels[:3] == ["Return, same day", "Return, prior 7 days", "Return, prior 30 days"]


def test_a_raw_regression_has_the_contrast_of_its_standardised_twin() -> None:
    frame = regression_table(ROWS, BOTH).frame
    first, second = frame.columns
    label = "Prior less same day, standardised"
    assert frame.loc[label, first] == "0.470***"
    assert frame.loc[f"{label} t, p", first] == "t = 4.70, p < 0.001"
    assert frame.loc[label, second] == "", "it has no twin: it is standardised itself"
    assert list(frame.index).index(label) > list(frame.index).index("Constant")


def test_html_is_well_formed_and_complete() -> None:
    table = regression_table(ROWS, BOTH)
    root = ET.fromstring(table.html)
    cells = ["".join(cell.itertext()) for cell in root.iter("td")]
    assert "0.622***" in cells and "(0.462) [0.65; 2.30]" in cells
    panels = root.findall("tbody")
    assert ["".join(panel[0].itertext()) for panel in panels] == ["Binance(1) BTC", "CME(2) BTC"]
    assert all(len(row) == 2 for panel in panels for row in panel)
    assert "Return, same day" not in "".join(panels[1].itertext()), "CME has no such row"


def test_panels_of_fewer_regressions_are_as_wide_as_the_others() -> None:
    more = [*BOTH, ("binance", "BTC", "h30_accrual", "all")]
    root = ET.fromstring(regression_table(ROWS, more).html)
    assert {len(row) for panel in root.findall("tbody") for row in panel} == {3}


def test_latex_has_balanced_rows_and_escaped_names() -> None:
    latex = regression_table(ROWS, BOTH).latex
    rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert {line.count("&") for line in rows} == {1}
    assert "accrual days" in latex
    assert "p $<$ 0.001" in latex
    assert latex.startswith(r"\begin{tabular}{lr}") and latex.endswith(r"\par}")
    assert latex.count(r"\begin{tabular}") == 2, "a panel for each venue"


def test_a_regression_that_is_not_there_is_named() -> None:
    with pytest.raises(KeyError, match="h90_accrual of binance BTC in 2021"):
        regression_table(ROWS, [("binance", "BTC", "h90_accrual", "2021")])


def test_stars() -> None:
    assert [stars(p) for p in (0.2, 0.09, 0.04, 0.009)] == ["", "*", "**", "***"]
