"""Kedro's configuration loader: reports malformed files, and reads variables only where they stay secret."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from glob import glob
from io import StringIO
from itertools import chain
from math import inf
from pathlib import Path
from typing import Any

import yaml
from kedro.config import MissingConfigException, OmegaConfigLoader
from kedro.framework.project import pipelines
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.system.credentials import learn
from lepton_pipeline.system.signals import OutOfTimeError, time_limit
from lepton_pipeline.system.variables import reader, refused_variables

_ALIAS = re.compile(rb"(^|[\s\[{,:-])\*\w")
_MOST_VALUES = 100_000
# The table of what to reply, beside the parameters of a vertical.
REPLIES = "replies.csv"
_SECONDS = 60


class ConfigLoader(OmegaConfigLoader):
    """Loads as Kedro does, also from a folder whose name looks like a pattern."""

    def __init__(self, conf_source: str, *arguments: Any, **options: Any):
        super().__init__(conf_source, *arguments, **options)
        if Path(conf_source).is_dir():
            self._fs = _Folder(self._fs, Path(conf_source).as_posix())

    def __getitem__(self, key: str) -> Any:
        """The configuration of one kind, such as `parameters`.

        Raises ConfigurationError if a file is no YAML mapping or cannot be resolved, or if the catalog's
        folder has braces in its name, which Kedro takes for a data set factory's.
        """
        if key == "catalog" and re.search("[{}]", str(self.conf_source)):
            raise ConfigurationError(
                f"{Path(self.conf_source).parent}: the catalog cannot be used in a folder with braces in its name; "
                "rename the folder."
            )
        OmegaConf.register_new_resolver("oc.env", reader(key), replace=True)
        stored = key in self
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
        # Parser errors have no common base.
        except Exception as error:
            raise ConfigurationError(f"{self._fault(key) or f'{key}: {error}'}; correct the file.") from error
        if key != "parameters":
            if problems := refused_variables(found):
                raise ConfigurationError("\n".join(f"{key}.yml: {each}" for each in problems))
            learn(found, secret=key == "credentials")
            return found
        # Only `alerts` has secrets there.
        learn([each.get("alerts") for each in found.values() if isinstance(each, Mapping)])
        return found if stored else self._with_files(found)

    def _with_files(self, parameters: Mapping[str, object]) -> dict[str, object]:
        """Add a vertical's query as `sql`, its replies as `dataset.replies`; the environment's replace the base's."""
        from lepton_pipeline.parameters.jobs import QUERY

        found = dict(parameters)
        for vertical, declared in parameters.items():
            if not isinstance(declared, dict):
                continue
            if "sql" in declared:
                raise ConfigurationError(f"{vertical}.sql: write the query to conf/base/{vertical}/{QUERY}.")
            for file in self._beside(vertical, "*.sql"):
                if file.name != QUERY:
                    raise ConfigurationError(f"{file} is not read; a vertical's query is {QUERY}.")
                found[vertical] = declared = {**declared, "sql": _text_of(file)}
            own: Any = declared.get("dataset")
            for file in self._beside(vertical, REPLIES) if isinstance(own, dict) else ():
                if own.get("replies"):
                    raise ConfigurationError(
                        f"{vertical}.dataset.replies: {file} holds replies, too; keep one of them."
                    )
                found[vertical] = {**declared, "dataset": {**own, "replies": _replies(file)}}
        return found

    def _beside(self, vertical: str, pattern: str) -> Iterator[Path]:
        """Files beside the parameters of a vertical, those of the base first."""
        yield from chain.from_iterable(
            sorted(folder.glob(f"{vertical}/{pattern}")) for folder in self._folders()
        )

    def _folders(self) -> list[Path]:
        names = (self.base_env, self.env or self.default_run_env)
        return [Path(self.conf_source) / name for name in names if name]

    def _leave_out_others(self, key: str) -> None:
        """Read no files of verticals that this command is not about."""
        asked, every = pipelines._requested_pipelines, f"**/{key}*"
        if not asked or "__default__" in asked or key not in ("parameters", "catalog"):
            return
        if every not in self.config_patterns[key]:
            return
        # Imported late, as every command imports the loader.
        from lepton_pipeline.parameters.jobs import Job

        others = [pattern for pattern in self.config_patterns[key] if pattern != every]
        own = [f"**/{vertical}/{key}*" for vertical in sorted({Job.named(name).vertical for name in asked})]
        self.config_patterns = {**self.config_patterns, key: others + own}

    def _files(self, key: str) -> list[Path]:
        """Files of one kind, those of the base first."""
        patterns = self.config_patterns.get(key, [])
        found = ({file for each in patterns for file in folder.glob(each)} for folder in self._folders())
        return [file for files in found for file in sorted(files) if file.is_file()]

    def _fault(self, key: str) -> str | None:
        """The first file of this kind that is no YAML mapping, with the reason."""
        for file in self._files(key):
            try:
                content = yaml.safe_load(file.read_text(encoding="utf-8"))
            except Exception as error:
                return f"{file} cannot be read as YAML: {type(error).__name__}: {error}"
            if content is not None and not isinstance(content, dict):
                return f"{file} holds {str(content)[:50]!r}, but must hold keys with values"
        return None


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is no UTF-8 ({error.reason}); save it so.") from error


