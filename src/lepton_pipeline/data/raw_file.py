"""One table file that has not been opened yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from lepton_pipeline.data.suffixes import JSON, PARQUET, WORKBOOK, kind_of


@dataclass(frozen=True)
class RawFile:
    """One table file that has not been opened yet.

    Attributes:
        name: its path relative to the folder that was listed, or the file's name; for messages, and for its
            kind.
        open: opens it for reading, decompressed.
        partitions: columns that its folders give it in the manner of Hive (`key=value/`); None is a missing
            value.
    """

    name: str
    open: Callable[[], BinaryIO]
    partitions: dict[str, str | None] = field(default_factory=dict, hash=False)

    @property
    def is_parquet(self) -> bool:
        """Whether the file says by its name that it is Parquet."""
        return kind_of(self.name) == PARQUET

    @property
    def is_document(self) -> bool:
        """Whether the file says by its name that it is JSON or a workbook, which `read_document` reads."""
        return kind_of(self.name) in (JSON, WORKBOOK)
