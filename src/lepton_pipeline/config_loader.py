"""Kedro's configuration loader: every fault of a file in one message, and variables only where they stay secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from glob import glob
from pathlib import Path
from typing import Any

import yaml
from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf import Node, OmegaConf
from omegaconf.errors import InterpolationResolutionError
from omegaconf.resolvers import oc

from lepton_pipeline.credentials import learn
from lepton_pipeline.errors import ConfigurationError

# Stands for a variable where none may be read: who reads that key refuses it, and nobody else is stopped by it.
_REFUSED = re.compile("\0oc\\.env:([^\0]*)\0")
_WHY = (
    "is not read here, for its value would be recorded and shown; write the value itself, or give it by --params. "
    "Variables are read in catalog.yml, credentials.yml, mlflow.yml, and in keys of alerts that name them themselves "
    "(docs/operating.md, Secrets)."
)


class ConfigLoader(OmegaConfigLoader):
    """Loads as Kedro does, from any folder: its name is no pattern, whatever brackets it has."""

    def __init__(self, conf_source: str, *arguments: Any, **options: Any):
        super().__init__(conf_source, *arguments, **options)
        if Path(conf_source).is_dir():
            self._fs = _Folder(self._fs, Path(conf_source).as_posix())

    def __getitem__(self, key: str) -> Any:
        """The configuration of one kind, `parameters` say.

        Raises:
            ConfigurationError: a file is no YAML mapping, or what it says cannot be resolved; the catalog of a folder
                with braces in its name, which Kedro takes for those of a data set's.
        """
        if key == "catalog" and re.search("[{}]", str(self.conf_source)):
            raise ConfigurationError(
                f"{Path(self.conf_source).parent}: the catalog cannot be used in a folder with braces in its name; "
                "rename the folder."
            )
        OmegaConf.register_new_resolver("oc.env", _reader(key), replace=True)
        try:
            found = super().__getitem__(key)
        except (KeyError, MissingConfigException, yaml.MarkedYAMLError):
            raise
        except InterpolationResolutionError as error:
            reason = str(error).splitlines()[0]
            raise ConfigurationError(f"{key}.yml: {reason}; set it, or run with another --env.") from error
        # What a parser makes of arbitrary text has no common base: of encodings, recursion, types, duplicates.
        except Exception as error:
            raise ConfigurationError(f"{self._fault(key) or f'{key}: {error}'}; correct the file.") from error
        if key != "parameters" and (problems := refused_variables(found)):
            raise ConfigurationError("\n".join(f"{key}.yml: {each}" for each in problems))
        _learn_secrets(key, found)
        return found

    def _fault(self, key: str) -> str | None:
        """The first file of this kind that is no YAML mapping, and why."""
        folders = [Path(self.conf_source) / name for name in (self.base_env, self.env or self.default_run_env)]
        for folder in folders:
            for file in sorted({file for pattern in self.config_patterns[key] for file in folder.glob(pattern)}):
                try:
                    content = yaml.safe_load(file.read_text(encoding="utf-8"))
                except Exception as error:
                    return f"{file} cannot be read as YAML: {type(error).__name__}: {error}"
                if content is not None and not isinstance(content, dict):
                    return f"{file} holds {str(content)[:50]!r}, but must hold keys with values"
        return None


def read_declaration(path: Path) -> Any:
    """Read one parameters file as a loader does, by which 1e-3 is a number."""
    OmegaConf.register_new_resolver("oc.env", read_variable, replace=True)
    return OmegaConf.to_container(OmegaConf.load(path), resolve=True)


def read_variable(name: str, default: Any = ..., *, _node_: Node) -> str | None:
    """`${oc.env:NAME}` of a parameters file: what stands there is recorded and shown, so only `alerts` may hold it."""
    key = _key(_node_)
    if not re.match(r"\w+\.alerts\b", key):
        return f"\0oc.env:{name}\0"
    return _environment(name, default, _node_)


def refused_variables(declared: Any, key: str = "") -> list[str]:
    """What is wrong with the values that hold a variable where none may be read, a line each."""
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


def _reader(kind: str) -> Callable[..., str | None]:
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
    """Where a value stands, `shop.alerts.mail.to` say, without its place in a list."""
    return re.sub(r"\[\d+\]", "", str(node._get_full_key(None)))


def _learn_secrets(kind: str, found: Mapping[str, Any]) -> None:
    """Remember what is secret in a configuration; of parameters, alerts alone are not names and values of the data."""
    if kind != "parameters":
        learn(found, secret=kind == "credentials")
        return
    for declared in found.values():
        if isinstance(declared, Mapping):
            learn(declared.get("alerts"))


class _Folder:
    """A file system of which only what lies below one folder is found by a pattern."""

    def __init__(self, files: Any, folder: str):
        self._files, self._folder = files, folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def glob(self, pattern: str) -> list[str]:
        """Paths below the folder; the pattern begins with it."""
        inside = pattern.removeprefix(self._folder).lstrip("/")
        # Unlike that of Path, it finds files by `**`, too.
        found = glob(inside, root_dir=self._folder, recursive=True, include_hidden=True)  # noqa: PTH207
        return [f"{self._folder}/{path}" for path in sorted(found)]
