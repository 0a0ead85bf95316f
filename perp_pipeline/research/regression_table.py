"""Regression tables as papers print them, from rows of out_regressions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
CONTRAST = "prior_minus_same"
CONTRAST_LABEL = "Prior less same day, standardised"


@dataclass(frozen=True)
class RegressionTable:
    """One regression table in three forms.

    Attributes:
        frame: text cells; the index are the printed row labels, the columns the regressions.
        html: a ``<table>`` element, empty without regressions; where there are several venues, a panel for
            each, one below the other.
        latex: ``tabular`` environments (booktabs), one a panel, and the note below them.
    """

    frame: pd.DataFrame
    html: str
    latex: str


@dataclass(frozen=True)
class _Panel:
    """The regressions of one venue: rows that none of them has are left out."""

    heading: str
    frame: pd.DataFrame


def regression_table(
    out_regressions: pd.DataFrame, regressions: Sequence[tuple[str, str, str, str]], digits: int = 3
) -> RegressionTable:
    """Coefficients with stars, errors, t and critical values, n, R2 and lags below: one column a regression.

    A raw regression whose standardised twin is in the table has the twin's contrast below its coefficients:
    the effect of the prior days less that of the same day, with t and p of the Wald test that they are equal.

    Args:
        out_regressions: the table.
        regressions: (venue, base, spec, period) of each column, in print order.
        digits: decimals of coefficients and errors.

    Raises:
        KeyError: a regression is not in the table; the message names it.
    """
    keys = ["venue", "base", "spec", "period"]
    found = {key: rows.set_index("term") for key, rows in out_regressions.groupby(keys, sort=False)}
    columns: dict[str, dict[str, str]] = {}
    venues: dict[str, list[str]] = {}
    for number, key in enumerate(map(tuple, regressions), start=1):
        venue, base, spec, period = key
        if key not in found:
            raise KeyError(f"out_regressions has no {spec} of {venue} {base} in {period}")
        twin = found.get((venue, base, f"{spec}_std", period))
        name = f"({number}) {venue_words(venue)} {base}"
        columns[name] = _column(found[key], twin, spec, period, digits)
        venues.setdefault(venue, []).append(name)
    labels = dict.fromkeys(label for cells in columns.values() for label in cells if label not in _FOOT)
    frame = pd.DataFrame(columns, index=[*_ordered(labels), *_FOOT]).fillna("")
    panels = [_panel(frame[names], venue, len(venues) > 1) for venue, names in venues.items()]
    note = rf"{{\footnotesize {NOTE.translate(_TEX)}\par}}"
    return RegressionTable(frame, _html(panels), "\n\n\\medskip\n\n".join([*map(_latex, panels), note]))


def stars(p: float) -> str:
    """``***`` below 1 %, ``**`` below 5 %, ``*`` below 10 %."""
    return "*" * sum(p < level for level in (0.10, 0.05, 0.01))


_ERROR = " (s.e.) [t; critical]"
_TEST = " t, p"
_FOOT = ("Specification", "Period", "Observations", "R2", "Newey-West lags")


def _column(
    rows: pd.DataFrame, twin: pd.DataFrame | None, spec: str, period: str, digits: int
) -> dict[str, str]:
    horizon = spec.partition("_")[0].removeprefix("h")
    cells: dict[str, str] = {}
    for term, pattern in LABELS.items():
        if term in rows.index:
            label = pattern.format(horizon=horizon)
            row = rows.loc[term]
            cells[label] = f"{row['estimate']:.{digits}f}{stars(row['p'])}"
            cells[label + _ERROR] = f"({row['se']:.{digits}f}) [{row['t']:.2f}; {row['critical']:.2f}]"
    if twin is not None and CONTRAST in twin.index:
        row = twin.loc[CONTRAST]
        cells[CONTRAST_LABEL] = f"{row['estimate']:.{digits}f}{stars(row['p'])}"
        p = "p < 0.001" if row["p"] < 0.001 else f"p = {row['p']:.3f}"
        cells[CONTRAST_LABEL + _TEST] = f"t = {row['t']:.2f}, {p}"
    first = rows.iloc[0]
    r2 = "" if pd.isna(first["r2"]) else f"{first['r2']:.3f}"
    told = (alignment_words(spec), period, f"{int(first['n']):,}", r2, str(int(first["hac_lags"])))
    return cells | dict(zip(_FOOT, told, strict=True))


def _ordered(labels: Iterable[str]) -> list[str]:
    """Coefficient labels in the order of LABELS (any horizon), then the contrast, each before its test."""
    order = [*(pattern.partition("{")[0] for pattern in LABELS.values()), CONTRAST_LABEL]

    def place(label: str) -> tuple[int, str, bool]:
        name = label.removesuffix(_ERROR).removesuffix(_TEST)
        rank = next(index for index, start in enumerate(order) if name.startswith(start))
        return rank, f"{len(name):04d}{name}", name != label

    return sorted(labels, key=place)


def _panel(frame: pd.DataFrame, venue: str, several: bool) -> _Panel:
    held = frame[(frame != "").any(axis=1)]
    words = venue_words(venue)
    if not several:
        return _Panel("", held)
    return _Panel(words, held.rename(columns=lambda name: name.replace(f" {words} ", " ")))


def _shown(label: str) -> str:
    return "" if label.endswith((_ERROR, _TEST)) else label


def _html(panels: Sequence[_Panel]) -> str:
    if not panels:
        return ""
    wide = max(len(panel.frame.columns) for panel in panels)
    bodies = "".join(f"<tbody>{''.join(_html_rows(panel, wide))}</tbody>" for panel in panels)
    note = f"<tfoot><tr><td colspan='{wide + 1}'>{escape(NOTE)}</td></tr></tfoot>"
    return f"<table class='regression'>{bodies}{note}</table>"


def _html_rows(panel: _Panel, wide: int) -> Iterator[str]:
    rest = wide - len(panel.frame.columns)
    empty = "<td></td>" * rest
    names = "".join(f"<th scope='col'>{escape(str(name))}</th>" for name in panel.frame.columns)
    yield f"<tr class='head'><th scope='col'>{escape(panel.heading)}</th>{names}{empty}</tr>"
    for label, cells in zip(panel.frame.index, panel.frame.to_numpy(dtype=str), strict=True):
        under = next((ending for ending in (_ERROR, _TEST) if label.endswith(ending)), "")
        body = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        kind = " class='under'" if under else ""
        yield f"<tr{kind}><th scope='row'>{escape(under.strip() or label)}</th>{body}{empty}</tr>"


NOTE = (
    "Below each coefficient its Newey-West standard error in parentheses, in brackets t and its critical "
    "value at 5 %. Stars by p, two-sided, of the normal distribution at 1.96 t / critical: * p < 0.10, "
    "** p < 0.05, *** p < 0.01. Prior less same day, standardised: effect of the prior days less that of "
    "the same day, in standard deviations, in the same regression of standardised series; t and p of the "
    "Wald test that the two are equal."
)

_TEX = str.maketrans({"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "<": r"$<$"})


def _latex(panel: _Panel) -> str:
    def line(cells: Iterable[str]) -> str:
        return " & ".join(cell.translate(_TEX) for cell in cells) + r" \\"

    frame = panel.frame
    first_foot = int(np.flatnonzero(frame.index == _FOOT[0])[0])
    values = frame.to_numpy(dtype=str)
    body = [line([_shown(label), *cells]) for label, cells in zip(frame.index, values, strict=True)]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{l{'r' * len(frame.columns)}}}",
            r"\toprule",
            line([panel.heading, *(str(name) for name in frame.columns)]),
            r"\midrule",
            *body[:first_foot],
            r"\midrule",
            *body[first_foot:],
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
