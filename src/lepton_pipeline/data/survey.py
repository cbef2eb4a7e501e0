"""Result of the first pass over a table: column kinds, files, and records set apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lepton_pipeline.data.delimited import HARMLESS, SetApart
from lepton_pipeline.data.file_copies import FileCopies
from lepton_pipeline.data.kinds import Kinds, kind_name
from lepton_pipeline.data.reading import BrokenRecord, ReadFile, Reading, SkippedFile
from lepton_pipeline.errors import DataError


@dataclass(frozen=True)
class Survey:
    """Result of the first pass over all rows; `examples` are the first records set apart."""

    kinds: Kinds
    files: list[SetApart]
    skipped: list[SkippedFile]
    examples: list[BrokenRecord]

    def copies(self, known: npt.NDArray[np.bool_] | None = None) -> FileCopies:
        """A detector of file copies for the typed rows; `known` marks the rows that count (None: all)."""
        sizes = {file.file: file.rows for file in self.files}
        if known is not None:
            parts = np.split(known, np.cumsum(list(sizes.values()))[:-1])
            sizes = {name: int(part.sum()) for name, part in zip(sizes, parts, strict=True)}
        return FileCopies(sizes)

    def reasons(self) -> Counter[str]:
        """Number of records set apart, by reason."""
        return sum((file.reasons for file in self.files), Counter())

    def record(self) -> Reading:
        """The record of the reading."""
        reasons = self.reasons()
        rows = sum(file.rows for file in self.files) if self.files else self.kinds.rows
        read = [ReadFile(file.file, file.rows, sum(file.reasons.values())) for file in self.files]
        return Reading(
            files=[file for file in read if file.rows or file.set_apart],
            skipped=self.skipped,
            records=rows + sum(reasons.values()),
            set_apart=sum(reasons.values()),
            reasons=dict(reasons.most_common()),
            examples=self.examples,
            kinds={name: kind_name(kind) for name, kind in self.kinds.of.items()},
            missing=self.kinds.missing,
            notes=self.kinds.notes,
        )

    def require_whole(self, largest_share: float, key: str) -> None:
        """Refuse a table in which more than a share of the records is broken; empty ones do not count."""
        broken = {reason: count for reason, count in self.reasons().items() if reason not in HARMLESS}
        records, count = self.record().records, sum(broken.values())
        if not count or count <= largest_share * records:
            return
        counted = ", ".join(f"{each:,} {reason}" for reason, each in broken.items())
        seen = [each for each in self.examples if each.reason in broken][:3]
        shown = "\n".join(f"  - {each.file} line {each.line} ({each.reason}): {each.text!r}" for each in seen)
        raise DataError(
            f"{count:,} of {records:,} records ({count / records:.1%}) are broken ({counted}), more than {key} = "
            f"{largest_share:g} allows:\n{shown}\nCorrect the file or ingestion.separator, or raise {key}."
        )
