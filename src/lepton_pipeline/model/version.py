"""Versions of a registered model, light enough for printing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lepton_pipeline.statistics.estimates import Estimate


@dataclass(frozen=True)
class ModelVersion:
    """A version of the registered model of a vertical; `alias` is "champion", of a shadow "challenger", or ""."""

    name: str
    version: int
    alias: str
    run_id: str
    weights_sha256: str


@dataclass(frozen=True)
class WatchedVersion(ModelVersion):
    """A champion with its reference for monitoring."""

    trained_until: str | None  # latest time of the rows it learnt from; None without a column of time
    trained_rows: int  # their number
    test: dict[str, Estimate]  # metrics of its test rows that have an interval
    # What the headline metric lost on the test rows where a column was shuffled, by raw column; empty if unknown.
    importance: Mapping[str, Estimate] = field(default_factory=dict)
