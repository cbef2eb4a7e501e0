"""A version of a registered model; light enough for what only prints it."""

from __future__ import annotations

from dataclasses import dataclass

from lepton_pipeline.statistics.estimates import Estimate


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model.

    Attributes:
        name: of the model, which is its vertical's.
        version: its number.
        alias: "champion" or "".
        run_id: the run that trained it.
        weights_sha256: of its weights.
    """

    name: str
    version: int
    alias: str
    run_id: str
    weights_sha256: str


@dataclass(frozen=True)
class WatchedVersion(ModelVersion):
    """A champion, with what new rows are compared by.

    Attributes:
        trained_until: latest time of the rows it has learnt from; None without a column of time.
        trained_rows: their number.
        test: figures of its test by metric; those without an interval are left out.
    """

    trained_until: str | None
    trained_rows: int
    test: dict[str, Estimate]
