"""Changes of `training` as a patch, and written into a parameters file without touching its other lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import yaml

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.tuning.space import Value

_KEY = "training"


def patch_text(vertical: str, changes: Mapping[str, Value]) -> str:
    """The changes as YAML to be merged into the vertical's parameters.yml.

    >>> print(patch_text("finance", {"learning_rate": 1e-05, "layers": 3}))
    finance:
      training:
        learning_rate: 0.00001
        layers: 3
    """
    return "\n".join(
        [f"{vertical}:", f"  {_KEY}:", *(f"    {key}: {_scalar(changes[key])}" for key in changes)]
    )


def patched(text: str, vertical: str, changes: Mapping[str, Value]) -> str:
    """A parameters file with the changes; comments, order and all other lines stay as they are.

    Raises ConfigurationError where the file is written in a way that cannot be edited safely, such as by an alias.
    """
    own = _child(yaml.compose(text, yaml.SafeLoader), vertical)
    if not isinstance(own, yaml.MappingNode) or own.flow_style or not own.value:
        raise _by_hand(vertical, changes)
    present = _child(own, _KEY)
    if present is None:
        edits = [_appended(text, own, [f"{_KEY}:", *(f"  {line}" for line in _lines(changes))])]
    elif isinstance(present, yaml.MappingNode):
        edits = list(_merged(text, present, changes))
    else:
        raise _by_hand(vertical, changes)
    found = text
    for start, end, new in sorted(edits, reverse=True):
        found = found[:start] + new + found[end:]
    if _load(found) != _expected(text, vertical, changes):
        raise _by_hand(vertical, changes)
    return found


def _merged(
    text: str, present: yaml.MappingNode, changes: Mapping[str, Value]
) -> Iterator[tuple[int, int, str]]:
    """Edits, each a beginning, an end and a text, of a mapping that is there."""
    new = {}
    for key, value in changes.items():
        node = _child(present, key)
        if node is None:
            new[key] = value
        else:
            yield node.start_mark.index, node.end_mark.index, _scalar(value)
    if not new:
        return
    if present.flow_style:
        closing = present.end_mark.index - 1
        yield closing, closing, (", " if present.value else "") + ", ".join(_lines(new))
    else:
        yield _appended(text, present, _lines(new))


def _appended(text: str, mapping: yaml.MappingNode, lines: list[str]) -> tuple[int, int, str]:
    """The edit that adds lines below the last one of a block mapping."""
    indent = " " * mapping.value[0][0].start_mark.column
    end = _end(mapping)
    if text[end - 1 : end] != "\n":
        # A comment may follow on the same line.
        end = text.find("\n", end) + 1 or len(text)
    before = "" if text[end - 1 : end] == "\n" else "\n"
    return end, end, before + "".join(f"{indent}{line}\n" for line in lines)


def _end(node: yaml.Node) -> int:
    """Where the last value of a node ends; a block itself ends below the comments that follow it."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    return int(node.end_mark.index)


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _lines(changes: Mapping[str, Value]) -> list[str]:
    return [f"{key}: {_scalar(value)}" for key, value in changes.items()]


def _scalar(value: Value) -> str:
    """A value that every version of YAML reads as the same: without an exponent."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else np.format_float_positional(value, trim="0")


def _load(text: str) -> Any:
    return yaml.safe_load(text)


def _expected(text: str, vertical: str, changes: Mapping[str, Value]) -> Any:
    declared = _load(text)
    own = declared[vertical]
    return declared | {vertical: own | {_KEY: (own.get(_KEY) or {}) | dict(changes)}}


def _by_hand(vertical: str, changes: Mapping[str, Value]) -> ConfigurationError:
    return ConfigurationError(
        f"conf/base/{vertical}/parameters.yml cannot be edited without changing more than {_KEY}; write there yourself:"
        f"\n{patch_text(vertical, changes)}"
    )
