"""Measured quality as records: figures with their intervals, and those of all models of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import not_
from typing import Annotated, Literal

from pydantic import Field

from lepton_pipeline.system.records import Omitted


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes:
        value: the figure.
        low: lower end; None where there are too few cases to judge.
        high: upper end.
        approximate: whether there are so few cases, groups or blocks that the interval is a rough guess.
    """

    value: float
    low: Omitted[float] = None
    high: Omitted[float] = None
    approximate: Annotated[bool, Field(exclude_if=not_)] = False

    @property
    def ends(self) -> tuple[float, float]:
        """The interval.

        Raises:
            ValueError: there is none.
        """
        if self.low is None or self.high is None:
            raise ValueError(
                f"the figure {self.value:g} has no interval; ask for one only where cases suffice."
            )
        return self.low, self.high


@dataclass(frozen=True)
class Rows:
    """Rows of a part, and how many of them are positive."""

    rows: int
    positives: int


@dataclass(frozen=True)
class Evidence:
    """What intervals rest on: `cases` of the rarer class, and `units`, each a `unit`: "group", "block" or "row"."""

    cases: int
    units: int
    unit: str


@dataclass(frozen=True)
class Metrics:
    """Quality of the models on the test rows, each at its own threshold.

    Attributes:
        threshold: of the model.
        thresholds: by model.
        rows: by part, "validation" and "test".
        resamples: of the bootstrap.
        test: by model and metric; `model` is the model itself, the others are baselines and parts of it.
        threshold_rule: how thresholds were chosen on the validation rows.
        evidence: of the test rows; None in what an earlier release wrote.
        uncalibrated: log loss, Brier score and calibration error of the test rows before calibration, if any.
    """

    threshold: float
    thresholds: Mapping[str, float]
    threshold_rule: Literal["cost", "f1"] = field(default="f1", kw_only=True)
    rows: Mapping[str, Rows]
    resamples: int
    evidence: Evidence | None = field(default=None, kw_only=True)
    uncalibrated: Mapping[str, float] = field(default_factory=dict, kw_only=True)
    test: Mapping[str, Mapping[str, Estimate]]

    @property
    def model(self) -> Mapping[str, Estimate]:
        """The figures of the model by metric."""
        return self.test["model"]
