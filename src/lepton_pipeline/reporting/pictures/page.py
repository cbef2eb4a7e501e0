"""The frame of a stand-alone picture: headline, sample, caution, and its own style sheet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lepton_pipeline.reporting.pages.frame import style_sheet
from lepton_pipeline.reporting.pictures.svg import lines_of, write

WIDTH, EDGE = 960, 40
_STYLE = (
    "text.title { fill: var(--ink); font-size: 20px; font-weight: 650; } text.small { font-size: 12px; } "
    "text.caution { fill: var(--ink); font-size: 12px; } .chart .paper { fill: var(--paper); }"
)


def picture(title: str, subtitle: str, caution: str, height: float, parts: Iterable[str]) -> bytes:
    """Put charts (SVG elements from 0 to `WIDTH`) below headline and subtitle, and the caution below."""
    head = [(line, "title", 26) for line in lines_of(title, 82)]
    head += [(line, "small", 18) for line in lines_of(subtitle, 140)]
    body, at = [], 22.0
    for line, look, step in head:
        at += step
        body.append(write(line, EDGE, at - 6, look))
    top = at + 12
    size = f'width="{WIDTH}" height="{height:g}" overflow="visible"'
    body.append(f'<svg y="{top:g}" {size}>{"".join(parts)}</svg>')
    at = top + height + 22
    for line in lines_of(caution, 140):
        body.append(write(line, EDGE, at, "caution"))
        at += 17
    box = f'viewBox="0 0 {WIDTH} {at:g}" width="{WIDTH}" height="{at:g}"'
    style = style_sheet("colours.css", "chart.css")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" {box}><style>\n{style}\n{_STYLE}\n</style>'
        f'<rect class="paper" width="{WIDTH}" height="{at:g}"/>{"".join(body)}</svg>\n'
    ).encode()


def legend(entries: Iterable[tuple[str, Sequence[str]]], left: float, top: float) -> list[str]:
    """Line samples, each with texts below each other, the first in bold."""
    parts = []
    for look, (name, *said) in entries:
        parts += [f'<path class="{look}" d="M{left:g} {top - 4:g}h30"/>', write(name, left + 40, top, "bold")]
        for text in said:
            top += 17
            parts.append(write(text, left + 40, top, "small"))
        top += 28
    return parts
