"""Kedro's configuration loader, with every fault of a file said in one message."""

from __future__ import annotations

import re
from glob import glob
from pathlib import Path
from typing import Any

import yaml
from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf.errors import InterpolationResolutionError

from lepton_pipeline.errors import ConfigurationError


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
        try:
            return super().__getitem__(key)
        except (KeyError, MissingConfigException, yaml.MarkedYAMLError):
            raise
        except InterpolationResolutionError as error:
            reason = str(error).splitlines()[0]
            raise ConfigurationError(f"{key}.yml: {reason}; set it, or run with another --env.") from error
        # What a parser makes of arbitrary text has no common base: of encodings, recursion, types, duplicates.
        except Exception as error:
            raise ConfigurationError(f"{self._fault(key) or f'{key}: {error}'}; correct the file.") from error

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
