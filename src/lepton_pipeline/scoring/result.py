"""Records of checking and scoring rows, without heavy imports."""

from __future__ import annotations

from dataclasses import dataclass, field

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import Reading
from lepton_pipeline.features.unseen import Unseen
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.system.records import Omitted
from lepton_pipeline.tasks.summary import Summary


@dataclass(frozen=True)
class ScoringContract(ContractResult):
    """Result of the contract of rows to score; `files` as `Source.fingerprints` gives them.

    `left_out` are declared expectations that read the target or an absent column; `unseen` has by column
    values that no training row had.
    """

    kinds: dict[str, str]
    files: list[dict[str, str]]
    file_names: str
    sha256: str
    reasons: dict[str, int]
    left_out: list[str]
    unseen: dict[str, Unseen] = field(default_factory=dict)
    reading: Reading | None = None


@dataclass(frozen=True)
class ShadowInterval:
    """Rows whose score by the version in use lies between `low` and `high`.

    Attributes:
        mean_difference: of the shadow's score less that of the version in use.
        largest_difference: the same without its sign, at most.
        changed: rows that the shadow decides otherwise.
    """

    low: float
    high: float
    rows: int
    mean_difference: float
    largest_difference: float
    changed: int


@dataclass(frozen=True)
class ShadowRecord:
    """How the scores of a shadow differ; figures as in `ShadowInterval`, which are None without rows.

    Attributes:
        version: the shadow.
        correlation: Pearson's, of both scores; None where one of them is constant.
        intervals: up to ten, with equal numbers of rows as far as scores differ, the lowest first.
    """

    version: ModelVersion
    compares: str  # what is compared, and what counts as changed
    changes: str
    rows: int
    correlation: float | None
    mean_difference: float | None
    largest_difference: float | None
    changed: int
    share_changed: float | None
    intervals: list[ShadowInterval]


@dataclass(frozen=True, kw_only=True)
class ScoringRecord(Summary):
    """Result of a scoring.

    Attributes:
        threshold: of a positive decision; None in tasks without one.
        rows: rows handed in.
        remark: what was left out, and how to have it.
        unseen: by column, values that no training row had.
        without_history: by window, rows without earlier rows.
        shadow: how another version would have scored the rows, where one was declared.
    """

    model: ModelVersion
    threshold: Omitted[float] = None
    files: list[dict[str, str]]
    rows: int
    quarantined: int
    seconds: float
    remark: Omitted[str] = None
    unseen: dict[str, Unseen] = field(default_factory=dict)
    without_history: dict[str, int] = field(default_factory=dict)
    shadow: Omitted[ShadowRecord] = None

    @property
    def shadow_changed(self) -> int | None:
        """Rows that the shadow decides otherwise."""
        return None if self.shadow is None else self.shadow.changed

    @property
    def shadow_correlation(self) -> float | None:
        """Correlation of both scores."""
        return None if self.shadow is None else self.shadow.correlation

    @property
    def shadow_largest_difference(self) -> float | None:
        """The largest difference of both scores."""
        return None if self.shadow is None else self.shadow.largest_difference
