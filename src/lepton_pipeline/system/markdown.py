"""Names, values and texts of the data, escaped for Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lepton_pipeline.system.readable import printable

_SIGNS = re.compile(r"([\\`*{}\[\]|~]|(?<![^\W_])_|_(?![^\W_])|^[#+>-])")
# MLflow's page does not know their backslash escapes.
_ENTITIES = (("&(?=#?\\w+;)", "&amp;"), ("<", "&lt;"), (r"\$", "&#36;"))


def as_markdown(value: object) -> str:
    r"""Escape a value for Markdown, in one line.

    >>> as_markdown("![x](http://host/x.png) <b>")
    '!\\[x\\](http://host/x.png) &lt;b>'
    """
    text = _SIGNS.sub(r"\\\1", printable(re.sub(r"\s+", " ", str(value))))
    for sign, name in _ENTITIES:
        text = re.sub(sign, name, text)
    return text


def fact_list(facts: Iterable[tuple[str, str]]) -> list[str]:
    """A list item for each pair of a name and a text, both escaped."""
    return [f"- **{as_markdown(name)}**: {as_markdown(text)}" for name, text in facts]
