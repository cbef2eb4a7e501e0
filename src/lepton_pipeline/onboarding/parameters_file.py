"""Read one vertical's parameters file on its own."""

from __future__ import annotations

from pathlib import Path

from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.config_loader import read_declaration
from lepton_pipeline.project.declaration import read_vertical


def read_parameters(base: Path, name: str) -> Vertical:
    """Read conf/base/<name>/parameters.yml.

    Raises:
        ConfigurationError: the file cannot be read, or its declaration is invalid.
    """
    path = base / name / "parameters.yml"
    try:
        declared = read_declaration(path)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError, OSError) as error:
        problem = " ".join(str(error).split())
        raise ConfigurationError(f"{name}: {path} cannot be read: {problem}; correct its YAML.") from error
    return read_vertical(name, declared.get(name) if isinstance(declared, dict) else declared)
