"""How well one feature, or a model, tells the target: AUC of classes, R² of the ranks of a number.

What is measured is a target [n]: one class against all others (0 or 1), or the ranks of a number. Rows are in two
halves, `halves` [n] of 0 and 1, and each is scored by what the other one shows, so that many categories do not look
strong by chance. A feature comes as `levels` [n]: its distinct values in their order, numbered from 1; 0 is missing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lepton_pipeline.statistics.boosting import fit_boosting
from lepton_pipeline.statistics.losses import Floats, class_log_losses
from lepton_pipeline.statistics.ranks import delong

# Rates of small categories are drawn towards the base rate as by this many rows.
SMOOTHING = 10
# Of more classes, only the most frequent ones are measured.
MOST_CLASSES = 20
# A value settles the target where that lies within this share of the rows, but at least so many.
SETTLED, SETTLED_ROWS = 0.005, 1

Array = npt.NDArray[Any]
Codes = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]
Figure = tuple[float, float]


class Strength(ABC):
    """A measure of strength; figures come with their standard errors."""

    metric: ClassVar[str]
    # The key of `leaks` that bounds it.
    bound: ClassVar[str]
    chance: ClassVar[Figure]
    # With fewer cases chance alone makes strong features.
    fewest: ClassVar[int]
    # Without a declared bound: few honest features are stronger alone.
    plausible: ClassVar[float]
    # Below this figure (and its interval below that) no feature is too good.
    bright: ClassVar[float]
    surely: ClassVar[float]
    # Features above it are never noise: in a small table weak ones cannot be told from it.
    nearly_chance: ClassVar[float]
    # With fewer cases a boosted model learns too little for a comparison with it to be fair, or to judge noise by it.
    learnable: ClassVar[int]
    fewest_for_noise: ClassVar[int]

    @abstractmethod
    def targets(self, labels: Array) -> dict[str, Array]:
        """What is measured, [n] each, by the class that it stands for, or "" if there is only one."""

    @abstractmethod
    def cases(self, labels: Array) -> int:
        """Rows that a figure rests on."""

    @abstractmethod
    def strata(self, target: Array) -> Codes:
        """Whole numbers, of which halves hold equal shares."""

    @abstractmethod
    def of_values(self, levels: Codes, target: Array, halves: Codes) -> Figure:
        """Figure of scores by value."""

    @abstractmethod
    def of_order(self, levels: Codes, target: Array, halves: Codes) -> Figure:
        """Figure of the order of the values."""

    @abstractmethod
    def contradicted(self, levels: Codes, labels: Array, halves: Codes) -> int:
        """Rows whose label is not what their value stands for in the other half."""

    @abstractmethod
    def out_of_order(self, levels: Codes, labels: Array) -> int:
        """Rows whose label does not follow from the order of the values."""

    @abstractmethod
    def of_scores(self, scores: Floats, target: Array) -> Figure:
        """Figure of a model's scores."""

    @abstractmethod
    def scaled(self, labels: Array, learnt: Array) -> Array:
        """Labels as a boosted model takes them; the scale is that of the labels `learnt`."""

    @abstractmethod
    def boost(self, matrix: Floats, scaled: Array, **parameters: Any) -> Any:
        """Fit gradient boosting."""

    @abstractmethod
    def regress(self, matrix: Floats, target: Array) -> Any:
        """Fit a linear model of one target."""

    @abstractmethod
    def predict(self, model: Any, matrix: Floats) -> Floats:
        """Scores [n] by a model of one target."""

    @abstractmethod
    def losses(self, model: Any, matrix: Floats, scaled: Array) -> Floats:
        """Loss of each row."""

    @abstractmethod
    def kernel_losses(self, levels: Codes, scaled: Array, learnt: Mask, held: Mask, kernel: Floats) -> Floats:
        """Losses of held-out rows; `kernel` [levels, levels] weights the learnt rows of other levels, from 0."""

    @abstractmethod
    def said(self, figure: float, interval: Figure | None = None, of: str = "") -> str:
        """The figure in words, with its subject left out."""

    @abstractmethod
    def rise(self, mean: float, error: float) -> str:
        """What permuting a feature does to a boosted model, in words."""


