"""Kedro's configuration loader, with every fault of a file said in one message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from kedro.config import MissingConfigException, OmegaConfigLoader
from omegaconf.errors import InterpolationResolutionError

from lepton_pipeline.errors import ConfigurationError


class ConfigLoader(OmegaConfigLoader):
    """Loads as Kedro does."""

    def __getitem__(self, key: str) -> Any:
        """The configuration of one kind, `parameters` say.

        Raises:
            ConfigurationError: a file is no YAML mapping, or what it says cannot be resolved.
        """
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
