"""Stand-alone pictures of a model's quality on the test rows, by the task."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import pandas as pd

from lepton_pipeline.parameters import About
from lepton_pipeline.reporting.pictures.classes import draw_class_figures
from lepton_pipeline.reporting.pictures.errors import draw_error_figures
from lepton_pipeline.reporting.pictures.quality import draw_decision_figures
from lepton_pipeline.statistics.class_measures import confusion
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.task import Task


def draw_figures(scores: pd.DataFrame, target: Target, metrics: Metrics, about: About) -> dict[str, bytes]:
    """Draw SVG files by name; equal arguments give equal bytes.

    Of decisions see `draw_decision_figures`, of classes `draw_class_figures`, of numbers `draw_error_figures`.
    """
    return _DRAWN[target.task.page](scores, target.task, metrics, about)


def _draw_decisions(scores: pd.DataFrame, task: Task, metrics: Metrics, about: About) -> dict[str, bytes]:
    return draw_decision_figures(scores, metrics, about)


def _draw_classes(scores: pd.DataFrame, task: Task, metrics: Metrics, about: About) -> dict[str, bytes]:
    test = scores[scores["part"] == "test"]
    labels, probabilities = test["label"].to_numpy().astype(np.intp), task.scores(test, "model")
    names, decided = task.score_names, probabilities.argmax(axis=1)
    counts = confusion(labels, decided, len(names))
    return draw_class_figures(counts, names, probabilities.max(axis=1), decided == labels, about)


def _draw_errors(scores: pd.DataFrame, task: Task, metrics: Metrics, about: About) -> dict[str, bytes]:
    test = scores[scores["part"] == "test"]
    predicted, low, high = task.scores(test, "model").T
    level = cast(Regression, task).coverage
    return draw_error_figures(test["label"].to_numpy(np.float64), predicted, about, low, high, level)


_DRAWN: dict[str, Callable[[pd.DataFrame, Task, Metrics, About], dict[str, bytes]]] = {
    "decisions": _draw_decisions,
    "classes": _draw_classes,
    "errors": _draw_errors,
}
