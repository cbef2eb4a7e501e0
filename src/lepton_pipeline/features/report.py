"""Record of the feature check, light enough for printing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lepton_pipeline.system.records import Omitted


@dataclass(frozen=True)
class FeatureAlone:
    """A "number", "category", "boolean" or "text", its figure alone with 95 % interval, its share of missing values."""

    name: str
    kind: str
    figure: float
    low: float
    high: float
    missing: float


@dataclass(frozen=True)
class Finding:
    """A problem of a feature: severity "suspect" never stops a run, "noise" adds nothing."""

    feature: str
    finding: str
    severity: Literal["leak", "suspect", "noise"]
    evidence: str
    advice: str


@dataclass(frozen=True)
class FeatureReport:
    """What the feature check found in `rows` training rows; features by falling figure, settings as declared.

    Figures are of the `metric` "auc" or "r2" (see `statistics.strengths`); `bound` is the largest that is plausible.
    """

    rows: int
    bound: float
    on_leak: str
    on_noise: str
    features: list[FeatureAlone]
    findings: list[Finding]
    metric: str = "auc"
    of_rows: Omitted[int] = None  # training rows that these are a sample of; None: they are all

    @property
    def noise(self) -> list[Finding]:
        """Findings of features that add nothing."""
        return [each for each in self.findings if each.severity == "noise"]
