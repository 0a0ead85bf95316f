"""Regression tables as papers print them, from rows of out_regressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from perp_pipeline.research.words import alignment_words, venue_words

LABELS = {
    "same_day": "Return, same day",
    "prior": "Return, prior {horizon} days",
    "lagged_funding": "Funding, day before",
    "const": "Constant",
    "prior_minus_same": "Prior minus same day",
}


@dataclass(frozen=True)
class RegressionTable:
    """One regression table in three forms.

    Attributes:
        frame: text cells; the index are the printed row labels, the columns the regressions.
        html: a ``<table>`` element.
        latex: a ``tabular`` environment (booktabs).
    """

    frame: pd.DataFrame
    html: str
    latex: str


def regression_table(
    out_regressions: pd.DataFrame, regressions: Sequence[tuple[str, str, str, str]], digits: int = 3
) -> RegressionTable:
    """Coefficients with stars, errors, t and critical values, n, R2 and lags below: one column a regression.

    Args:
        out_regressions: the table.
        regressions: (venue, base, spec, period) of each column, in print order.
        digits: decimals of coefficients and errors.

    Raises:
        KeyError: a regression is not in the table; the message names it.
    """
    columns: dict[str, dict[str, str]] = {}
    for number, (venue, base, spec, period) in enumerate(regressions, start=1):
        rows = out_regressions[
            (out_regressions["venue"] == venue)
            & (out_regressions["base"] == base)
            & (out_regressions["spec"] == spec)
            & (out_regressions["period"] == period)
        ].set_index("term")
        if rows.empty:
            raise KeyError(f"out_regressions has no {spec} of {venue} {base} in {period}")
        columns[f"({number}) {venue_words(venue)} {base}"] = _column(rows, spec, period, digits)
    foot = ["Specification", "Period", "Observations", "R2", "Newey-West lags"]
    labels = dict.fromkeys(label for cells in columns.values() for label in cells if label not in foot)
    frame = pd.DataFrame(columns, index=[*_paired(labels), *foot]).fillna("")
    return RegressionTable(frame, _html(frame), _latex(frame))


def stars(p: float) -> str:
    """``***`` below 1 %, ``**`` below 5 %, ``*`` below 10 %."""
    return "*" * sum(p < level for level in (0.10, 0.05, 0.01))


def _column(rows: pd.DataFrame, spec: str, period: str, digits: int) -> dict[str, str]:
    horizon = spec.partition("_")[0].removeprefix("h")
    cells: dict[str, str] = {}
    for term, pattern in LABELS.items():
        if term in rows.index:
            label = pattern.format(horizon=horizon)
            row = rows.loc[term]
            cells[label] = f"{row['estimate']:.{digits}f}{stars(row['p'])}"
            cells[label + _ERROR] = f"({row['se']:.{digits}f})"
            cells[label + _TEST] = f"[{row['t']:.2f}; {row['critical']:.2f}]"
    first = rows.iloc[0]
    r2 = "" if pd.isna(first["r2"]) else f"{first['r2']:.3f}"
    cells |= {
        "Specification": alignment_words(spec),
        "Period": period,
        "Observations": f"{int(first['n']):,}",
        "R2": r2,
    }
    return cells | {"Newey-West lags": str(int(first["hac_lags"]))}


_ERROR = " (s.e.)"
_TEST = " [t; critical]"


def _paired(labels: Sequence[str] | dict[str, None]) -> list[str]:
    """Coefficient labels in the order of LABELS (any horizon), each followed by its error and its test."""
    order = [pattern.partition("{")[0] for pattern in LABELS.values()]

    def place(label: str) -> tuple[int, str, int]:
        name = label.removesuffix(_ERROR).removesuffix(_TEST)
        rank = next(index for index, start in enumerate(order) if name.startswith(start))
        return rank, f"{len(name):04d}{name}", label.endswith(_ERROR) + 2 * label.endswith(_TEST)

    return sorted(labels, key=place)


def _shown(label: str) -> str:
    return "" if label.endswith((_ERROR, _TEST)) else label


def _html(frame: pd.DataFrame) -> str:
    head = "".join(f"<th scope='col'>{escape(str(name))}</th>" for name in frame.columns)
    body = "".join(
        f"<tr><th scope='row'>{escape(_shown(label))}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for label, cells in zip(frame.index, frame.to_numpy(dtype=str), strict=True)
    )
    note = f"<tfoot><tr><td colspan='{len(frame.columns) + 1}'>{escape(NOTE)}</td></tr></tfoot>"
    top = f"<thead><tr><th></th>{head}</tr></thead>"
    return f"<table class='regression'>{top}<tbody>{body}</tbody>{note}</table>"


NOTE = (
    "Newey-West standard errors in parentheses; in brackets t and its critical value at 5 % (columns t and "
    "critical of out_regressions; of a standardised effect those of its slope). Stars by p, two-sided, of "
    "the normal distribution at 1.96 t / critical: * p < 0.10, ** p < 0.05, *** p < 0.01."
)

_TEX = str.maketrans({"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$"})


def _latex(frame: pd.DataFrame) -> str:
    def line(cells: Sequence[str]) -> str:
        return " & ".join(cell.translate(_TEX) for cell in cells) + r" \\"

    values = frame.to_numpy(dtype=str)
    first_foot = int(np.flatnonzero(frame.index == "Specification")[0])
    body = [line([_shown(label), *cells]) for label, cells in zip(frame.index, values, strict=True)]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * len(frame.columns)}}}",
            r"\toprule",
            line(["", *(str(name) for name in frame.columns)]),
            r"\midrule",
            *body[:first_foot],
            r"\midrule",
            *body[first_foot:],
            r"\bottomrule",
            rf"\multicolumn{{{len(frame.columns) + 1}}}{{l}}{{\footnotesize {NOTE.translate(_TEX)}}}",
            r"\end{tabular}",
        ]
    )
