"""How a model is used on new rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lepton_pipeline.parameters.base import Declaration, Fraction


class Scoring(Declaration):
    """How `kedro run --pipelines <vertical>_scoring` scores new rows."""

    input: str | None = Field(None, description="file or folder of the rows; None: the entry scoring_input")
    version: int | None = Field(None, ge=1, description="model version; None: the champion")
    reasons: int = Field(3, ge=0, description="columns that speak most for a row's score, named beside it")
    reasons_for: Literal["positive", "all"] = Field("positive", description="rows with reasons (all: slower)")
    unseen: Literal["stop", "warn"] = Field("stop", description="what to do with a batch of unseen values")
    unseen_share: Fraction = Field(0.5, description="share of such values, in a batch of at least 50 rows")
    chunk_rows: int = Field(20_000, ge=1, description="rows held in memory at once; they change no result")
