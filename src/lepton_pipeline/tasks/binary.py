"""Will it happen: the probability of the positive class, and a threshold to decide by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.evaluation import LINEAR_BASELINES, SLICED
from lepton_pipeline.statistics.doubts import class_doubts
from lepton_pipeline.statistics.estimates import FEWEST_CASES
from lepton_pipeline.statistics.intervals import (
    Interval,
    auc_interval,
    calibration_interval,
    share_interval,
    wilson,
)
from lepton_pipeline.statistics.losses import SMALLEST, Floats, log_losses, sigmoid, to_logits
from lepton_pipeline.statistics.measures import RankedRows, measure, rank
from lepton_pipeline.statistics.ranks import delong_variance, placements
from lepton_pipeline.statistics.strengths import Auc
from lepton_pipeline.tasks.calibration import Calibration, choose_calibration, fit_line, fit_temperature
from lepton_pipeline.tasks.positive import positive_labels
from lepton_pipeline.tasks.summary import Mean, Summary
from lepton_pipeline.tasks.task import Array, Booster, Judge, Sliced, Task, mean, numbers, units_of

if TYPE_CHECKING:
    from torch import Tensor

_NAMES = np.array(["negative", "positive"], dtype=object)


@dataclass(frozen=True)
class Binary(Task):
    """Two classes: labels are 1 for the positive one, outputs logits [n], scores its probabilities [n]."""

    task: Literal["binary"] = "binary"

    averaged: ClassVar = True
    shown: ClassVar = ("auc", "f1")
    curves: ClassVar = ("log_loss", "auc")
    linear: ClassVar = LINEAR_BASELINES["binary"]
    scarce: ClassVar = "rows of the rarer class"
    complete: ClassVar = "both classes"
    case: ClassVar = "of the rarer class"
    has_threshold: ClassVar = True
    page: ClassVar = "decisions"
    label_type: ClassVar = "int8"
    outputs: ClassVar = 1
    boosters: ClassVar = [Booster()]
    strength: ClassVar = Auc()

    def read(self, table: pd.DataFrame, dataset: Dataset) -> pd.Series:
        """See `positive_labels`."""
        return positive_labels(table, dataset)

    def strata(self, labels: pd.Series) -> pd.Series:
        """The classes."""
        return labels

    def counted(self, labels: pd.Series) -> str:
        """Rows, and positive ones."""
        return f"{len(labels):,} rows, {int(labels.sum()):,} of them positive"

    def positives(self, labels: pd.Series) -> int:
        """Number of positive rows."""
        return int(labels.sum())

    def label_mean(self, labels: Array, z: float) -> Interval:
        """The base rate."""
        return wilson(float(labels.mean()), len(labels), z)

    def lacks(self, labels: pd.Series, *, learnt: bool) -> str:
        """Both classes are needed everywhere."""
        return "" if 0 < labels.sum() < len(labels) else "rows of both classes"

    def targets(self, labels: Array) -> Array:
        """0 and 1 as float32."""
        return labels.astype(np.float32)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Binary cross entropy."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        logits = outputs.squeeze(3)
        labels = targets.unsqueeze(2).expand(logits.shape)
        return binary_cross_entropy_with_logits(logits, labels, reduction="none")

    def combine(self, outputs: Tensor) -> Tensor:
        """Mean probability of the members."""
        return outputs.squeeze(3).double().sigmoid().mean(dim=2)

    def judge(self, targets: Tensor, weights: Tensor | None = None) -> Judge:
        """Log loss and AUC, on one network's held-out rows.

        The log loss is that of logits shifted to the base rate of these rows: under a split by time, a rate that
        changes would otherwise end training after an epoch.
        """
        labels = targets.double()
        truth, counts = labels.cpu().numpy(), None if weights is None else weights.cpu().numpy()
        # Found once: to select rows by a condition, the host would wait for the device in every epoch.
        positive, negative = ((labels == side).nonzero().squeeze(1) for side in (1, 0))

        def judged(probabilities: Tensor) -> tuple[Tensor, Tensor]:
            own = probabilities.clamp(SMALLEST, 1 - SMALLEST)
            levelled = self.levelled(to_logits(own.cpu().numpy()), truth, counts)
            loss = mean(self.row_losses(levelled, truth), counts)
            return own.new_tensor(loss), _auc(own[positive], own[negative])

        return judged

    def class_weights(self, targets: Tensor, train: Tensor) -> Tensor:
        """See `Task.class_weights`."""
        import torch

        positive = targets[train].mean()
        return torch.where(targets == 1, 0.5 / positive, 0.5 / (1 - positive))

    def to_outputs(self, combined: Floats) -> Floats:
        """Logits of probabilities."""
        return to_logits(combined)

    def from_outputs(self, outputs: Floats) -> Floats:
        """Probabilities of logits."""
        return sigmoid(outputs)

    def row_losses(self, outputs: Floats, labels: Array) -> Floats:
        """Log losses."""
        return log_losses(sigmoid(outputs), labels)

    def levelled(self, outputs: Floats, labels: Array, weights: Array | None = None) -> Floats:
        """Shift logits by Newton's method until their probabilities have the mean of the labels."""
        for _ in range(50):
            probabilities = sigmoid(outputs)
            slope = mean(probabilities * (1 - probabilities), weights).clip(1e-6)
            step = (mean(labels, weights) - mean(probabilities, weights)) / slope
            outputs = outputs + np.clip(step, -0.5, 0.5)
            if abs(step) < 1e-9:
                break
        return outputs

    def calibrate(self, outputs: Floats, labels: Array, weights: Array | None = None) -> Calibration:
        """None, a temperature, or a line; see `choose_calibration`."""
        fits = (fit_temperature, partial(fit_line, with_intercept=True))
        return choose_calibration(outputs, labels, fits, self.row_losses, weights)

    def linear_model(self, strength: float) -> Any:
        """Logistic regression."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=strength, max_iter=5000)

    def in_use(self, column: pd.Series, labels: Array, validation: Array, key: str) -> Floats:
        """Probabilities as they are.

        Rules (true and false) and scores on another scale go through a logistic regression on the validation rows:
        that keeps ranks, and only log loss, Brier score and calibration depend on it.
        """
        scores = numbers(column, key, "one, or true and false, and higher for the positive class")
        if ((scores >= 0) & (scores <= 1)).all() and not np.isin(scores, (0, 1)).all():
            return scores
        scores = (scores - scores.mean()) / (scores.std() or 1.0)
        return sigmoid(fit_line(scores[validation], labels[validation]).correct(scores))

    def refuse(self, scores: Floats, index: pd.Index, model: str) -> None:
        """Probabilities lie in [0, 1]."""
        refuse_non_probabilities(scores, index, model)

    def prepare(self, labels: Array, scores: Floats, threshold: float | None) -> RankedProbabilities:
        """Rank the rows."""
        ranked = rank(scores, labels.astype(np.float64))
        return RankedProbabilities(ranked, 0.5 if threshold is None else threshold)

    def cases(self, labels: Array) -> int:
        """Rows of the rarer class."""
        positives = int(np.count_nonzero(labels))
        return min(positives, len(labels) - positives)

    def classes_drawn(self, labels: Array) -> Array:
        """Every resample holds both."""
        return labels

    def exact_intervals(
        self, labels: Array, scores: Floats, z: float, codes: Array | None
    ) -> Mapping[str, Interval]:
        """AUC, see `auc_interval`."""
        return {"auc": auc_interval(labels, scores, z, codes)}

    def row_values(self, labels: Array, scores: Floats) -> Mapping[str, Floats]:
        """Log loss and Brier score."""
        return {"log_loss": log_losses(scores, labels), "brier": (scores - labels) ** 2}

    def predictions(self, scores: Floats, threshold: float | None) -> dict[str, Iterable[Any]]:
        """Probability, and decision by the threshold."""
        return {"probability": scores, "decision": scores >= (0.5 if threshold is None else threshold)}

    def prediction_types(self) -> dict[str, str]:
        """Of probability and decision."""
        return {"probability": "double", "decision": "boolean"}

    def explained(self, outputs: Floats, place: int) -> Floats:
        """Log-odds of the positive class."""
        return outputs

    # What can be compared between parts that differ in size and base rate. Calibration error is biased upwards,
    # most where rows are few; F1, average precision and the base rate itself differ wherever base rates do.
    # Elsewhere than in sensitive columns, the model is meant to select some more often than others.
    sliced: ClassVar = Sliced(
        shares=("base_rate", "selection_rate", "recall", "false_positive_rate", "calibration_in_the_large"),
        evaluated=("auc", "f1", "average_precision", "ece"),
        bounded=SLICED["binary"],
        compared=("auc", "recall", "false_positive_rate", "calibration_in_the_large"),
        compared_if_sensitive=("selection_rate",),
    )

    def slice_intervals(
        self, labels: Array, scores: Floats, threshold: float | None, z: float, codes: Array | None
    ) -> Mapping[str, Interval | None]:
        """AUC, rates, and calibration in the large."""
        called, positive = scores >= (0.5 if threshold is None else threshold), labels != 0
        both = self.cases(labels) >= FEWEST_CASES

        def rate(of: Array, among: Array) -> Interval | None:
            if among.sum() < FEWEST_CASES:
                return None
            return share_interval(of[among], z, None if codes is None else codes[among])

        return {
            "auc": auc_interval(labels, scores, z, codes) if both else None,
            "base_rate": share_interval(positive, z, codes),
            "selection_rate": share_interval(called, z, codes),
            "recall": rate(called, positive),
            "false_positive_rate": rate(called, ~positive),
            "calibration_in_the_large": calibration_interval(labels, scores, z, codes) if both else None,
        }

    def doubts(self, labels: Array, scores: Floats) -> Floats:
        """As of two classes."""
        return class_doubts(labels, np.column_stack([1 - scores, scores]))

    def certainty(self, scores: Floats, threshold: float | None) -> Floats:
        """Distance from the threshold, at which a decision turns."""
        return np.abs(scores - (0.5 if threshold is None else threshold))

    def facing(self, labels: Array, scores: Floats, threshold: float | None) -> dict[str, Array]:
        """Label and decision, and the probability of the positive class."""
        decided = scores >= (0.5 if threshold is None else threshold)
        return {"label": _NAMES[labels], "decision": _NAMES[decided.astype(np.intp)], "probability": scores}

    explained_by: ClassVar = "auc"

    def explained_figure(self, labels: Array, scores: Floats) -> float:
        """AUC."""
        return float(np.mean(placements(scores, labels)[0]))

    def worsening(
        self, labels: Array, scores: Floats, permuted: Floats, places: Array, z: float, codes: Array | None
    ) -> Interval:
        """Fall of the AUC, with DeLong's interval of placements averaged over `permuted`; see `Task.worsening`."""
        before, after = placements(scores, labels), [placements(each, labels) for each in permuted]
        means = [np.mean([each[side] for each in after], axis=0) for side in (0, 1)]
        falls = before[0] - means[0], before[1] - means[1]
        value = float(falls[0].mean())
        # Of a single row of a class there is no variance, and the AUC cannot fall by more than 1.
        known = min(units_of(labels, codes), *map(len, falls)) > 1
        reach = float(z * delong_variance(falls, labels, codes) ** 0.5) if known else 1.0
        return Interval(value, value - reach, value + reach)

    def examples(self, labels: Array, scores: Floats, threshold: float | None) -> dict[str, int]:
        """The rows with the highest and the lowest probability, and those next to the threshold."""
        above = scores >= (0.5 if threshold is None else threshold)
        cases = {"highest probability": int(scores.argmax())}
        if above.any():
            cases["just above the threshold"] = int(np.where(above, scores, np.inf).argmin())
        if not above.all():
            cases["just below the threshold"] = int(np.where(above, -np.inf, scores).argmax())
        return cases | {"lowest probability": int(scores.argmin())}

    def later_labels(self, table: pd.DataFrame, dataset: Dataset) -> pd.Series:
        """As `read` does."""
        return self.read(table, dataset)

    def acted_on(self, predictions: pd.DataFrame) -> Array:
        """By the decision."""
        decided: Array = predictions["decision"].to_numpy()
        return decided

    def summarise(self, predictions: Iterable[pd.DataFrame]) -> Summary:
        """How many are positive, and the mean probability."""
        positives, score = 0, Mean()
        for each in predictions:
            positives += int(each["decision"].sum())
            score.add(each["probability"].to_numpy())
        share = positives / max(score.count, 1)
        return Summary(scored=score.count, positives=positives, share_positive=share, mean_score=score.value)

    summed_up_by: ClassVar = ("base rate", "{} positive")

    def summed_up(self, labels: pd.Series) -> str:
        """The share of positive rows."""
        return f"{float(labels.mean()):.1%}"

    def label_text(self, label: float) -> str:
        """Negative or positive."""
        return str(_NAMES[int(label)])


