"""Charts as SVG, with text as text, colours by classes of `chart.css`, and names of the data escaped."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from math import ceil, floor, isfinite, isnan, log10, pi, sin

from lepton_pipeline.system.readable import clipped, printable

# CSS classes of lines; the fifth line repeats the second.
SERIES = ("s0", "s1", "s2", "s3")
# Width of a letter: room for any, and that of most names.
_LETTER, _NARROW = 6.6, 5.8
_FINE = (1, 2, 2.5, 5, 10)
_POWERS = ((1e9, "bn"), (1e6, "M"), (1e3, "k"))
_LAYERS = 25
# Text of a page remains readable above it, on light and dark paper.
_DARKEST = 0.55
_Values = Iterable[float | None]


@dataclass(frozen=True)
class Axis:
    """A scale of a chart; without `ticks` (values with labels), about `most` even ones."""

    low: float
    high: float
    title: str = ""
    ticks: tuple[tuple[float, str], ...] | None = None
    written: Callable[[float], str] = "{:,.6g}".format
    most: int = 5
    slanted: bool = False  # labels below the chart at 45 degrees, for names

    def labelled(self) -> tuple[tuple[float, str], ...]:
        """Ticks with their labels."""
        if self.ticks is not None:
            return self.ticks
        raw = (self.high - self.low) / self.most
        power: float = 10.0 ** floor(log10(raw))
        step = next(fine * power for fine in _FINE if fine * power >= raw * 0.999)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return tuple((at * step, self.written(round(at * step, 12) + 0.0)) for at in range(first, last + 1))

    @property
    def foot(self) -> float:
        """Height of labels and title below a chart."""
        labels = self.labelled()
        slant = 20 + _NARROW * sin(pi / 4) * _longest(labels) if self.slanted else 24
        return (slant if labels else 8) + (18 if self.title else 0)


@dataclass
class Chart:
    """One pair of axes; values outside are drawn at the edge.

    `key` are a class and a meaning each, written above the axes. `beside` is room for texts right of them.
    """

    across: Axis
    up: Axis
    width: float = 340
    height: float = 300
    key: Sequence[tuple[str, str]] = ()
    beside: float = 0
    grid: bool = True
    parts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        across, up = self.across.labelled(), self.up.labelled()
        self._left = 10 + _LETTER * _longest(up)
        end = _LETTER / 2 * breadth(across[-1][1]) if across and not self.across.slanted else 0
        self._right = self.width - max(8, end, self.beside)
        self._top = (26 if self.up.title else 8) + (24 if self.key else 0)
        self._bottom = self.height - self.across.foot
        for value, label in across:
            x = self._x(value)
            if self.grid:
                self._stroke("grid", f"M{x} {self._top}V{self._bottom}")
            if self.across.slanted:
                self.parts.append(write(label, x + 4, self._bottom + 12, anchor="end", slanted=True))
            else:
                self._text(label, x, self._bottom + 17, "middle")
        for value, label in up:
            y = self._y(value)
            if self.grid:
                self._stroke("grid", f"M{self._left:.1f} {y}H{self._right:.1f}")
            self._text(label, self._left - 7, y + 4, "end")
        self._explain(self._top - 16)
        self._stroke("axis", f"M{self._left:.1f} {self._top}V{self._bottom}H{self._right:.1f}")
        self._text(self.up.title, 0, 12, "start", "ink")
        self._text(self.across.title, (self._left + self._right) / 2, self.height - 4, "middle", "ink")

    def line(self, xs: Iterable[float], ys: _Values, look: str, steps: bool = False) -> None:
        """Draw a line, broken at missing values; `steps` hold each value back to the previous one."""
        path, last = "", ""
        for x, y in zip(xs, ys, strict=True):
            point = ""
            if y is not None and not isnan(y):
                across, high = self._x(x), self._y(y)
                point = f"{across} {high}"
                if not last:
                    path += f"M{point}"
                elif point != last:
                    path += f"V{high}H{across}" if steps else f"L{point}"
            last = point
        self._stroke(look, path)

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], look: str = "") -> None:
        """Fill between two lines where both are known."""
        for known, points in groupby(
            zip(xs, low, high, strict=True), lambda each: not isnan(each[1] + each[2])
        ):
            if known:
                run = list(points)
                there = [f"{self._x(x)} {self._y(end)}" for x, _, end in run]
                back = [f"{self._x(x)} {self._y(start)}" for x, start, _ in reversed(run)]
                self._stroke(f"band {look}".strip(), f"M{'L'.join(there + back)}Z")

    def steps(self, edges: Sequence[float], heights: Sequence[float], look: str) -> None:
        """Draw a histogram."""
        path = f"M{self._x(edges[0])} {self._y(0)}"
        for end, height in zip(edges[1:], heights, strict=True):
            path += f"V{self._y(height)}H{self._x(end)}"
        self._stroke(look, f"{path}V{self._y(0)}")

    def intervals(self, xs: Iterable[float], low: _Values, high: _Values) -> None:
        """Draw a vertical bar for each known pair of ends."""
        ends = [(x, a, b) for x, a, b in zip(xs, low, high, strict=True) if a is not None and b is not None]
        self._stroke("interval", "".join(f"M{self._x(x)} {self._y(a)}V{self._y(b)}" for x, a, b in ends))

    def dots(self, xs: Iterable[float], ys: _Values, look: str, radius: float = 3) -> None:
        """Draw a dot for each known value."""
        self.parts += [
            f'<circle class="{look}" cx="{self._x(x)}" cy="{self._y(y)}" r="{radius}"/>'
            for x, y in zip(xs, ys, strict=True)
            if y is not None and not isnan(y)
        ]

    def upright(self, x: float, look: str) -> None:
        """Draw a vertical line over the whole height."""
        self._stroke(look, f"M{self._x(x)} {self._top}V{self._bottom}")

    def level(self, y: float, look: str) -> None:
        """Draw a horizontal line over the whole width."""
        self._stroke(look, f"M{self._left:.1f} {self._y(y)}H{self._right:.1f}")

    def cloud(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        """Draw many points, darker where they are dense."""
        points = [f"M{self._x(x)} {self._y(y)}h0" for x, y in zip(xs, ys, strict=True)]
        # Points of one path do not darken each other, and an element each would take four times the space.
        for start in range(min(_LAYERS, len(points))):
            self._stroke("cloud", "".join(points[start::_LAYERS]))

    def tile(self, x: float, y: float, share: float, look: str = "") -> None:
        """Fill the square of side 1 around a point, fully for a share of 1."""
        left, right, top, bottom = self._x(x - 0.5), self._x(x + 0.5), self._y(y + 0.5), self._y(y - 0.5)
        box = f'x="{left}" y="{top}" width="{right - left:.1f}" height="{bottom - top:.1f}"'
        opacity = f'fill-opacity="{_DARKEST * share:.3f}"'
        self.parts.append(f'<rect class="{f"tile {look}".strip()}" {box} {opacity}/>')

    def note(self, text: str, x: float, y: float, look: str = "ink", down: float = 4) -> None:
        """Write a text with its middle at a point, its base line `down` units below."""
        self._text(text, self._x(x), self._y(y) + down, "middle", look)

    def note_beside(self, text: str, y: float | None, from_right: float = 0) -> None:
        """Write a text in the room right of the axes, at a value or, for None, above all of them."""
        height = self._top - 6 if y is None else self._y(y) + 4
        self._text(text, self.width - from_right, height, "end")

    def inline(self) -> str:
        """An element for a page with `chart.css`."""
        body = "".join(self.parts)
        box = f'viewBox="0 0 {self.width:g} {self.height:g}"'
        return f'<svg class="chart" {box} aria-hidden="true">{body}</svg>'

    def placed(self, left: float, top: float, width: float) -> str:
        """An element of that width inside another SVG."""
        box = f'x="{left:g}" y="{top:g}" width="{width:g}" height="{self.height * width / self.width:g}"'
        return f'<svg {box} viewBox="0 0 {self.width:g} {self.height:g}" overflow="visible">{"".join(self.parts)}</svg>'

    def _explain(self, y: float) -> None:
        x = 0.0
        for look, meaning in self.key:
            if look.startswith("band"):
                self._stroke(look, f"M{x:.1f} {y - 8}h18v9h-18Z")
            elif look.startswith("dot "):
                self.parts.append(f'<circle class="{look[4:]}" cx="{x + 9:.1f}" cy="{y - 4}" r="3.4"/>')
            else:
                self._stroke(look, f"M{x:.1f} {y - 4}h18")
            self._text(meaning, x + 24, y, "start")
            x += 40 + _NARROW * breadth(meaning)

    def _x(self, value: float) -> float:
        return _between(value, self.across, self._left, self._right)

    def _y(self, value: float) -> float:
        return _between(value, self.up, self._bottom, self._top)

    def _stroke(self, look: str, path: str) -> None:
        if path:
            self.parts.append(f'<path class="{look}" d="{path}"/>')

    def _text(self, text: str, x: float, y: float, anchor: str, look: str = "") -> None:
        if text:
            self.parts.append(write(text, x, y, look, anchor))


def write(text: str, x: float, y: float, look: str = "", anchor: str = "start", slanted: bool = False) -> str:
    """A line of text, escaped."""
    named, held = f' class="{look}"' if look else "", f' text-anchor="{anchor}"' if anchor != "start" else ""
    turned = f' transform="rotate(-45 {x:.1f} {y:.1f})"' if slanted else ""
    said = escape(printable(text), quote=False)
    return f'<text{named} x="{x:.1f}" y="{y:.1f}"{held}{turned}>{said}</text>'


def shorten(text: str, letters: int) -> str:
    """Cut a name of the data to fit beside a chart."""
    text = printable(text)
    wide = breadth(text) - len(text)
    return clipped(text, letters if breadth(text) <= letters else max(letters - wide, letters // 2))


def breadth(text: str) -> int:
    """Letters that a text is wide; those of East Asian scripts count twice.

    >>> breadth("plum"), breadth("\N{CJK UNIFIED IDEOGRAPH-6885}")
    (4, 2)
    """
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in printable(text))


def bar(
    value: float,
    low: float | None = None,
    high: float | None = None,
    longest: float = 1.0,
    lowest: float = 0.0,
    box: str = "",
) -> str:
    """A bar from 0 to a value with its interval, grey if that holds 0, from `lowest` to `longest`.

    `box` are attributes of the element; by default a style sheet gives its size.
    """

    def at(place: float) -> float:
        return round(100 * (min(max(place, lowest), longest) - lowest) / ((longest - lowest) or 1.0), 2)

    start, end = sorted((at(0), at(value)))
    parts = [f'<rect x="{start:g}" y="1.5" width="{end - start:.4g}" height="7"/>']
    if lowest < 0:
        parts.append(f'<line class="zero" x1="{at(0):g}" x2="{at(0):g}" y1="0" y2="10"/>')
    if low is not None and high is not None:
        parts.append(f'<line x1="{at(low):g}" x2="{at(high):g}" y1="5" y2="5"/>')
    kind = "bar unsure" if low is not None and low <= 0 else "bar"
    shape = f'class="{kind}" {box} viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"'
    return f"<svg {shape}>{''.join(parts)}</svg>"


def sparkline(values: Sequence[float | None], line: float | None = None) -> str:
    """A line of values without axes, the last one as a dot, and a dashed `line`; "" for fewer than two values."""
    known = [each for each in values if each is not None]
    if len(known) < 2:
        return ""
    ends = [*known, *([] if line is None else [line])]
    chart = Chart(
        Axis(0, len(values) - 1, ticks=()), Axis(min(ends), max(ends), ticks=()), 140, 44, grid=False
    )
    chart.parts.clear()
    if line is not None:
        chart.level(line, "limit")
    chart.line(range(len(values)), values, "s0")
    last = max(place for place, each in enumerate(values) if each is not None)
    chart.dots([last], [values[last]], "s0", 3.5)
    return chart.inline()


def written_up_to(most: float) -> Callable[[float], str]:
    """How the ticks of an axis are written that reaches `most`.

    >>> written_up_to(2e6)(500_000), written_up_to(60_000)(50_000)
    ('0.5M', '50,000')
    """
    for power, letter in _POWERS:
        if 1e5 <= most < 1e13 and most >= power * (100 if letter == "k" else 1):
            return lambda value: f"{value / power:,.6g}{letter if value else ''}"
    return "{:,.6g}".format


def lines_of(text: str, letters: int) -> list[str]:
    """Wrap a text."""
    return textwrap.wrap(printable(text), letters) or [""]


def _longest(ticks: Iterable[tuple[float, str]]) -> int:
    return max((breadth(text) for _, text in ticks), default=0)


def _between(value: float, axis: Axis, start: float, end: float) -> float:
    share = (value - axis.low) / ((axis.high - axis.low) or 1.0)
    share = min(max(share, 0.0), 1.0) if isfinite(share) else 0.0
    return round(start + share * (end - start), 1)
