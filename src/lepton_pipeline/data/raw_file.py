"""One table file that has not been opened yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

from lepton_pipeline.data.suffixes import JSON, PARQUET, WORKBOOK, kind_of


@dataclass(frozen=True)
class RawFile:
    """An unopened table file; `open` gives its decompressed bytes.

    Attributes:
        name: path relative to the listed folder; its suffixes tell the kind.
        partitions: columns from its folders (Hive, `key=value/`); None is a missing value.
    """

    name: str
    open: Callable[[], BinaryIO]
    partitions: dict[str, str | None] = field(default_factory=dict, hash=False)

    @property
    def is_parquet(self) -> bool:
        """Whether the file name is one of Parquet."""
        return kind_of(self.name) == PARQUET

    @property
    def is_document(self) -> bool:
        """Whether the file name is one of JSON or of a workbook, which `read_document` reads."""
        return kind_of(self.name) in (JSON, WORKBOOK)
