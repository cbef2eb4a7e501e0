"""How well a model tells rows of its classes from rows of none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.resampling import LEVEL, Sample
from lepton_pipeline.model.predictor import Predictor
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.intervals import auc_interval, share_interval
from lepton_pipeline.tasks.multiclass import HANDED, Multiclass

# Shares of the rows in scope that lines of the table hand over.
HANDED_OVER = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class Coverage:
    """What deciding on rows with a probability >= threshold does, on test rows.

    Attributes:
        answered: share of the rows in scope that are decided on.
        right: share of these whose class is decided on.
        caught: share of the rows out of scope that are handed over.
    """

    threshold: float
    answered: float
    right: float
    caught: float


@dataclass(frozen=True)
class Scope:
    """Test rows in and out of the classes' scope, and what the model does with both.

    `figures`, each with its interval of 95 %:

    - accuracy: share of the rows in scope whose likeliest class is theirs, whether handed over or not.
    - answered, right, caught: see `Coverage`, at the threshold in use.
    - strangers: share of the rows handed over that are out of scope, among these test rows.
    - auc: probability of the likeliest class, as a score of being in scope.
    """

    inside: int = 0
    outside: int = 0  # none: no row is out of scope, and nothing else is known
    threshold: float = 0.0  # the probability from which a row is decided on
    share: float | None = None  # of rows out of scope in use, as declared
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    curve: Sequence[Coverage] = ()  # from the lowest threshold on

    def _value(self, name: str) -> float | None:
        return self.figures[name].value if name in self.figures else None

    @property
    def answered(self) -> float | None:
        """Share of the rows in scope that are decided on."""
        return self._value("answered")

    @property
    def right(self) -> float | None:
        """Share of these that are decided rightly."""
        return self._value("right")

    @property
    def caught(self) -> float | None:
        """Share of the rows out of scope that are handed over."""
        return self._value("caught")


def judge_scope(
    model: Predictor, scores: pd.DataFrame, outside: pd.DataFrame, units: pd.DataFrame | None = None
) -> Scope:
    """Judge when a model hands over; `scores` are those of `score_rows`, `outside` those of `score_outside`.

    Each row counts once, whatever its weight.
    """
    task = cast(Multiclass, model.task)
    if outside.empty:
        return Scope()
    rows = pd.concat([scores[scores["part"] == "test"], outside], join="inner")
    found, of_rows = task.scores(rows, "model"), np.arange(len(rows)) < len(rows) - len(outside)
    labels, certain = rows["label"].to_numpy(), task.level(found)
    decided, likeliest = task.decide(found), task.explained_place(found)
    handed, right = decided == HANDED, likeliest == labels
    sample = Sample.of(rows["label"], units, task)

    def share_of(hits: np.ndarray, among: np.ndarray) -> Estimate:
        part = sample.where(among)
        if not among.any():
            return Estimate(float("nan"))
        interval = share_interval(hits[among].astype(np.float64), part.deviate(LEVEL), part.codes)
        return Estimate(*interval, approximate=part.few_units)

    figures = {
        "accuracy": share_of(right, of_rows),
        "answered": share_of(~handed, of_rows),
        "right": share_of(decided == labels, of_rows & ~handed),
        "caught": share_of(handed, ~of_rows),
        "strangers": share_of(~of_rows, handed),
        "auc": Estimate(*auc_interval(of_rows, certain, sample.deviate(LEVEL), sample.codes)),
    }
    known = {name: figure for name, figure in figures.items() if np.isfinite(figure.value)}
    cuts = np.quantile(certain[of_rows], HANDED_OVER, method="higher")
    inside, strangers = certain[of_rows], certain[~of_rows]
    # Costs may decide on another class than the likeliest.
    hits = (replace(task, answered_from=0.0).decide(found) == labels)[of_rows]
    curve = [
        Coverage(
            float(cut),
            float((inside >= cut).mean()),
            float(hits[inside >= cut].mean()),
            float((strangers < cut).mean()),
        )
        for cut in cuts
    ]
    share = None if task.costs is None else task.costs.share_out_of_scope
    return Scope(int(of_rows.sum()), len(outside), task.answered_from or 0.0, share, known, curve)
