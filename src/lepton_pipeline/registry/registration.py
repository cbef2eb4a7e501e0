"""The model version that a run registered; light enough for what only prints it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Registration:
    """A version of a registered model.

    Attributes:
        name: of the model, which is its vertical's.
        version: its number.
        model_uri: where MLflow keeps its files.
        run_id: the run that trained it.
        weights_sha256: of its weights.
        device: that it was trained on.
        boosting_weight: of boosting in the model; None without boosting.
        plan: which rows taught it, see `Plan.kind`; "" where that was not recorded.
    """

    name: str
    version: int
    model_uri: str
    run_id: str
    weights_sha256: str
    device: str
    boosting_weight: float | None = None
    plan: str = ""
