"""Shape and epochs of networks, without torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """What builds a network before its weights are filled in."""

    numeric: int
    category_levels: tuple[int, ...]  # codes of each categorical input, "missing" and "unseen" included
    members: int  # predictors in one network
    bins: int  # pieces of the embedding of a number
    embedding: int  # size of the embedding of one input
    layers: int
    width: int
    dropout: float  # fraction of hidden units dropped while training, in [0, 1)
    outputs: int = 1  # of a member for a row; absent in the record of an earlier release
    margins: tuple[
        int, ...
    ] = ()  # numeric inputs that speak for one output each, of all outputs in order; may repeat


@dataclass(frozen=True)
class Epoch:
    """One pass of one network over its training rows; both are counted from 1."""

    network: int
    number: int
    train_loss: float  # mean loss of the members during the pass, with dropout
    validation_loss: float  # loss of held-out rows after the pass; NaN without them
    validation_figure: float  # second figure of those rows, see `Task.curves`; NaN without them
    best: bool  # whether no earlier epoch had a validation loss as low
