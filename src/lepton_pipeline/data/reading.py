"""Records of what was read into a table, without heavy imports."""

from __future__ import annotations

from dataclasses import dataclass, field

from lepton_pipeline.system.records import Omitted


@dataclass(frozen=True)
class ReadFile:
    """A file, its rows, and its records that are not rows."""

    name: str
    rows: int
    set_apart: int


@dataclass(frozen=True)
class SkippedFile:
    """A file that was not read, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class BrokenRecord:
    """A record that is not a row: file, line, reason and text."""

    file: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Reading:
    """Result of reading a table.

    Attributes:
        records: of all files, those set apart included.
        set_apart: records that are not rows.
        reasons: number of records set apart by reason, the most frequent first.
        notes: decisions and guesses, by column.
    """

    files: list[ReadFile]
    skipped: list[SkippedFile]
    records: int
    set_apart: int
    reasons: dict[str, int]
    examples: list[BrokenRecord] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class IngestionRecord:
    """Data that a model is trained on.

    Attributes:
        sha256: see `fingerprint`.
        base_rate: fraction of positive rows among those whose label is known, of a target with a positive class.
        present: see `present_of`.
        since: `dataset.since`.
        reading: None where the table was made of others.
    """

    rows: int
    columns: dict[str, str]
    sha256: str
    base_rate: float | None
    present: str | float | None = None
    since: str | float | None = None
    files: list[str] = field(default_factory=list)
    reading: Omitted[Reading] = None
