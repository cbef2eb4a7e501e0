"""How much in a period to come: quantiles of a number, over the level of its series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from lepton_pipeline.parameters.evaluation import LINEAR_BASELINES, SLICED
from lepton_pipeline.parameters.forecast import PERIOD, POINT, quantile_name
from lepton_pipeline.statistics.conformal import fit_residuals
from lepton_pipeline.statistics.error_measures import compare, pinball_losses
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.tasks.regression import PreparedErrors, Regression
from lepton_pipeline.tasks.task import Array, Booster, Judge, Sliced, mean

if TYPE_CHECKING:
    from torch import Tensor

# Half a unit: what rounding to whole ones may move.
_HALF = 0.5


@dataclass(frozen=True)
class Forecast(Regression):
    """Labels are numbers, learnt over the scale of their row; outputs are quantiles, the median first.

    Scores are [n, quantiles] in the order of `all_levels`: the median, the lowest and the highest quantile, and
    those between, each calibrated on held-out rows, in order, and whole where the labels are.
    """

    robust: bool = True
    quantiles: bool = True
    asked: tuple[float, ...] = (0.1, 0.5, 0.9)  # ascending, POINT among them
    whole: bool = False  # labels are whole numbers
    least: float | None = None  # no label is below, 0 or None
    offsets: tuple[float, ...] | None = None  # of outputs, by `all_levels`; None before they are fitted
    task: Literal["forecast"] = "forecast"  # type: ignore[assignment]  # its own name

    shown: ClassVar = ("wql", "wape")
    linear: ClassVar = LINEAR_BASELINES["forecast"]
    level_name: ClassVar = "forecast"
    dated: ClassVar = PERIOD

    @property
    def all_levels(self) -> tuple[float, ...]:
        """Levels of outputs and scores: the median, both ends, and the others."""
        return (POINT, self.asked[0], self.asked[-1], *(each for each in self.asked[1:-1] if each != POINT))

    @property
    def outputs(self) -> int:
        """One a quantile."""
        return len(self.asked)

    @property
    def curves(self) -> tuple[str, str]:
        """The loss that is learnt, and the absolute error."""
        return "pinball_loss", "absolute_error"

    @property
    def levels(self) -> tuple[float, float]:
        """Quantiles at both ends of the interval."""
        return self.asked[0], self.asked[-1]

    @property
    def boosters(self) -> list[Booster]:
        """One of each quantile."""
        return [Booster("quantile", level) for level in self.all_levels]

    @property
    def score_names(self) -> list[str]:
        """The median as prediction, both ends, and the other quantiles by their level."""
        return ["prediction", "low", "high", *map(quantile_name, self.all_levels[3:])]

    def ordered(self, scores: Floats) -> Floats:
        """Scores [n, quantiles] by ascending level."""
        return scores[:, np.argsort(self.all_levels)]

    def adapted(self, labels: pd.Series) -> Self:
        """With what all labels have in common: whole numbers, or none below 0."""
        values = labels.to_numpy(np.float64)
        return replace(
            self,
            whole=bool((values == np.rint(values)).all()),
            least=0.0 if (values >= 0).all() else None,
        )

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Sum of the pinball losses (Koenker and Bassett 1978)."""
        errors = targets[:, :, None, None] - outputs
        levels = errors.new_tensor(self.all_levels)
        return (levels * errors - errors.clamp(max=0)).sum(dim=-1)

    def judge(self, targets: Tensor, weights: Tensor | None = None) -> Judge:
        """Mean pinball loss, and mean absolute error of the median."""
        own = targets.double()

        def judged(outputs: Tensor) -> tuple[Tensor, Tensor]:
            losses = self.losses(outputs[None, :, None], own[None])[0, :, 0]
            return mean(losses, weights), mean((own - outputs[:, 0]).abs(), weights)

        return judged

    def from_outputs(self, outputs: Floats) -> Floats:
        """Quantiles in order, over the scale of their rows; of a linear model, which has a single one, [n]."""
        if outputs.ndim == 1:
            return self._restored(outputs)
        moved = outputs if self.offsets is None else outputs + np.array(self.offsets)
        place = np.argsort(np.argsort(self.all_levels))
        return self._restored(np.sort(moved, axis=1)[:, place])

    def learning_weights(self, scale: Floats | None, weights: Array | None) -> Array | None:
        """By their scale, so that a unit counts alike in all series, as in the metrics."""
        if scale is None:
            return weights
        counts: Floats = scale if weights is None else scale * weights
        shares: Floats = counts / counts.mean()
        return shares

    def in_units(self, scores: Floats, scale: Floats) -> Floats:
        """Scores times the scale of their rows [n], whole where labels are."""
        found = scores * (scale if scores.ndim == 1 else scale[:, None])
        if self.least is not None:
            found = np.maximum(found, self.least)
        return np.rint(found) if self.whole else found

    def row_losses(self, outputs: Floats, labels: Array) -> Floats:
        """Mean pinball loss of outputs; of a single one, half the absolute error."""
        truth = self._standardised(labels)
        several, levels = (outputs[:, None], (POINT,)) if outputs.ndim == 1 else (outputs, self.all_levels)
        return pinball_losses(truth, several, levels)

    def levelled(self, outputs: Floats, labels: Array, weights: Array | None = None) -> Floats:
        """As they are: a shift of all quantiles would not lower the loss of each."""
        return outputs

    def with_intervals(
        self, outputs: Floats, labels: Array, weights: Array | None = None, scale: Array | None = None
    ) -> Self:
        """With every quantile moved so that held-out labels, [n] over their `scale`, lie below as often as it says.

        One-sided split conformal prediction, see `statistics.conformal`. A whole number is reached by rounding from
        half a unit below it, and left from half a unit above, which is what upper and lower quantiles are moved for.
        """
        truth, offsets = self._standardised(labels), []
        half = np.zeros(len(truth))
        if self.whole:
            half = _HALF / (np.ones(len(truth)) if scale is None else scale) / self.spread
        for place, level in enumerate(self.all_levels):
            if level == POINT:
                offsets.append(0.0)
                continue
            upper = level > POINT
            reached = truth - half if upper else truth + half
            share = abs(2 * level - 1)
            moved = fit_residuals(reached, outputs[:, place], share, weights)
            offsets.append(moved.above if upper else -moved.below)
        return replace(self, offsets=tuple(offsets))

    def without_intervals(self) -> Self:
        """Quantiles as they were learnt."""
        return replace(self, offsets=None)

    def scores(self, frame: pd.DataFrame, model: str) -> Floats:
        """Quantiles [n, quantiles], or the forecast [n] of a model of one."""
        names = [f"{model}: {name}" for name in self.score_names[1:]]
        if names[0] not in frame:
            return frame[model].to_numpy(np.float64)
        return frame[[model, *names]].to_numpy(np.float64)

    def prepare(self, labels: Array, scores: Floats, threshold: float | None) -> PreparedErrors:
        """Take errors, pinball losses, and whether intervals hold; a single forecast is every quantile, without any."""
        levels = self.all_levels
        if scores.ndim == 1:
            same = np.tile(scores[:, None], len(levels))
            return PreparedErrors(compare(labels, scores, quantiles=same, levels=levels))
        ends = (scores[:, 1], scores[:, 2])
        return PreparedErrors(compare(labels, scores[:, 0], ends=ends, quantiles=scores, levels=levels))

    def policies(self, labels: Array, scores: Floats) -> Mapping[str, Floats]:
        """None: orders have costs of their own, see `evaluation.orders`."""
        return {}

    sliced: ClassVar = Sliced(
        shares=("coverage",),
        means=("mae", "bias"),
        evaluated=("wql",),
        bounded=SLICED["forecast"],
        compared=("mae", "bias", "coverage"),
    )

    def linear_model(self, strength: float) -> Any:
        """Ridge regression, by a solver that columns in step with each other, as lags are, do not upset."""
        from sklearn.linear_model import Ridge

        return Ridge(alpha=1 / strength, solver="lsqr")

    @property
    def loss(self) -> str:
        """Of the target over its scale."""
        return "Pinball losses, standardised target over its scale"

    @property
    def row_loss(self) -> str:
        """Of the target over its scale."""
        return "pinball loss of the standardised target over its scale"
