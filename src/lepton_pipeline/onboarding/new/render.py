"""Format a parameters file as YAML with comments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any

WIDTH = 120
_PLAIN = re.compile(r"[^\W\d]([\w ()/%+*<>=!'-]*[\w)'])?")
# Read as something else than text by one of YAML's versions.
_OTHER = frozenset(["y", "n", "yes", "no", "true", "false", "on", "off", "null", "none", "nan", "inf"])
# Keys whose values are mappings one entry a line; every other mapping is written in one line.
_BLOCKS = frozenset(
    {
        "about",
        "dataset",
        "ingestion",
        "contract",
        "features",
        "derive",
        "windows",
        "dates",
        "forecast",
        "recommendation",
        "tables",
        "records",
    }
)


def render(name: str, declared: Mapping[str, Any], comments: Mapping[str, Sequence[str]], head: str) -> str:
    """Write the declaration of the vertical `name` as YAML of at most `WIDTH` characters a line.

    `comments` are sentences above a key, by its path such as "dataset.exclude"; below a list, by that path
    followed by []. `head` is the comment of the whole file.
    """
    lines = [*_comment(head, 0), f"{name}:", *_block(declared, comments, "", 2)]
    return "\n".join(lines) + "\n"


def scalar(value: Any, *, is_key: bool = False) -> str:
    """One value, quoted where YAML would read it as something else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return _number(value)
    text = str(value)
    if _PLAIN.fullmatch(text) and text.casefold() not in _OTHER:
        return text
    # OmegaConf fills in ${...} of values also where they are quoted, unless an odd number of backslashes is
    # before it.
    literal = text if is_key else re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    return json.dumps(literal, ensure_ascii=False)


def flow(value: Any) -> str:
    """A value in one line, in YAML's flow style."""
    if not isinstance(value, Mapping | list):
        return scalar(value)
    opening, closing, items = _parts(value)
    return f"{opening}{', '.join(items)}{closing}"


def _parts(value: Mapping[str, Any] | list[Any]) -> tuple[str, str, list[str]]:
    """The brackets of a mapping or a list, and its items."""
    if isinstance(value, list):
        return "[", "]", [*map(flow, value)]
    return "{", "}", [f"{scalar(key, is_key=True)}: {flow(each)}" for key, each in value.items()]


def _number(value: float) -> str:
    if isinstance(value, int) or not float(value).is_integer() or abs(value) >= 1e15:
        text = repr(value)
        # YAML 1.1 wants a point in a number with an exponent.
        return text.replace("e", ".0e") if re.fullmatch(r"-?\d+e[+-]?\d+", text) else text
    return f"{value:.1f}"


def _block(
    declared: Mapping[str, Any], comments: Mapping[str, Sequence[str]], path: str, indent: int
) -> Iterable[str]:
    for key, value in declared.items():
        where = f"{path}.{key}" if path else str(key)
        for sentence in comments.get(where, ()):
            yield from _comment(sentence, indent)
        start = f"{' ' * indent}{scalar(key, is_key=True)}:"
        if isinstance(value, Mapping) and key in _BLOCKS:
            yield start
            yield from _block(value, comments, where, indent + 2)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield start
            for each in value:
                yield from _wrapped(f"{' ' * (indent + 2)}- ", each)
            for sentence in comments.get(f"{where}[]", ()):
                yield from _comment(sentence, indent + 2)
        else:
            yield from _wrapped(f"{start} ", value)


def _wrapped(start: str, value: Any) -> Iterable[str]:
    """A value after `start`; if too long, broken between the items of its outermost list or mapping."""
    line = start + flow(value)
    if len(line) <= WIDTH or not isinstance(value, Mapping | list):
        yield line
        return
    opening, closing, (*items, last) = _parts(value)
    line = start + opening
    for item in [*(f"{each}, " for each in items), last + closing]:
        if len(line) + len(item.rstrip()) + 1 > WIDTH and line.strip() != (start + opening).strip():
            yield line.rstrip()
            line = " " * (len(start) + 1)
        line += item
    yield line


def _comment(text: str, indent: int) -> list[str]:
    return wrap(text, WIDTH, initial_indent=" " * indent + "# ", subsequent_indent=" " * indent + "# ")
