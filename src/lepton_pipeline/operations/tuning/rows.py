"""Rows of a search: what trials learn from, what they are chosen by, and what only the choice is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.labels import learnt_labels, row_scale
from lepton_pipeline.errors import SplitError
from lepton_pipeline.evaluation.resampling import Sample, resampling_units
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.split import GAP, labelled_at, start_of_last
from lepton_pipeline.tasks.task import Task

TRAIN, CHOICE, JUDGED = "train", "validation", "judged"
# The fold of training rows that trials are chosen by.
_CHOICE_FOLD = 0


@dataclass(frozen=True)
class Rows:
    """Encoded rows without test rows, with the parts of a search.

    `split` is as `split_rows` makes it, `part` being "train", "validation" (the choice is made by these) or "judged"
    (read once, when the choice is made). `units` are those of the judged rows.
    """

    encoded: pd.DataFrame
    split: pd.DataFrame
    target: Target
    units: pd.DataFrame

    def count(self, part: str) -> int:
        """Number of rows of a part."""
        return int((self.split["part"] == part).sum())

    @property
    def judged(self) -> npt.NDArray[np.bool_]:
        """Which rows are judged, [n]."""
        return (self.split["part"] == JUDGED).to_numpy()

    def learning_weights(self, task: Task) -> Floats | None:
        """How much rows count in a loss, [n]; None for equal ones."""
        weights = self.split["weight"].to_numpy() if "weight" in self.split else None
        return task.learning_weights(row_scale(self.split), weights)

    def labels(self) -> npt.NDArray[np.float64]:
        """Labels as they are learnt, [n]."""
        found: npt.NDArray[np.float64] = learnt_labels(self.split).to_numpy()
        return found

    def sample(self, task: Task) -> Sample:
        """The judged rows as intervals take them."""
        labels = self.split.loc[self.judged, "label"]
        return Sample.of(labels, self.units, task)


def divide_rows(
    feature_table: pd.DataFrame,
    encoded: pd.DataFrame,
    split: pd.DataFrame,
    target: Target,
    dataset: Dataset,
    declared: Split,
) -> Rows:
    """Divide training and validation rows for a search; test rows are left out before anything is fitted.

    With folds (a random split), the validation rows are judged, and fold 0 of the training rows makes the choice: no
    encoder has learnt from what is judged. Without folds, the earlier half of the validation rows makes the choice and
    the later half is judged, with the label delay and the gap of the split between them; without a time column, halves
    are drawn.

    Raises SplitError where a part lacks a class, or has no rows.
    """
    used = split["part"].isin(["train", "validation"])
    rows = split[used]
    part = rows["part"].to_numpy(dtype=object)
    folds = rows["fold"].to_numpy()
    if (folds >= 0).any():
        held_out = part == "validation"
        part = np.where(held_out, JUDGED, np.where(folds == _CHOICE_FOLD, CHOICE, TRAIN))
        # Fits by folds take all rows that have one.
        folds = np.where(held_out, -1, folds)
    else:
        held_out = part == "validation"
        part[held_out] = _halves(feature_table.loc[rows.index[held_out]], dataset, declared)
    divided = rows.assign(part=part, fold=folds.astype(np.int8))
    divided = divided[divided["part"] != GAP]
    _require_both(divided, target.task)
    units = resampling_units(feature_table.loc[divided.index[divided["part"] == JUDGED]], dataset)
    return Rows(encoded.loc[divided.index], divided, target, units)


def _halves(table: pd.DataFrame, dataset: Dataset, declared: Split) -> npt.NDArray[np.object_]:
    """Parts of validation rows: the earlier half makes the choice, the later one is judged."""
    groups = None if dataset.group is None else table[dataset.group]
    if dataset.time is None:
        units = pd.Series(np.arange(len(table)), index=table.index) if groups is None else groups
        codes = pd.factorize(units)[0]
        drawn = np.random.default_rng(declared.seed).permutation(codes.max(initial=-1) + 1)
        return np.where(drawn[codes] % 2 == 0, CHOICE, JUDGED).astype(object)
    times = table[dataset.time]
    counts = times.value_counts().sort_index()
    if len(counts) < 2:
        raise SplitError(
            f"all {len(table):,} validation rows have the time {counts.index[0]}, so no later half can judge what an "
            "earlier one has chosen; raise split.validation."
        )
    begun = start_of_last(counts, len(times) / 2, keep=1)
    part = np.full(len(table), GAP, dtype=object)
    part[times >= begun] = JUDGED
    part[(times < begun) & (times <= labelled_at(begun, dataset, declared))] = CHOICE
    if declared.strategy == "time_group" and groups is not None:
        seen = groups[part == CHOICE].unique()
        part[(part == JUDGED) & groups.isin(seen).to_numpy()] = GAP
    return part


def _require_both(divided: pd.DataFrame, task: Task) -> None:
    names = {CHOICE: "make the choice", JUDGED: "judge it"}
    for name, purpose in names.items():
        labels = divided.loc[divided["part"] == name, "label"]
        lacking = "rows" if labels.empty else task.lacks(labels, learnt=False)
        if lacking:
            counted = "none" if labels.empty else task.counted(labels)
            raise SplitError(
                f"a search needs {lacking} among the validation rows that {purpose}, and there are {counted}; raise "
                "split.validation, shorten dataset.label_delay or split.gap, or provide more rows."
            )