@dataclass(frozen=True)
class RankedProbabilities:
    """Rows by falling probability, measured at a threshold."""

    rows: RankedRows
    threshold: float

    def measure(self, weights: Array) -> dict[str, Array]:
        """See `statistics.measures.measure`."""
        return measure(self.rows, self.threshold, weights)


def refuse_non_probabilities(scores: Floats, index: pd.Index, model: str) -> None:
    """Raise a DataError that names the first row [n] or [n, K] outside of [0, 1]."""
    wrong = ~((scores >= 0) & (scores <= 1))
    if wrong.any():
        row, first = np.argwhere(wrong)[0][0], scores[wrong][0]
        rows = int(wrong.reshape(len(scores), -1).any(axis=1).sum())
        raise DataError(
            f"{model} scored {rows} of {len(scores)} rows outside [0, 1], first {first} in row "
            f"{index[row]}; a model must return probabilities. Look for missing or huge values in its inputs, "
            "or lower training.learning_rate."
        )


def _auc(positive: Tensor, negative: Tensor) -> Tensor:
    """Share of pairs in which the positive score is higher; a tie counts half."""
    import torch

    negative = negative.sort()[0]
    below = torch.searchsorted(negative, positive).sum()
    not_above = torch.searchsorted(negative, positive, right=True).sum()
    return (below + not_above).double() / (2 * len(positive) * len(negative))
