"""Every key of a declaration as a page of Markdown; `python -m lepton_pipeline.parameters.reference` prints it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lepton_pipeline.parameters.vertical import Vertical

_HEAD = """# Every key of a declaration

One table for each part of `conf/base/<vertical>/parameters.yml`, written from the models that check a declaration:
`python -m lepton_pipeline.parameters.reference > docs/reference.md`. What the parts are for stands in
[the declaration](declaration.md). A key without a default is required wherever its part is declared."""


def reference() -> str:
    """The page: each key with its type, its default and one line.

    Parts that occur several times, such as an expectation, have one table, headed by the path of their first place.
    """
    blocks = [_HEAD]
    for path, model in _models(Vertical, ""):
        rows = [_row(name, field) for name, field in model.model_fields.items()]
        head = f"## `{path}`" if path else "## The parts"
        table = ["| key | type | default | what it says |", "|---|---|---|---|", *rows]
        blocks += [head, _first_line(model), "\n".join(table)]
    return "\n\n".join(blocks) + "\n"


def _models(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Each model of a declaration once, with the path of the key that first holds it, in order of depth."""
    waiting, seen = [(path, model)], {model}
    while waiting:
        path, model = waiting.pop(0)
        yield path, model
        for name, field in model.model_fields.items():
            for inner, suffix in _inner(field.annotation):
                if inner not in seen:
                    seen.add(inner)
                    waiting.append((f"{path}.{name}{suffix}".lstrip("."), inner))


def _inner(annotation: Any, suffix: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """Models in a type, with what stands behind a key to reach them: `[]` in a list, `.<name>` in a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, suffix
    held = {list: "[]", tuple: "[]", dict: ".<name>"}.get(get_origin(annotation), "")
    for argument in get_args(annotation):
        yield from _inner(argument, suffix + held)


def _row(name: str, field: FieldInfo) -> str:
    kind = ", ".join([_type(field.annotation), *_bounds(field.metadata)])
    cells = (f"`{name}`", kind, _default(field), (field.description or "").replace("None:", "left out:"))
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _type(annotation: Any) -> str:
    """A type in words that need no Python."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, UnionType):
        # That nothing may be declared, the default says.
        return " or ".join(dict.fromkeys(_type(each) for each in arguments if each is not type(None)))
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin in (list, tuple):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping to {_type(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "part"
    return _PLAIN.get(annotation, "value")


_PLAIN = {str: "text", int: "whole number", float: "number", bool: "boolean", date: "date", datetime: "date"}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def _bounds(metadata: Iterable[Any]) -> list[str]:
    """The limits of a number, in words."""
    found = [(words, getattr(each, name, None)) for each in metadata for name, words in _BOUNDS.items()]
    return [f"{words} {limit:,}" for words, limit in found if limit is not None]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default_factory() if field.default_factory else field.default  # type: ignore[call-arg]
    if value is None or value in ("", [], {}, ()):
        return ""
    if isinstance(value, BaseModel):
        return "its defaults"
    # As YAML takes it.
    return f"`{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"


def _first_line(model: type[BaseModel]) -> str:
    return re.split(r"\n\s*\n", (model.__doc__ or "").strip())[0].replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(reference())