def _replies(file: Path) -> dict[str, str]:
    """Replies by class; a ConfigurationError names a line that holds something else."""
    found: dict[str, str] = {}
    lines = csv.reader(StringIO(_text_of(file), newline=""), strict=True)
    try:
        for number, cells in enumerate(lines, 1):
            said = f"{file}, record {number}"
            if number == 1 and cells != ["class", "reply"]:
                raise ConfigurationError(f"{said}: the head is {cells}; it must be class,reply.")
            if len(cells) != 2 or not all(map(str.strip, cells)):
                raise ConfigurationError(
                    f"{said}: {cells} is no class and its reply; put a reply that holds a comma in quotes."
                )
            if cells[0] in found:
                raise ConfigurationError(f"{said}: class {cells[0]!r} has a reply already; keep one of them.")
            found |= {} if number == 1 else {cells[0]: cells[1]}
    except csv.Error as error:
        raise ConfigurationError(f"{file}: {error}; save it as CSV.") from error
    if not found:
        raise ConfigurationError(
            f"{file} holds no reply; write class,reply and a line for each, or remove it."
        )
    return found


def _require_bounded(file: Path) -> None:
    """Refuse a file whose YAML aliases expand to too many values, which OmegaConf would copy for hours."""
    content = file.read_bytes()
    if not _ALIAS.search(content):
        return
    try:
        root = yaml.compose(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return  # `_fault` says what is wrong
    if _values(root, {}) > _MOST_VALUES:
        raise ConfigurationError(
            f"{file}: its aliases (*name) stand for more than {_MOST_VALUES:,} values; write fewer."
        )


def _values(node: Any, counted: dict[int, float]) -> float:
    """Values below a node with aliases expanded; infinite for a recursive one."""
    if id(node) not in counted:
        counted[id(node)] = inf
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        flat = [each for part in parts for each in (part if isinstance(part, tuple) else (part,))]
        counted[id(node)] = 1 + sum(_values(each, counted) for each in flat)
    return counted[id(node)]


class _Folder:
    """A file system whose patterns match only below one folder."""

    def __init__(self, files: Any, folder: str):
        self._files, self._folder = files, folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)

    def glob(self, pattern: str) -> list[str]:
        """Paths below the folder for a pattern that begins with it."""
        inside = pattern.removeprefix(self._folder).lstrip("/")
        # Unlike Path.glob, it also finds files by `**`.
        found = glob(inside, root_dir=self._folder, recursive=True, include_hidden=True)  # noqa: PTH207  # of any root
        return [f"{self._folder}/{path}" for path in sorted(found)]
