"""Which one: the probability of each of several classes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from lepton_pipeline.data.labels import NO_LABEL
from lepton_pipeline.errors import ConfigurationError, DataError, did_you_mean
from lepton_pipeline.parameters import ClassCosts, Dataset, Index, code_text
from lepton_pipeline.parameters.evaluation import LINEAR_BASELINES, SLICED
from lepton_pipeline.statistics.class_measures import ClassRows, measure_classes, rank_classes
from lepton_pipeline.statistics.doubts import class_doubts
from lepton_pipeline.statistics.losses import (
    SMALLEST,
    Floats,
    class_log_losses,
    fit_temperature,
    log_softmax,
    softmax,
)
from lepton_pipeline.statistics.prediction_powered import MOST_PARTS
from lepton_pipeline.statistics.strengths import Auc
from lepton_pipeline.statistics.thresholds import least_cost_threshold
from lepton_pipeline.tasks.binary import refuse_non_probabilities
from lepton_pipeline.tasks.calibration import Calibration, choose_calibration
from lepton_pipeline.tasks.classes import HAND_OVER, RARE, class_texts, find_classes, listed, refuse_others
from lepton_pipeline.tasks.summary import Mean, Summary
from lepton_pipeline.tasks.task import Array, Booster, Judge, Sliced, Task, mean

if TYPE_CHECKING:
    from torch import Tensor

# Boosting grows a tree for every class in every iteration.
MOST_BOOSTED = 30
# The place of a case that is handed over among decisions.
HANDED = -1
# Predictions of more classes have no column for each, but one text with the likeliest.
MOST_COLUMNS, LIKELIEST = 50, 5


@dataclass(frozen=True)
class Multiclass(Task):
    """Labels are the places of `classes`, outputs logits [n, K], scores probabilities [n, K]."""

    classes: Sequence[str] = ()  # names, in the order of their values; texts as `class_texts` writes them
    costs: ClassCosts | None = None  # those that decide; None: the likeliest class is decided on
    task: Literal["multiclass"] = "multiclass"
    replies: Mapping[str, str] = field(default_factory=dict)  # by class
    # Smallest probability of a case that is decided on, where rows out of scope chose it; see `with_hand_over`.
    answered_from: float | None = None

    shown: ClassVar = ("log_loss", "macro_f1")
    curves: ClassVar = ("log_loss", "accuracy")
    linear: ClassVar = LINEAR_BASELINES["multiclass"]
    scarce: ClassVar = "rows of the rarest class"
    complete: ClassVar = "all classes"
    case: ClassVar = "beside the most frequent class"
    page: ClassVar = "classes"
    label_type: ClassVar = "int16"
    level_name: ClassVar = "probability of the likeliest class"
    unread: ClassVar = "a class that the champion does not know"

    @classmethod
    def find(cls, table: pd.DataFrame, dataset: Dataset, costs: ClassCosts | None = None) -> Multiclass:
        """Find the classes of labelled rows, see `find_classes`; what is declared of each must name one of them."""
        classes = find_classes(table, dataset)
        named = {} if costs is None else costs.matrix
        decided = (name for row in named.values() for name in row)
        for key, names in (
            ("dataset.replies", dataset.replies),
            ("evaluation.class_costs.matrix", [*named, *decided]),
        ):
            if unknown := [name for name in names if name not in classes]:
                raise ConfigurationError(
                    f"{key}: {unknown[0]!r} is no class; {did_you_mean(unknown[0], classes)}there are "
                    f"{listed(classes)}."
                )
        found = cls(classes, costs, replies=dataset.replies)
        if named:
            found._refuse_dear_classes()
        return found

    @property
    def outputs(self) -> int:
        """One for each class."""
        return len(self.classes)

    @property
    def boosters(self) -> list[Booster]:
        """One, of up to 30 classes."""
        return [Booster()] if len(self.classes) <= MOST_BOOSTED else []

    @property
    def score_names(self) -> list[str]:
        """The classes."""
        return list(self.classes)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.classes)}

    def read(self, table: pd.DataFrame, dataset: Dataset) -> pd.Series:
        """Places of the classes as int16; a DataError names a value that is none of them."""
        texts = class_texts(table[dataset.target])
        rest = self._places.get(RARE)
        if rest is None:
            refuse_others(texts.dropna(), self.classes, dataset)
        places = texts.map(self._places)
        if texts.isna().any():
            raise DataError(
                f"target {dataset.target!r} is missing in {int(texts.isna().sum()):,} rows, first in row "
                f"{texts.index[texts.isna()][0]}; leave them out."
            )
        return (places if rest is None else places.fillna(rest)).astype(np.int16)

    def strata(self, labels: pd.Series) -> pd.Series:
        """The classes."""
        return labels

    def counted(self, labels: pd.Series) -> str:
        """Rows and classes, and the rarest of them."""
        counts = labels.value_counts()
        if counts.empty:
            return "0 rows"
        rarest = min(counts.index, key=lambda label: (counts[label], label))
        there = f"{len(counts)} of {len(self.classes)} classes"
        return f"{len(labels):,} rows of {there}, {self.classes[int(rarest)]!r} the rarest with {counts[rarest]:,}"

    def lacks(self, labels: pd.Series, *, learnt: bool) -> str:
        """Every class is needed to learn from, two of them to be scored."""
        found = set(labels.unique())
        absent = [name for place, name in enumerate(self.classes) if place not in found]
        if learnt and absent:
            return f"class {listed([repr(name) for name in absent])}"
        return "" if len(found) > 1 else "a second class"

    def targets(self, labels: Array) -> Array:
        """Places as int64."""
        return labels.astype(np.int64)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy."""
        logs = outputs.log_softmax(dim=3)
        places = targets[:, :, None, None].expand(*logs.shape[:3], 1)
        return -logs.gather(3, places).squeeze(3)

    def combine(self, outputs: Tensor) -> Tensor:
        """Mean probabilities of the members."""
        return outputs.double().softmax(dim=3).mean(dim=2)

    def judge(self, targets: Tensor, weights: Tensor | None = None) -> Judge:
        """Log loss, and share of rows whose likeliest class is theirs."""

        def judged(probabilities: Tensor) -> tuple[Tensor, Tensor]:
            own = probabilities.gather(1, targets[:, None]).squeeze(1)
            hits = probabilities.argmax(dim=1) == targets
            return mean(-own.clamp(SMALLEST, 1).log(), weights), mean(hits.double(), weights)

        return judged

    def class_weights(self, targets: Tensor, train: Tensor) -> Tensor:
        """See `Task.class_weights`."""
        counts = targets[train].bincount(minlength=self.outputs)
        weights = len(train) / (self.outputs * counts.clamp(min=1).float())
        return weights[targets]

    def to_outputs(self, combined: Floats) -> Floats:
        """Logarithms of probabilities."""
        logs: Floats = np.log(np.clip(combined, SMALLEST, 1))
        return logs

    def from_outputs(self, outputs: Floats) -> Floats:
        """Probabilities of logits."""
        return softmax(outputs)

    def row_losses(self, outputs: Floats, labels: Array) -> Floats:
        """Log losses."""
        return -log_softmax(outputs)[np.arange(len(labels)), labels.astype(np.intp)]

    def levelled(self, outputs: Floats, labels: Array, weights: Array | None = None) -> Floats:
        """Outputs as they are: shares of many classes in one stretch of time are mostly chance."""
        return outputs

    def calibrate(self, outputs: Floats, labels: Array, weights: Array | None = None) -> Calibration:
        """None, or a temperature; see `choose_calibration`."""
        places = labels.astype(np.intp)
        return choose_calibration(
            outputs, places, [lambda *rows: Calibration(fit_temperature(*rows))], self.row_losses, weights
        )

    @property
    def strengths(self) -> tuple[float, ...]:
        """One, where many classes make each fit slow."""
        return super().strengths if self.boosters else (1.0,)

    def linear_model(self, strength: float) -> Any:
        """Multinomial logistic regression."""
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=strength, max_iter=5000 if self.boosters else 300)

    def in_use(self, column: pd.Series, labels: Array, validation: Array, key: str) -> Floats:
        """How often each class came on validation rows of which the column says the same, one more of each added."""
        said = pd.factorize(class_texts(column).fillna("(missing)"))[0]
        counts = np.ones((said.max() + 1, self.outputs))
        np.add.at(counts, (said[validation], labels[validation].astype(np.intp)), 1)
        shares: Floats = (counts / counts.sum(axis=1, keepdims=True))[said]
        return shares

    def refuse(self, scores: Floats, index: pd.Index, model: str) -> None:
        """Probabilities lie in [0, 1]."""
        refuse_non_probabilities(scores, index, model)

    def prepare(self, labels: Array, scores: Floats, threshold: float | None) -> PreparedClasses:
        """Sort what needs sorting."""
        return PreparedClasses(rank_classes(scores, labels.astype(np.intp)))

    def cases(self, labels: Array) -> int:
        """Rows beside the most frequent class."""
        return len(labels) - int(np.bincount(labels.astype(np.intp) + 1, minlength=1).max(initial=0))

    def row_values(self, labels: Array, scores: Floats) -> Mapping[str, Floats]:
        """Accuracy and log loss."""
        places = labels.astype(np.intp)
        return {
            "accuracy": (scores.argmax(axis=1) == places).astype(np.float64),
            "log_loss": class_log_losses(scores, places),
        }

    @cached_property
    def cost_matrix(self) -> Floats:
        """Cost of each class, by the class decided on, [K, K]."""
        costs = self.costs or ClassCosts.model_validate({})
        matrix = np.full((self.outputs, self.outputs), costs.wrong)
        np.fill_diagonal(matrix, costs.right)
        for place, name in enumerate(self.classes):
            for decided, cost in costs.matrix.get(name, {}).items():
                matrix[place, self._places[decided]] = cost
        return matrix

    def _refuse_dear_classes(self) -> None:
        """Where a wrong class costs less than the right one, decisions would avoid the right one."""
        for name, costs, right in zip(
            self.classes, self.cost_matrix, self.cost_matrix.diagonal(), strict=True
        ):
            wrong = self.classes[int(costs.argmin())]
            if costs.min() < right:
                raise ConfigurationError(
                    f"evaluation.class_costs.matrix: for class {name!r} the right decision costs {right:g}, and the "
                    f"wrong one {wrong!r} only {costs.min():g}; lower {name}: {{{name}: {right:g}}}, or raise "
                    f"{name}: {{{wrong}: {costs.min():g}}}."
                )

    def _expected(self, scores: Floats) -> Floats:
        """Expected cost of deciding on each class, [n, K]."""
        # A row's bits do not depend on other rows, as those of a matrix product might.
        expected: Floats = np.einsum("nk,kd->nd", scores, self.cost_matrix)
        return expected

    def decide(self, scores: Floats) -> Array:
        """Places of the classes decided on, [n]: the likeliest, or those of least expected cost; -1 is handed over.

        Handed over are rows for which that costs less (Chow 1970, "On optimum recognition error and reject
        tradeoff"), or those below a probability that was chosen with rows out of scope.
        """
        if self.costs is None:
            likeliest: Array = scores.argmax(axis=1)
            return likeliest
        expected = self._expected(scores)
        least: Array = expected.argmin(axis=1)
        if self.answered_from is not None:
            return np.where(scores.max(axis=1) < self.answered_from, HANDED, least)
        if self.costs.hand_over is not None:
            least = np.where(expected.min(axis=1) > self.costs.hand_over, HANDED, least)
        return least

    def with_hand_over(
        self, scores: Floats, labels: Array, outside: Floats, weights: Array | None = None
    ) -> Self:
        """See `Task.with_hand_over`: by the least cost, with as many rows out of scope as are declared."""
        if self.costs is None or self.costs.hand_over is None or not len(outside):
            return self
        both = np.concatenate([scores, outside])
        truth = np.concatenate([labels.astype(np.intp), np.full(len(outside), NO_LABEL)])
        answered = self._of(truth, self._expected(both).argmin(axis=1))
        if weights is not None:
            # Rows out of scope have none here.
            weights = np.append(weights, np.full(len(outside), weights.mean()))
        counts = self.shares(truth, weights)
        extra = (answered - self.costs.hand_over) * (1 if counts is None else counts)
        return replace(self, answered_from=least_cost_threshold(extra, both.max(axis=1)))

    def shares(self, labels: Array, weights: Array | None = None) -> Array | None:
        """See `Task.shares`."""
        outside = labels == NO_LABEL
        share = None if self.costs is None else self.costs.share_out_of_scope
        counts = np.ones(len(labels)) if weights is None else weights.astype(np.float64)
        # Rows that count for nothing cannot have a share.
        if share is None or not counts[outside].any():
            return weights
        scaled: Floats = np.where(
            outside, share / counts[outside].sum(), (1 - share) / counts[~outside].sum()
        )
        return scaled * counts

    def _of(self, labels: Array, decided: Array) -> Floats:
        """Cost of each row that is decided on, [n]."""
        costs = self.costs or ClassCosts.model_validate({})
        found: Floats = np.where(labels == NO_LABEL, costs.stranger, self.cost_matrix[labels, decided])
        return found

    def handed_over(self, scores: Floats) -> Array:
        """Those that `decide` hands over."""
        handed: Array = self.decide(scores) == HANDED
        return handed

    def policies(self, labels: Array, scores: Floats) -> Mapping[str, Floats]:
        """Of deciding as declared, of the likeliest class, and of handing every case over."""
        if self.costs is None:
            return {}
        places, decided, likeliest = labels.astype(np.intp), self.decide(scores), scores.argmax(axis=1)
        handed = np.full(len(scores), np.inf if self.costs.hand_over is None else self.costs.hand_over)
        found = {
            "model": np.where(decided == HANDED, handed, self._of(places, decided)),
            "likeliest": self._of(places, likeliest),
        }
        return found if self.costs.hand_over is None else {**found, "hand_over": handed}

    def predictions(self, scores: Floats, threshold: float | None) -> dict[str, Iterable[Any]]:
        """The class decided on and its reply, the probability of the likeliest one, and that of each class.

        Of more than 50 classes, the likeliest ones are told as JSON. A row handed over has no reply.
        """
        # The last is where -1 points.
        names = np.array([*self.classes, HAND_OVER], dtype=object)
        places = self.decide(scores)
        decided = pd.array(names[places], dtype="str")
        each: dict[str, Iterable[Any]] = dict(zip(self._columns, scores.T, strict=True))
        if self.outputs > MOST_COLUMNS:
            each = {"likeliest": pd.array(self._likeliest(scores), dtype="str")}
        if self.replies:
            replies = np.array([self.replies.get(name, "") for name in names], dtype=object)
            each = {"reply": pd.array(replies[places], dtype="str"), **each}
        return {"decision": decided, "probability": scores.max(axis=1), **each}

    def prediction_types(self) -> dict[str, str]:
        """Of the columns of `predictions`."""
        types = {"decision": "string", "probability": "double"} | (
            {"reply": "string"} if self.replies else {}
        )
        if self.outputs > MOST_COLUMNS:
            return types | {"likeliest": "string"}
        return types | dict.fromkeys(self._columns, "double")

    @property
    def _columns(self) -> list[str]:
        return [f"probability_{name}" for name in self.classes]

    def _likeliest(self, scores: Floats) -> list[str]:
        """By row, the likeliest classes and their probabilities, the first of equal ones first."""
        left, rows, places = scores.copy(), np.arange(len(scores)), []
        for _ in range(LIKELIEST):
            places.append(left.argmax(axis=1))
            left[rows, places[-1]] = -1
        return [
            json.dumps(
                {self.classes[place]: float(scores[row, place]) for place in of_row}, ensure_ascii=False
            )
            for row, of_row in enumerate(np.transpose(places).tolist())
        ]

    def explained(self, outputs: Floats, place: int) -> Floats:
        """Log-odds of one class against all others."""
        logs = log_softmax(outputs)
        others = np.delete(logs, place, axis=1)
        most = others.max(axis=1)
        rest: Floats = most + np.log(np.exp(others - most[:, None]).sum(axis=1))
        return logs[:, place] - rest

    def explained_place(self, scores: Floats) -> Array:
        """The likeliest class."""
        likeliest: Array = scores.argmax(axis=1)
        return likeliest

    sliced: ClassVar = Sliced(
        shares=("accuracy",),
        means=("log_loss",),
        evaluated=("macro_f1",),
        bounded=SLICED["multiclass"],
        compared=("accuracy", "log_loss"),
    )

    def doubts(self, labels: Array, scores: Floats) -> Floats:
        """See `class_doubts`."""
        return class_doubts(labels, scores)

    def certainty(self, scores: Floats, threshold: float | None) -> Floats:
        """Difference of the two highest probabilities."""
        highest = np.partition(scores, -2, axis=1)
        margins: Floats = highest[:, -1] - highest[:, -2]
        return margins

    def facing(self, labels: Array, scores: Floats, threshold: float | None) -> dict[str, Array]:
        """Label and likeliest class, and the probabilities of both."""
        names, places = np.array(self.classes, dtype=object), labels.astype(np.intp)
        return {
            "label": names[places],
            "likeliest": names[scores.argmax(axis=1)],
            "probability": scores.max(axis=1),
            "probability_of_label": scores[np.arange(len(places)), places],
        }

    explained_by: ClassVar = "log_loss"

    @property
    def effect_names(self) -> list[str]:
        """The classes."""
        return list(self.classes)

    def examples(self, labels: Array, scores: Floats, threshold: float | None) -> dict[str, int]:
        """The rows with the highest and the lowest probability of a class, and the most certain wrong decision."""
        certain, decided = scores.max(axis=1), self.decide(scores)
        wrong = (decided != labels) & (decided != HANDED)
        cases = {"most certain": int(certain.argmax()), "least certain": int(certain.argmin())}
        if wrong.any():
            cases["most certain wrong decision"] = first = int(np.where(wrong, certain, -np.inf).argmax())
            # Being wrong says more of that row.
            cases = {case: row for case, row in cases.items() if row != first or "wrong" in case}
        return cases

    @property
    def without_boosting(self) -> str:
        """It takes too long for more than 30 classes."""
        if self.boosters:
            return ""
        return f"gradient boosting is left out of more than {MOST_BOOSTED} classes, and here are {self.outputs:,}"

    def later_labels(self, table: pd.DataFrame, dataset: Dataset) -> pd.Series:
        """Places of the classes; missing where a class is none of them, unless rare ones are one class."""
        texts = class_texts(table[dataset.target])
        places = texts.map(self._places).astype("float64")
        rest = self._places.get(RARE)
        return places if rest is None else places.mask(places.isna() & texts.notna(), rest)

    def level(self, scores: Floats) -> Floats:
        """Probability of the likeliest class."""
        highest: Floats = scores.max(axis=1)
        return highest

    def watched(self, scores: Floats) -> pd.Series:
        """The class decided on, see `predictions`."""
        return pd.Series(self.predictions(scores, None)["decision"], name="decision", dtype="str")

    def parts(self, scores: Floats) -> Floats:
        """The probabilities."""
        return scores

    def parts_of(self, labels: Array) -> Floats:
        """1 for the class, 0 for others."""
        shares: Floats = np.eye(self.outputs)[labels.astype(np.intp)]
        return shares

    def weights(self, index: Index) -> Floats:
        """The declared values, 0 for other classes."""
        if self.outputs > MOST_PARTS:
            raise ConfigurationError(
                f"monitoring.index: there are {self.outputs:,} classes, and it takes {MOST_PARTS} at most; leave it"
                " out."
            )
        declared = index.values  # noqa: PD011  # of no frame
        values = {code_text(name): value for name, value in declared.items()}
        if unknown := [name for name in values if name not in self._places]:
            raise ConfigurationError(
                f"monitoring.index.values: {unknown[0]!r} is no class; {did_you_mean(unknown[0], self.classes)}there "
                f"are {listed(self.classes)}."
            )
        return np.array([values.get(name, 0.0) for name in self.classes])

    def summarise(self, predictions: Iterable[pd.DataFrame]) -> Summary:
        """How many are decided for each class or handed over, and the mean probability of the likeliest one."""
        counts, probability = Counter[str](), Mean()
        for each in predictions:
            counts.update(each["decision"].tolist())
            probability.add(each["probability"].to_numpy())
        handed = self.costs is not None and self.costs.hand_over is not None
        decided = {name: counts[name] for name in (*self.classes, *[HAND_OVER] * handed)}
        return Summary(scored=probability.count, decided=decided, mean_probability=probability.value)

    @property
    def strength(self) -> Auc:
        """AUC of each class against all others."""
        return Auc(self.classes)

    summed_up_by: ClassVar = ("most frequent", "most often {}")

    def summed_up(self, labels: pd.Series) -> str:
        """The most frequent class and its share."""
        rows = np.bincount(labels.to_numpy(np.intp))
        return f"{self.classes[int(rows.argmax())]} ({rows.max() / len(labels):.1%})"

    def label_text(self, label: float) -> str:
        """The class."""
        return repr(self.classes[int(label)])


@dataclass(frozen=True)
class PreparedClasses:
    """Rows with probabilities of several classes."""

    rows: ClassRows

    def measure(self, weights: Array) -> dict[str, Array]:
        """See `statistics.class_measures.measure_classes`."""
        measured = measure_classes(self.rows, weights)
        # Of two classes it is another metric.
        return measured | {"ovr_auc": measured.pop("auc")}
