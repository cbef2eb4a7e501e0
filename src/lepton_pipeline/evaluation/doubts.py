"""Rows that are worth a look: labels that contradict the model, and rows that it is least certain of."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
import pandas as pd

from lepton_pipeline.parameters import Dataset
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.find import Target

# At most so large a share of the held-out rows, and so many rows.
DOUBTED_SHARE, LEAST_CERTAIN = 0.01, 100
_SHOWN = 10


@dataclass(frozen=True)
class DoubtedRow:
    """A row whose label contradicts the model; pages go further than files, so its id is not here."""

    row: str
    facing: dict[str, str | float]  # label and what the model says, see `Task.facing`
    doubt: float


@dataclass(frozen=True)
class Doubts:
    """How many rows are worth a look, and the most doubtful ones."""

    held_out: int  # rows that were looked at
    doubtful: int
    least_certain: int  # 0 where all are equally certain
    shown: list[DoubtedRow]  # at most ten, the most doubtful first


def find_doubts(
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    held_out: pd.DataFrame,
    target: Target,
    metrics: Metrics,
    dataset: Dataset,
) -> tuple[Doubts, pd.DataFrame, pd.DataFrame]:
    """Find labels that contradict out-of-fold scores (see `Task.doubts`), and rows without a clear score.

    `held_out` are the scores of training and validation rows by a fit that did not learn from them. Test rows
    are left alone: to correct only those that the model gets wrong would flatter it.

    Returns a summary; the doubtful rows, at most 1 % of those held out, the most doubtful first; and the 100
    least certain ones, see `Task.certainty`. Both frames have the number of the row, the columns declared as
    id, group and time, the part, and the label beside what the model says; no other column of the table.
    """
    task, index = target.task, held_out.index
    labels, scores = split.loc[index, "label"].to_numpy(), task.scores(held_out, "model")
    keys = [name for name in (dataset.id, dataset.group, dataset.time) if name is not None]

    def listed(places: np.ndarray, name: str, values: np.ndarray) -> pd.DataFrame:
        rows = index[places]
        facing = task.facing(labels[places], scores[places], metrics.threshold)
        own = pd.DataFrame({"part": split.loc[rows, "part"], **facing, name: values[places]}, index=rows)
        number = pd.Series(rows, rows, name="row")
        # A key may have the name of another column.
        return pd.concat([number, feature_table.loc[rows, keys], own], axis="columns").reset_index(drop=True)

    doubts = task.doubts(labels, scores)
    most = np.argsort(-doubts, kind="stable")[: ceil(DOUBTED_SHARE * len(doubts))]
    doubtful = listed(most[doubts[most] > 0], "doubt", doubts)
    certainty = task.certainty(scores, metrics.threshold)
    least = np.argsort(np.zeros(0) if certainty is None else certainty, kind="stable")[:LEAST_CERTAIN]
    uncertain = listed(least, task.certain_by, np.zeros(0) if certainty is None else np.abs(certainty))
    shown = [_shown(row, len(keys)) for _, row in doubtful.head(_SHOWN).astype(object).iterrows()]
    return Doubts(len(index), len(doubtful), len(uncertain), shown), doubtful, uncertain


def _shown(row: pd.Series, keys: int) -> DoubtedRow:
    facing = row.iloc[keys + 2 : -1]
    return DoubtedRow(str(row.iloc[0]), dict(facing), row.iloc[-1])
