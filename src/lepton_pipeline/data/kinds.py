"""One kind for each column, told in a first pass over all rows, so that a second one gives every chunk its types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lepton_pipeline.data.column_facts import ColumnFacts, Wanted
from lepton_pipeline.data.numbers import Writing
from lepton_pipeline.parameters import Ingestion


@dataclass(frozen=True)
class Kinds:
    """What was found of the columns of a table.

    Attributes:
        of: kind by column: "whole" (int64), "number" (float64), "single" (float32), "unsigned" (uint64), the
            two of whole numbers beyond 2^53 with missing values ("whole or missing", "unsigned or missing"),
            "text", "empty" (no value), "truth", "truth or missing", "date", or "date in ZONE".
        rows: number of rows.
        missing: by column, number of rows without a value.
        notes: by column, sentences on what was decided where the values left a choice.
    """

    of: dict[str, str]
    rows: int
    missing: dict[str, int]
    notes: dict[str, list[str]]


def find_kinds(blocks: Iterable[Any], ingestion: Ingestion, wanted: Wanted | None = None) -> Kinds:
    """Find the kind of every column in one pass.

    Args:
        blocks: Arrow tables with the same columns: rows as they were read.
        ingestion: how text becomes values.
        wanted: what is known of columns before.

    Raises:
        DataError: a column is of several kinds, or of one that no feature has; an id would lose digits.
    """
    wanted = wanted or Wanted()
    writing = Writing(ingestion)
    facts: dict[str, ColumnFacts] = {}
    rows = 0
    for block in blocks:
        for name, column in zip(block.column_names, block.columns, strict=True):
            if name not in facts:
                facts[name] = ColumnFacts(name, ingestion, writing, is_key=name in wanted.keys)
            facts[name].add(column, rows)
        rows += len(block)
    kinds = {name: each.kind(wanted) for name, each in facts.items()}
    notes = {name: each.notes(kinds[name], rows, wanted) for name, each in facts.items()}
    return Kinds(
        kinds,
        rows,
        {name: each.missing for name, each in facts.items()},
        {name: said for name, said in notes.items() if said},
    )


def said_kind(kind: str) -> str:
    """A kind in words for people."""
    words = {
        "single": "number",
        "unsigned": "whole number",
        "whole": "whole number",
        "truth": "true or false",
    }
    plain = kind.removesuffix(" or missing")
    return words.get(plain, "no value" if kind == "empty" else kind)
