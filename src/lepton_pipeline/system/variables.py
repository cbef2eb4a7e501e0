"""Environment variables, `${oc.env:NAME}`, read only where their values are neither recorded nor shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from omegaconf import Node
from omegaconf.resolvers import oc

from lepton_pipeline.system.credentials import learn

# Marks a variable where none may be read; refused by the reader of that key.
_REFUSED = re.compile("\0oc\\.env:([^\0]*)\0")
_WHY = (
    "is not read here, for its value would be recorded and shown; write the value itself, or give it by --params. "
    "Variables are read in catalog.yml, credentials.yml, mlflow.yml, and in keys of alerts that name them themselves "
    "(docs/operating.md, Secrets)."
)


def read_variable(name: str, default: Any = ..., *, _node_: Node) -> str | None:
    """`${oc.env:NAME}` of a parameters file: recorded and shown, so only `alerts` may hold one."""
    key = _key(_node_)
    if not re.match(r"\w+\.alerts\b", key):
        return f"\0oc.env:{name}\0"
    return _environment(name, default, _node_)


def refused_variables(declared: Any, key: str = "") -> list[str]:
    """A line for each value with a variable where none may be read."""
    return [f"{at}: ${{oc.env:{name}}} {_WHY}" for at, name in _refused(declared, key)]


def _refused(declared: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(declared, Mapping):
        for name, each in declared.items():
            yield from _refused(each, f"{key}.{name}" if key else str(name))
    elif isinstance(declared, list):
        for place, each in enumerate(declared):
            yield from _refused(each, f"{key}[{place}]")
    elif isinstance(declared, str):
        yield from ((key, found) for found in _REFUSED.findall(declared))


def reader(kind: str) -> Callable[..., str | None]:
    """The resolver of `oc.env` for one kind of configuration, such as `catalog`."""
    if kind in ("parameters", "globals"):
        return read_variable

    def read(name: str, default: Any = ..., *, _node_: Node) -> str | None:
        return _environment(name, default, _node_)

    return read


def _environment(name: str, default: Any, node: Node) -> str | None:
    value = oc.env(name) if default is ... else oc.env(name, default)
    learn(value, _key(node).rpartition(".")[2], secret=True)
    return value


def _key(node: Node) -> str:
    """Dotted key of a value (`shop.alerts.mail.to`), without positions in lists."""
    return re.sub(r"\[\d+\]", "", str(node._get_full_key(None)))
