"""Records of copies and shared entities, and sentences about them, light enough for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from lepton_pipeline.data.copies_found import Copies, CopiesFound, Entity
from lepton_pipeline.evaluation.interval_text import bracket
from lepton_pipeline.statistics.estimates import Estimate

# More copies than this share of the rows may decide a result.
NOTABLE = 0.01
# So few rows without an equal may have one by accident.
_FEWEST = 5


@dataclass(frozen=True)
class Remaining:
    """Test rows without those left out, and the AUC on them; None if it cannot be measured."""

    rows: int
    positives: int
    auc: Estimate | None


@dataclass(frozen=True, kw_only=True)
class MeasuredRows(Copies):
    """Copies as a share of the test rows, and the AUC without them.

    `decide`: they exceed twice those by chance and 1 % of the test rows, and the AUC without them is below the
    interval or cannot be measured.
    """

    share: float
    without: Remaining
    decide: bool


@dataclass(frozen=True)
class MeasuredEntity(Entity):
    """Entities on both sides of the split, and the AUC without rows of those that are trained on."""

    without: Remaining


@dataclass(frozen=True)
class MeasuredCopies(CopiesFound):
    """Copies and shared entities, and the AUC of all test rows."""

    copies: MeasuredRows
    entities: Sequence[MeasuredEntity]
    auc: Estimate


def describe_found_copies(found: CopiesFound) -> list[str]:
    """Sentences on findings of `find_copies` that need attention."""
    said = []
    if more_than_chance(found):
        said.append(f"copies: {count_copies(found)}; {deduplicate(found)}.")
    elif many_repeated(found):
        said.append(f"copies: {_count_repeated(found)}.")
    return said + [
        f"entities: {_count_entity(found, each)}; {_keep_together(each)}." for each in found.entities
    ]


def describe_copies(copies: MeasuredCopies) -> list[tuple[str, str]]:
    """Findings of `measure_copies`: pairs of "copies" or "entities" and a sentence without its full stop."""
    said = []
    if more_than_chance(copies):
        # Where they decide the result, a run that was not stopped has allowed them.
        remedy = "accepted by split.copies: allow" if copies.copies.decide else deduplicate(copies)
        said.append(("copies", f"{summarise_copies(copies)}; {remedy}"))
    elif many_repeated(copies):
        said.append(("copies", _count_repeated(copies)))
    return said + [
        (
            "entities",
            f"{_count_entity(copies, each)}; {_measured(copies, each.without)}; {_keep_together(each)}",
        )
        for each in copies.entities
    ]


def summarise_copies(copies: MeasuredCopies) -> str:
    """Number of copies, and the AUC without them."""
    return f"{count_copies(copies)}; {_measured(copies, copies.copies.without)}"


def more_than_chance(found: CopiesFound) -> bool:
    """Whether copies, or only the unlikely ones, certainly exceed twice the number by chance."""
    copies = found.copies

    def exceeds(rows: int, by_chance: float) -> bool:
        return rows > 2 * by_chance + 2 * sqrt(by_chance)

    rare = copies.unlikely >= _FEWEST and exceeds(copies.unlikely, copies.unlikely_by_chance)
    return exceeds(copies.rows, copies.by_chance) or rare


def many_repeated(found: CopiesFound) -> bool:
    """Whether a table split by time, which keeps copies together, still has many of them."""
    by_time = found.strategy in ("time", "time_group")
    return by_time and found.copies.repeated > NOTABLE * found.rows


def count_copies(found: CopiesFound) -> str:
    """Number of test rows that are copies, as a clause."""
    copies, rows = found.copies, found.test_rows
    but = f" but {' and '.join(map(repr, copies.ignored))}" if copies.ignored else ""
    chance = f" (by chance, some {copies.by_chance:,} would)" if copies.by_chance else ""
    return (
        f"{copies.rows:,} of {rows:,} test rows ({copies.rows / max(rows, 1):.1%}) equal a training or "
        f"validation row in every column{but}, target included{chance}"
    )


def deduplicate(found: CopiesFound) -> str:
    """Remedy against copies."""
    if found.strategy == "group":
        return "leave every row once in the data, or group by a column (dataset.group) that keeps copies together"
    return "leave every row once in the data, or declare dataset.group (what they belong to) and split.strategy: group"


def _count_repeated(found: CopiesFound) -> str:
    return (
        f"{found.copies.repeated:,} of {found.rows:,} rows of the table repeat an earlier one; they have the "
        "same time, so the split by time keeps them in one part"
    )


def _count_entity(found: CopiesFound, entity: Entity) -> str:
    return (
        f"{entity.test_rows:,} of {found.test_rows:,} test rows have a value of {entity.column!r} that training or "
        f"validation rows have, too; {entity.one_outcome:,} of {entity.entities:,} values in several rows have one "
        "outcome only"
    )


def _keep_together(entity: Entity) -> str:
    """Declaration that keeps the rows of an entity in one part."""
    column, strategy = entity.column, "split.strategy: group"
    declare = strategy if entity.declared else f"dataset.group: {column} and {strategy}"
    return f"declare {declare} if the model must do well on a new {column!r}"


def _measured(copies: MeasuredCopies, without: Remaining) -> str:
    said = f"the AUC is {_figure(copies.auc)}"
    if without.auc is None:
        left = f"{without.rows:,} test rows are left, {without.positives:,} positive"
        return f"{said}, and cannot be measured without them: {left}"
    return f"{said}, without them {_figure(without.auc)} on {without.rows:,} rows"


def _figure(auc: Estimate) -> str:
    return f"{auc.value:.4f} {bracket(auc)}"
