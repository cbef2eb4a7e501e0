"""Environment variables, `${oc.env:NAME}`, read only where their values are neither recorded nor shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
    if not re.match(r"\w+\.alerts\b", _key(_node_)):
        return f"\0oc.env:{name}\0"
    return _environment(name, default, _node_=_node_)


def refused_variables(declared: Any, key: str = "") -> list[str]:
    """A line for each value with a variable where none may be read."""
    if isinstance(declared, Mapping):
        parts = {f"{key}.{name}" if key else str(name): each for name, each in declared.items()}
    elif isinstance(declared, list):
        parts = {f"{key}[{place}]": each for place, each in enumerate(declared)}
    else:
        names = _REFUSED.findall(declared) if isinstance(declared, str) else []
        return [f"{key}: ${{oc.env:{name}}} {_WHY}" for name in names]
    return [line for at, each in parts.items() for line in refused_variables(each, at)]


def reader(kind: str) -> Callable[..., str | None]:
    """The resolver of `oc.env` for one kind of configuration, such as `catalog`."""
    return read_variable if kind in ("parameters", "globals") else _environment


def _environment(name: str, default: Any = ..., *, _node_: Node) -> str | None:
    value = oc.env(name) if default is ... else oc.env(name, default)
    learn(value, _key(_node_).rpartition(".")[2], secret=True)
    return value


def _key(node: Node) -> str:
    """Dotted key of a value (`shop.alerts.mail.to`), without positions in lists."""
    return re.sub(r"\[\d+\]", "", str(node._get_full_key(None)))
