"""Infer one kind per column in a first pass over all rows, so that a second one gives every chunk its types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lepton_pipeline.data.kind_inference import KindInference, Wanted
from lepton_pipeline.data.numbers import Writing
from lepton_pipeline.parameters import Ingestion


@dataclass(frozen=True)
class Kinds:
    """Kinds (`of`), missing values and notes by column.

    A kind is "whole" (int64), "unsigned" (uint64), "number" (float64), "single" (float32), "whole or missing"
    or "unsigned or missing" (beyond 2^53), "text", "empty", "truth", "truth or missing", "date", or "date in
    ZONE".
    """

    of: dict[str, str]
    rows: int
    missing: dict[str, int]
    notes: dict[str, list[str]]


def find_kinds(blocks: Iterable[Any], ingestion: Ingestion, wanted: Wanted | None = None) -> Kinds:
    """Infer the kind of every column of Arrow tables in one pass.

    Raises a DataError where a column is of several kinds or of an unsupported one, or an id would lose
    digits.
    """
    wanted = wanted or Wanted()
    writing = Writing(ingestion)
    columns: dict[str, KindInference] = {}
    rows = 0
    for block in blocks:
        for name, column in zip(block.column_names, block.columns, strict=True):
            if name not in columns:
                columns[name] = KindInference(name, ingestion, writing, is_key=name in wanted.keys)
            columns[name].add(column, rows)
        rows += len(block)
    kinds = {name: each.kind(wanted) for name, each in columns.items()}
    notes = {name: each.notes(kinds[name], rows, wanted) for name, each in columns.items()}
    missing = {name: each.missing for name, each in columns.items()}
    return Kinds(kinds, rows, missing, {name: said for name, said in notes.items() if said})


def kind_name(kind: str) -> str:
    """A kind as the pages name it."""
    names = {"single": "number", "unsigned": "whole number", "whole": "whole number"}
    names |= {"truth": "true or false", "empty": "no value"}
    return names.get(kind.removesuffix(" or missing"), kind)
