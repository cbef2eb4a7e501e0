"""Conversion of records to JSON and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from lepton_pipeline.errors import DataError

T = TypeVar("T")
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)
Omitted = Annotated[T | None, Field(exclude_if=lambda value: value is None)]
"""A field whose key is not written where it is None."""


def to_plain(record: Any) -> Any:
    """A record (a dataclass or pydantic model, or a list or mapping of such) as JSON-able values."""
    return _adapter(type(record)).dump_python(record, by_alias=True)


def to_json(record: object) -> str:
    r"""Write a record as JSON.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Interval:
        ...     low: float
        ...     high: Omitted[float] = None
        >>> to_json(Interval(0.5))
        '{\n  "low": 0.5\n}'
    """
    return json.dumps(to_plain(record), indent=2)


def from_json(kind: type[T], content: str | bytes, source: str = "this") -> T:
    """Parse a record from JSON, see `from_plain`."""
    return from_plain(kind, json.loads(content), source)


def from_plain(kind: type[T], content: object, source: str = "this") -> T:
    """Build a record of class `kind`; unknown keys are dropped, absent ones take their field's default.

    Raises DataError, which names the content as `source`, if the content is no such record.
    """
    try:
        record: T = _adapter(kind).validate_python(content)
    except ValidationError as refused:
        first = refused.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(
            f"{source} holds no {kind.__name__}: {where}: {first['msg']} (found {first['input']!r:.80}); "
            "another version wrote it, or it was changed: make it again."
        ) from refused
    return record
