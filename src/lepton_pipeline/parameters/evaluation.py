"""How quality is measured, what decisions cost, and what a model must reach before it is used."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from lepton_pipeline.parameters.base import Declaration, Duration, Fraction, Share, code_text
from lepton_pipeline.parameters.robustness import PERTURBATIONS, Robustness

BINARY_METRICS = ("auc", "average_precision", "f1", "log_loss", "brier", "ece")
CLASS_METRICS = ("log_loss", "macro_f1", "accuracy", "balanced_accuracy", "ovr_auc", "ece")
ERROR_METRICS = ("rmse", "mae", "r2", "mape", "wape", "bias", "coverage", "width")
FORECAST_METRICS = ("wql", *ERROR_METRICS)
# What a gate may decide by, the usual one first.
DECIDING = {
    "binary": ("auc", "average_precision", "f1"),
    "multiclass": ("log_loss", "macro_f1", "accuracy", "balanced_accuracy", "ovr_auc"),
    "regression": ("rmse", "mae", "r2", "mape", "wape"),
    "forecast": ("wql", "wape", "mae", "rmse"),
}
BOUNDED = {
    "binary": BINARY_METRICS,
    "multiclass": CLASS_METRICS,
    "regression": ERROR_METRICS,
    "forecast": FORECAST_METRICS,
}
# What slices are measured by, so that a gate may hold them to a bound.
SLICED = {
    "binary": ("auc", "average_precision", "f1"),
    "multiclass": ("log_loss", "macro_f1", "accuracy"),
    "regression": ("rmse", "mae"),
    "forecast": ("wql", "mae"),
}
_Margin = Annotated[float, Field(ge=0, lt=1)]
# As names of classes are written, so that 1 needs no quotes.
_Class = Annotated[str, BeforeValidator(code_text)]
Amount = Annotated[float, Field(allow_inf_nan=False)] | Annotated[str, Field(min_length=1)]


class Costs(Declaration):
    """Cost of each outcome of a decision: a number, or the column with its amount; a gain is negative."""

    false_negative: Amount = Field(description="cost of a positive case that is not acted on")
    false_positive: Amount = Field(description="cost of a negative case that is acted on")
    true_positive: Amount = Field(0.0, description="cost of a positive case that is acted on")
    true_negative: Amount = Field(0.0, description="cost of a negative case that is not acted on")
    unit: str = Field("", description="what costs are counted in, such as EUR")

    @model_validator(mode="after")
    def _leaves_something_to_decide(self) -> Costs:
        for right, wrong in (("true_positive", "false_negative"), ("true_negative", "false_positive")):
            less, more = getattr(self, right), getattr(self, wrong)
            if isinstance(less, float) and isinstance(more, float) and less >= more:
                text = f"{wrong} {more:g} must cost more than {right} {less:g}, or no model could help"
                raise ValueError(f"{text}; a gain is negative")
        return self

    def columns(self) -> list[str]:
        """Columns that hold amounts."""
        costs = (self.false_negative, self.false_positive, self.true_positive, self.true_negative)
        return list(dict.fromkeys(cost for cost in costs if isinstance(cost, str)))


class ClassCosts(Declaration):
    """Cost of deciding on a class, and of leaving the decision to somebody; a gain is negative."""

    wrong: float = Field(1.0, allow_inf_nan=False, description="cost of a wrong class")
    right: float = Field(0.0, allow_inf_nan=False, description="cost of the right class")
    matrix: dict[_Class, dict[_Class, Annotated[float, Field(allow_inf_nan=False)]]] = Field(
        {}, description="costs that differ: by class, and by the class decided on"
    )
    hand_over: float | None = Field(
        None, allow_inf_nan=False, description="cost of handing a case over; None: no case is handed over"
    )
    # Excluded if absent, to keep recorded declarations of others.
    out_of_scope: float | None = Field(
        None,
        allow_inf_nan=False,
        exclude_if=lambda cost: cost is None,
        description="cost of deciding on a class for a row of dataset.out_of_scope; that of wrong if left out",
    )
    share_out_of_scope: Fraction | None = Field(
        None,
        exclude_if=lambda share: share is None,
        description="share of such rows in use; that of the rows at hand if left out",
    )
    unit: str = Field("", description="what costs are counted in, such as EUR")

    @property
    def stranger(self) -> float:
        """Cost of deciding on a class for a row that is of none."""
        return self.wrong if self.out_of_scope is None else self.out_of_scope

    @model_validator(mode="after")
    def _leaves_something_to_decide(self) -> ClassCosts:
        if self.right >= self.wrong:
            raise ValueError(
                f"wrong {self.wrong:g} must cost more than right {self.right:g}; a gain is negative"
            )
        if self.hand_over is not None and not self.right < self.hand_over:
            raise ValueError(
                f"hand_over {self.hand_over:g} must cost more than right {self.right:g}, or all cases are handed over"
            )
        return self


class ErrorCosts(Declaration):
    """Cost of each unit by which a number is too low, or too high; the decision is a quantile."""

    under: float = Field(
        gt=0, allow_inf_nan=False, description="cost of a unit that was decided on too little"
    )
    over: float = Field(gt=0, allow_inf_nan=False, description="cost of a unit that was decided on too much")
    unit: str = Field("", description="what costs are counted in, such as EUR")

    @property
    def quantile(self) -> float:
        """The quantile of least expected cost: under / (under + over)."""
        return self.under / (self.under + self.over)


class AlertBudget(Declaration):
    """Alerts that people can look at in a span of time; the likeliest cases of the span are alerted."""

    alerts: int = Field(ge=1, description="cases of each span that are alerted")
    every: Duration = Field("1d", description="length of a span of dataset.time, counted from 1970 or 0")


# Columns of scores that a baseline in use cannot be named after.
MODEL_SCORES = ("model", "network", "boosting", "uncalibrated", "part", "label")
LINEAR_BASELINES = {
    "binary": "logistic_regression",
    "multiclass": "logistic_regression",
    "regression": "ridge_regression",
    "forecast": "ridge_regression",
}
BOOSTING_BASELINE = "hist_gradient_boosting"


class Evaluation(Declaration):
    """How quality is measured on the test rows."""

    resamples: int = Field(1000, ge=100, description="bootstrap resamples behind every 95 % interval")
    seed: int = Field(7, ge=0, description="seed of the resamples")
    costs: Costs | None = Field(None, description="costs of outcomes, for a threshold of least cost")
    # Excluded if absent, to keep recorded declarations of others.
    class_costs: ClassCosts | None = Field(
        None, exclude_if=lambda costs: costs is None, description="costs of deciding on classes"
    )
    error_costs: ErrorCosts | None = Field(
        None, exclude_if=lambda costs: costs is None, description="costs of a number too low or too high"
    )
    capacity: int | None = Field(None, ge=1, le=1000, description="cases of every 1,000 that can be acted on")
    # Excluded if absent, to keep recorded declarations of others.
    alert_budget: AlertBudget | None = Field(
        None,
        exclude_if=lambda budget: budget is None,
        description="alerts that can be looked at in a day, or another span",
    )
    # Excluded if empty, to keep recorded declarations of others.
    baselines: dict[str, str] = Field(
        {}, exclude_if=lambda names: not names, description="column of a score or rule in use, by its name"
    )
    slices: list[str] = Field([], description="columns whose values, or quartiles, are measured apart")
    explained_rows: int = Field(1000, ge=10, description="test rows that the explanation is drawn from")
    # Excluded if absent, to keep recorded declarations of others.
    robustness: Robustness | None = Field(
        None,
        exclude_if=lambda declared: declared is None,
        description="test rows are scored again with perturbed columns",
    )
    # Excluded if as usual, to keep recorded declarations of others.
    coverage: Fraction = Field(
        0.9,
        exclude_if=lambda coverage: coverage == 0.9,
        description="share of a regression's targets that its prediction intervals shall hold",
    )

    quantiles: list[Fraction] | None = Field(
        None,
        exclude_if=lambda quantiles: quantiles is None,
        description="quantiles of a forecast; those of forecast.quantiles",
    )

    @property
    def decision_unit(self) -> str:
        """What the declared costs are counted in."""
        declared = self.costs or self.class_costs or self.error_costs
        return declared.unit if declared else ""

    @model_validator(mode="after")
    def _baselines_have_names_of_their_own(self) -> Evaluation:
        for name in self.baselines:
            if (
                name in (*MODEL_SCORES, *LINEAR_BASELINES.values(), BOOSTING_BASELINE)
                or not name.isidentifier()
            ):
                raise ValueError(f"baselines.{name}: take another name, of letters, digits and _")
        return self


class Bound(Declaration):
    """What a metric of the test rows may be, by its 95 % interval."""

    at_least: float | None = Field(None, description="what the lower end of the interval must reach")
    at_most: float | None = Field(None, description="what the upper end of the interval must not exceed")

    @model_validator(mode="after")
    def _says_something(self) -> Bound:
        if self.at_least is None and self.at_most is None:
            raise ValueError("declare at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(
                f"at_least {self.at_least:g} is above at_most {self.at_most:g}, so that no model passes; exchange them"
            )
        return self


class Gate(Declaration):
    """What a model must reach before the alias `champion` moves to it."""

    metric: str = Field("auc", description="test metric that decides; the usual one of the task if left out")
    at_least: float | None = Field(0.5, description="what the lower end of its 95 % interval must reach")
    # Excluded if absent, to keep recorded declarations of others.
    at_most: float | None = Field(
        None,
        exclude_if=lambda most: most is None,
        description="what the upper end must not exceed, of a metric that is better if lower",
    )
    bounds: dict[str, Bound] = Field({}, description="bounds of other metrics (ece: {at_most: 0.05})")
    slice_at_least: Share | None = Field(
        None, description="what the lower end must reach in each slice that is large enough to tell"
    )
    slice_at_most: float | None = Field(
        None,
        exclude_if=lambda most: most is None,
        description="what the upper end must not exceed there, of a metric that is better if lower",
    )
    margin: _Margin = Field(
        0.0,
        description="how far below the champion the 95 % interval of the difference may reach; for metrics that are "
        "better if lower, as a share of the champion's figure",
    )
    baseline_margin: _Margin = Field(0.02, description="how far below the baseline it may reach, likewise")
    # Excluded if empty, to keep recorded declarations of others.
    beat: list[str] = Field(
        [],
        exclude_if=lambda names: not names,
        description="baselines that it must be significantly better than",
    )
    alerts_at_least: Share | None = Field(
        None,
        exclude_if=lambda least: least is None,
        description="what the lower end of the precision of evaluation.alert_budget must reach",
    )
    robustness: dict[str, _Margin] = Field(
        {},
        exclude_if=lambda margins: not margins,
        description="how far below its figure on the rows as they are it may reach with all columns perturbed, "
        "likewise, by perturbation (noise_10: 0.02)",
    )

    @model_validator(mode="after")
    def _perturbations_are_known(self) -> Gate:
        if unknown := [name for name in self.robustness if name not in PERTURBATIONS]:
            raise ValueError(
                f"robustness: no perturbation {unknown[0]!r}; there are {', '.join(PERTURBATIONS)}"
            )
        return self
