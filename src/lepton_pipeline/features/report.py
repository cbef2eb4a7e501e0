"""What the check of features found; light enough for what only prints it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FeatureAlone:
    """A feature, and what it says of the target alone.

    Attributes:
        name: of the feature.
        kind: "number", "category" or "boolean".
        auc: of the feature alone, with `low` and `high` of its 95 % interval.
        missing: fraction of rows without a value.
    """

    name: str
    kind: str
    auc: float
    low: float
    high: float
    missing: float


@dataclass(frozen=True)
class Finding:
    """What is wrong with a feature.

    Attributes:
        feature: its name.
        finding: in a few words.
        severity: "leak"; "suspect", which never stops a run; or "noise", which adds nothing.
        evidence: what was measured.
        advice: what to do.
    """

    feature: str
    finding: str
    severity: Literal["leak", "suspect", "noise"]
    evidence: str
    advice: str


@dataclass(frozen=True)
class FeatureReport:
    """What the check of features found.

    Attributes:
        rows: training rows.
        max_auc: largest AUC of a feature alone that is honest.
        on_leak: what is done about leaks, as declared.
        on_noise: what is done about features that add nothing, as declared.
        features: by falling AUC.
        findings: about them.
    """

    rows: int
    max_auc: float
    on_leak: str
    on_noise: str
    features: list[FeatureAlone]
    findings: list[Finding]

    @property
    def noise(self) -> list[Finding]:
        """Findings of features that add nothing."""
        return [each for each in self.findings if each.severity == "noise"]
