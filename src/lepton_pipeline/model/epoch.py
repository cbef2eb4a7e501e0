"""What one pass over the training rows achieved."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows.

    Args:
        number: counted from 1.
        train_loss: mean log loss of the training rows as they were passed, dropout on.
        validation_log_loss: mean log loss of the validation rows after the pass.
        validation_auc: area under the ROC curve of the validation rows; NaN where they hold one class.
        best: whether no earlier epoch had a validation log loss as low.
        seconds: wall time of the pass with its validation.
    """

    number: int
    train_loss: float
    validation_log_loss: float
    validation_auc: float
    best: bool
    seconds: float
