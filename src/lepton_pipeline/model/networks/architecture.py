"""Network architectures by name, imported on demand."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lepton_pipeline.parameters import MODELS

if TYPE_CHECKING:
    from lepton_pipeline.model.networks.network import Network


def find_architecture(name: str) -> type[Network]:
    """Import the class of an architecture by its name in `training.model`."""
    module, _, attribute = MODELS[name].partition(":")
    architecture: type[Network] = getattr(import_module(module), attribute)
    return architecture
