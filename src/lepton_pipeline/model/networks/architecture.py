"""The shape of a network, readable without torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from lepton_pipeline.parameters import MODELS

if TYPE_CHECKING:
    from lepton_pipeline.model.networks.network import Network


@dataclass(frozen=True)
class Shape:
    """What must be known to build a network before its weights are filled in.

    Attributes:
        numeric: number of numeric inputs.
        category_levels: codes of each categorical input, in order, "missing" and "unseen" included.
        members: predictors in one network.
        bins: pieces of the embedding of a number.
        embedding: numbers that stand for the value of one input.
        layers: hidden layers.
        width: units a hidden layer.
        dropout: fraction of hidden units dropped while training, in [0, 1).
    """

    numeric: int
    category_levels: tuple[int, ...]
    members: int
    bins: int
    embedding: int
    layers: int
    width: int
    dropout: float


def find_architecture(name: str) -> type[Network]:
    """Import the class of an architecture, by its name in `training.model`."""
    module, _, attribute = MODELS[name].partition(":")
    architecture: type[Network] = getattr(import_module(module), attribute)
    return architecture
