"""Everything a vertical declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, ValidationError, model_validator

from lepton_pipeline.parameters.base import Declaration, code_text
from lepton_pipeline.parameters.evaluation import (
    BOOSTING_BASELINE,
    BOUNDED,
    DECIDING,
    LINEAR_BASELINES,
    SLICED,
    Evaluation,
    Gate,
)
from lepton_pipeline.parameters.features import Features, Leaks, Split
from lepton_pipeline.parameters.forecast import AGE, FORECASTS, LEVEL, NAIVE_ERROR, SCALE, SERIES, Forecast
from lepton_pipeline.parameters.recommendation import Recommendation
from lepton_pipeline.parameters.retraining import Alerts, Monitoring, Retraining
from lepton_pipeline.parameters.table import NUMBERS, About, Contract, Dataset, Ingestion
from lepton_pipeline.parameters.training import Scoring, Training
from lepton_pipeline.statistics.metric_table import METRICS, higher_is_better


class Vertical(Declaration):
    """Everything a vertical declares; only `dataset` has no default."""

    about: About = Field(About(), description="what people must know who see a result")
    dataset: Dataset = Field(description="which column plays which role")
    ingestion: Ingestion = Field(Ingestion(), description="how raw text becomes values")
    tables: dict[str, Contract] = Field({}, description="contract of each of several raw tables")
    # Excluded if absent, to keep recorded declarations of others.
    sql: str | None = Field(None, exclude_if=lambda text: text is None, description="text of table.sql")
    query: dict[str, bool | int | float | str] = Field(
        {},
        exclude_if=lambda values: not values,
        description="values that table.sql reads, as $ and their name",
    )
    recommendation: Recommendation | None = Field(
        None,
        exclude_if=lambda declared: declared is None,
        description="interactions of customers with items, of which pairs to rank are made",
    )
    contract: Contract = Field(Contract(), description="what the table must look like")
    features: Features = Field(Features(), description="columns made of the table's own")
    # Excluded if absent, to keep recorded declarations of others.
    forecast: Forecast | None = Field(
        None, exclude_if=lambda forecast: forecast is None, description="what is forecast, of which series"
    )
    split: Split = Field(Split(), description="how rows are divided")
    leaks: Leaks = Field(Leaks(), description="what makes a feature suspicious")
    training: Training = Field(Training(), description="the model and how it is fitted")
    evaluation: Evaluation = Field(Evaluation(), description="how quality is measured")
    gate: Gate = Field(Gate(), description="what a model must reach to become champion")
    scoring: Scoring = Field(Scoring(), description="how new rows are scored")
    retraining: Retraining = Field(Retraining(), description="when it is trained again")
    monitoring: Monitoring = Field(Monitoring(), description="how new rows are compared with training rows")
    alerts: Alerts = Field(Alerts(), description="who is told of what needs attention")

    @model_validator(mode="before")
    @classmethod
    def _gate_of_the_task(cls, declared: Any) -> Any:
        """Let the gate decide by the usual metric of a task, unless it declares one."""
        dataset, gate = (
            (declared.get(key) for key in ("dataset", "gate")) if isinstance(declared, Mapping) else (0, 0)
        )
        if not isinstance(dataset, Mapping) or not isinstance(gate, Mapping | None):
            return declared
        task = "multiclass" if dataset.get("classes") is not None else dataset.get("task", "binary")
        if task == "binary" or task not in DECIDING:
            return declared
        return {**declared, "gate": {"metric": DECIDING[task][0], "at_least": None, **(gate or {})}}

    # Runs before the one above.
    @model_validator(mode="before")
    @classmethod
    def _roles_of_a_forecast(cls, declared: Any) -> Any:
        """Give the columns that rows to forecast from have their roles, beside those that are declared."""
        if not isinstance(declared, Mapping) or not isinstance(declared.get("forecast"), Mapping):
            return declared
        try:
            forecast = Forecast.model_validate(declared["forecast"])
        except ValidationError:
            # Told with its keys, of the field itself.
            return declared
        parts = {key: declared.get(key) or {} for key in ("dataset", "split", "evaluation")}
        if not all(isinstance(part, Mapping) for part in parts.values()):
            return declared
        dataset, split, evaluation = parts.values()
        group, *others = [SERIES, *forecast.series] if len(forecast.series) > 1 else forecast.series
        excluded = [*dataset.get("exclude", []), *others, LEVEL, *FORECASTS, NAIVE_ERROR]
        roles = {
            "task": "forecast",
            "group": group,
            "scale": SCALE,
            "label_delay": forecast.duration,
            "exclude": list(dict.fromkeys(excluded)),
            # As a category, an age that no training row has reached would be unknown.
            "numeric": list(dict.fromkeys([*dataset.get("numeric", []), AGE])),
        }
        baselines = {**{name: name for name in FORECASTS}, **evaluation.get("baselines", {})}
        return {
            **declared,
            "dataset": {**dataset, **roles},
            "split": {"strategy": "time", **split},
            "evaluation": {**evaluation, "baselines": baselines, "quantiles": list(forecast.levels)},
        }

    @model_validator(mode="after")
    def _parts_agree(self) -> Vertical:
        if problem := next(self._problems(), None):
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        strategy, dataset, policy = self.split.strategy, self.dataset, self.retraining
        yield from self._problems_of_the_task()
        yield from self._problems_of_the_mask()
        yield from self._problems_of_texts()
        yield from self._problems_of_the_index()
        if self.monitoring.seasonal and dataset.time is None:
            yield "monitoring.seasonal: months need a column of dates; declare dataset.time, or leave it out"
        yield from self._problems_of_the_forecast()
        yield from self._problems_of_robustness()
        yield from self._problems_of_alerts()
        if self.recommendation is not None:
            if self.monitoring.served is not None:
                yield "monitoring.served: pairs of a customer and an item are not joined by id; leave it out"
            if self.scoring.shadow is not None:
                yield (
                    f"scoring.shadow: {self.scoring.shadow!r} has no effect where items are offered; leave it out"
                )
            made = {"tables": bool(self.tables), "query": self.sql is not None}
            yield from self.recommendation.problems(dataset, self.split, **made)
        for name in self.query:
            if name in ("as_of", "label_delay") or not name.isidentifier():
                yield f"query.{name}: take another name, of letters, digits and _"
        by_time = strategy in ("time", "time_group")
        if by_time and dataset.time is None:
            yield f"split.strategy: {strategy!r} needs dataset.time; declare that column"
        if strategy in ("group", "time_group") and dataset.group is None:
            yield f"split.strategy: {strategy!r} needs dataset.group; declare that column"
        for key, value in (("dataset.label_delay", dataset.label_delay), ("split.gap", self.split.gap)):
            if value != 0 and not by_time:
                yield f"{key}: {value!r} has no effect with {strategy!r}; use time or time_group"
        if self.features.windows and dataset.time is None:
            yield "features.windows: they need dataset.time to order rows; declare it"
        if self.features.text is not None and not dataset.text:
            yield "features.text: it has no effect without columns of texts; declare them in dataset.text"
        if self.contract.time is not None:
            yield f"contract.time: {self.contract.time!r} has no effect; declare dataset.time"
        if dataset.target in self.evaluation.slices:
            yield (
                f"evaluation.slices: {dataset.target!r} is the target, so a slice would hold one outcome only; "
                "name other columns"
            )
        known = (*self.evaluation.baselines, LINEAR_BASELINES[dataset.task], BOOSTING_BASELINE)
        if unknown := [name for name in self.gate.beat if name not in known]:
            yield (
                f"gate.beat: no baseline {unknown[0]!r}; there are {', '.join(known)}. Declare others in "
                "evaluation.baselines"
            )
        if dataset.target in self.evaluation.baselines.values():
            yield f"evaluation.baselines: {dataset.target!r} is the target; name another column"
        dated = {"dataset.as_of": dataset.as_of, "dataset.since": dataset.since}
        for key, moment in {**dated, "retraining.window": policy.window}.items():
            if moment is not None and dataset.time is None:
                yield f"{key}: {moment!r} needs dataset.time to order rows; declare it"
        lasting = {
            "retraining.max_age": policy.max_age,
            "retraining.cool_down": policy.cool_down,
            "retraining.timeout": policy.timeout,
            "alerts.cool_down": self.alerts.cool_down,
        }
        for key, duration in lasting.items():
            if isinstance(duration, int):
                yield f"{key}: {duration!r} has no unit; declare a duration such as 90d or 12h"

    def _problems_of_the_mask(self) -> Iterator[str]:
        mask, key = self.ingestion.mask, "ingestion.mask.columns"
        if mask is None:
            return
        tables = [] if isinstance(mask.columns, list) else list(mask.columns)
        if bool(self.tables) == isinstance(mask.columns, list):
            form = "by raw table (table: [columns])" if self.tables else "as a list"
            yield f"{key}: {mask.columns!r}: name the columns {form}"
        elif unknown := [name for name in tables if name not in self.tables]:
            yield f"{key}: no raw table {unknown[0]!r}; there are {', '.join(self.tables)}"
        roles = self.dataset.roles()
        for role in ("target", "id", "time", "group", "numeric", "weight"):
            if masked := [name for name in roles.get(role, ()) if name in mask.names()]:
                yield f"{key}: {masked[0]!r} is dataset.{role}, which a token would spoil; mask other columns"

    def _problems_of_texts(self) -> Iterator[str]:
        name = None if self.features.text is None else self.features.text.retrieval
        if name is None:
            return
        key, mask, costs = "features.text.retrieval", self.ingestion.mask, self.evaluation.class_costs
        if name not in self.dataset.text:
            yield f"{key}: {name!r} is none of dataset.text ({', '.join(self.dataset.text) or 'none is declared'})"
        if costs is None or costs.hand_over is None:
            yield f"{key}: no case is handed over; declare evaluation.class_costs.hand_over, or leave it out"
        made = bool(self.tables) or name in self.features.derive
        if mask is None or (not made and name not in mask.names()):
            yield f"{key}: the version would keep {name!r} as it is; name it in ingestion.mask.columns"

    def _problems_of_the_index(self) -> Iterator[str]:
        index, dataset, key = self.monitoring.index, self.dataset, "monitoring.index"
        if index is None:
            return
        if dataset.task == "multiclass":
            if not any(index.values.values()):
                yield f"{key}.values: declare what classes count, such as {{positive: 1, negative: -1}}"
            listed = dataset.classes if isinstance(dataset.classes, list) else []
            classes = [code_text(name) for name in listed if dataset.rare_classes == "stop"]
            if unknown := [name for name in map(code_text, index.values) if classes and name not in classes]:
                yield f"{key}.values: {unknown[0]!r} is no class; there are {', '.join(classes)}"
        elif index.values:
            yield f"{key}.values: it has no effect in {dataset.task}; leave it out"
        timed = index.time or dataset.time
        if index.every not in (None, "batch") and timed is None:
            yield f"{key}.every: {index.every!r} needs a column of dates; declare {key}.time, or dataset.time"
        if index.every == "batch" and index.time is not None:
            yield f"{key}.time: {index.time!r} has no effect with every: batch; leave one out"
        if index.time == dataset.target:
            yield f"{key}.time: {index.time!r} is the target; name a column of dates"

    def _problems_of_the_forecast(self) -> Iterator[str]:
        forecast, dataset = self.forecast, self.dataset
        if (dataset.task == "forecast") != (forecast is not None):
            yield "forecast: declare series, frequency and horizon, or leave out dataset.task: forecast"
        if forecast is None:
            return
        if self.features.windows:
            yield "features.windows: rows to forecast from have their lags; leave windows out, or derive columns"
        if self.scoring.input is not None:
            yield f"scoring.input: {self.scoring.input!r} has no effect: what is forecast next follows the raw tables"
        if dataset.time is None:
            yield "forecast: it needs dataset.time, the column of dates of the records; declare it"
        if dataset.target in (*forecast.series, *forecast.past_covariates, *forecast.future_covariates):
            yield f"forecast: {dataset.target!r} is the target, so it is no series or covariate; leave it out there"

    def _problems_of_robustness(self) -> Iterator[str]:
        if self.evaluation.robustness is None:
            if self.gate.robustness:
                yield "gate.robustness: nothing is perturbed; declare evaluation.robustness, or leave it out"
        elif self.forecast is not None or self.recommendation is not None:
            made = "one history" if self.forecast is not None else "the same interactions"
            yield (
                f"evaluation.robustness: all columns are made of {made}, so a row with one of them changed cannot "
                "occur; leave it out"
            )

    def _problems_of_alerts(self) -> Iterator[str]:
        budget = self.evaluation.alert_budget
        if budget is None:
            if self.gate.alerts_at_least is not None:
                yield "gate.alerts_at_least: there are no alerts; declare evaluation.alert_budget, or leave it out"
            return
        if self.split.strategy != "time":
            yield (
                f"evaluation.alert_budget: with split.strategy {self.split.strategy!r} only some cases of a span are "
                "test rows; declare split.strategy: time"
            )
        if budget.every == 0:
            yield "evaluation.alert_budget.every: 0 is no span of time; declare one such as 1d"

    def _problems_of_the_task(self) -> Iterator[str]:
        """Keys that do not fit the task."""
        task, gate, training = self.dataset.task, self.gate, self.training
        if gate.metric not in DECIDING[task]:
            yield f"gate.metric: {gate.metric!r} is none of {', '.join(DECIDING[task])}, by which {task} is decided"
        if unknown := [name for name in gate.bounds if name not in BOUNDED[task]]:
            yield f"gate.bounds.{unknown[0]}: no metric of {task}; there are {', '.join(BOUNDED[task])}"
        costs, outside = self.evaluation.class_costs, self.dataset.out_of_scope
        dear = None if costs is None else costs.hand_over
        if outside and (costs is None or dear is None):
            yield (
                f"dataset.out_of_scope: {outside[0]!r}: say what handing a row over costs, "
                "evaluation.class_costs.hand_over, by which it is decided when to"
            )
        elif outside and costs is not None and dear is not None and dear >= costs.stranger:
            yield (
                f"evaluation.class_costs.hand_over: {dear:g} must cost less than deciding on a class out of "
                f"scope, {costs.stranger:g}, or no row is handed over"
            )
        for key in ("out_of_scope", "share_out_of_scope"):
            if costs is not None and getattr(costs, key) is not None and not outside:
                yield f"evaluation.class_costs.{key}: it has no effect without dataset.out_of_scope; leave it out"
        lower = not higher_is_better(gate.metric)
        wrong, right = ("at_least", "at_most") if lower else ("at_most", "at_least")
        better = "lower" if lower else "higher"
        for prefix in ("", "slice_"):
            if getattr(gate, prefix + wrong) is not None:
                yield f"gate.{prefix}{wrong}: {gate.metric} is better if {better}; declare {prefix}{right}"
        for key in ("slice_at_least", "slice_at_most"):
            if getattr(gate, key) is not None and gate.metric not in SLICED[task]:
                measured = ", ".join(SLICED[task])
                yield f"gate.{key}: no slice is measured by {gate.metric}; decide by {measured}, or leave it out"

        decay = self.retraining.on_decay
        if decay is not None and getattr(decay, wrong) is not None:
            yield f"retraining.on_decay.{wrong}: {gate.metric} is better if {better}; declare {right}"
        limits = [
            (f"gate.{key}", gate.metric, getattr(gate, key))
            for key in ("at_least", "at_most", "slice_at_most")
        ]
        limits += [
            (f"gate.bounds.{name}.{key}", name, getattr(bound, key))
            for name, bound in gate.bounds.items()
            for key in ("at_least", "at_most")
        ]
        limits += [] if decay is None else [("retraining.on_decay.at_most", gate.metric, decay.at_most)]
        for key, metric, limit in limits:
            if limit is not None and not METRICS[metric].can_be(limit):
                yield f"{key}: {limit!r} must be {METRICS[metric].range_text}, as {metric} is"
        others = {
            "evaluation.costs": self.evaluation.costs is not None and task != "binary",
            "evaluation.class_costs": self.evaluation.class_costs is not None and task != "multiclass",
            "evaluation.error_costs": self.evaluation.error_costs is not None and task != "regression",
            "evaluation.alert_budget": self.evaluation.alert_budget is not None and task != "binary",
            "evaluation.capacity": self.evaluation.capacity is not None and task != "binary",
            "training.loss": training.loss != "squared" and task != "regression",
            "training.quantiles": training.quantiles and task != "regression",
            "leaks.max_auc": self.leaks.max_auc is not None and task in NUMBERS,
            "leaks.max_r2": self.leaks.max_r2 is not None and task not in NUMBERS,
            "training.class_weight": training.class_weight != "none" and task in NUMBERS,
            "evaluation.quantiles": self.evaluation.quantiles is not None and task != "forecast",
        }
        for key, declared in others.items():
            if declared:
                yield f"{key}: it has no effect in {task}; leave it out"
