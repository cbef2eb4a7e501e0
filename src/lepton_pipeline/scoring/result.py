"""What came of checking and scoring rows; light enough for what only prints it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lepton_pipeline.data.contracts.result import ContractResult
from lepton_pipeline.data.reading import Reading
from lepton_pipeline.features.unseen import Unseen
from lepton_pipeline.model.version import ModelVersion


@dataclass(frozen=True)
class ScoringContract(ContractResult):
    """What came of the contract of rows to score.

    Attributes:
        kinds: type of each column.
        files: see `Source.fingerprints`.
        file_names: of all files.
        sha256: of all files.
        reasons: of quarantine, each with its number of rows.
        left_out: declared expectations that read the target or a column that is not there.
        unseen: by column, where rows hold values that no training row had.
        reading: what came of reading the files.
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
class ScoringRecord:
    """What came of a scoring.

    Attributes:
        model: what scored.
        threshold: from which on a row is positive.
        files: see `Source.fingerprints`.
        rows: that were handed in.
        quarantined: rows among them.
        unseen: by column, where rows hold values that no training row had.
        without_history: by window, rows that have nothing to look back to.
        scored: rows.
        positives: rows among them.
        share_positive: the same as a fraction.
        mean_score: of all probabilities.
        seconds: that it took.
    """

    model: ModelVersion
    threshold: float
    files: list[dict[str, str]]
    rows: int
    quarantined: int
    scored: int
    positives: int
    share_positive: float
    mean_score: float
    seconds: float
    unseen: dict[str, Unseen] = field(default_factory=dict)
    without_history: dict[str, int] = field(default_factory=dict)
