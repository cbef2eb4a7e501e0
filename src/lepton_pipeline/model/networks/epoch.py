"""What one pass over the training rows achieved."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One pass of one network over its training rows.

    Attributes:
        network: counted from 1.
        number: of the pass, counted from 1.
        train_loss: mean log loss of the members over the rows as they were passed, dropout on.
        validation_log_loss: log loss of the network on its held-out rows after the pass; NaN where it has
            none.
        validation_auc: area under the ROC curve of those rows; NaN where they hold one class.
        best: whether no earlier epoch of the network had a validation log loss as low.
    """

    network: int
    number: int
    train_loss: float
    validation_log_loss: float
    validation_auc: float
    best: bool
