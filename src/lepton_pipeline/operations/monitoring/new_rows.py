"""Rows that a model has not seen in training, validation or test."""

from __future__ import annotations

import pandas as pd

from lepton_pipeline.data.time_axis import axis
from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import DataError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.operations.monitoring.reference import PROBABILITY
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.tasks.find import known_labels

# Share of the training rows that must still be there to represent all of them.
_STILL_THERE = 0.95


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

    Returns a frame indexed as these rows: `probability`, `label` (float64, NaN where not known yet), and
    `time` on the axis where one is declared. Raises DataError if the new rows cannot be identified, or the
    model cannot read them.
    """
    labels = known_labels(table, dataset)
    times = None if dataset.time is None else axis(table[dataset.time])
    if times is None:
        everything = pd.DataFrame({"part": "test", "label": labels})
        new = ~seen.learnt(table, everything)
    elif span is None:
        raise DataError(
            "dataset.time was declared after the champion was trained, so the new rows are not known"
        )
    else:
        new = pd.Series(times > span[1], index=table.index)
    rows = table.loc[new]
    scores = model.predict(rows)[PROBABILITY] if len(rows) else pd.Series(dtype="float64")
    columns = {PROBABILITY: scores, "label": labels.loc[rows.index]}
    if times is not None:
        columns["time"] = pd.Series(times, index=table.index).loc[rows.index]
    return pd.DataFrame(columns, index=rows.index)


def learnt_rows(table: pd.DataFrame, learnt: TrainingRows, dataset: Dataset) -> pd.DataFrame:
    """Find the rows that a model has learnt from in the table of now; DataError if not 95 % are there."""
    everything = pd.DataFrame({"part": "test", "label": known_labels(table, dataset)})
    found = table[learnt.learnt(table, everything)]
    if len(found) < _STILL_THERE * len(learnt.hashes):
        raise DataError(
            f"of the {len(learnt.hashes):,} rows that the champion has learnt from, {len(found):,} are in the table now"
        )
    return found
