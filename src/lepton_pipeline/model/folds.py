"""Rows that each part of a model is trained on and evaluated by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Positions = npt.NDArray[np.int64]

# Above, one model stopped by the validation rows replaces those of the folds, which cost more than they bring.
MOST_ROWS_OF_FOLDS = 50_000


@dataclass(frozen=True)
class Fold:
    """Positions of the rows that one fit learns from, and of those that stop it and are scored."""

    train: Positions
    held_out: Positions


@dataclass(frozen=True)
class Plan:
    """Fits with disjoint held-out rows; `refit` adds a fit on all their rows, which is kept."""

    folds: list[Fold]
    refit: bool

    @property
    def everything(self) -> Positions:
        """Positions of all rows the final model learns from, if only by stopping."""
        parts = [part for fold in self.folds for part in (fold.train, fold.held_out)]
        return np.unique(np.concatenate(parts))

    @property
    def kind(self) -> str:
        """Kind of `plan_fits`: "folds", "holdout" or "refit"."""
        return "refit" if self.refit else "folds" if len(self.folds) > 1 else "holdout"


def plan_fits(split: pd.DataFrame) -> Plan:
    """Plan the fits by `part` and `fold` of every row; positions are those in `split`.

    - Random split: one fit for each fold of the training and validation rows, whose average is the model.
    - Split by time: one fit on the training rows, stopped by the later validation rows; then a refit on both
      for as long, since the latest rows tell most about the next ones.
    - Large random split: one fit on the training rows, stopped by the validation rows.
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
    """The training rows, with the validation rows held out."""
    part = split["part"].to_numpy()
    return Fold(np.flatnonzero(part == "train"), np.flatnonzero(part == "validation"))
