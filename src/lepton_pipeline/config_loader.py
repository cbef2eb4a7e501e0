"""Kedro's configuration loader: every fault of a file in one message, and variables only where they stay secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from glob import glob
from math import inf
from pathlib import Path
from typing import Any

import yaml
from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.project import pipelines
from omegaconf import Node, OmegaConf
from omegaconf.errors import InterpolationResolutionError
from omegaconf.resolvers import oc

from lepton_pipeline.credentials import learn
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.jobs import Job
from lepton_pipeline.limits import OutOfTimeError, time_limit

_ALIAS = re.compile(rb"(^|[\s\[{,:-])\*\w")
_OF_VERTICALS = ("parameters", "catalog")
_MOST_VALUES = 100_000
_SECONDS = 60

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
        self._leave_out_others(key)
        for file in self._files(key):
            _require_bounded(file)
        try:
            with time_limit(_SECONDS):
                found = super().__getitem__(key)
        except OutOfTimeError as error:
            files = ", ".join(map(str, self._files(key)))
            raise ConfigurationError(
                f"{key}: to resolve what these files declare takes longer than {_SECONDS} s: {files}; look for values "
                "that refer to others (${..}) which refer to others."
            ) from error
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

    def _leave_out_others(self, key: str) -> None:
        """Read no file of a vertical that this command is not about, so that it cannot be in the way."""
        asked, every = pipelines._requested_pipelines, f"**/{key}*"
        if not asked or "__default__" in asked or key not in _OF_VERTICALS or every not in self.config_patterns[key]:
            return
        others = [pattern for pattern in self.config_patterns[key] if pattern != every]
        own = [f"**/{vertical}/{key}*" for vertical in sorted({Job.named(name).vertical for name in asked})]
        self.config_patterns = {**self.config_patterns, key: others + own}

    def _files(self, key: str) -> list[Path]:
        """The files of one kind, those of the base before those of the environment."""
        folders = [Path(self.conf_source) / name for name in (self.base_env, self.env or self.default_run_env) if name]
        return [
            file
            for folder in folders
            for file in sorted({file for pattern in self.config_patterns.get(key, []) for file in folder.glob(pattern)})
            if file.is_file()
        ]

    def _fault(self, key: str) -> str | None:
        """The first file of this kind that is no YAML mapping, and why."""
        for file in self._files(key):
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


def _require_bounded(file: Path) -> None:
    """Refuse a file whose aliases stand for more values than anybody declares.

    OmegaConf copies what an alias stands for, so that a file of ten lines can keep every command busy for hours.
    """
    content = file.read_bytes()
    if not _ALIAS.search(content):
        return
    try:
        root = yaml.compose(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return  # `_fault` says what is wrong
    if _values(root, {}) > _MOST_VALUES:
        raise ConfigurationError(
            f"{file}: its aliases (*name) stand for more than {_MOST_VALUES:,} values; write what is meant, or fewer."
        )


def _values(node: Any, counted: dict[int, float]) -> float:
    """Values below a node when every alias is written out; infinite where one stands within what it names."""
    if id(node) not in counted:
        counted[id(node)] = inf
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        flat = [each for part in parts for each in (part if isinstance(part, tuple) else (part,))]
        counted[id(node)] = 1 + sum(_values(each, counted) for each in flat)
    return counted[id(node)]


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
