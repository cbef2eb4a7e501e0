"""Records of test rows that repeat rows trained on, light enough for printing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Test rows that equal a training or validation row in all columns, target included, except row ids."""

    rows: int
    by_chance: int  # expected number of coincidences, at most `rows`
    unlikely: int = 0  # copies among at most 20,000 test rows whose chance of a coincidence is below .05
    unlikely_by_chance: float = 0.0  # expected coincidences among these
    unlikely_share: float = 0.0  # the difference, as a fraction of the test rows sampled
    example: tuple[Any, Any] | None  # labels of such a test row and of the row that it equals
    ignored: list[str]  # columns that were not compared, as they identify rows
    repeated: int  # rows of the table that equal an earlier one, whatever their parts


@dataclass(frozen=True)
class Entity:
    """A column of entities with several rows each."""

    column: str
    declared: bool  # whether it is `dataset.group`; otherwise it was found, as its rows share one outcome
    entities: int  # with several rows
    one_outcome: (
        int  # those of them with one outcome only: one class, or numbers in one tenth of the target's values
    )
    test_rows: int  # of entities that are trained on, too


@dataclass(frozen=True)
class CopiesFound:
    """Copies and shared entities of a table of `rows`, split by `strategy`."""

    rows: int
    test_rows: int
    strategy: str
    copies: Copies
    entities: Sequence[Entity]
