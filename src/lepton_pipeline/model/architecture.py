"""The shape of the network, readable without torch."""

from __future__ import annotations

from dataclasses import dataclass

ONE_HOT_LEVELS = 32


@dataclass(frozen=True)
class Architecture:
    """What must be known to build the network before its weights are filled in.

    Args:
        numeric: number of numeric inputs.
        category_levels: codes of each categorical input, in order, "missing" and "unseen" included.
        layers: hidden layers.
        width: units a hidden layer.
        dropout: fraction of hidden units dropped while training, in [0, 1).
    """

    numeric: int
    category_levels: tuple[int, ...]
    layers: int
    width: int
    dropout: float

    @property
    def embedding_sizes(self) -> tuple[int, ...]:
        """Numbers that stand for each categorical input: up to 32 as many as levels, then growing with their root.

        A table of that size can say what one-hot columns say; beyond, levels have to share.
        """
        return tuple(
            levels if levels <= ONE_HOT_LEVELS else round((ONE_HOT_LEVELS * levels) ** 0.5 / 2)
            for levels in self.category_levels
        )
