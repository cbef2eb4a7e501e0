"""Sentences about copies and shared entities, light enough for the terminal."""

from __future__ import annotations

from math import sqrt
from typing import Any

from lepton_pipeline.evaluation.interval_text import bracket
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.system.records import from_plain

# More copies than this share of the rows may decide a result.
NOTABLE = 0.01


def describe_found_copies(found: dict[str, Any]) -> list[str]:
    """Sentences on findings of `find_copies` that need attention."""
    said = []
    if more_than_chance(found):
        said.append(f"copies: {count_copies(found)}; {deduplicate(found)}.")
    elif many_repeated(found):
        said.append(f"copies: {_count_repeated(found)}.")
    return said + [
        f"entities: {_count_entity(found, each)}; {_keep_together(each)}." for each in found["entities"]
    ]


def describe_copies(copies: dict[str, Any]) -> list[tuple[str, str]]:
    """Findings of `measure_copies`: pairs of "copies" or "entities" and a sentence without its full stop."""
    said = []
    if more_than_chance(copies):
        # Where they decide the result, a run that was not stopped has allowed them.
        remedy = "accepted by split.copies: allow" if copies["copies"]["decide"] else deduplicate(copies)
        said.append(("copies", f"{summarise_copies(copies)}; {remedy}"))
    elif many_repeated(copies):
        said.append(("copies", _count_repeated(copies)))
    return said + [
        ("entities", f"{_count_entity(copies, each)}; {_measured(copies, each)}; {_keep_together(each)}")
        for each in copies["entities"]
    ]


def summarise_copies(copies: dict[str, Any]) -> str:
    """Number of copies, and the AUC without them."""
    return f"{count_copies(copies)}; {_measured(copies, copies['copies'])}"


# So few rows without an equal may have one by accident.
_FEWEST = 5


def more_than_chance(found: dict[str, Any]) -> bool:
    """Whether copies, or only the unlikely ones, certainly exceed twice the number by chance."""
    copies = found["copies"]
    rows, by_chance = copies["rows"], copies["by_chance"]
    unlikely, expected = copies.get("unlikely", 0), copies.get("unlikely_by_chance", 0.0)
    return bool(
        rows > 2 * by_chance + 2 * sqrt(by_chance)
        or (unlikely >= _FEWEST and unlikely > 2 * expected + 2 * sqrt(expected))
    )


def many_repeated(found: dict[str, Any]) -> bool:
    """Whether a table split by time, which keeps copies together, still has many of them."""
    by_time = found["strategy"] in ("time", "time_group")
    return bool(by_time and found["copies"]["repeated"] > NOTABLE * found["rows"])


def count_copies(found: dict[str, Any]) -> str:
    """Number of test rows that are copies, as a clause."""
    copies, rows = found["copies"], found["test_rows"]
    but = f" but {' and '.join(map(repr, copies['ignored']))}" if copies["ignored"] else ""
    chance = f" (by chance, some {copies['by_chance']:,} would)" if copies["by_chance"] else ""
    return (
        f"{copies['rows']:,} of {rows:,} test rows ({copies['rows'] / max(rows, 1):.1%}) equal a training or "
        f"validation row in every column{but}, target included{chance}"
    )


def _count_repeated(found: dict[str, Any]) -> str:
    """Number of repeated rows of a table split by time, as a clause."""
    return (
        f"{found['copies']['repeated']:,} of {found['rows']:,} rows of the table repeat an earlier one; they have the "
        "same time, so the split by time keeps them in one part"
    )


def _count_entity(found: dict[str, Any], entity: dict[str, Any]) -> str:
    """Number of test rows of an entity that training rows have, as a clause."""
    column, one = entity["column"], entity["one_outcome"]
    return (
        f"{entity['test_rows']:,} of {found['test_rows']:,} test rows have a value of {column!r} that training or "
        f"validation rows have, too; {one:,} of {entity['entities']:,} values in several rows have one outcome only"
    )


def deduplicate(found: dict[str, Any]) -> str:
    """Remedy against copies."""
    if found["strategy"] == "group":
        return "leave every row once in the data, or group by a column (dataset.group) that keeps copies together"
    return "leave every row once in the data, or declare dataset.group (what they belong to) and split.strategy: group"


def _keep_together(entity: dict[str, Any]) -> str:
    """Declaration that keeps the rows of an entity in one part."""
    column, strategy = entity["column"], "split.strategy: group"
    declare = strategy if entity["declared"] else f"dataset.group: {column} and {strategy}"
    return f"declare {declare} if the model must do well on a new {column!r}"


def _measured(copies: dict[str, Any], left_out: dict[str, Any]) -> str:
    said, without = f"the AUC is {_figure(copies['auc'])}", left_out["without"]
    if without["auc"] is None:
        left = f"{without['rows']:,} test rows are left, {without['positives']:,} positive"
        return f"{said}, and cannot be measured without them: {left}"
    return f"{said}, without them {_figure(without['auc'])} on {without['rows']:,} rows"


def _figure(auc: dict[str, Any]) -> str:
    return f"{auc['value']:.4f} {bracket(from_plain(Estimate, auc))}"
