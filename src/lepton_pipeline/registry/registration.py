"""The model version that a run registered; light enough for what only prints it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Registration:
    """A version of a registered model; its name is the vertical's.

    `boosting_weight` is None without boosting. `plan` names the training rows, see `Plan.kind`; "" if not
    recorded.
    """

    name: str
    version: int
    model_uri: str
    run_id: str
    weights_sha256: str
    device: str
    boosting_weight: float | None = None
    plan: str = ""
