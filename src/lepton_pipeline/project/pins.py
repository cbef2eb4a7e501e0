"""Versions that configuration names, in whatever environment."""

from __future__ import annotations

from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lepton_pipeline.errors import ConfigurationError

_PATTERNS = ("*/**/parameters*", "*/parameters*/**/*")
_KINDS = (".yml", ".yaml", ".json")


def pinned_versions(conf: Path, vertical: str) -> frozenset[int]:
    """Versions that `scoring.version` of a vertical names in any environment below `conf`.

    Nothing else of an environment is resolved, as its variables may be set elsewhere only. Raises
    ConfigurationError if a file of parameters cannot be read.
    """
    files = {file for pattern in _PATTERNS for file in conf.glob(pattern) if file.suffix in _KINDS}
    found = set()
    for file in sorted(file for file in files if file.is_file()):
        try:
            pinned = OmegaConf.select(OmegaConf.load(file), f"{vertical}.scoring.version")
        except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
            problem = " ".join(str(error).split())
            raise ConfigurationError(
                f"{file}: whether it names a version of {vertical} cannot be read: {problem}; correct the file."
            ) from error
        if isinstance(pinned, int):
            found.add(pinned)
    return frozenset(found)
