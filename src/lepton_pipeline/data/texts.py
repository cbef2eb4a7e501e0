"""Arrow columns of text: trimmed, composed, missing codes as nulls, numbers in plain form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from unicodedata import normalize

import pyarrow as pa
import pyarrow.compute as pc

from lepton_pipeline.data.numbers import Writing


def clean_texts(column: Any, missing: Iterable[str]) -> Any:
    """Trim and compose (NFC) Arrow strings; those among `missing` become null."""
    trimmed = pc.utf8_trim_whitespace(column)
    if not pc.all(pc.string_is_ascii(trimmed), min_count=0).as_py():
        trimmed = _composed(trimmed)
    means_nothing = pc.is_in(trimmed, value_set=pa.array(list(missing), trimmed.type))
    return pc.if_else(means_nothing, pa.scalar(None, trimmed.type), trimmed)


def with_strings(table: Any) -> Any:
    """Cast string views, which few Arrow functions take, to strings."""
    views = {name for name in table.column_names if pa.types.is_string_view(table.schema.field(name).type)}
    if not views:
        return table
    fields = [field.with_type(pa.large_string()) if field.name in views else field for field in table.schema]
    return table.cast(pa.schema(fields))


def _composed(texts: Any) -> Any:
    """Texts in NFC; Arrow's own function decomposes them instead (pyarrow 25)."""
    values = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    coded = values.dictionary_encode()
    composed = [None if text is None else normalize("NFC", text) for text in coded.dictionary.to_pylist()]
    return pa.chunked_array([pa.array(composed, texts.type).take(coded.indices)])


def plain_numbers(texts: Any, writing: Writing) -> Any:
    """Numbers as a program would write them; see `Writing.unwritten`."""
    if writing.plain:
        return texts
    for pattern, replacement in writing.rules:
        texts = pc.replace_substring_regex(texts, pattern=pattern, replacement=replacement)
    if writing.thousands is not None:
        grouped = pc.match_substring_regex(texts, writing.grouped())
        if pc.any(grouped).as_py():
            texts = pc.if_else(grouped, pc.replace_substring_regex(texts, writing.marks(), ""), texts)
    if writing.swapped:
        for old, new in ((".", "\x00"), (",", "."), ("\x00", ",")):
            texts = pc.replace_substring(texts, old, new)
    return texts


def fits(texts: Any, pattern: str) -> Any:
    """Whether each text as a whole matches a pattern; null for null."""
    return pc.match_substring_regex(texts, f"^(?:{pattern})$")


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is one of strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
