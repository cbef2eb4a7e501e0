"""Importance and effects of a model's main columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lepton_pipeline.model.attribution import show
from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.curves import effect_chart
from lepton_pipeline.reporting.pictures.page import EDGE, picture
from lepton_pipeline.reporting.pictures.svg import bar, shorten, write

_BARS, _EFFECTS, _LEVELS = 12, 6, 9
_ROW = 34
_NAMES, _BAR_WIDTH, _FIGURE = 150, 150, 60
_PANELS, _PANEL_WIDTH, _PANEL_HEIGHT, _CURVE_HEIGHT, _GAP = 460, 220, 185, 130, 20


def draw_explanation(explanation: dict[str, Any], about: About) -> dict[str, bytes]:
    """Draw importance and effects (of `explain_model`) as `explanation.svg`, the same bytes each time."""
    first = explanation["importance"][0]
    title = f"{shorten(first['column'], 32)} matters most: shuffled, the AUC falls by {first['value']:.3f}"
    rows, times = f"{explanation['rows']:,} test rows", f"{explanation['permutations']} permutations"
    shown = explanation["importance"][:_BARS]
    parts = [write("Importance: fall of the AUC", EDGE, 14, "bold"), *_rows(shown)]
    if explanation["effects"]:
        parts.append(write("Mean probability if all rows had the value", _PANELS, 14, "bold"))
    for place, effect in enumerate(explanation["effects"][:_EFFECTS]):
        left = _PANELS + place % 2 * (_PANEL_WIDTH + _GAP)
        parts += _effect(effect, left, 44 + place // 2 * _PANEL_HEIGHT)
    height = 44 + max(3 * _PANEL_HEIGHT, len(shown) * _ROW)
    subtitle = f"{rows}, {times}; lines: 95 % intervals; grey: may be none; associations, not causes"
    return {"explanation.svg": picture(title, subtitle, about.caution, height, parts)}


def importance_span(importance: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Ends of a scale that holds every bar with its interval, and 0."""
    ends = [each[end] for each in importance for end in ("value", "low", "high")]
    low, high = min([*ends, 0.0]), max([*ends, 0.0])
    return low, high if high > low else low + 1.0


def drawn_points(effect: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Points of an effect's curve: numbers, at least two; empty for a category."""
    points = [point for point in effect["points"] if _is_number(point["value"])]
    return points if effect["kind"] == "number" and len(points) >= 2 else []


def _rows(shown: Sequence[Mapping[str, Any]]) -> list[str]:
    lowest, longest = importance_span(shown)
    parts, left = [], EDGE + _NAMES
    for place, each in enumerate(shown):
        top = 34 + place * _ROW
        parts.append(write(shorten(each["column"], 22), EDGE, top + 16, "ink"))
        box = f'x="{left}" y="{top}" width="{_BAR_WIDTH}" height="18"'
        parts.append(bar(each["value"], each["low"], each["high"], longest, lowest, box))
        parts.append(write(f"{each['value']:.4f}", left + _BAR_WIDTH + _FIGURE, top + 16, anchor="end"))
    return parts


def _effect(effect: Mapping[str, Any], left: float, top: float) -> list[str]:
    parts = [write(shorten(effect["column"], 34), left, top, "bold")]
    drawn = drawn_points(effect)
    if drawn:
        parts.append(effect_chart(drawn, _PANEL_WIDTH, _CURVE_HEIGHT).placed(left, top + 8, _PANEL_WIDTH))
    points = [point for point in effect["points"] if point not in drawn][: 1 if drawn else _LEVELS]
    longest = max((point["high"] for point in effect["points"]), default=0) or 1.0
    top += 8 + (_CURVE_HEIGHT + 6 if drawn else 0)
    for point in points:
        parts.append(write(shorten(show(point["value"]), 14), left, top + 12))
        box = f'x="{left + 90}" y="{top:g}" width="80" height="15"'
        parts.append(bar(point["probability"], point["low"], point["high"], longest, box=box))
        parts.append(write(f"{point['probability']:.1%}", left + _PANEL_WIDTH, top + 12, anchor="end"))
        top += 18
    return parts


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
