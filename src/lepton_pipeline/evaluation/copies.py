"""Quality without test rows that the model has seen: copies, and rows of known entities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.copies import COPY, SAME_INPUTS
from lepton_pipeline.data.copies_found import CopiesFound
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.measured_copies import (
    NOTABLE,
    MeasuredCopies,
    MeasuredEntity,
    MeasuredRows,
    Remaining,
    deduplicate,
    more_than_chance,
    summarise_copies,
)
from lepton_pipeline.evaluation.metrics import measure_metric
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.parameters import Evaluation, Split
from lepton_pipeline.statistics.estimates import FEWEST_CASES, Estimate, Metrics
from lepton_pipeline.statistics.metric_table import higher_is_better
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.task import Array, Task


def measure_copies(
    copy_marks: pd.DataFrame,
    copies_found: CopiesFound,
    scores: pd.DataFrame,
    target: Target,
    metrics: Metrics,
    evaluation: Evaluation,
    units: pd.DataFrame | None = None,
) -> MeasuredCopies:
    """Measure the headline metric without copies, and without rows of entities that the model has learnt from.

    Test rows with the inputs of a training row are left out as well, whatever their outcome: leaving out only
    agreeing ones would bias against the model. `copy_marks` and `copies_found` are those of `find_copies`.
    """
    test, task = scores.loc[copy_marks.index], target.task
    metric, found = task.shown[0], copies_found.copies
    figure = metrics.model[metric]
    sample = Sample.of(test["label"], units, task, test.get("weight"))

    def without(left_out: npt.NDArray[np.bool_]) -> Remaining:
        stays = ~left_out
        rows, few = test[stays], sample.where(stays)
        enough = _enough(task, few.labels, sample.labels)
        measured = measure_metric(rows, metric, metrics.threshold, few, evaluation) if enough else None
        return Remaining(len(rows), task.positives(rows["label"]), measured)

    copied = without((copy_marks[COPY] | copy_marks[SAME_INPUTS]).to_numpy())
    worse = copied.figure is None or _worse(copied.figure, figure, metric)
    beyond = max(found.rows - found.by_chance, found.unlikely_share * len(test))
    notable = more_than_chance(copies_found) and beyond > NOTABLE * len(test)
    share = found.rows / max(len(test), 1)
    return MeasuredCopies(
        **vars(copies_found)
        | {
            "metric": metric,
            "figure": figure,
            "copies": MeasuredRows(**vars(found), share=share, without=copied, decide=notable and worse),
            "entities": [
                MeasuredEntity(**vars(entity), without=without(copy_marks[f"entity_{number}"].to_numpy()))
                for number, entity in enumerate(copies_found.entities)
            ],
        }
    )


def enforce_copies(copies: MeasuredCopies, split: Split) -> None:
    """Raise `DataError`, with remedies, if copies decide the result and `split.copies` is "stop"."""
    if copies.copies.decide and split.copies == "stop":
        one, other = copies.copies.example or (None, None)
        raise DataError(
            f"{summarise_copies(copies)}. The result measures memorised rows, not performance on new ones. "
            f"For example, test row {one} equals row {other}. Remedy: {deduplicate(copies)}; "
            "split.copies: allow accepts copies."
        )


def _enough(task: Task, left: Array, labels: Array) -> bool:
    """Whether the labels left say as much as all: what is left of a small test does, unless most cases are gone."""
    return all(
        now and (now >= FEWEST_CASES or 2 * now >= before)
        for now, before in zip(*(_cases(task, each) for each in (left, labels)), strict=True)
    )


def _cases(task: Task, labels: Array) -> list[int]:
    """Cases of each class that a sample must have, or of all."""
    classes = task.classes_drawn(labels)
    return [task.cases(labels)] if classes is None else np.bincount(classes, minlength=2).tolist()


def _worse(without: Estimate, figure: Estimate, metric: str) -> bool:
    """Whether the figure without some rows is beyond the worse end of the interval of that of all."""
    if figure.low is None or figure.high is None:
        return False
    if higher_is_better(metric):
        return without.value < figure.low
    return without.value > figure.high
