"""The look that all pictures of a run share."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lepton_pipeline.system.readable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GREY, RULE, PALE = "#222222", "#6b6b6b", "#b8b8b8", "#d9d9d9"
BLUE = "#0067a5"
# Comes with matplotlib, so that a picture does not depend on the fonts of the machine.
FONT = "DejaVu Sans"
# Left edge of what a page shows, in fractions of its width.
LEFT = 0.08
_SIZE, _DPI = (9.6, 6.2), 160


def new_page(title: str, subtitle: str, caution: str) -> Figure:
    """A page with a headline that says what is seen, what it is drawn from, and the caution beside every result."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    page = Figure(figsize=_SIZE, dpi=_DPI, facecolor="white")
    FigureCanvasAgg(page)
    page.text(LEFT, 0.945, title, fontsize=15, fontweight="bold", color=INK, family=FONT)
    page.text(LEFT, 0.902, subtitle, **small_print(10))
    page.text(LEFT, 0.014, caution, **small_print(10) | {"color": INK})
    return page


def add_axes(page: Figure, box: tuple[float, float, float, float], across: str, up: str, size: float = 10) -> Axes:
    """Add axes with a grid to a box: left edge, bottom, width and height in fractions of the page."""
    axes = page.add_axes(box)
    axes.set_xlabel(across, fontsize=size, color=INK, family=FONT, labelpad=6)
    axes.set_ylabel(up, fontsize=size, color=INK, family=FONT, labelpad=6)
    axes.tick_params(length=0, pad=5, labelsize=size - 1, labelcolor=GREY, labelfontfamily=FONT)
    axes.grid(color="#ececec", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    return axes


def small_print(size: float = 9) -> dict[str, Any]:
    """The look of notes, as arguments of matplotlib's texts."""
    return {"fontsize": size, "color": GREY, "family": FONT}


def as_png(page: Figure) -> bytes:
    """Draw a page; equal pages give equal bytes."""
    buffer = io.BytesIO()
    with plain_text(page):
        # Without the name and version of matplotlib in the file.
        page.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


@contextmanager
def plain_text(page: Figure) -> Iterator[None]:
    """Draw every text as it is: between two `$` of a name, matplotlib would see a formula, and refuse a wrong one.

    Control characters are drawn escaped. What the font lacks is drawn as a box, without a warning for each.
    """
    import matplotlib as mpl
    from matplotlib.text import Text

    # Ticks are made anew while a page is drawn.
    with mpl.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        for text in page.findobj(Text):
            text.set_parse_math(False)
            text.set_text(printable(text.get_text()))
        yield
