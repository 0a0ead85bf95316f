"""The look of every figure, and figures as bytes.

Figures are matplotlib ``Figure`` objects laid out in pixels of an 800-pixel page; no pyplot state is
touched. Colours come from Okabe and Ito's colour-blind safe palette, darkened until text in them reads on
white; each role has a second value for dark pages.
"""

from __future__ import annotations

import base64
import io
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 800
"""Width of a figure in pixels at :data:`SCREEN_DPI`."""
SCREEN_DPI = 100
FILE_DPI = 200

_FOOTER, _FOOTER_LINE = 126, 13
"""Characters of the source line that a figure is wide enough for, and pixels of a further line."""

COLOURS: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#14181d"),
    "ink": ("#1f2328", "#e8eaed"),
    "muted": ("#59626c", "#a3adb8"),
    "grid": ("#dde1e6", "#323a43"),
    "zero": ("#7d8791", "#7c8691"),
    "vermillion": ("#c04a00", "#ff9a5e"),
    "blue": ("#0068a8", "#62b6f7"),
    "green": ("#007a5c", "#3fd0a4"),
    "purple": ("#96447f", "#e39acb"),
    "ochre": ("#8a6900", "#e0c04c"),
    "slate": ("#50607a", "#a9b8d0"),
    "brown": ("#7d4a28", "#d8a483"),
    "teal": ("#0b7285", "#66d0e0"),
}
"""Role -> (colour on a light page, colour on a dark page)."""

_VENUES = {
    "binance": "vermillion",
    "bitmex": "blue",
    "cme": "green",
    "deribit": "purple",
    "dydx_v3": "ochre",
    "ftx": "slate",
    "hyperliquid": "brown",
    "bybit": "teal",
}
_OTHERS = ("purple", "ochre", "slate", "brown", "teal")

_RC: dict[str, object] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.parse_math": False,
    "text.color": COLOURS["ink"][0],
    "axes.edgecolor": COLOURS["grid"][0],
    "axes.labelcolor": COLOURS["ink"][0],
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "xtick.color": COLOURS["muted"][0],
    "ytick.color": COLOURS["muted"][0],
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "ytick.major.size": 0,
    "figure.facecolor": COLOURS["paper"][0],
    "savefig.facecolor": "auto",
    "svg.fonttype": "none",
    "svg.hashsalt": "perp_pipeline",
    "path.simplify": True,
}


def colour(role: str) -> str:
    """The light-page colour of a role in :data:`COLOURS`."""
    return COLOURS[role][0]


def venue_colour(venue: str, others: tuple[str, ...] = ()) -> str:
    """The colour of a venue: fixed for those of the essays, else by its place among ``others``."""
    if venue in _VENUES:
        return colour(_VENUES[venue])
    rest = sorted(set(others) - set(_VENUES))
    place = rest.index(venue) if venue in rest else 0
    return colour(_OTHERS[place % len(_OTHERS)])


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's defaults plus the house settings, whatever the user's matplotlibrc says."""
    import matplotlib.style

    with matplotlib.style.context(_RC, after_reset=True):
        yield


def canvas(height: int, title: str, subtitle: str, footer: str) -> Figure:
    """An empty figure, :data:`WIDTH` by ``height`` pixels, with title, subtitle and source line.

    Axes belong between 62 pixels below the top and 30 pixels above the bottom; see :func:`place`. A source
    line that is too long for one is set in several, and the figure is so much taller.
    """
    from matplotlib.figure import Figure

    lines = textwrap.wrap(footer, _FOOTER)
    height += _FOOTER_LINE * max(0, len(lines) - 1)
    footer = "\n".join(lines)
    figure = Figure(figsize=(WIDTH / SCREEN_DPI, height / SCREEN_DPI), dpi=SCREEN_DPI)
    figure.text(12 / WIDTH, 1 - 10 / height, title, va="top", fontsize=12, fontweight="bold", gid="title")
    figure.text(
        12 / WIDTH, 1 - 33 / height, subtitle, va="top", fontsize=9, color=colour("muted"), gid="subtitle"
    )
    figure.text(12 / WIDTH, 9 / height, footer, va="bottom", fontsize=8, color=colour("muted"), gid="source")
    return figure


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes by pixels counted from the figure's top left corner."""
    tall = figure.get_figheight() * SCREEN_DPI
    box = (left / WIDTH, 1 - (top + height) / tall, width / WIDTH, height / tall)
    return figure.add_axes(box)


def moved_apart(values: Sequence[float], gap: float) -> list[float]:
    """Heights for labels at ascending ``values`` so that neighbours are at least ``gap`` apart."""
    spots = list(values)
    for _ in range(60):
        for i in range(1, len(spots)):
            overlap = gap - (spots[i] - spots[i - 1])
            if overlap > 0:
                spots[i - 1] -= overlap / 2
                spots[i] += overlap / 2
    return spots


def date_axis(axes: Axes) -> None:
    """Few, short date labels in UTC, whatever the span."""
    import matplotlib.dates as dates

    library: Any = dates
    locator = library.AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(library.ConciseDateFormatter(locator, show_offset=False))


def render(figure: Figure, dpi: int = FILE_DPI) -> dict[str, bytes]:
    """A figure as ``{"png": bytes, "svg": bytes}``; the same figure gives the same bytes.

    Args:
        dpi: of the PNG; 100 gives 800 pixels.
    """
    with house_style():
        png, svg = io.BytesIO(), io.BytesIO()
        figure.savefig(png, format="png", dpi=dpi, metadata={"Software": None})
        figure.savefig(
            svg, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return {"png": png.getvalue(), "svg": svg.getvalue()}


def as_markdown_image(figure: Figure, alt: str = "") -> str:
    """Markdown with the figure inside as a base64 PNG, for Dagster's ``MetadataValue.md``."""
    with house_style():
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=SCREEN_DPI, metadata={"Software": None})
    text = re.sub(r"[\[\]\s]+", " ", alt or figure_title(figure)).strip()
    return f"![{text}](data:image/png;base64,{base64.b64encode(png.getvalue()).decode()})"


def figure_title(figure: Figure) -> str:
    """The title that :func:`canvas` wrote."""
    return next((text.get_text() for text in figure.texts if text.get_gid() == "title"), "")


def inline_svg(svg: bytes, slug: str, title: str, description: str) -> str:
    """An SVG file as an element of an HTML page.

    Ids get the prefix ``slug`` (several figures share a page), colours of :data:`COLOURS` become CSS
    variables ``--fig-<role>`` that the page may redefine for dark mode, and title and description are added
    for screen readers. ``title`` and ``description`` are plain text.
    """
    from html import escape

    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{slug}-\1"', text)
    text = re.sub(r'((?:xlink:)?href="|url\()#', rf"\1#{slug}-", text)
    for role, (light, _) in COLOURS.items():
        text = text.replace(light, f"var(--fig-{role}, {light})")
    opening = text[: text.index(">")]
    opening = re.sub(r'\s(width|height)="[^"]*"', "", opening)
    names = f'role="img" aria-labelledby="{slug}-name {slug}-desc"'
    head = (
        f'{opening} {names}><title id="{slug}-name">{escape(title)}</title>'
        f'<desc id="{slug}-desc">{escape(description)}</desc>'
    )
    return head + text[text.index(">") + 1 :]
