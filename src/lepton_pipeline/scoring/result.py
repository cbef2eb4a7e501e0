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


@dataclass(frozen=True, kw_only=True)
class ScoringRecord(Summary):
    """Result of a scoring.

    Attributes:
        threshold: of a positive decision; None in tasks without one.
        rows: rows handed in.
        remark: what was left out, and how to have it.
        unseen: by column, values that no training row had.
        without_history: by window, rows without earlier rows.
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
