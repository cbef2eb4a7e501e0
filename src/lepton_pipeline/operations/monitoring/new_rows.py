"""Rows that a model has not seen in training, validation or test."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lepton_pipeline.data.labels import NO_LABEL
from lepton_pipeline.data.time_axis import axis
from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import DataError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import WatchedVersion
from lepton_pipeline.operations.monitoring.reference import Reference
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.tasks.find import known_labels, out_of_scope, unread_targets
from lepton_pipeline.tasks.task import Task

# Share of the training rows that must still be there to represent all of them.
_STILL_THERE = 0.95


@dataclass(frozen=True)
class NewRows:
    """The table of a vertical now, and its new rows."""

    table: pd.DataFrame
    new: pd.DataFrame  # see `score_new_rows`
    dataset: Dataset

    @property
    def own(self) -> pd.DataFrame:
        """The new rows with the columns of the table."""
        return self.table.loc[self.new.index]


@dataclass(frozen=True)
class Champion:
    """A champion, and what new rows are compared with."""

    model: Artefact
    version: WatchedVersion
    reference: Reference | None  # None where it was not recorded
    learnt: TrainingRows  # hashes of its training rows


def score_new_rows(
    table: pd.DataFrame,
    model: Artefact,
    seen: TrainingRows,
    span: tuple[float, float] | None,
    dataset: Dataset,
) -> pd.DataFrame:
    """Score the rows that came after everything a model was trained, validated and tested with.

    Where a time is declared these are later than the end of `span`, first and last time of all rows of then;
    else rows whose hashes are not among those `seen` then.

    Returns a frame indexed as these rows: columns of the scores of `model` (see `Task.columns`), `label` as
    the model's task reads it (float64, NaN where not known yet), `time` on the axis where one is declared, with
    `dated`, that of the target (see `Task.dated`), and `unread`, the target of rows that the model could not
    predict (see `unread_targets`), if there are any. Raises DataError if the new rows cannot be identified, or
    the model cannot read them.
    """
    task = model.task
    labels = known_labels(table, dataset, task)
    times = None if dataset.time is None else axis(table[dataset.time])
    rows = table.loc[mark_new(table, labels, seen, span, dataset)]
    scores = task.columns("model", model.scores(rows) if len(rows) else task.no_scores)
    found = pd.DataFrame(scores, index=rows.index).assign(label=labels.loc[rows.index])
    if times is not None:
        found["time"] = pd.Series(times, index=table.index).loc[rows.index]
        found["dated"] = axis(rows[task.dated]) if task.dated in rows else found["time"]
    unread = unread_targets(table, dataset, labels).loc[rows.index]
    return found.assign(unread=unread) if unread.notna().any() else found


def mark_new(
    table: pd.DataFrame,
    labels: pd.Series,
    seen: TrainingRows,
    span: tuple[float, float] | None,
    dataset: Dataset,
) -> pd.Series:
    """Mark the new rows, see `score_new_rows`; `labels` are those of `known_labels`."""
    if dataset.time is None:
        return ~seen.learnt(table, _as_recorded(table, labels, dataset))
    if span is None:
        raise DataError(
            "dataset.time was declared after the champion was trained, so the new rows are not known"
        )
    return pd.Series(axis(table[dataset.time]) > span[1], index=table.index)


def _as_recorded(table: pd.DataFrame, labels: pd.Series, dataset: Dataset) -> pd.DataFrame:
    """Part and label of every row as a training records them."""
    return pd.DataFrame({"part": "test", "label": labels.mask(out_of_scope(table, dataset), NO_LABEL)})


def learnt_rows(table: pd.DataFrame, learnt: TrainingRows, dataset: Dataset, task: Task) -> pd.DataFrame:
    """Find the rows that a model has learnt from in the table of now; DataError if not 95 % are there."""
    labels = known_labels(table, dataset, task)
    found = table[learnt.learnt(table, _as_recorded(table, labels, dataset))]
    if len(found) < _STILL_THERE * len(learnt.hashes):
        raise DataError(
            f"of the {len(learnt.hashes):,} rows that the champion has learnt from, {len(found):,} are in the table now"
        )
    return found
