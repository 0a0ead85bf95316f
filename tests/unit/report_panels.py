"""What a figure shows: its texts, its panels, their lines."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure


def texts_of(figure: Figure) -> list[str]:
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [text.get_text() for text in figure.texts] + inside


def panel_of(figure: Figure, heading: str) -> mpl.axes.Axes:
    return next(axes for axes in figure.axes if axes.get_label() == heading)


def line_of(figure: Figure, heading: str, label: str) -> np.ndarray:
    lines = {str(line.get_label()): line for line in panel_of(figure, heading).lines}
    return np.asarray(lines[label].get_ydata(), dtype=float)
