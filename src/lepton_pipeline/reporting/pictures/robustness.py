"""The headline metric by how much of the inputs is perturbed."""

from __future__ import annotations

from collections.abc import Callable

from lepton_pipeline.evaluation.robustness import MeasuredRobustness
from lepton_pipeline.reporting.pictures.curves import around
from lepton_pipeline.reporting.pictures.svg import SERIES, Axis, Chart

_KINDS = {"noise": "noise", "missing": "missing", "unseen": "unseen", "typos": "mistyped"}


def draw_robustness(measured: MeasuredRobustness, title: str, written: Callable[[float], str]) -> str:
    """Draw a line of each kind of perturbation of all columns, from the rows as they are on."""
    if measured.figure is None:
        return ""
    points = {
        kind: [
            (float(trial.name.partition("_")[2]), trial.figure.value)
            for trial in measured.whole
            if trial.name.startswith(f"{kind}_")
        ]
        for kind in _KINDS
    }
    drawn = {kind: [(0.0, measured.figure.value), *found] for kind, found in points.items() if found}
    if not drawn:
        return ""
    low, high = around([value for found in drawn.values() for _, value in found])
    looks = dict(zip(drawn, SERIES, strict=False))
    chart = Chart(
        Axis(0, max(share for found in drawn.values() for share, _ in found), "Perturbed, in %"),
        Axis(low, high, title, written=written, most=4),
        width=400,
        height=270,
        key=[(look, _KINDS[kind]) for kind, look in looks.items()],
    )
    chart.level(measured.figure.value, "grid")
    for kind, found in drawn.items():
        xs, ys = zip(*found, strict=True)
        chart.line(xs, ys, looks[kind])
        chart.dots(xs[1:], ys[1:], looks[kind], 2.6)
    return chart.inline()
