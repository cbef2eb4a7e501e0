"""Everything a vertical declares."""

from __future__ import annotations

from pydantic import Field, model_validator

from lepton_pipeline.parameters.base import Declaration
from lepton_pipeline.parameters.evaluation import OWN_BASELINES, Evaluation
from lepton_pipeline.parameters.features import Features, Leaks, Split
from lepton_pipeline.parameters.gate import Gate
from lepton_pipeline.parameters.retraining import Alerts, Monitoring, Retraining
from lepton_pipeline.parameters.scoring import Scoring
from lepton_pipeline.parameters.table import About, Contract, Dataset, Ingestion
from lepton_pipeline.parameters.training import Training


class Vertical(Declaration):
    """Everything a vertical declares; only `dataset` has no default."""

    about: About = Field(About(), description="what people must know who see a result")
    dataset: Dataset = Field(description="which column plays which role")
    ingestion: Ingestion = Field(Ingestion(), description="how raw text becomes values")
    tables: dict[str, Contract] = Field({}, description="contract of each of several raw tables")
    # Excluded if absent, to keep recorded declarations of others.
    sql: str | None = Field(None, exclude_if=lambda text: text is None, description="text of table.sql")
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

    @model_validator(mode="after")
    def _split_has_its_columns(self) -> Vertical:
        strategy, dataset = self.split.strategy, self.dataset
        by_time = strategy in ("time", "time_group")
        if by_time and dataset.time is None:
            raise ValueError(f"split.strategy: {strategy!r} needs dataset.time; declare that column")
        if strategy in ("group", "time_group") and dataset.group is None:
            raise ValueError(f"split.strategy: {strategy!r} needs dataset.group; declare that column")
        for key, value in (("dataset.label_delay", dataset.label_delay), ("split.gap", self.split.gap)):
            if value != 0 and not by_time:
                raise ValueError(f"{key}: {value!r} has no effect with {strategy!r}; use time or time_group")
        if self.features.windows and dataset.time is None:
            raise ValueError("features.windows: they need dataset.time to order rows; declare it")
        return self

    @model_validator(mode="after")
    def _raw_tables_alone_have_a_time(self) -> Vertical:
        if self.contract.time is not None:
            raise ValueError(f"contract.time: {self.contract.time!r} has no effect; declare dataset.time")
        return self

    @model_validator(mode="after")
    def _slices_are_no_outcome(self) -> Vertical:
        if self.dataset.target in self.evaluation.slices:
            raise ValueError(
                f"evaluation.slices: {self.dataset.target!r} is the target, so a slice would hold one outcome only; "
                "name other columns"
            )
        return self

    @model_validator(mode="after")
    def _beats_what_is_measured(self) -> Vertical:
        known = (*self.evaluation.baselines, *OWN_BASELINES)
        if unknown := [name for name in self.gate.beat if name not in known]:
            raise ValueError(
                f"gate.beat: no baseline {unknown[0]!r}; there are {', '.join(known)}. Declare others in "
                "evaluation.baselines"
            )
        if self.dataset.target in self.evaluation.baselines.values():
            raise ValueError(
                f"evaluation.baselines: {self.dataset.target!r} is the target; name another column"
            )
        return self

    @model_validator(mode="after")
    def _clock_can_be_read(self) -> Vertical:
        dated = {
            "dataset.as_of": self.dataset.as_of,
            "dataset.since": self.dataset.since,
            "retraining.window": self.retraining.window,
        }
        for key, value in dated.items():
            if value is not None and self.dataset.time is None:
                raise ValueError(f"{key}: {value!r} needs dataset.time to order rows; declare it")
        policy = self.retraining
        lasting = {
            "retraining.max_age": policy.max_age,
            "retraining.cool_down": policy.cool_down,
            "retraining.timeout": policy.timeout,
            "alerts.cool_down": self.alerts.cool_down,
        }
        if numbers := [key for key, value in lasting.items() if isinstance(value, int)]:
            key = numbers[0]
            raise ValueError(f"{key}: {lasting[key]!r} has no unit; declare a duration such as 90d or 12h")
        return self
