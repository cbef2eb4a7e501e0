"""How much: a number, with an interval that holds it as often as declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset, ErrorCosts
from lepton_pipeline.parameters.evaluation import LINEAR_BASELINES, SLICED
from lepton_pipeline.statistics.conformal import Conformal, fit_cqr, fit_residuals
from lepton_pipeline.statistics.doubts import error_doubts
from lepton_pipeline.statistics.error_measures import ErrorRows, compare, measure_errors
from lepton_pipeline.statistics.intervals import Interval, mean_interval
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.statistics.strengths import RSquared
from lepton_pipeline.system.readable import four_digits
from lepton_pipeline.tasks.calibration import Calibration
from lepton_pipeline.tasks.summary import Mean, Summary
from lepton_pipeline.tasks.task import Array, Booster, Judge, Sliced, Task, mean, numbers

if TYPE_CHECKING:
    from torch import Tensor

# Robust: errors beyond so many spreads count in proportion.
_HUBER = 0.5
# A random split has the same shares of so many equal parts of the target in each of its parts.
_STRATA, _ROWS_OF_A_STRATUM = 10, 10
_FEWEST_ROWS = 10
# Widths that differ by less, as a share of their mean, are one width and rounding.
_ROUNDING = 1e-9
# An effect that is worth a word, in spreads.
_SMALLEST_EFFECT = 0.001
_LARGE = 1e6
# The cube of an error is still finite.
_LARGEST = 1e100
# Half the distance of the quartiles of a normal distribution, in standard deviations, twice.
_QUARTILES = 1.349


@dataclass(frozen=True)
class Regression(Task):
    """Labels are the target; outputs are of its logarithm, if declared, less `centre`, in units of `spread`.

    Outputs are [n], or with `quantiles` [n, 3]: the mean, and both ends of the interval. Scores are the prediction
    [n], or [n, 3] with its interval.
    """

    transform: Literal["log"] | None = None
    robust: bool = False
    quantiles: bool = False
    coverage: float = 0.9
    centre: float = 0.0
    spread: float = 1.0
    conformal: Conformal | None = None  # of outputs; None before it is fitted
    costs: ErrorCosts | None = None  # those that decide; None: there is a prediction, and no decision
    decided: float = 0.0  # what a decision adds to outputs, so that it is the quantile of least expected cost
    task: Literal["regression"] = "regression"

    shown: ClassVar = ("rmse", "mae")
    linear: ClassVar = LINEAR_BASELINES["regression"]
    scarce: ClassVar = "rows"
    complete: ClassVar = "enough rows"
    case: ClassVar = "with a known target"
    page: ClassVar = "errors"
    explains_probability: ClassVar = False
    label_type: ClassVar = "float64"
    has_intervals: ClassVar = True
    level_name: ClassVar = "prediction"
    strength: ClassVar = RSquared()

    @property
    def outputs(self) -> int:
        """The mean, and with `quantiles` both ends."""
        return 3 if self.quantiles else 1

    @property
    def curves(self) -> tuple[str, str]:
        """The loss that is learnt, and the absolute error."""
        errors = "huber_loss" if self.robust else "squared_error"
        return errors + "_and_pinball_loss" * self.quantiles, "absolute_error"

    @property
    def levels(self) -> tuple[float, float]:
        """Quantiles at both ends of the interval."""
        return (1 - self.coverage) / 2, (1 + self.coverage) / 2

    @property
    def boosters(self) -> list[Booster]:
        """One of the mean, or median if robust, and one of each end."""
        mean = Booster("absolute_error" if self.robust else "squared_error")
        return [mean, *[Booster("quantile", level) for level in self.levels if self.quantiles]]

    @property
    def score_names(self) -> list[str]:
        """Prediction and interval."""
        return ["prediction", "low", "high"]

    def read(self, table: pd.DataFrame, dataset: Dataset) -> pd.Series:
        """Numbers as float64; a DataError says where the target is none, or has no logarithm."""
        labels = _as_floats(table, dataset)
        finite = np.isfinite(labels.to_numpy())
        for wrong, what in (
            (~finite, "no finite number"),
            (finite & (np.abs(labels.to_numpy()) > _LARGEST), f"a number beyond {_LARGEST:g}"),
            (finite & (labels.to_numpy() <= 0) & (self.transform is not None), "no logarithm"),
        ):
            if wrong.any():
                row = labels.index[wrong][0]
                remedy = "leave out dataset.transform" if what == "no logarithm" else "correct them"
                raise DataError(
                    f"target {dataset.target!r} has {what} in {int(wrong.sum()):,} of {len(labels):,} rows, first "
                    f"{labels[row]:g} in row {row}; {remedy}, or leave these rows out."
                )
        if len(labels) and labels.min() == labels.max():
            raise DataError(
                f"target {dataset.target!r} is {labels.iloc[0]:g} in all {len(labels):,} rows; it takes several values."
            )
        return labels

    def strata(self, labels: pd.Series) -> pd.Series:
        """Tenths of the target; fewer parts of few rows."""
        parts = max(1, min(_STRATA, len(labels) // _ROWS_OF_A_STRATUM))
        edges = np.quantile(labels, np.linspace(0, 1, parts + 1)[1:-1])
        # A value that many rows share is an edge more than once.
        codes = np.unique(np.searchsorted(np.unique(edges), labels.to_numpy()), return_inverse=True)[1]
        return pd.Series(_joined(codes), index=labels.index, dtype="int16")

    def counted(self, labels: pd.Series) -> str:
        """Rows."""
        return f"{len(labels):,} rows"

    def label_mean(self, labels: Array, z: float) -> Interval:
        """The mean target."""
        return mean_interval(labels, z)

    def lacks(self, labels: pd.Series, *, learnt: bool) -> str:
        """Ten rows, not all of the same value."""
        if len(labels) < _FEWEST_ROWS:
            return f"{_FEWEST_ROWS} rows"
        return "" if labels.min() < labels.max() else "a second value of the target"

    def fitted(self, labels: Array) -> Self:
        """With centre and spread of the labels: mean and standard deviation, or median and quartiles if robust."""
        scaled = self._scaled(labels.astype(np.float64))
        if self.robust:
            low, centre, high = np.quantile(scaled, [0.25, 0.5, 0.75])
            spread = (high - low) / _QUARTILES
        else:
            centre, spread = scaled.mean(), scaled.std()
        return replace(self, centre=float(centre), spread=float(spread) or float(scaled.std()) or 1.0)

    def targets(self, labels: Array) -> Array:
        """Standardised labels as float32."""
        return self._standardised(labels).astype(np.float32)

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Squared error, or Huber's loss; and the pinball losses of both ends (Koenker and Bassett 1978)."""
        import torch

        errors = targets[:, :, None, None] - outputs
        mean = errors[..., 0]
        loss = mean**2
        if self.robust:
            size = mean.abs()
            loss = torch.where(size < _HUBER, loss, 2 * _HUBER * size - _HUBER**2)
        for place, level in enumerate(self.levels if self.quantiles else (), start=1):
            loss = loss + torch.maximum(level * errors[..., place], (level - 1) * errors[..., place])
        return loss

    def combine(self, outputs: Tensor) -> Tensor:
        """Mean of the members."""
        mean = outputs.double().mean(dim=2)
        return mean if self.quantiles else mean.squeeze(2)

    def judge(self, targets: Tensor, weights: Tensor | None = None) -> Judge:
        """Mean squared (or Huber's, with quantiles also pinball) loss, and mean absolute error."""
        own = targets.double()

        def judged(outputs: Tensor) -> tuple[Tensor, Tensor]:
            several = outputs if self.quantiles else outputs.unsqueeze(1)
            losses = self.losses(several[None, :, None], own[None])[0, :, 0]
            return mean(losses, weights), mean((own - several[:, 0]).abs(), weights)

        return judged

    def class_weights(self, targets: Tensor, train: Tensor) -> Tensor:
        """Equal ones."""
        import torch

        return torch.ones_like(targets)

    def to_outputs(self, combined: Floats) -> Floats:
        """What networks give are outputs."""
        return combined

    def from_outputs(self, outputs: Floats) -> Floats:
        """The prediction, with its interval once that is fitted."""
        mean = outputs if outputs.ndim == 1 else outputs[:, 0]
        if self.conformal is None:
            return self._restored(mean)
        ends = (mean, mean) if outputs.ndim == 1 else (outputs[:, 1:].min(axis=1), outputs[:, 1:].max(axis=1))
        low, high = self.conformal.interval(*ends)
        return np.column_stack([self._restored(each) for each in (mean, low, high)])

    def row_losses(self, outputs: Floats, labels: Array) -> Floats:
        """Squared, or absolute if robust, errors of outputs."""
        errors = self._standardised(labels) - (outputs if outputs.ndim == 1 else outputs[:, 0])
        return np.abs(errors) if self.robust else errors**2

    def levelled(self, outputs: Floats, labels: Array, weights: Array | None = None) -> Floats:
        """Outputs whose mean error is 0."""
        centre = outputs if outputs.ndim == 1 else outputs[:, 0]
        return outputs + float(mean(self._standardised(labels) - centre, weights))

    def calibrate(self, outputs: Floats, labels: Array, weights: Array | None = None) -> Calibration:
        """None: intervals are what is calibrated, see `with_intervals`."""
        return Calibration()

    def with_intervals(
        self, outputs: Floats, labels: Array, weights: Array | None = None, scale: Floats | None = None
    ) -> Self:
        """With intervals from held-out outputs; see `statistics.conformal`."""
        truth, centre = self._standardised(labels), outputs if outputs.ndim == 1 else outputs[:, 0]
        decided = 0.0
        if self.costs is not None:
            # The upper end of an interval that is missed above by so many.
            level = 2 * self.costs.quantile - 1
            with _asked_by(f"evaluation.error_costs, their quantile {self.costs.quantile:.4g}"):
                # A low quantile needs as many rows as the high one opposite to it.
                fit_residuals(truth, centre, abs(level), weights)
                decided = fit_residuals(truth, centre, level, weights).above
        with _asked_by(f"evaluation.coverage {self.coverage:.4g}"):
            if outputs.ndim == 1:
                conformal = fit_residuals(truth, centre, self.coverage, weights)
            else:
                conformal = fit_cqr(truth, outputs[:, 1], outputs[:, 2], self.coverage, weights)
        return replace(self, conformal=conformal, decided=decided)

    def without_intervals(self) -> Self:
        """Not fitted."""
        return replace(self, conformal=None)

    def linear_model(self, strength: float) -> Any:
        """Ridge regression."""
        from sklearn.linear_model import Ridge

        return Ridge(alpha=1 / strength)

    def text_model(self, strength: float) -> Any:
        """Ridge regression."""
        from sklearn.linear_model import Ridge

        return Ridge(alpha=3 / strength, solver="sparse_cg", random_state=0)

    @property
    def text_outputs(self) -> list[str]:
        """The number, whatever else a model gives."""
        return [""]

    @property
    def text_tendencies(self) -> list[tuple[str, int, int]]:
        """Larger and smaller numbers."""
        return [("a higher number", 0, 1), ("a lower number", 0, -1)]

    def in_use(self, column: pd.Series, labels: Array, validation: Array, key: str) -> Floats:
        """Predictions as they are."""
        return numbers(column, key, "a prediction in the target's unit")

    def columns(self, model: str, scores: Floats) -> dict[str, Floats]:
        """The prediction under the model's own name, its interval beside it."""
        if scores.ndim == 1:
            return {model: scores}
        named = super().columns(model, scores)
        return {model: scores[:, 0], **dict(list(named.items())[1:])}

    def scores(self, frame: pd.DataFrame, model: str) -> Floats:
        """The prediction [n], or with its interval [n, 3]."""
        ends = [f"{model}: {name}" for name in self.score_names[1:]]
        if ends[0] not in frame:
            return frame[model].to_numpy(np.float64)
        return frame[[model, *ends]].to_numpy(np.float64)

    def refuse(self, scores: Floats, index: pd.Index, model: str) -> None:
        """Predictions are finite."""
        wrong = np.asarray(~np.isfinite(scores.reshape(len(scores), -1)).all(axis=1))
        if wrong.any():
            raise DataError(
                f"{model} predicted no finite number in {int(wrong.sum()):,} of {len(scores):,} rows, first in row "
                f"{index[wrong][0]}. Look for missing or huge values in its inputs, or lower training.learning_rate."
            )

    def prepare(self, labels: Array, scores: Floats, threshold: float | None) -> PreparedErrors:
        """Take errors, and whether intervals hold."""
        if scores.ndim == 1:
            return PreparedErrors(compare(labels, scores))
        predicted, low, high = scores.T
        return PreparedErrors(compare(labels, predicted, ends=(low, high)))

    def cases(self, labels: Array) -> int:
        """All rows."""
        return len(labels)

    def row_values(self, labels: Array, scores: Floats) -> Mapping[str, Floats]:
        """Absolute error, bias (prediction less target), and whether the interval holds the target."""
        predicted = scores if scores.ndim == 1 else scores[:, 0]
        values = {"mae": np.abs(predicted - labels), "bias": predicted - labels}
        if scores.ndim > 1:
            values["coverage"] = ((labels >= scores[:, 1]) & (labels <= scores[:, 2])).astype(np.float64)
        return values

    def decide(self, predicted: Floats) -> Floats:
        """The quantile of least expected cost, [n], for predictions [n]."""
        return self._restored((self._scaled(predicted) - self.centre) / self.spread + self.decided)

    def policies(self, labels: Array, scores: Floats) -> Mapping[str, Floats]:
        """Of deciding on the quantile, and on the prediction itself."""
        if self.costs is None:
            return {}
        predicted = scores if scores.ndim == 1 else scores[:, 0]

        def cost(decided: Floats, under: float, over: float) -> Floats:
            short = labels - decided
            return np.maximum(under * short, -over * short)

        both = {"model": self.decide(predicted), "prediction": predicted}
        return {name: cost(decided, self.costs.under, self.costs.over) for name, decided in both.items()}

    def predictions(self, scores: Floats, threshold: float | None) -> dict[str, Iterable[Any]]:
        """Prediction and interval, and where errors have costs the decision."""
        named = dict(zip(self.score_names, scores.T, strict=True))
        return named if self.costs is None else {**named, "decision": self.decide(scores[:, 0])}

    def prediction_types(self) -> dict[str, str]:
        """Numbers."""
        return dict.fromkeys([*self.score_names, *["decision"] * (self.costs is not None)], "double")

    compared_by: ClassVar = "prediction"
    changes: ClassVar = "predicted outside of the interval"

    def changed(self, predictions: pd.DataFrame, others: pd.DataFrame) -> Array:
        """Rows that the other model predicts outside of the interval."""
        other = others["prediction"].to_numpy()
        found: Array = (other < predictions["low"].to_numpy()) | (other > predictions["high"].to_numpy())
        return found

    def explained(self, outputs: Floats, place: int) -> Floats:
        """The prediction."""
        return self._restored(outputs if outputs.ndim == 1 else outputs[:, 0])

    sliced: ClassVar = Sliced(
        shares=("coverage",),
        means=("mae", "bias"),
        evaluated=("rmse",),
        bounded=SLICED["regression"],
        compared=("mae", "bias", "coverage"),
    )
    certain_by: ClassVar = "width"

    def doubts(self, labels: Array, scores: Floats) -> Floats:
        """Of logarithms, where they are what is learnt; see `error_doubts`."""
        predicted = scores if scores.ndim == 1 else scores[:, 0]
        return error_doubts(self._scaled(labels.astype(np.float64)), self._scaled(predicted))

    def certainty(self, scores: Floats, threshold: float | None) -> Floats | None:
        """Width of the interval, below 0; of logarithms, where they are what is learnt."""
        if scores.ndim == 1:
            return None
        widths = self._scaled(scores[:, 2]) - self._scaled(scores[:, 1])
        return -widths if np.ptp(widths) > _ROUNDING * widths.mean() else None

    def facing(self, labels: Array, scores: Floats, threshold: float | None) -> dict[str, Array]:
        """Target, prediction and interval."""
        return {"label": labels, **dict(zip(self.score_names, np.atleast_2d(scores.T), strict=False))}

    row_metric: ClassVar = "mae"
    explained_by: ClassVar = "mae"
    told: ClassVar = 3

    @property
    def score_range(self) -> tuple[float, float]:
        """Any numbers, or positive ones."""
        return 0.0 if self.transform else -np.inf, np.inf

    def examples(self, labels: Array, scores: Floats, threshold: float | None) -> dict[str, int]:
        """The highest and the lowest prediction, the widest interval unless all are as wide, and the largest error."""
        predicted = scores if scores.ndim == 1 else scores[:, 0]
        cases = {"highest prediction": int(predicted.argmax()), "lowest prediction": int(predicted.argmin())}
        if scores.ndim > 1:
            widths = scores[:, 2] - scores[:, 1]
            if np.ptp(widths) > _ROUNDING * widths.mean():
                cases["widest interval"] = int(widths.argmax())
        return cases | {"largest error": int(np.abs(predicted - labels).argmax())}

    @property
    def smallest_effect(self) -> float:
        """A thousandth of the spread at the centre, in the target's unit."""
        centre, beside = self._restored(np.array([0.0, _SMALLEST_EFFECT]))
        return float(beside - centre)

    def effect_text(self, effect: float) -> str:
        """In the target's unit, with four significant digits."""
        return ("-" if effect < 0 else "+") + four_digits(float(f"{abs(effect):.4g}"))

    def later_labels(self, table: pd.DataFrame, dataset: Dataset) -> pd.Series:
        """Finite numbers; those without a logarithm are missing where it is declared."""
        labels = _as_floats(table, dataset)
        return labels.where(np.isfinite(labels) & ((labels > 0) | (self.transform is None)))

    model_type: ClassVar = "regressor"

    def summarise(self, predictions: Iterable[pd.DataFrame]) -> Summary:
        """Mean and median of the predictions, which are held (8 bytes a row), and mean width of the intervals."""
        centre, beside = self._restored(np.array([0.0, 1.0]))
        mean, width, held = Mean(beside - centre), Mean(beside - centre), [np.empty(0)]
        for each in predictions:
            held.append(each["prediction"].to_numpy())
            mean.add(held[-1])
            width.add((each["high"] - each["low"]).to_numpy())
        if not mean.count:
            return Summary(scored=0)
        median = float(np.median(np.concatenate(held)))
        return Summary(
            scored=mean.count,
            mean_prediction=mean.value,
            median_prediction=median,
            mean_width=width.value,
        )

    @property
    def loss(self) -> str:
        """Of the standardised target."""
        errors = "Huber's loss" if self.robust else "Squared error"
        return f"{errors}{' and pinball losses' * self.quantiles}, standardised target"

    @property
    def row_loss(self) -> str:
        """Of the standardised target."""
        return f"{'absolute' if self.robust else 'squared'} error of the standardised target"

    def on_log_scale(self, labels: Array, scores: Floats) -> dict[str, float]:
        """RMSE, MAE and R2 of the logarithms."""
        predicted = scores if scores.ndim == 1 else scores[:, 0]
        if self.transform is None or not (predicted > 0).all():
            return {}
        rows = compare(self._scaled(labels.astype(np.float64)), self._scaled(predicted))
        measured = measure_errors(rows, np.ones((1, len(labels))))
        return {metric: float(measured[metric][0]) for metric in ("rmse", "mae", "r2")}

    summed_up_by: ClassVar = ("median", "median {}")
    agree: ClassVar = "have a similar target"

    def summed_up(self, labels: pd.Series) -> str:
        """The median."""
        return self.label_text(float(labels.median()))

    def label_text(self, label: float) -> str:
        """Six digits."""
        return f"{label:,.0f}" if abs(label) >= _LARGE else f"{label:,.6g}"

    def _scaled(self, labels: Floats) -> Floats:
        return np.log(labels) if self.transform else labels

    def _standardised(self, labels: Array) -> Floats:
        standardised: Floats = (self._scaled(labels.astype(np.float64)) - self.centre) / self.spread
        return standardised

    def _restored(self, outputs: Floats) -> Floats:
        scaled = outputs * self.spread + self.centre
        return np.exp(scaled) if self.transform else scaled


