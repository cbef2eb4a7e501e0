"""What monitoring has found, as one HTML page that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lepton_pipeline.parameters import About

_WIDTH, _HEIGHT = 300, 130
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 8, 8
_SHOWN_COLUMNS, _TOLD_COLUMNS = 30, 8
# Beyond it two samples have hardly anything in common, and how much beyond says nothing.
_LARGEST_PSI = 1.0


@dataclass(frozen=True)
class Panel:
    """One of the small multiples.

    Attributes:
        title: what is drawn.
        svg: the picture; numbers are all the text it has.
        last: the last value, written out.
        note: what its line means.
    """

    title: str
    svg: Any
    last: str
    note: str


def render_page(result: dict[str, Any], about: About) -> str:
    """Write the page; equal results give equal text.

    Args:
        result: what `compare_new_rows` returns.
        about: question and caution of the vertical.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    from lepton_pipeline.reporting.report import words

    # Whatever is put into the page may be a user's text, and is escaped.
    environment = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("lepton_pipeline.operations.monitoring", ""),
                PackageLoader("lepton_pipeline.reporting.report", "templates"),
            ]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    names = ("count", "decimals", "interval", "p_value", "percent", "metric_name", "sentence")
    environment.filters |= {name: getattr(words, name) for name in names} | {"time": _time}
    source, _, _ = environment.loader.get_source(environment, "style.css")  # type: ignore[union-attr]
    columns = sorted(result["columns"], key=lambda each: (not each["flagged"], each["ignored"], -each["psi"]))
    metric = words.metric_name(result["windows"][0]["metric"] if result["windows"] else "auc")
    return environment.get_template("page.html").render(
        it=result,
        about=about,
        title=result["champion"]["name"].replace("_", " ").capitalize(),
        metric=metric,
        columns=columns[:_SHOWN_COLUMNS],
        further=columns[_SHOWN_COLUMNS:],
        flagged=[each for each in columns if each["flagged"]],
        told=_TOLD_COLUMNS,
        panels=draw_panels(result, metric),
        # A style sheet of this project, not a value; escaped, its quotes would be wrong.
        style=Markup(source.strip()),  # noqa: S704
    )


def draw_panels(result: Mapping[str, Any], metric: str) -> list[Panel]:
    """Draw what changes over windows, where there are two: rows, scores, quality, the most changed columns."""
    from lepton_pipeline.reporting.report.words import count, decimals, percent

    windows = result["windows"]
    if len(windows) < 2:
        return []
    rows = [window["rows"] for window in windows]
    panels = [Panel("New rows", _draw(rows, floor=0), count(rows[-1]), "rows in a window")]
    scores = [window["score_mean"] for window in windows]
    panels.append(Panel("Mean score", _draw(scores), _last(scores), "mean probability"))
    missing, before = [window["missing"] for window in windows], result["missing_reference"]
    line = None if before is None else 100 * before
    note = "of all values" if before is None else f"dashed: training, {percent(before)}"
    last = next((each for each in reversed(missing) if each is not None), None)
    panels.append(Panel("Missing values", _draw(_hundredfold(missing), floor=0, line=line), percent(last), note))
    quality = [window["value"] for window in windows]
    if any(value is not None for value in quality):
        ends = [(window["low"], window["high"]) for window in windows]
        svg = _draw(quality, ends=ends, line=result["bound"])
        bound = result["bound"]
        note = "95 % intervals" if bound is None else f"dashed: bound {decimals(bound)}"
        panels.append(Panel(f"{metric}, realised", svg, _last(quality), note))
    # On one scale, so that the eye can compare the columns.
    largest = max((each for window in windows for each in window["psi"].values() if each is not None), default=0.0)
    ceiling = min(largest, _LARGEST_PSI)
    for name in windows[0]["psi"]:
        psi = [window["psi"][name] for window in windows]
        if any(value is not None for value in psi):
            line = result["smallest_psi"]
            drawn = [None if value is None else min(value, ceiling) for value in psi]
            note = f"dashed: {line:g}" if largest == ceiling else f"dashed: {line:g}, cut at {ceiling:g}"
            panels.append(Panel(f"PSI of {name}", _draw(drawn, floor=0, ceiling=ceiling, line=line), _last(psi), note))
    return panels


def _time(text: str) -> str:
    """A time as it is in the result, for readers: to the minute."""
    return text.removesuffix("T00:00:00").removesuffix(":00").replace("T", " ")


def _hundredfold(shares: Sequence[float | None]) -> list[float | None]:
    return [None if share is None else 100 * share for share in shares]


def _last(values: Sequence[float | None]) -> str:
    from lepton_pipeline.reporting.report.words import decimals

    return decimals(next((value for value in reversed(values) if value is not None), None))


def _draw(
    values: Sequence[float | None],
    ends: Sequence[tuple[float | None, float | None]] | None = None,
    line: float | None = None,
    floor: float | None = None,
    ceiling: float | None = None,
) -> Any:
    """A line through the values of equal windows, broken where one is missing."""
    from markupsafe import Markup

    given = (*values, *(end for pair in ends or () for end in pair), line, floor, ceiling)
    seen = [each for each in given if each is not None]
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    if high == low:
        low, high = low - 0.5 * (abs(low) or 1), high + 0.5 * (abs(high) or 1)
    elif floor is None:
        low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    step = (_WIDTH - _LEFT - _RIGHT) / len(values)

    def across(place: int) -> float:
        return round(_LEFT + (place + 0.5) * step, 1)

    def up(value: float) -> float:
        return round(_TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - value) / (high - low), 1)

    parts = [
        f'<line class="rule" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up(at)}" y2="{up(at)}"/>'
        f'<text x="{_LEFT - 6}" y="{up(at) + 3.5}" text-anchor="end" font-size="10">{_tick(at)}</text>'
        for at in (low, high)
    ]
    if line is not None:
        parts.append(f'<line class="limit" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up(line)}" y2="{up(line)}"/>')
    for place, pair in enumerate(ends or ()):
        if pair[0] is not None and pair[1] is not None:
            parts.append(
                f'<line class="interval" x1="{across(place)}" x2="{across(place)}" y1="{up(pair[0])}" '
                f'y2="{up(pair[1])}"/>'
            )
    points = [(across(place), up(value)) for place, value in enumerate(values) if value is not None]
    for (place, one), other in zip(enumerate(values), values[1:], strict=False):
        if one is not None and other is not None:
            parts.append(
                f'<line class="line" x1="{across(place)}" x2="{across(place + 1)}" y1="{up(one)}" y2="{up(other)}"/>'
            )
    parts += [f'<circle cx="{x}" cy="{y}" r="2.6"/>' for x, y in points]
    # Numbers of this module only.
    return Markup(f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-hidden="true">{"".join(parts)}</svg>')  # noqa: S704


def _tick(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
