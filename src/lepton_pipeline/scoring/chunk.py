"""Score one chunk of typed rows, wherever that is done."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Literal, Self

import numpy as np
import pandas as pd

from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters import Scoring
from lepton_pipeline.scoring.check import ROW

# Before the names of a shadow's predictions.
SHADOW = "shadow_"


@dataclass(frozen=True)
class ChunkColumns:
    """What stands beside the predictions of a row: `names` are columns of the rows, `reasons` how many there are."""

    version: int
    names: list[str]
    reasons: int
    reasons_for: Literal["positive", "all"]

    @classmethod
    def of(cls, scoring: Scoring, version: int, names: list[str]) -> Self:
        """As declared."""
        return cls(version, names, scoring.reasons, scoring.reasons_for)


def score_chunk(
    rows: pd.DataFrame, model: Artefact, columns: ChunkColumns, shadow: Artefact | None = None
) -> bytes:
    """Score typed rows, indexed by their numbers; returns a Parquet file, see `score_input` for its columns.

    The predictions of a `shadow` stand behind all others. Raises a DataError where a model cannot read the rows.
    """
    file = BytesIO()
    scored = _scored(rows, model, columns)
    if shadow is not None:
        beside = shadow.predict(rows)
        scored = scored.assign(
            **{f"{SHADOW}{name}": beside[name].array for name in shadow.prediction_types},
        )
    scored.to_parquet(file, index=False)
    return file.getvalue()


def _scored(rows: pd.DataFrame, model: Artefact, columns: ChunkColumns) -> pd.DataFrame:
    predictions, task = model.predict(rows), model.task
    made: dict[str, object] = {ROW: rows.index.to_numpy(np.int64)}
    made |= {name: rows[name].array for name in columns.names}
    made |= {name: predictions[name].array for name in model.prediction_types}
    acted_on = task.acted_on(predictions)
    wanted = acted_on if columns.reasons_for == "positive" else np.full(len(rows), True)
    if columns.reasons and wanted is not None:
        texts = np.full(len(rows), "", dtype=object)
        if wanted.any():
            texts[wanted] = model.reasons(rows[wanted], columns.reasons)
        made["reasons"] = pd.array(texts, dtype="str")
    return pd.DataFrame({**made, "model_version": np.int64(columns.version)})