@contextmanager
def _asked_by(key: str) -> Iterator[None]:
    """Name what was declared before what is wrong with it."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{key}: {error}") from error


def _as_floats(table: pd.DataFrame, dataset: Dataset) -> pd.Series:
    target = table[dataset.target]
    if not pd.api.types.is_numeric_dtype(target) or pd.api.types.is_bool_dtype(target):
        texts = target[target.map(lambda value: isinstance(value, str))]
        # Of texts, those that made texts of the numbers beside them.
        wrong = texts[pd.to_numeric(texts, errors="coerce").isna()]
        first = wrong if len(wrong) else texts
        held = f"values of the type {target.dtype}"
        if len(first):
            held = f"{first.iloc[0]!r} in row {first.index[0]}"
        raise DataError(
            f"target {dataset.target!r} holds {held}, no number (task: regression): declare it in dataset.numeric "
            "to find the rows, or dataset.classes for classes."
        )
    return target.astype("float64")


@dataclass(frozen=True)
class PreparedErrors:
    """Predictions beside what happened."""

    rows: ErrorRows

    def measure(self, weights: Array) -> dict[str, Array]:
        """See `statistics.error_measures.measure_errors`."""
        return measure_errors(self.rows, weights)


def _joined(codes: Array) -> Array:
    """Codes of which each has ten rows, as far as there are so many: those beside a frequent value may have few."""
    joined, rows = [0], 0
    for count in np.bincount(codes):
        rows += int(count)
        joined.append(joined[-1] + (rows >= _ROWS_OF_A_STRATUM))
        rows *= rows < _ROWS_OF_A_STRATUM
    places = np.array(joined[:-1])
    # The last may be left with few.
    return (np.minimum(places, joined[-1] - 1) if rows and joined[-1] else places)[codes]
