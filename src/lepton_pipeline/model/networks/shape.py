"""The shape of a network, readable without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """What builds a network before its weights are filled in.

    Attributes:
        category_levels: codes of each categorical input, "missing" and "unseen" included.
        members: predictors in one network.
        bins: pieces of the embedding of a number.
        embedding: size of the embedding of one input.
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
