"""Pictures of decisions among several classes on the test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lepton_pipeline.evaluation.resampling import LEVEL
from lepton_pipeline.evaluation.scope import Coverage
from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.page import EDGE, legend, picture
from lepton_pipeline.reporting.pictures.quality import as_percent, calibration_chart
from lepton_pipeline.reporting.pictures.svg import Axis, Chart, breadth, shorten, write
from lepton_pipeline.reporting.report import formats
from lepton_pipeline.statistics.intervals import normal_deviate, wilson
from lepton_pipeline.statistics.measures import rank
from lepton_pipeline.system.readable import printable

# Of more classes, one less is drawn, and the others together.
_MOST_CLASSES, _MOST_BARS = 12, 20
# Up to here a cell has room for its rows.
_FEW = 5
_WIDTH, _COUNTS, _LETTERS = 400, 52, 14
_RECALL, _PRECISION = "s0", "s3"
_OFFSET = 0.17
_CHART, _WORDS, _LINE = 500, 590, 17
_COVERAGE = 400, 280


@dataclass(frozen=True)
class Confusion:
    """Rows of one class that were decided as another."""

    happened: str
    decided: str
    rows: int
    share: float  # of the rows of `happened`


def draw_confusion(counts: np.ndarray, names: Sequence[str]) -> Chart:
    """Draw shares of each true class by decided class, in per cent, as a heat map.

    `counts` are whole numbers [classes, classes], rows what happened, columns what was decided. Of more than
    12 classes the 11 with the most wrong decisions are drawn, and the others together, in grey where both are of
    them.
    """
    named = _labels(names, _LETTERS)
    drawn = len(named)
    if drawn > _MOST_CLASSES:
        order = _by_errors(counts)
        drawn = _MOST_CLASSES - 1
        named = [*(named[at] for at in order[:drawn]), f"{len(named) - drawn} others"]
        counts = _fold(counts[np.ix_(order, order)], drawn)
    size = len(named)
    places = range(size)
    across = Axis(
        -0.5,
        size - 0.5,
        "Decided class",
        tuple(enumerate(named)),
        slanted=max(map(breadth, named)) * size > _LETTERS * 3,
    )
    up = Axis(0.5 - size, 0.5, "True class; shares of each, %", tuple((-at, named[at]) for at in places))
    height = 26 + size * (44 if size <= _FEW else 26) + across.foot
    chart = Chart(across, up, _WIDTH, height, beside=_COUNTS, grid=False)
    chart.note_beside("rows", None)
    for row, total in enumerate(counts.sum(axis=1)):
        chart.note_beside(formats.count(total), -row)
        for column, rows in enumerate(counts[row]):
            share = rows / max(total, 1)
            look = "" if row != column else "right" if row < drawn else "mixed"
            chart.tile(column, -row, share, look)
            if rows and size <= _FEW:
                chart.note(_whole_percent(share), column, -row, "bold", -1)
                chart.note(formats.count(rows), column, -row, "ink", 13)
            elif rows:
                chart.note(_whole_percent(share), column, -row)
    return chart


def worst_pairs(counts: np.ndarray, names: Sequence[str], most: int = 10) -> list[Confusion]:
    """The most frequent confusions of `counts` as in `draw_confusion`, by falling rows, then shares.

    >>> worst_pairs(np.array([[8, 2], [1, 3]]), ["plum", "pear"], most=1)
    [Confusion(happened='plum', decided='pear', rows=2, share=0.2)]
    """
    totals = counts.sum(axis=1).tolist()
    found = [
        Confusion(str(names[row]), str(names[column]), int(rows), int(rows) / totals[row])
        for (row, column), rows in np.ndenumerate(counts)
        if row != column and rows
    ]
    return sorted(found, key=lambda each: (-each.rows, -each.share))[:most]


def draw_classes(counts: np.ndarray, names: Sequence[str]) -> Chart:
    """Draw recall and precision of each class with 95 % intervals (Wilson's), and the rows behind them.

    `counts` as in `draw_confusion`. Of more than 20 classes those with the most wrong decisions are
    drawn; see `summarise_classes` for the others.
    """
    shown = _by_errors(counts)[:_MOST_BARS] if len(names) > _MOST_BARS else np.arange(len(names))
    labels = _labels(names, _LETTERS + 4)
    ticks = tuple((-place, labels[at]) for place, at in enumerate(shown))
    up = Axis(0.5 - len(shown), 0.5, "Recall and precision by class", ticks)
    across = Axis(0, 1, written=as_percent, most=4)
    height = 50 + 24 * len(shown) + across.foot
    key = ((f"dot {_RECALL}", "Recall"), (f"dot {_PRECISION}", "Precision"))
    chart = Chart(across, up, _WIDTH, height, key, beside=2 * _COUNTS)
    chart.note_beside("rows", None, _COUNTS)
    chart.note_beside("decided", None)
    for place, at in enumerate(shown):
        found, rows, decided = counts[at, at], counts[at].sum(), counts[:, at].sum()
        chart.note_beside(formats.count(rows), -place, _COUNTS)
        chart.note_beside(formats.count(decided), -place)
        for look, of, y in ((_RECALL, rows, _OFFSET - place), (_PRECISION, decided, -_OFFSET - place)):
            if of:
                interval = wilson(found / of, of, normal_deviate(LEVEL))
                chart.line((interval.low, interval.high), (y, y), f"{look} thin")
                chart.dots([interval.value], [y], look, 3.4)
    return chart


def summarise_classes(counts: np.ndarray, names: Sequence[str]) -> str:
    """A sentence on the classes that `draw_classes` leaves out; empty if there are none."""
    if len(names) <= _MOST_BARS:
        return ""
    rest = _by_errors(counts)[_MOST_BARS:]
    rows, found = counts[rest].sum(axis=1), counts[rest, rest]
    said = f"The {len(rest)} other classes have {formats.count(rows.sum())} rows"
    if not rows.any():
        return f"{said}."
    present = rows > 0
    recalls = found[present] / rows[present]
    worst = names[rest[present][recalls.argmin()]]
    least, median = formats.percent(recalls.min(), 0), formats.percent(float(np.median(recalls)), 0)
    never = int(np.count_nonzero(counts[:, rest].sum(axis=0) == 0))
    tail = f"; {never} of them {'is' if never == 1 else 'are'} never decided" if never else ""
    return f"{said} and a median recall of {median}; the lowest is {least} ({worst}){tail}."


def draw_reliability(confidence: np.ndarray, right: np.ndarray) -> Chart:
    """Draw accuracy by confidence in ten bins of equal mass, with 95 % intervals.

    `confidence` is the probability of the decided class [rows]; `right` is 1 or True where that class
    happened [rows]. See Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2.
    """
    ranked = rank(np.asarray(confidence, float), np.asarray(right, float))
    return calibration_chart([(_RECALL, ranked)], "Probability of the decided class", "Accuracy")


def draw_coverage(curve: Sequence[Coverage], answered: float) -> Chart:
    """Draw how often rows are decided rightly, and rows out of scope handed over, by the share decided on.

    `answered` is that share at the threshold in use.
    """
    across = [each.answered for each in curve]
    right, caught = [each.right for each in curve], [each.caught for each in curve]
    least = min(right + caught)
    chart = Chart(
        Axis(min(across), 1.0, "Decided on, of the rows in scope", written=as_percent, most=5),
        Axis(max(0.0, least - 0.02), 1.0, "Share", written=as_percent),
        *_COVERAGE,
        ((f"dot {_RECALL}", "right of these"), (f"dot {_PRECISION}", "caught out of scope")),
    )
    for look, shares in ((_PRECISION, caught), (_RECALL, right)):
        chart.line(across, shares, look)
        chart.dots(across, shares, look, 2.6)
    chart.upright(answered, "limit")
    return chart


def draw_class_figures(
    counts: np.ndarray, names: Sequence[str], confidence: np.ndarray, right: np.ndarray, about: About
) -> dict[str, bytes]:
    """Draw `confusion.svg`, `classes.svg` and `reliability.svg`; equal arguments give equal bytes.

    Arguments are those of `draw_confusion` and `draw_reliability`, all of the test rows.
    """
    rows, right = int(counts.sum()), np.asarray(right, float)
    accuracy = formats.percent(int(np.trace(counts)) / max(rows, 1), 1)
    sample = f"{rows:,} test rows, {len(names)} classes"
    pairs = worst_pairs(counts, names)
    said = [write("Most frequent confusions" if pairs else "No confusions", _WORDS, 30, "bold")]
    for place, each in enumerate(pairs):
        top = 56 + place * 2.6 * _LINE
        said.append(
            write(f"{shorten(each.happened, 22)} decided as {shorten(each.decided, 22)}", _WORDS, top, "ink")
        )
        of_class = formats.percent(each.share, 1)
        said.append(write(f"{each.rows:,} rows, {of_class} of the class", _WORDS, top + _LINE, "small"))
    grey = "; grey: both are of the other classes" if len(names) > _MOST_CLASSES else ""
    shares = f"{sample}; cells: shares of each true class; blue: right, orange: wrong{grey}"
    intervals = f"{sample}; lines: 95 % intervals"
    if rest := summarise_classes(counts, names):
        intervals = f"{intervals}. {rest.removesuffix('.')}"
    confident = formats.percent(float(np.mean(confidence)), 1)
    entries = [
        (_RECALL, ["Model", f"mean confidence {confident}", f"accuracy {formats.percent(right.mean(), 1)}"]),
        ("chance", ["Perfect calibration"]),
    ]
    reliability = f"{sample}, in ten bins of like confidence; bars: 95 % intervals of the accuracy"
    return {
        f"{name}.svg": _framed(title, subtitle, about, chart, beside)
        for name, title, subtitle, chart, beside in (
            ("confusion", f"Model: accuracy {accuracy}", shares, draw_confusion(counts, names), said),
            (
                "classes",
                f"Model: recall and precision of {min(len(names), _MOST_BARS)} classes",
                intervals,
                draw_classes(counts, names),
                [],
            ),
            (
                "reliability",
                "Model: accuracy by confidence",
                reliability,
                draw_reliability(confidence, right),
                legend(entries, _WORDS, 50),
            ),
        )
    }


def _framed(title: str, subtitle: str, about: About, chart: Chart, beside: Sequence[str] = ()) -> bytes:
    # A list of confusions may reach below a small chart.
    height = max(chart.height * _CHART / chart.width, 10 + _LINE * len(beside) * 1.3)
    return picture(title, subtitle, about.caution, height, [chart.placed(EDGE, 0, _CHART), *beside])


def _labels(names: Sequence[str], letters: int) -> list[str]:
    """Names cut at their ends, or in the middle where that keeps them apart."""
    cut = [shorten(name, letters) for name in names]
    half = letters // 2
    return [
        f"{shorten(name, half)}{printable(name)[1 - half :]}"
        if cut.count(short) > 1 and len(name) > letters
        else short
        for name, short in zip(names, cut, strict=True)
    ]


def _by_errors(counts: np.ndarray) -> np.ndarray:
    """Positions of the classes by how many rows are wrong, of the class or decided as it, then by its rows."""
    of_class, right = counts.sum(axis=1), counts.diagonal()
    order: np.ndarray = np.lexsort((-of_class, 2 * right - of_class - counts.sum(axis=0)))
    return order


def _fold(counts: np.ndarray, kept: int) -> np.ndarray:
    """Add up the rows and columns from `kept` on."""
    starts = np.arange(kept + 1)
    folded: np.ndarray = np.add.reduceat(np.add.reduceat(counts, starts, axis=0), starts, axis=1)
    return folded


def _whole_percent(share: float) -> str:
    """A share in whole per cent that never hides a few rows."""
    rounded = f"{100 * share:.0f}"
    if rounded == "0":
        return "<1"
    return ">99" if rounded == "100" and share < 1 else rounded
