"""Everything a vertical declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, model_validator

from lepton_pipeline.parameters.base import Declaration
from lepton_pipeline.parameters.evaluation import (
    BOOSTING_BASELINE,
    BOUNDED,
    DECIDING,
    LINEAR_BASELINES,
    LOWER_IS_BETTER,
    SHARES,
    SLICED,
    Evaluation,
    Gate,
)
from lepton_pipeline.parameters.features import Features, Leaks, Split
from lepton_pipeline.parameters.retraining import Alerts, Monitoring, Retraining
from lepton_pipeline.parameters.table import About, Contract, Dataset, Ingestion
from lepton_pipeline.parameters.training import Scoring, Training


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
    contract: Contract = Field(Contract(), description="what the table must look like")
    features: Features = Field(Features(), description="columns made of the table's own")
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

    @model_validator(mode="after")
    def _parts_agree(self) -> Vertical:
        if problem := next(self._problems(), None):
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        strategy, dataset, policy = self.split.strategy, self.dataset, self.retraining
        yield from self._problems_of_the_task()
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

    def _problems_of_the_task(self) -> Iterator[str]:
        """Keys that do not fit the task."""
        task, gate, training = self.dataset.task, self.gate, self.training
        if gate.metric not in DECIDING[task]:
            yield f"gate.metric: {gate.metric!r} is none of {', '.join(DECIDING[task])}, by which {task} is decided"
        if unknown := [name for name in gate.bounds if name not in BOUNDED[task]]:
            yield f"gate.bounds.{unknown[0]}: no metric of {task}; there are {', '.join(BOUNDED[task])}"
        lower = gate.metric in LOWER_IS_BETTER
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
        bounded = {
            "": (gate.metric, gate),
            **{f"bounds.{name}.": (name, gate.bounds[name]) for name in gate.bounds},
        }
        for prefix, (metric, bound) in bounded.items():
            for key in ("at_least", "at_most"):
                limit = getattr(bound, key)
                if metric in SHARES and limit is not None and not 0 <= limit <= 1:
                    yield f"gate.{prefix}{key}: {limit!r} must be between 0 and 1"
        others = {
            "evaluation.costs": self.evaluation.costs is not None and task != "binary",
            "evaluation.class_costs": self.evaluation.class_costs is not None and task != "multiclass",
            "evaluation.error_costs": self.evaluation.error_costs is not None and task != "regression",
            "evaluation.capacity": self.evaluation.capacity is not None and task != "binary",
            "training.loss": training.loss != "squared" and task != "regression",
            "training.quantiles": training.quantiles and task != "regression",
            "leaks.max_auc": self.leaks.max_auc is not None and task == "regression",
            "leaks.max_r2": self.leaks.max_r2 is not None and task != "regression",
            "training.class_weight": training.class_weight != "none" and task == "regression",
        }
        for key, declared in others.items():
            if declared:
                yield f"{key}: it has no effect in {task}; leave it out"
