"""Names, values and texts of the data in Markdown: what they hold is shown, never followed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lepton_pipeline.system.readable import printable

_SIGNS = re.compile(r"([\\`*{}\[\]|~]|(?<![^\W_])_|_(?![^\W_])|^[#+>-])")
# MLflow's page knows no backslash before these; as what HTML calls them, every reader shows them.
_ENTITIES = (("&(?=#?\\w+;)", "&amp;"), ("<", "&lt;"), (r"\$", "&#36;"))


def as_markdown(value: object) -> str:
    r"""Write a value so that Markdown shows it as it is, in one line.

    >>> as_markdown("![x](http://host/x.png) <b>")
    '!\\[x\\](http://host/x.png) &lt;b>'
    """
    text = _SIGNS.sub(r"\\\1", printable(re.sub(r"\s+", " ", str(value))))
    for sign, name in _ENTITIES:
        text = re.sub(sign, name, text)
    return text


def fact_list(facts: Iterable[tuple[str, str]]) -> list[str]:
    """A line of a list for each pair of a name and a text; both may be of the data."""
    return [f"- **{as_markdown(name)}**: {as_markdown(text)}" for name, text in facts]
