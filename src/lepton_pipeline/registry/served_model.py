"""What MLflow runs to serve a registered model; a copy of this file lies in every model version.

MLflow executes the file when it saves or loads a model; it finds the package beside it, as it was at training.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from lepton_pipeline.errors import DataError, LeptonError
from lepton_pipeline.features.unseen import UnseenCounts
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.parameters import Scoring

# MLflow runs a copy of this file, under another name.
logger = logging.getLogger("lepton_pipeline.serving")
_LOGGED_COLUMNS = 5
# Categories of a column that are looked at for the cause, which a single row must not wait for.
_COMPARED = 100


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow is untyped
    """Raw rows in, probability and decision out."""

    def load_context(self, context: Any) -> None:
        """Read the artefact once."""
        self.artefact = Artefact.load(Path(context.artifacts["artefact"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score rows; see `Artefact.predict` and `Artefact.reasons`.

        Values that no training row had are scored, and logged as a warning.

        Args:
            context: MLflow's.
            model_input: raw rows.
            params: `reasons`: how many reasons each row gets, 0 (none, and no column of them) if absent. `unseen`:
                whether each row names its values that no training row had, False if absent.

        Returns:
            Indexed as `model_input`: `probability`, `decision` and, where asked for, `reasons` and `unseen` ("code =
            1.0; city = Atlantis", or empty).

        Raises:
            MlflowException: the rows or the parameter cannot be used; a server answers with 400 and the reason.
        """
        count = int((params or {}).get("reasons") or 0)
        if count < 0:
            raise _refusal(f"the parameter reasons is {count}; give the number of reasons wanted, 0 for none.")
        try:
            _refuse_nested(model_input)
            rows = self.artefact.read(model_input)
            scored = self.artefact.predict(rows)
            counts = self.artefact.unseen_counts()
            _log_unseen(counts, rows)
            asked = {"reasons": self.artefact.reasons(rows, count)} if count else {}
            if (params or {}).get("unseen"):
                asked["unseen"] = counts.of_rows(rows)
            return scored.assign(**asked)
        except LeptonError as error:
            raise _refusal(str(error)) from error


def _log_unseen(counts: UnseenCounts, rows: pd.DataFrame) -> None:
    """Warn of values that no training row had; a server refuses none."""
    counts.add_given(rows)
    counts.add_derived(rows)
    share = Scoring().unseen_share
    found = [each for each in counts.found(_COMPARED) if each.certain]
    found.sort(key=lambda each: not each.is_surprising(share))
    if found:
        more = f"; and {len(found) - _LOGGED_COLUMNS} more columns" if len(found) > _LOGGED_COLUMNS else ""
        stops = "; batch scoring would stop" if found[0].is_surprising(share) else ""
        logger.warning("%s%s%s", "; ".join(map(str, found[:_LOGGED_COLUMNS])), more, stops)


def _refuse_nested(rows: pd.DataFrame) -> None:
    """Refuse lists and objects of JSON, which would count as a category never seen."""
    for name in rows:
        if rows[name].dtype != object:
            continue
        nested = rows[name].map(lambda value: not pd.api.types.is_scalar(value))
        if nested.any():
            raise DataError(f"column {name!r} holds {rows[name][nested].iloc[0]!r}; give one plain value for each row.")


def _refusal(message: str) -> mlflow.MlflowException:
    return mlflow.MlflowException(message, error_code=INVALID_PARAMETER_VALUE)


mlflow.models.set_model(ServedModel())
