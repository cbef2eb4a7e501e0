"""What was read into a table; light enough for what only prints it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lepton_pipeline.system.records import Omitted


@dataclass(frozen=True)
class ReadFile:
    """A file, its rows, and the records in it that are none."""

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
    """A record that is no row: where it stands, why, and its text."""

    file: str
    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Reading:
    """What came of reading a table.

    Attributes:
        files: that were read.
        skipped: files that were not.
        records: in all files, with those that are no rows.
        set_apart: records that are no rows.
        reasons: their number by why, the most frequent first.
        examples: the first of them.
        kinds: type of each column in words.
        missing: rows without a value, by column.
        notes: what was decided or guessed, by column.
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
    """What a model is made from.

    Attributes:
        rows: of the table.
        columns: name to type.
        sha256: of the content, see `fingerprint`.
        base_rate: fraction of positive rows among those whose label is known; None where there is none.
        present: see `present_of`.
        since: `dataset.since`.
        files: names of the files it was read from.
        reading: what came of reading them; None where the table was made of others.
    """

    rows: int
    columns: dict[str, str]
    sha256: str
    base_rate: float | None
    present: str | float | None = None
    since: str | float | None = None
    files: list[str] = field(default_factory=list)
    reading: Omitted[Reading] = None
