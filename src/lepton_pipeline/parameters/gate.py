"""What a model must reach before it is used."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from lepton_pipeline.parameters.base import Declaration

Metric = Literal["auc", "average_precision", "f1", "log_loss", "brier", "ece"]


class Bound(Declaration):
    """What a metric of the test rows may be, by its 95 % interval."""

    at_least: float | None = Field(None, description="what the lower end of the interval must reach")
    at_most: float | None = Field(None, description="what the upper end of the interval must not exceed")

    @model_validator(mode="after")
    def _says_something(self) -> Bound:
        if self.at_least is None and self.at_most is None:
            raise ValueError("declare at_least, at_most or both")
        return self


class Gate(Declaration):
    """What a model must reach before the alias `champion` moves to it."""

    metric: Literal["auc", "average_precision", "f1"] = Field("auc", description="test metric that decides")
    at_least: float = Field(0.5, ge=0, le=1, description="what the lower end of its 95 % interval must reach")
    bounds: dict[Metric, Bound] = Field({}, description="bounds of other metrics (ece: {at_most: 0.05})")
    slice_at_least: float | None = Field(
        None,
        ge=0,
        le=1,
        description="what the lower end must reach in each slice that is large enough to tell",
    )
    margin: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="how far below the champion the 95 % interval of the difference may reach",
    )
    baseline_margin: float = Field(0.02, ge=0, lt=1, description="how far below the baseline it may reach")
    # Excluded if empty, to keep recorded declarations of others.
    beat: list[str] = Field(
        [],
        exclude_if=lambda names: not names,
        description="baselines that it must be significantly better than",
    )
