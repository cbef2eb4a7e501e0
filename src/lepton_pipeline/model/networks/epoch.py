"""Record of one epoch."""

from __future__ import annotations

from dataclasses import dataclass


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
