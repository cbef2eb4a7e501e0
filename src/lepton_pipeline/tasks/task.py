"""What every task answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset, Index
from lepton_pipeline.statistics.estimates import FEWEST_CASES
from lepton_pipeline.statistics.intervals import Interval, mean_interval, share_interval
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.strengths import Strength
from lepton_pipeline.tasks.calibration import Calibration
from lepton_pipeline.tasks.summary import Summary

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[Any]
# Loss by which a network stops, and a second figure to follow, by network; float64 on the device.
Judge = Callable[["Tensor"], tuple["Tensor", "Tensor"]]
# Between the name of a model and what one of its columns of scores holds.
_OF = ": "


class Prepared(Protocol):
    """Scored rows with known labels, ready to be measured on many resamples."""

    def measure(self, weights: Array) -> Mapping[str, Array]:
        """Each metric, [resamples], of rows that count `weights` [resamples, rows] times."""


@dataclass(frozen=True)
class Booster:
    """One model of gradient boosting: of classes, or of numbers by the loss that it minimises."""

    loss: str = "log_loss"
    quantile: float | None = None


@dataclass(frozen=True)
class Sliced:
    """Metrics of slices, by the interval that they have, and what they are for."""

    shares: tuple[str, ...]  # Wilson's, which holds for few rows, too
    evaluated: tuple[str, ...]  # as in `evaluate`, where there are enough cases
    bounded: tuple[str, ...]  # a gate may hold slices to a bound of them
    compared: tuple[str, ...]  # with those of all other rows; they do not depend on what the rows are
    means: tuple[str, ...] = ()  # of `Task.row_values`, a normal one
    compared_if_sensitive: tuple[str, ...] = ()  # for sensitive columns only


@dataclass(frozen=True)
class Task(ABC):
    """What a model predicts, and all that follows from it.

    Labels are one number a row: 0 or 1, the place of a class, or the target itself. Outputs are what is
    blended and calibrated: logits, or the standardised target. Scores are what is measured: probabilities, or
    predictions in the target's unit. Outputs and scores are [n], or [n, K] where there are several a row.
    """

    # Metrics by which terminal and pages judge a model at a glance, the most important first.
    shown: ClassVar[tuple[str, ...]]
    # The name of the linear baseline.
    linear: ClassVar[str]
    # What a split may run short of, and what each of its parts shall hold.
    scarce: ClassVar[str]
    complete: ClassVar[str]
    # What rows that intervals rest on are, see `cases`.
    case: ClassVar[str]
    # What pictures and pages show it by, see `reporting.report.views`.
    page: ClassVar[str]
    # What is explained: a probability, or a number.
    explains_probability: ClassVar[bool] = True
    # Whether decisions are taken by a threshold, chosen on validation rows.
    has_threshold: ClassVar[bool] = False
    # Type of labels, and whether scores have intervals, which hold as often as they promise.
    label_type: ClassVar[Literal["int8", "int16", "float64"]]
    has_intervals: ClassVar[bool] = False
    # Column of the time that a target is of, where that is not the row's.
    dated: ClassVar[str | None] = None
    # Whether networks are averaged over the last epoch's steps, with a higher rate and a shorter patience. Errors of
    # numbers go on falling with a low rate.
    averaged: ClassVar[bool] = False
    # What `level` is, and what later rows without a label have (see `later_labels`), in words.
    level_name: ClassVar[str] = "probability"
    unread: ClassVar[str] = "a target that the champion cannot predict"

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Outputs of a network's member, and of boosting, for a row."""

    @property
    @abstractmethod
    def curves(self) -> tuple[str, str]:
        """What an epoch's two figures of held-out rows are called."""

    # Target

    @abstractmethod
    def read(self, table: pd.DataFrame, dataset: Dataset) -> pd.Series:
        """Labels of rows whose target is known, indexed as `table`; a DataError says why they cannot be learnt."""

    @abstractmethod
    def strata(self, labels: pd.Series) -> pd.Series:
        """Whole numbers; a random split has each in the same share in all parts, and so have folds."""

    @abstractmethod
    def counted(self, labels: pd.Series) -> str:
        """Rows in words, as "1,250 rows, 301 of them positive"."""

    def positives(self, labels: pd.Series) -> int | None:
        """Number of positive rows, where there is a positive class."""
        return None

    def label_mean(self, labels: Array, z: float) -> Interval | None:
        """Mean of labels [n], two at least, with an interval; None where a mean of them says nothing."""
        return None

    @abstractmethod
    def lacks(self, labels: pd.Series, *, learnt: bool) -> str:
        """What a part of the split lacks to be learnt from, or to be scored; empty if nothing."""

    # Fit

    @property
    @abstractmethod
    def boosters(self) -> list[Booster]:
        """Models of gradient boosting that together give the outputs; none where they would take too long."""

    def fitted(self, labels: Array) -> Self:
        """The task with what is learnt of the labels themselves, such as their scale."""
        return self

    @abstractmethod
    def targets(self, labels: Array) -> Array:
        """Labels as losses take them, [n]."""

    @abstractmethod
    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of each row and member, [networks, n, members], of outputs [networks, n, members, K]."""

    @abstractmethod
    def combine(self, outputs: Tensor) -> Tensor:
        """Scores of the members' mean, float64 [networks, n], or [networks, n, K] where K is not 1."""

    @abstractmethod
    def judge(self, targets: Tensor, weights: Tensor | None = None) -> Judge:
        """Prepare held-out rows [n] for the two figures of every epoch; see `curves`."""

    @abstractmethod
    def class_weights(self, targets: Tensor, train: Tensor) -> Tensor:
        """Weights [n] with equal totals of all classes, and mean 1, in the rows `train`."""

    @abstractmethod
    def to_outputs(self, combined: Floats) -> Floats:
        """Outputs of what `combine` gives."""

    @abstractmethod
    def from_outputs(self, outputs: Floats) -> Floats:
        """Scores of outputs."""

    def learning_weights(self, scale: Floats | None, weights: Array | None) -> Array | None:
        """How much rows count in what is learnt, [n], by how much they count, and the scale of their labels."""
        return weights

    def in_units(self, scores: Floats, scale: Floats) -> Floats:
        """Scores of labels that were divided by the scale of their rows, [n]."""
        return scores * (scale if scores.ndim == 1 else scale[:, None])

    @abstractmethod
    def row_losses(self, outputs: Floats, labels: Array) -> Floats:
        """Loss of each row, [n], by which parts are weighed."""

    @abstractmethod
    def levelled(self, outputs: Floats, labels: Array, weights: Array | None = None) -> Floats:
        """Outputs shifted so that their mean is right on these rows."""

    @abstractmethod
    def calibrate(self, outputs: Floats, labels: Array, weights: Array | None = None) -> Calibration:
        """The correction of held-out outputs that lowers their loss for certain, if any."""

    def with_intervals(
        self, outputs: Floats, labels: Array, weights: Array | None = None, scale: Floats | None = None
    ) -> Self:
        """The task with intervals fitted on held-out rows, where it has some; labels are over their `scale`."""
        return self

    def with_hand_over(
        self, scores: Floats, labels: Array, outside: Floats, weights: Array | None = None
    ) -> Self:
        """The task that hands over what is likely of no class, chosen with held-out scores and those `outside` it."""
        return self

    def without_intervals(self) -> Self:
        """The task whose scores have no intervals."""
        return self

    @abstractmethod
    def linear_model(self, strength: float) -> Any:
        """Estimator of scikit-learn for the linear baseline; `strength` is the inverse of its penalty's."""

    def text_model(self, strength: float) -> Any:
        """Estimator of scikit-learn with `coef_`, by which columns of texts are reduced to `text_outputs`."""
        from sklearn.svm import LinearSVC

        # A margin costs a tenth of a logistic regression where there are many classes.
        return LinearSVC(C=0.3 * strength, random_state=0)

    @property
    def text_strengths(self) -> tuple[float, ...]:
        """Strengths of it that are tried."""
        return 1.0, 3.0

    @property
    def text_outputs(self) -> list[str]:
        """What the numbers of a text are of; one empty name for a single number."""
        return self.score_names or [""]

    @property
    def text_tendencies(self) -> list[tuple[str, int, int]]:
        """What words may speak for, each with its place in `text_outputs`, and the sign of such words' weights."""
        return [(name or self.label_text(1), place, 1) for place, name in enumerate(self.text_outputs)]

    @property
    def strengths(self) -> tuple[float, ...]:
        """Strengths of the linear baseline that are tried."""
        return 0.01, 0.1, 1.0, 10.0

    @abstractmethod
    def in_use(self, column: pd.Series, labels: Array, validation: Array, key: str) -> Floats:
        """Scores of a rule or score in use, of rows with `labels`; what needs fitting is fitted on `validation` rows.

        Raises DataError if the column, declared by `key`, cannot be one.
        """

    # Scores

    def columns(self, model: str, scores: Floats) -> dict[str, Floats]:
        """Scores as columns of a frame, named after the model and what each holds."""
        if scores.ndim == 1:
            return {model: scores}
        return {f"{model}{_OF}{name}": scores[:, place] for place, name in enumerate(self.score_names)}

    def scores(self, frame: pd.DataFrame, model: str) -> Floats:
        """Scores of a model, from the columns that `columns` named."""
        if model in frame:
            return frame[model].to_numpy(np.float64)
        return frame[[f"{model}{_OF}{name}" for name in self.score_names]].to_numpy(np.float64)

    @property
    def score_names(self) -> list[str]:
        """What the columns of scores of two dimensions hold."""
        return []

    def models(self, frame: pd.DataFrame) -> list[str]:
        """Names of the models with scores in a frame that `scores` reads."""
        others = ("part", "label", "weight")
        names = (str(name).partition(_OF)[0] for name in frame if name not in others)
        return list(dict.fromkeys(names))

    @abstractmethod
    def refuse(self, scores: Floats, index: pd.Index, model: str) -> None:
        """Raise a DataError if scores are none that a model may give."""

    @abstractmethod
    def prepare(self, labels: Array, scores: Floats, threshold: float | None) -> Prepared:
        """Prepare scored rows for metrics; `threshold` is None in tasks without one."""

    @abstractmethod
    def cases(self, labels: Array) -> int:
        """Rows that intervals rest on: of the rarer class, beside the most frequent one, or all."""

    def classes_drawn(self, labels: Array) -> Array | None:
        """Classes, 0 or 1, of which every resample must hold both; None where any rows can be measured."""
        return None

    def exact_intervals(
        self, labels: Array, scores: Floats, z: float, codes: Array | None
    ) -> Mapping[str, Interval]:
        """Metrics with an interval by a formula; `z` and `codes` as in `statistics.intervals.share_interval`."""
        return {}

    @abstractmethod
    def row_values(self, labels: Array, scores: Floats) -> Mapping[str, Floats]:
        """Metrics that are means over rows, as values of rows [n]: what slices and columns are compared by."""

    def shares(self, labels: Array, weights: Array | None = None) -> Array | None:
        """How much each row counts in costs, [n]: its weight, so that rows out of scope have their declared share."""
        return weights

    def policies(self, labels: Array, scores: Floats) -> Mapping[str, Floats]:
        """Cost of each row, [n], by policy of deciding: `model` first; none without declared costs."""
        return {}

    # Predictions

    def differs_from(self, other: Task) -> str | None:
        """Why the scores of both cannot be compared; None if they can."""
        if type(self) is not type(other) or list(self.score_names) != list(other.score_names):
            return f"it predicts something else: {other}"
        return None

    def __str__(self) -> str:
        """The task in words."""
        names = f" of {', '.join(self.score_names)}" if self.score_names else ""
        return f"{type(self).__name__.lower()}{names}"

    @property
    def no_scores(self) -> Floats:
        """Scores of no row."""
        return self.from_outputs(np.zeros((0, self.outputs) if self.outputs > 1 else 0))

    def handed_over(self, scores: Floats) -> Array:
        """Which rows are left to somebody, [n]."""
        return np.zeros(len(scores), dtype=bool)

    @abstractmethod
    def predictions(self, scores: Floats, threshold: float | None) -> dict[str, Iterable[Any]]:
        """Columns of the predictions of rows."""

    @abstractmethod
    def prediction_types(self) -> dict[str, str]:
        """Type in MLflow of each column of `predictions`."""

    # What shadows are compared by, a column of `predictions`, and which rows count as changed, in words.
    compared_by: ClassVar[str] = "probability"
    changes: ClassVar[str] = "decided otherwise"

    def changed(self, predictions: pd.DataFrame, others: pd.DataFrame) -> Array:
        """Which rows another model predicts otherwise, [n]; both frames have the columns of `predictions`."""
        found: Array = predictions["decision"].to_numpy() != others["decision"].to_numpy()
        return found

    @abstractmethod
    def explained(self, outputs: Floats, place: int) -> Floats:
        """What reasons add up to, [n]: log-odds of the positive class or of that at `place`, or the prediction."""

    def explained_place(self, scores: Floats) -> Array:
        """Which of several outputs is explained in each row, [n]."""
        return np.zeros(len(scores), dtype=np.intp)

    # Slices

    sliced: ClassVar[Sliced]

    def slice_intervals(
        self, labels: Array, scores: Floats, threshold: float | None, z: float, codes: Array | None
    ) -> Mapping[str, Interval | None]:
        """Metrics of at least two rows or units with an interval by a formula; None where too few are meant.

        `z` and `codes` as in `statistics.intervals.share_interval`.
        """
        values = self.row_values(labels, scores)
        enough = len(labels) >= FEWEST_CASES
        means = {metric: values[metric] for metric in self.sliced.means if metric in values}
        return {
            **{
                metric: share_interval(values[metric], z, codes)
                for metric in self.sliced.shares
                if metric in values
            },
            **{metric: mean_interval(each, z, codes) if enough else None for metric, each in means.items()},
        }

    # Rows worth a look

    # What `certainty` is called.
    certain_by: ClassVar[str] = "margin"

    @abstractmethod
    def doubts(self, labels: Array, scores: Floats) -> Floats:
        """How far each label contradicts an out-of-fold score, [n], see `statistics.doubts`; 0 where it does not."""

    @abstractmethod
    def certainty(self, scores: Floats, threshold: float | None) -> Floats | None:
        """How certain each score is, [n], the least certain one first; None where all are equally certain."""

    @abstractmethod
    def facing(self, labels: Array, scores: Floats, threshold: float | None) -> dict[str, Array]:
        """Labels and what the scores say, as columns for people."""

    # Robustness

    # The one of `row_values` by which a single row is judged.
    row_metric: ClassVar[str] = "log_loss"
    # Explanation

    # Importance is by how much it gets worse.
    explained_by: ClassVar[str]
    # Of the columns of `predictions`, how many say what a row was predicted.
    told: ClassVar[int] = 2

    def explained_figure(self, labels: Array, scores: Floats) -> float:
        """The metric `explained_by`."""
        return float(self.row_values(labels, scores)[self.explained_by].mean())

    def worsening(
        self, labels: Array, scores: Floats, permuted: Floats, places: Array, z: float, codes: Array | None
    ) -> Interval:
        """How much worse the metric `explained_by` is with a column permuted, on average over permutations.

        `permuted` are scores [permutations, n, …] of rows with the value of the row at `places` [permutations, n].
        A row counts as one that got others' values, and as one whose value others got: the variance is that of
        the projection of a U-statistic of both (Hoeffding 1948), that of the first alone is too small. Of a single
        row or unit it is not known, and the interval reaches as far as the rows' differences. `z` and `codes` as
        in `statistics.intervals.share_interval`.
        """
        before = self.row_values(labels, scores)[self.explained_by]
        rises = np.array([self.row_values(labels, each)[self.explained_by] - before for each in permuted])
        if units_of(labels, codes) > 1:
            lent = np.bincount(places.ravel(), rises.ravel(), minlength=len(labels)) / len(rises)
            return mean_interval(rises.mean(axis=0) + (lent - lent.mean()), z, codes)
        value, reach = float(rises.mean()), float(np.abs(rises).max())
        return Interval(value, value - reach, value + reach)

    @property
    def effect_names(self) -> list[str]:
        """What effects may be of: the first columns of scores, one without a name where there is but one."""
        return [""]

    @property
    def score_range(self) -> tuple[float, float]:
        """The smallest and the largest score."""
        return 0.0, 1.0

    @abstractmethod
    def examples(self, labels: Array, scores: Floats, threshold: float | None) -> dict[str, int]:
        """Rows that are worth a look, by what makes them so; a row may be several."""

    @property
    def smallest_effect(self) -> float:
        """Effects on single rows, see `explained`, that are smaller are left out; as text they would be 0.00."""
        return 0.005

    def effect_text(self, effect: float) -> str:
        """An effect on a single row, with its sign."""
        return f"{effect:+.2f}"

    # Words and figures for pages

    @property
    def loss(self) -> str:
        """What networks lower, as the title of a chart."""
        return "Log loss"

    @property
    def row_loss(self) -> str:
        """What `row_losses` are, in words."""
        return "log loss"

    @property
    def without_boosting(self) -> str:
        """Why no model of the task has gradient boosting; empty where it can."""
        return ""

    def on_log_scale(self, labels: Array, scores: Floats) -> dict[str, float]:
        """Metrics of logarithms, where they are what is learnt and all scores have one; else empty."""
        return {}

    # Later rows

    @abstractmethod
    def later_labels(self, table: pd.DataFrame, dataset: Dataset) -> pd.Series:
        """Labels of rows with a target that came after the training; missing where none of the task's own fits."""

    def level(self, scores: Floats) -> Floats:
        """One number a row, [n]: the probability of the positive or the likeliest class, or the prediction."""
        return scores if scores.ndim == 1 else scores[:, 0]

    def watched(self, scores: Floats) -> pd.Series:
        """What later scores are compared by: numbers, or the decided classes as texts."""
        return pd.Series(self.level(scores), name=self.level_name)

    # Index

    def parts(self, scores: Floats) -> Floats:
        """What an index weighs, [n, K]: probabilities of classes, or one number a row."""
        return self.level(scores)[:, None]

    def parts_of(self, labels: Array) -> Floats:
        """The same of labels."""
        return labels.astype(np.float64)[:, None]

    def weights(self, index: Index) -> Floats:
        """How much each part counts, [K]; a ConfigurationError says why an index cannot be had."""
        return np.ones(1)

    # Use

    # What MLflow calls such a model.
    model_type: ClassVar[str] = "classifier"

    def acted_on(self, predictions: pd.DataFrame) -> Array | None:
        """Which rows of `predictions` are decided as positive, [n]; None where no class is the positive one."""
        return None

    @abstractmethod
    def summarise(self, predictions: Iterable[pd.DataFrame]) -> Summary:
        """Summarise predictions that come in parts; how rows are divided changes no bit."""

    # Features

    @property
    @abstractmethod
    def strength(self) -> Strength:
        """How the leak guard measures what features tell of the target."""

    # Words

    # What `summed_up` gives, as the head of a column, and how a sentence says it.
    summed_up_by: ClassVar[tuple[str, str]]
    # What two rows of one stratum (see `strata`) do.
    agree: ClassVar[str] = "have the same outcome"

    @abstractmethod
    def summed_up(self, labels: pd.Series) -> str:
        """Labels [n] of one row or more in one figure, as "11.5%"."""

    @abstractmethod
    def label_text(self, label: float) -> str:
        """A label in words."""


def units_of(labels: Array, codes: Array | None) -> int:
    """Number of units, or of rows that are their own."""
    return len(labels) if codes is None else len(np.unique(codes))


def mean(values: Any, weights: Any) -> Any:
    """Mean of values [n], tensors or arrays, by weights [n]; None for equal ones."""
    return values.mean() if weights is None else (values * weights).sum() / weights.sum()


def numbers(column: pd.Series, key: str, what: str) -> Floats:
    """Finite numbers of a column declared by `key`, which shall hold `what`; a DataError says why it does not."""
    if not pd.api.types.is_numeric_dtype(column):
        raise DataError(
            f"column {column.name!r} ({key}) holds {column.dropna().iloc[:1].to_list()}, no number; a score in use is "
            f"{what}: derive one in features.derive."
        )
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise DataError(
            f"column {column.name!r} ({key}) has no score in {int(wrong.sum()):,} of {len(values):,} validation and "
            f"test rows, first in row {column.index[wrong][0]}; fill them, for instance in features.derive."
        )
    return values
