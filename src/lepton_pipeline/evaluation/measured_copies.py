"""Records of copies and shared entities, and sentences about them, light enough for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from lepton_pipeline.data.copies_found import Copies, CopiesFound, Entity
from lepton_pipeline.evaluation.interval_text import measured_text
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.statistics.metric_table import METRICS

# More copies than this share of the rows may decide a result.
NOTABLE = 0.01
# So few rows without an equal may have one by accident.
_FEWEST = 5


@dataclass(frozen=True)
class Remaining:
    """Test rows without those left out, and the metric on them; None if it cannot be measured."""

    rows: int
    positives: int | None  # in tasks with a positive class
    figure: Estimate | None


@dataclass(frozen=True, kw_only=True)
class MeasuredRows(Copies):
    """Copies as a share of the test rows, and the metric without them."""

    share: float
    without: Remaining
    # Beyond twice those by chance and 1 % of the test rows, with the metric without them beyond the worse end of
    # its interval, or None.
    decide: bool


@dataclass(frozen=True)
class MeasuredEntity(Entity):
    """Entities on both sides of the split, and the metric without rows of those that are trained on."""

    without: Remaining


@dataclass(frozen=True)
class MeasuredCopies(CopiesFound):
    """Copies and shared entities, and the headline metric of all test rows."""

    copies: MeasuredRows
    entities: Sequence[MeasuredEntity]
    metric: str
    figure: Estimate


def describe_copies(found: CopiesFound) -> list[tuple[str, str]]:
    """Findings that need attention, with the headline metric if it was measured.

    They are pairs of "copies" or "entities" and a sentence without its full stop.
    """
    said = []
    if more_than_chance(found):
        allowed = isinstance(found, MeasuredCopies) and found.copies.decide
        # Where they decide the result, a run that was not stopped has allowed them.
        remedy = "accepted by split.copies: allow" if allowed else deduplicate(found)
        said.append(("copies", f"{summarise_copies(found)}; {remedy}"))
    elif many_repeated(found):
        repeated = (
            f"{found.copies.repeated:,} of {found.rows:,} rows of the table repeat an earlier one; they have the "
            "same time, so the split by time keeps them in one part"
        )
        said.append(("copies", repeated))
    for each in found.entities:
        counts = (
            f"{each.test_rows:,} of {found.test_rows:,} test rows have a value of {each.column!r} that training or "
            f"validation rows have, too; {each.one_outcome:,} of {each.entities:,} values in several rows have one "
            "outcome only"
        )
        strategy = "split.strategy: group"
        declare = strategy if each.declared else f"dataset.group: {each.column} and {strategy}"
        advice = f"declare {declare} if the model must do well on a new {each.column!r}"
        said.append(("entities", f"{counts}{_measured(found, each)}; {advice}"))
    return said


def summarise_copies(found: CopiesFound) -> str:
    """Number of copies, and the headline metric without them if it was measured."""
    return count_copies(found) + _measured(found, found.copies)


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
    group = "declare dataset.group (what they belong to) and split.strategy: group"
    if found.strategy == "group":
        group = "group by a column (dataset.group) that keeps copies together"
    return f"leave every row once in the data, or {group}"


def _measured(found: CopiesFound, left_out: Copies | Entity) -> str:
    if not isinstance(found, MeasuredCopies) or not isinstance(left_out, MeasuredRows | MeasuredEntity):
        return ""
    without, metric = left_out.without, found.metric
    said = f"; the {METRICS[metric].inside} is {measured_text(metric, found.figure)}"
    if without.figure is None:
        positive = "" if without.positives is None else f", {without.positives:,} positive"
        return f"{said}, and cannot be measured without them: {without.rows:,} test rows are left{positive}"
    return f"{said}, without them {measured_text(metric, without.figure)} on {without.rows:,} rows"
