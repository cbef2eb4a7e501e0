"""Which rows each part of a model is trained on, and which rows it is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Positions = npt.NDArray[np.int64]

# Above, a model more costs more than it brings: the models of the folds become one, stopped by the validation
# rows.
MOST_ROWS_OF_FOLDS = 50_000


@dataclass(frozen=True)
class Fold:
    """Rows of one fit.

    Attributes:
        train: positions of the rows it learns from.
        held_out: positions of the rows that stop it, and that it scores honestly.
    """

    train: Positions
    held_out: Positions


@dataclass(frozen=True)
class Plan:
    """How a model is fitted.

    Attributes:
        folds: fits whose held-out rows do not overlap; one where the rows are in order of time, or many.
        refit: whether the model that is kept is fitted once more, on the rows of `train` and `held_out`
            together.
    """

    folds: list[Fold]
    refit: bool

    @property
    def everything(self) -> Positions:
        """Positions of all rows the model learns from in the end."""
        return np.unique(
            np.concatenate([part for fold in self.folds for part in (fold.train, fold.held_out)])
        )

    @property
    def fitted(self) -> Positions:
        """Positions of the rows that what is kept is fitted to; others only stop it."""
        return self.folds[0].train if self.kind == "holdout" else self.everything

    @property
    def kind(self) -> str:
        """One word for `plan_fits`'s three ways: "folds", "holdout" or "refit"."""
        return "refit" if self.refit else "folds" if len(self.folds) > 1 else "holdout"


def plan_fits(split: pd.DataFrame) -> Plan:
    """Decide what is fitted on which rows.

    - Where rows were divided at random: one fit for each fold of the training and validation rows, on all
      other folds, so that every row is held out once and learnt from otherwise. Their average is the model.
    - Where rows are divided by time: one fit on the training rows, stopped by the later validation rows, as
      random folds would let the future stop what is learnt from the past; then once more on both, for as long
      as that took, since the latest rows tell most about the next ones.
    - In large tables divided at random: one fit on the training rows, stopped by the validation rows.

    Args:
        split: `part` and `fold` of every row.

    Returns:
        Positions are those in `split`.
    """
    fold = split["fold"].to_numpy()
    numbers = np.unique(fold[fold >= 0])
    if len(numbers) and (fold >= 0).sum() <= MOST_ROWS_OF_FOLDS:
        folds = [
            Fold(np.flatnonzero((fold >= 0) & (fold != number)), np.flatnonzero(fold == number))
            for number in numbers
        ]
        return Plan(folds, refit=False)
    return Plan([holdout(split)], refit=not len(numbers))


def holdout(split: pd.DataFrame) -> Fold:
    """The training rows, judged by the validation rows."""
    part = split["part"].to_numpy()
    return Fold(np.flatnonzero(part == "train"), np.flatnonzero(part == "validation"))
