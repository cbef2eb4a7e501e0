"""The model version that a run registered; light enough for what only prints it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Composition:
    """Parts of a model, how large they are, and what it costs to run.

    Attributes:
        numbers: inputs of the networks that are numbers.
        categories: inputs that are codes of categories.
        networks: independent networks.
        members: predictors in each of them.
        weights: numbers that all networks hold.
        trees: trees of boosting, of all outputs; 0 without boosting.
        leaves: leaves of all trees.
        correction: of held-out outputs: "none", "temperature" or "line".
        rows: rows that it has learnt from.
        bytes: size of its files.
        row_seconds: CPU seconds to predict a row, one of many, on one thread; single rows cost more.
    """

    numbers: int
    categories: int
    networks: int
    members: int
    weights: int
    trees: int
    leaves: int
    correction: str
    rows: int
    bytes: int
    row_seconds: float


@dataclass(frozen=True)
class Registration:
    """A version of a registered model; its name is the vertical's.

    `boosting_weight` is None without boosting. `plan` names the training rows, see `Plan.kind`; "" if not
    recorded. `composition` is None in registrations of an earlier release.
    """

    name: str
    version: int
    model_uri: str
    run_id: str
    weights_sha256: str
    device: str
    boosting_weight: float | None = None
    plan: str = ""
    composition: Composition | None = None
