"""Draw what a model reads out of its main columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lepton_pipeline.model.typical import MISSING, show
from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.page import BLUE, FONT, GREY, INK, LEFT, add_axes, as_png, new_page, small_print
from lepton_pipeline.system.readable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BARS = 12
_ACROSS, _DOWN = 2, 3
# In fractions of the page.
_TOP, _BOTTOM, _RIGHT = 0.79, 0.125, 0.97
_BARS_LEFT, _BARS_RIGHT, _PANELS_LEFT, _GAP_ACROSS, _GAP_DOWN = 0.2, 0.43, 0.52, 0.06, 0.115
# Names and values of data are of any length.
_NAME, _LABEL = 19, 8
_CROWDED = 4


def draw_explanation(explanation: dict[str, Any], about: About) -> dict[str, bytes]:
    """Draw importance, and the effects of the main columns, on one page.

    Args:
        explanation: as `explain_model` returns it.
        about: the caution that stands on every picture.

    Returns:
        A PNG file by name, `explanation.png`. Equal arguments give equal bytes.
    """
    first = explanation["importance"][0]
    title = f"{_short(first['column'], 32)} matters most: shuffled, the AUC falls by {first['value']:.3f}"
    rows, times = f"{explanation['rows']:,} test rows", f"{explanation['permutations']} permutations"
    page = new_page(title, f"{rows}, {times}; bars: 95 % intervals; associations, not causes", about.caution)
    _draw_importance(page, explanation)
    width = (_RIGHT - _PANELS_LEFT - _GAP_ACROSS * (_ACROSS - 1)) / _ACROSS
    height = (_TOP - _BOTTOM - _GAP_DOWN * (_DOWN - 1)) / _DOWN
    effects = explanation["effects"][: _ACROSS * _DOWN]
    highest = max((point["high"] for effect in effects for point in effect["points"]), default=1.0)
    for place, effect in enumerate(effects):
        left = _PANELS_LEFT + place % _ACROSS * (width + _GAP_ACROSS)
        floor = _TOP - height - place // _ACROSS * (height + _GAP_DOWN)
        axes = add_axes(page, (left, floor, width, height), "", "", size=8.5)
        _draw_effect(axes, effect, highest)
    head: dict[str, Any] = {"fontsize": 10.5, "fontweight": "bold", "color": INK, "family": FONT}
    page.text(LEFT, 0.845, "Importance", **head)
    page.text(_PANELS_LEFT - 0.035, 0.845, "Mean probability if all rows had the value", **head)
    return {"explanation.png": as_png(page)}


def _draw_importance(page: Figure, explanation: dict[str, Any]) -> None:
    shown = explanation["importance"][:_BARS]
    axes = add_axes(page, (_BARS_LEFT, _BOTTOM, _BARS_RIGHT - _BARS_LEFT, _TOP - _BOTTOM), "Fall of the AUC", "", 9)
    for place, each in enumerate(shown):
        # What cannot be told from no importance is grey.
        colour = BLUE if each["low"] > 0 else GREY
        axes.hlines(place, each["low"], each["high"], color=colour, linewidth=1.6, zorder=3)
        axes.plot(each["value"], place, marker="o", markersize=5, color=colour, zorder=4)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=2)
    axes.set_ylim(_BARS - 0.4, -0.6)
    axes.set_yticks(range(len(shown)), [_short(each["column"], _NAME) for each in shown])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _draw_effect(axes: Axes, effect: dict[str, Any], highest: float) -> None:
    numeric, values = effect["kind"] == "number", [point["value"] for point in effect["points"]]
    # Apart from numbers, so that its label has room.
    apart = len(values) / 4 if numeric else 0
    places = [place + apart * (value == MISSING) for place, value in enumerate(values)]
    for place, point in zip(places, effect["points"], strict=True):
        missing = point["value"] == MISSING
        size, inside = 2.5 if numeric and not missing else 4, "white" if missing else BLUE
        axes.vlines(place, point["low"], point["high"], color=BLUE, linewidth=1.4, alpha=0.7, zorder=3)
        axes.plot(place, point["probability"], "o", markersize=size, color=BLUE, markerfacecolor=inside, zorder=4)
    line = [point["probability"] for point in effect["points"] if point["value"] != MISSING]
    if numeric:
        axes.plot(range(len(line)), line, color=BLUE, linewidth=1.2, zorder=3)
    axes.set(xlim=(-0.5, places[-1] + 0.5), ylim=(0, 1.05 * highest))
    axes.locator_params(axis="y", nbins=4)
    axes.grid(visible=False, axis="x")
    # Numbers stand at even steps, most of them quantiles; the labels of all would run into each other.
    last = max(len(line) - 1, 0)
    labelled = sorted({0, last // 2, last, len(values) - 1}) if numeric else range(len(values))
    axes.set_xticks([places[each] for each in labelled], [_label(values[each]) for each in labelled])
    if not numeric and len(values) > _CROWDED:
        axes.tick_params(axis="x", labelsize=6.5, rotation=30, pad=2)
    name = _short(effect["column"], 2 * _NAME)
    looks: dict[str, Any] = small_print(8.5) | {"color": INK, "fontweight": "bold"}
    axes.annotate(name, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", **looks)


def _label(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return _short(show(value), _LABEL)


def _short(text: str, characters: int) -> str:
    # Labels of ticks are set while a page is drawn.
    text = printable(text)
    return text if len(text) <= characters else text[: characters - 1] + "…"
