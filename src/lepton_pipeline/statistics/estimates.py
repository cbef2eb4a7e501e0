"""Records of metrics with intervals, and of all models of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import not_
from typing import Annotated, Literal

from pydantic import Field

from lepton_pipeline.system.records import Omitted

# Cases that it takes for an interval.
FEWEST_CASES = 10


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval: None with too few cases, `approximate` with few."""

    value: float
    low: Omitted[float] = None
    high: Omitted[float] = None
    approximate: Annotated[bool, Field(exclude_if=not_)] = False

    @property
    def ends(self) -> tuple[float, float]:
        """The interval; `ValueError` without one."""
        if self.low is None or self.high is None:
            raise ValueError(
                f"the figure {self.value:g} has no interval; ask for one only with enough cases."
            )
        return self.low, self.high


@dataclass(frozen=True)
class Rows:
    """Rows of a part, and how many of them are positive, where there is a positive class."""

    rows: int
    positives: Omitted[int] = None


@dataclass(frozen=True)
class Evidence:
    """Basis of intervals: `cases`, rows `case`, and `units`: a "group", "block" or "row" each."""

    cases: int
    units: int
    unit: str
    case: str = "of the rarer class"


@dataclass(frozen=True)
class Metrics:
    """Metrics of the models on the test rows, each at its own threshold.

    `test` is by model and metric; `model` is the model itself, the others are baselines and parts of it.
    """

    threshold: float | None  # of the model itself; None in tasks without one
    thresholds: Mapping[str, float | None]  # by model, chosen on the validation rows
    threshold_rule: Literal["cost", "f1"] = field(default="f1", kw_only=True)
    rows: Mapping[str, Rows]  # by part, "validation" and "test"
    resamples: int
    resampled_rows: Omitted[int] = field(default=None, kw_only=True)  # test rows drawn from; None: from all
    evidence: Evidence | None = field(default=None, kw_only=True)  # None in the record of an earlier release
    # Log loss, Brier score and calibration error before calibration, if any.
    uncalibrated: Mapping[str, float] = field(default_factory=dict, kw_only=True)
    test: Mapping[str, Mapping[str, Estimate]]

    @property
    def cut(self) -> float:
        """The threshold of the model; ValueError in a task without one."""
        if self.threshold is None:
            raise ValueError("there is no threshold; ask for it only in a task that has one.")
        return self.threshold

    @property
    def model(self) -> Mapping[str, Estimate]:
        """Metrics of the model itself."""
        return self.test["model"]
