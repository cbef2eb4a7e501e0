"""Records of test rows that repeat rows trained on, light enough for printing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Copies:
    """Test rows that equal a training or validation row in all columns, target included, except row ids.

    Attributes:
        by_chance: expected number of coincidences, at most `rows`.
        unlikely: copies among at most 20,000 test rows whose chance of a coincidence is below .05.
        unlikely_by_chance: expected coincidences among these.
        unlikely_share: the difference, as a fraction of the test rows sampled.
        example: labels of such a test row and of the row that it equals.
        ignored: columns that were not compared, as they identify rows.
        repeated: rows of the table that equal an earlier one, whatever their parts.
    """

    rows: int
    by_chance: int
    unlikely: int = 0
    unlikely_by_chance: float = 0.0
    unlikely_share: float = 0.0
    example: tuple[Any, Any] | None
    ignored: list[str]
    repeated: int


@dataclass(frozen=True)
class Entity:
    """A column of entities with several rows each.

    Attributes:
        declared: whether it is `dataset.group`; otherwise it was found, as its rows share one outcome.
        entities: number of entities with several rows.
        one_outcome: those of them with one outcome only.
        test_rows: test rows of entities that are trained on, too.
    """

    column: str
    declared: bool
    entities: int
    one_outcome: int
    test_rows: int


@dataclass(frozen=True)
class CopiesFound:
    """Copies and shared entities of a table of `rows`, split by `strategy`."""

    rows: int
    test_rows: int
    strategy: str
    copies: Copies
    entities: Sequence[Entity]
