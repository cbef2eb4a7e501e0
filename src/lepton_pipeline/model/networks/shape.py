"""Shape and epochs of networks, without torch."""

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


@dataclass(frozen=True)
class Epoch:
    """One pass of one network over its training rows; both are counted from 1.

    Attributes:
        train_loss: mean log loss of the members during the pass, with dropout.
        validation_log_loss: log loss of held-out rows after the pass; NaN without them.
        validation_auc: AUC of those rows; NaN where they hold one class.
        best: whether no earlier epoch had a validation log loss as low.
    """

    network: int
    number: int
    train_loss: float
    validation_log_loss: float
    validation_auc: float
    best: bool