@dataclass(frozen=True)
class Auc(Strength):
    """AUC of one class against all others (DeLong et al. 1988 for its error); `classes` are the names of several."""

    classes: Sequence[str] = ()

    metric: ClassVar = "auc"
    bound: ClassVar = "max_auc"
    chance: ClassVar = (0.5, 0.25)
    fewest: ClassVar = 8
    plausible: ClassVar = 0.95
    bright: ClassVar = 0.75
    surely: ClassVar = 0.7
    nearly_chance: ClassVar = 0.53
    learnable: ClassVar = 200
    fewest_for_noise: ClassVar = 8

    def targets(self, labels: Array) -> dict[str, Array]:
        """The labels, or each of several classes against all others."""
        codes = labels.astype(np.intp)
        if not self.classes:
            return {"": codes}
        rows = np.bincount(codes, minlength=len(self.classes))
        frequent = np.sort(np.argsort(-rows, kind="stable")[:MOST_CLASSES])
        return {self.classes[place]: (codes == place).astype(np.intp) for place in frequent}

    def cases(self, labels: Array) -> int:
        """Rows beside the most frequent class."""
        return len(labels) - int(np.bincount(labels.astype(np.intp), minlength=1).max(initial=0))

    def strata(self, target: Array) -> Codes:
        """The classes."""
        return target.astype(np.intp)

    def of_values(self, levels: Codes, target: Array, halves: Codes) -> Figure:
        """By the rates of the other half."""
        counts = _counts(levels, target, halves)
        return mean_figure([_binned_auc(counts[half], _rates(counts[1 - half])) for half in (0, 1)])

    def of_order(self, levels: Codes, target: Array, halves: Codes) -> Figure:
        """AUC of the levels themselves, oriented by the other half."""
        (first, error), (second, second_error) = (delong(each) for each in _counts(levels, target, halves))
        oriented = first if second >= 0.5 else 1 - first, second if first >= 0.5 else 1 - second
        return mean_figure([(oriented[0], error), (oriented[1], second_error)])

    def contradicted(self, levels: Codes, labels: Array, halves: Codes) -> int:
        """Rows of another class than most rows of their value in the other half."""
        codes = labels.astype(np.intp)
        right = 0
        for half in (0, 1):
            learnt, held = halves != half, halves == half
            usual = np.full(int(levels.max()) + 1, np.bincount(codes[learnt]).argmax())
            pairs, rows = np.unique(
                levels[learnt] * (int(codes.max()) + 1) + codes[learnt], return_counts=True
            )
            value, label = np.divmod(pairs, int(codes.max()) + 1)
            # The last of a value counts: that with most rows, of those the lowest label.
            order = np.lexsort((-label, rows, value))
            usual[value[order]] = label[order]
            right += int((usual[levels[held]] == codes[held]).sum())
        return len(codes) - right

    def out_of_order(self, levels: Codes, labels: Array) -> int:
        """Rows on the wrong side of the best threshold; missing values are a third side. All, of several classes."""
        codes = labels.astype(np.intp)
        if codes.max() > 1:
            return len(codes)
        counts = _counts(levels, codes, np.zeros(len(codes), np.intp))[0]
        below = np.pad(counts[:, 1:].cumsum(axis=1), ((0, 0), (1, 0)))
        above = below[:, -1:] - below
        return int(counts[:, 0].min() + min((below[0] + above[1]).min(), (below[1] + above[0]).min()))

    def of_scores(self, scores: Floats, target: Array) -> Figure:
        """AUC of probabilities."""
        return _binned_auc(np.stack([target == 0, target == 1]).astype(np.intp), scores)

    def scaled(self, labels: Array, learnt: Array) -> Array:
        """As they are."""
        return labels.astype(np.intp)

    def boost(self, matrix: Floats, scaled: Array, **parameters: Any) -> Any:
        """A classifier."""
        return fit_boosting(matrix, scaled, **parameters)

    def regress(self, matrix: Floats, target: Array) -> Any:
        """Logistic regression."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=1.0, max_iter=1000).fit(matrix, target)

    def predict(self, model: Any, matrix: Floats) -> Floats:
        """Probabilities of class 1."""
        probabilities: Floats = model.predict_proba(matrix)[:, 1]
        return probabilities

    def losses(self, model: Any, matrix: Floats, scaled: Array) -> Floats:
        """Log losses; 0 for a class that the model has not met, whatever the features."""
        places = np.searchsorted(model.classes_, scaled).clip(max=len(model.classes_) - 1)
        losses = class_log_losses(model.predict_proba(matrix), places)
        return np.where(model.classes_[places] == scaled, losses, 0.0)

    def kernel_losses(self, levels: Codes, scaled: Array, learnt: Mask, held: Mask, kernel: Floats) -> Floats:
        """Log losses by smoothed shares of the classes."""
        classes, width = int(scaled.max(initial=1)) + 1, len(kernel)
        rows = np.bincount(levels[learnt], minlength=width) @ kernel
        shares: list[Floats] = []
        for label in range(1, classes):
            its = scaled[learnt] == label
            # Never 0 or 1, whatever a value's rows say.
            base = (its.sum() + 1) / (learnt.sum() + classes)
            own = np.bincount(levels[learnt], its, width) @ kernel
            shares.append((own + SMOOTHING * base) / (rows + SMOOTHING))
        first = 1 - np.sum(shares, axis=0)
        return class_log_losses(np.stack([first, *shares], axis=1)[levels[held]], scaled[held])

    def said(self, figure: float, interval: Figure | None = None, of: str = "") -> str:
        """As "reaches AUC 0.712 (0.701 to 0.723)"."""
        against = f" for {of!r} against all other classes" if of else ""
        if interval is None:
            return f"reaches {figure:.3f}"
        mean = "a mean one-vs-rest AUC of" if self.classes and not of else "AUC"
        return f"reaches {mean} {figure:.3f} ({interval[0]:.3f} to {interval[1]:.3f}){against}"

    def rise(self, mean: float, error: float) -> str:
        """In log loss."""
        return f"raises the log loss of a boosted model by {mean:.5f} ± {error:.5f}"


@dataclass(frozen=True)
class RSquared(Strength):
    """Share of the variance of the target's ranks: neither its scale nor a few huge values matter.

    Its error is that of a ratio of means, by the delta method.
    """

    metric: ClassVar = "r2"
    bound: ClassVar = "max_r2"
    chance: ClassVar = (0.0, 0.25)
    fewest: ClassVar = 30
    # Honest ones: .45 the best column of a house for its price, .964 an outdoor temperature for itself an hour later,
    # .958 a second thermometer. Leaks: .998 the target with an error of 2 %.
    plausible: ClassVar = 0.98
    bright: ClassVar = 0.5
    surely: ClassVar = 0.4
    nearly_chance: ClassVar = 0.003
    learnable: ClassVar = 1000
    fewest_for_noise: ClassVar = 500

    def targets(self, labels: Array) -> dict[str, Array]:
        """The ranks."""
        return {"": self.scaled(labels, labels)}

    def cases(self, labels: Array) -> int:
        """Rows beside the most frequent number."""
        return len(labels) - int(np.unique(labels, return_counts=True)[1].max(initial=0))

    def strata(self, target: Array) -> Codes:
        """Tenths of the ranks."""
        tenths: Codes = (10 * target).astype(np.intp)
        return tenths

    def of_values(self, levels: Codes, target: Array, halves: Codes) -> Figure:
        """By the means of the other half, drawn to the mean of all (credibility, Bühlmann 1967)."""
        figures = []
        for half in (0, 1):
            learnt, held = halves != half, halves == half
            means = _credible_means(levels[learnt], target[learnt], int(levels.max()) + 1)
            figures.append(self.of_scores(means[levels[held]], target[held]))
        return mean_figure(figures)

    def of_order(self, levels: Codes, target: Array, halves: Codes) -> Figure:
        """By a line through the ranks of the other half."""
        ranks, figures = _ranks(levels, levels), []
        for half in (0, 1):
            learnt, held = halves != half, halves == half
            centred = ranks[learnt] - ranks[learnt].mean()
            slope = centred @ target[learnt] / ((centred @ centred) or 1.0)
            line = target[learnt].mean() + slope * (ranks[held] - ranks[learnt].mean())
            figures.append(self.of_scores(line, target[held]))
        return mean_figure(figures)

    def contradicted(self, levels: Codes, labels: Array, halves: Codes) -> int:
        """Rows whose rank is not nearly the mean rank of their value in the other half."""
        ranks, wrong = self.scaled(labels, labels), 0
        for half in (0, 1):
            learnt, held = halves != half, halves == half
            means = _means(levels[learnt], ranks[learnt], int(levels.max()) + 1)
            # No rows of a value say nothing of it.
            wrong += int((~(np.abs(means[levels[held]] - ranks[held]) <= _tolerance(len(ranks)))).sum())
        return wrong

    def out_of_order(self, levels: Codes, labels: Array) -> int:
        """Rows that the order of the values, rising or falling, puts elsewhere than nearly at their rank."""
        present = levels > 0
        if not present.any():
            return len(labels)
        ranks, values = self.scaled(labels, labels)[present], levels[present]
        near, expected = _tolerance(len(labels)), np.sort(ranks)
        # Whatever the order, a value says nothing whose rows differ.
        alike = np.abs(_means(values, ranks, int(values.max()) + 1)[values] - ranks) <= near
        most = 0
        for direction in (values, -values):
            order = np.lexsort((ranks, direction))
            most = max(most, int((alike[order] & (np.abs(ranks[order] - expected) <= near)).sum()))
        return len(labels) - most

    def of_scores(self, scores: Floats, target: Array) -> Figure:
        """R² of predicted ranks, not below 0."""
        errors, spread = (target - scores) ** 2, (target - target.mean()) ** 2
        if not len(target) or not spread.any():
            return self.chance
        unexplained = errors.mean() / spread.mean()
        error = (errors - unexplained * spread).std() / (np.sqrt(len(target)) * spread.mean())
        return max(float(1 - unexplained), 0.0), float(error)

    def scaled(self, labels: Array, learnt: Array) -> Array:
        """Ranks among the labels `learnt`, from 0 to 1."""
        return _ranks(labels, learnt)

    def boost(self, matrix: Floats, scaled: Array, **parameters: Any) -> Any:
        """By squared error."""
        return fit_boosting(matrix, scaled, loss="squared_error", **parameters)

    def regress(self, matrix: Floats, target: Array) -> Any:
        """Ridge regression."""
        from sklearn.linear_model import Ridge

        return Ridge().fit(matrix, target)

    def predict(self, model: Any, matrix: Floats) -> Floats:
        """Predicted ranks."""
        ranks: Floats = model.predict(matrix)
        return ranks

    def losses(self, model: Any, matrix: Floats, scaled: Array) -> Floats:
        """Squared errors in units of the variance of ranks, 1/12."""
        losses: Floats = 12 * (model.predict(matrix) - scaled) ** 2
        return losses

    def kernel_losses(self, levels: Codes, scaled: Array, learnt: Mask, held: Mask, kernel: Floats) -> Floats:
        """Squared errors by smoothed means."""
        rows = np.bincount(levels[learnt], minlength=len(kernel)) @ kernel
        sums = np.bincount(levels[learnt], scaled[learnt], len(kernel)) @ kernel
        means = (sums + SMOOTHING * scaled[learnt].mean()) / (rows + SMOOTHING)
        losses: Floats = (means[levels[held]] - scaled[held]) ** 2
        return losses

    def said(self, figure: float, interval: Figure | None = None, of: str = "") -> str:
        """As "explains 97.1 % (96.5 to 97.6) of the variance of the target's ranks"."""
        if interval is None:
            return f"explains {figure:.1%}".replace("%", " %")
        low, high = (100 * end for end in interval)
        return (
            f"explains {100 * figure:.1f} % ({low:.1f} to {high:.1f}) of the variance of the target's ranks"
        )

    def rise(self, mean: float, error: float) -> str:
        """In explained variance."""
        return f"takes {mean:.5f} ± {error:.5f} from the share of variance that a boosted model explains"


AUC, R_SQUARED = Auc(), RSquared()


def _counts(levels: Codes, target: Array, halves: Codes) -> Codes:
    """Count rows by half, class and level [2, 2, levels]."""
    width = int(levels.max()) + 1
    return np.bincount(levels + width * (target + 2 * halves), minlength=4 * width).reshape(2, 2, width)


def _rates(counts: Codes) -> Floats:
    """Smoothed positive rate of each level, from counts of negative and positive rows [2, levels]."""
    prior = SMOOTHING * counts[1].sum() / counts.sum()
    return np.asarray((counts[1] + prior) / (counts.sum(axis=0) + SMOOTHING))


def _binned_auc(counts: Codes, scores: Floats) -> Figure:
    """AUC from negative and positive counts by level [2, levels], and a score of each level."""
    groups = np.unique(scores, return_inverse=True)[1]
    return delong(np.stack([np.bincount(groups, each) for each in counts]))


def mean_figure(figures: list[Figure]) -> Figure:
    """Mean figure and mean standard error, of two halves that scored each other or of several classes."""
    # What one half shows by chance the other does not contradict, so that errors do not average out.
    return sum(each[0] for each in figures) / len(figures), sum(each[1] for each in figures) / len(figures)


def _ranks(values: Array, among: Array) -> Floats:
    """Ranks of values among others, from 0 to 1; equal ones share the mean."""
    ordered = np.sort(among)
    places = ordered.searchsorted(values) + ordered.searchsorted(values, "right")
    ranks: Floats = places / (2 * len(ordered))
    return ranks


def _means(levels: Codes, target: Floats, width: int) -> Floats:
    """Mean of each level, NaN for one without rows."""
    rows = np.bincount(levels, minlength=width)
    means: Floats = np.divide(
        np.bincount(levels, target, width), rows, out=np.full(width, np.nan), where=rows > 0
    )
    return means


def _credible_means(levels: Codes, target: Floats, width: int) -> Floats:
    """Mean of each level, drawn to that of all rows the more the fewer its rows and the less levels differ."""
    rows, mean = np.bincount(levels, minlength=width), target.mean()
    means = np.nan_to_num(_means(levels, target, width), nan=mean)
    free = len(target) - np.count_nonzero(rows)
    within = ((target - means[levels]) ** 2).sum() / free if free else np.inf
    between = target.var() - within
    if between <= 0:
        return np.full(width, mean)
    weight = rows / (rows + within / between)
    drawn: Floats = mean + weight * (means - mean)
    return drawn


def _tolerance(rows: int) -> float:
    return max(SETTLED, SETTLED_ROWS / rows)
