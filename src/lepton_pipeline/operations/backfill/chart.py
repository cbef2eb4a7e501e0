"""Chart of a backfill: realised quality by strategy, and the events below it."""

from __future__ import annotations

from math import isnan, nan

from lepton_pipeline.operations.backfill.realised import ENDS, BackfillResult
from lepton_pipeline.operations.backfill.walk import ALWAYS, NEVER, POLICY, STRATEGIES
from lepton_pipeline.reporting.pictures.curves import around
from lepton_pipeline.reporting.pictures.page import EDGE, WIDTH, picture
from lepton_pipeline.reporting.pictures.svg import Axis, Chart, write
from lepton_pipeline.reporting.report.formats import metric as written_metric
from lepton_pipeline.reporting.report.formats import metric_inside
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import METRICS

_NAMES = {POLICY: "the policy", NEVER: "never retrained", ALWAYS: "always retrained"}
_LOOKS = {POLICY: "s0", NEVER: "s3", ALWAYS: "s1"}
_EVENTS = {"promoted": "s0", "refused": "s1", "drift": "s3", "decay": "s3", "turn": "s3", "failed": "s1"}
_CURVES, _EVENT = 330, 24
# Dates of which dots do not crowd.
_FEW = 26
# Characters of all dates that fit below the axis.
_LETTERS, _HALF_LETTER = 120, 4


def draw_backfill(found: BackfillResult, caution: str) -> bytes:
    """Draw an SVG; `caution` is printed beside every result."""
    metric, width = metric_inside(found.metric), WIDTH - 2 * EDGE
    share = METRICS[found.metric].share
    count = len(found.dates)
    curves = {
        strategy: [[_end(each.realised[strategy], end) for each in found.dates] for end in ENDS]
        for strategy in STRATEGIES
    }
    known = [value for curve in curves.values() for row in curve for value in row if not isnan(value)]
    low, high = around(known or [0.0, 1.0])
    span = Axis(-0.3, count + 0.1, ticks=tuple((place, "") for place in range(count)))
    events = _happened(found)
    names = tuple((len(events) - place, name) for place, name in enumerate(events))
    dates = [_short(each.date, found.every) for each in found.dates]
    every = -(-sum(map(len, dates)) // _LETTERS)
    shown = tuple((place, dates[place]) for place in range(0, count, every))
    # Labels of equal width and equal room for half of the last date align the dates of both charts.
    room = _HALF_LETTER * len(shown[-1][1])
    widest = max(map(len, events))

    def written(value: float) -> str:
        scaled = 100 * value if share else value
        text = f"{scaled:.3g}{' %' * share}" if abs(scaled) < 1000 else f"{scaled:,.0f}"
        return text.rjust(widest, "\N{NO-BREAK SPACE}")

    chart = Chart(span, Axis(low, high, f"Realised {metric}", written=written), width, _CURVES, beside=room)
    parts = []
    for place, (strategy, (value, start, end)) in enumerate(curves.items()):
        across = [at + 0.5 for at in range(count)]
        # Three bands above each other would hide the lines.
        if strategy == POLICY:
            chart.band(across, start, end, _LOOKS[strategy])
        chart.line(across, value, _LOOKS[strategy])
        chart.dots(across, value, _LOOKS[strategy], 3.5 if count <= _FEW else 2.5)
        left = EDGE + 160 + 190 * place
        parts.append(f'<path class="{_LOOKS[strategy]}" d="M{left} 8h30"/>')
        parts.append(write(_NAMES[strategy], left + 40, 12, "bold"))
    rows = Axis(0.4, len(events) + 0.6, ticks=names)
    dated = Axis(-0.3, count + 0.1, ticks=shown)
    below = Chart(dated, rows, width, 40 + _EVENT * len(events), beside=room)
    for level, name in names:
        across = [float(place) for place, yes in enumerate(events[name]) if yes]
        below.dots(across, [level] * len(across), _EVENTS[name], 5 if count <= _FEW else 4)
    parts += [chart.placed(EDGE, 0, width), below.placed(EDGE, _CURVES, width)]
    height = _CURVES + below.height + 24
    note = "Marks are at the date of a decision; points are between two dates, at the rows they measure."
    parts.append(write(note, EDGE, height - 4))
    return picture(_title(found), _subtitle(found, metric), caution, height, parts)


def _end(figure: Estimate | None, end: str) -> float:
    value = getattr(figure, end, None)
    return nan if value is None else float(value)


def _happened(found: BackfillResult) -> dict[str, list[bool]]:
    happened = {"promoted": [bool(each.promoted) for each in found.dates]}
    for alarm, also in (("refused", ""), ("drift", ""), ("decay", ""), ("turn", ""), ("failed", "contract")):
        happened[alarm] = [bool({alarm, also} & set(each.alarms)) for each in found.dates]
    # An empty row is a result, except that of failures, and of an index that may not be declared.
    return {name: marks for name, marks in happened.items() if name not in ("failed", "turn") or any(marks)}


def _title(found: BackfillResult) -> str:
    mean, name = found.summary.mean, found.vertical.capitalize()
    if not mean:
        return f"{name}: too few labels to compare"
    shown = {strategy: written_metric(found.metric, mean[strategy].value) for strategy in mean}
    return f"{name}: by the policy {shown[POLICY]}, never retrained {shown[NEVER]}, always {shown[ALWAYS]}"


def _subtitle(found: BackfillResult, metric: str) -> str:
    rows = sum(each.rows for each in found.dates)
    trainings = "training" if found.trainings == 1 else "trainings"
    trained = f"{found.trainings} {trainings} on {len(found.dates)} dates, {found.promoted} promoted"
    mean = f"mean {metric} of periods, on {rows:,} rows that came afterwards"
    return f"{trained}; {mean}; band: 95 % interval of the policy"


def _short(date: str, every: str) -> str:
    """The month of a date, where all dates are first days of a month."""
    return date[:7] if every.endswith("mo") and date.endswith("-01") else date
