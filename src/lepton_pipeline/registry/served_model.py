"""What MLflow runs to serve a registered model; a copy of this file lies in every model version.

MLflow executes the file when it saves or loads a model; it finds the package beside it, as it was at training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from lepton_pipeline.errors import DataError, LeptonError
from lepton_pipeline.model.artefact import Artefact


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow is untyped
    """Raw rows in, probability and decision out."""

    def load_context(self, context: Any) -> None:
        """Read the artefact once."""
        self.artefact = Artefact.load(Path(context.artifacts["artefact"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score rows; see `Artefact.predict` and `Artefact.reasons`.

        Args:
            context: MLflow's.
            model_input: raw rows.
            params: `reasons`: how many reasons each row gets, 0 (none, and no column of them) if absent.

        Returns:
            Indexed as `model_input`: `probability`, `decision` and, where asked for, `reasons`.

        Raises:
            MlflowException: the rows or the parameter cannot be used; a server answers with 400 and the reason.
        """
        count = int((params or {}).get("reasons") or 0)
        if count < 0:
            raise _refusal(f"the parameter reasons is {count}; give the number of reasons wanted, 0 for none.")
        try:
            _refuse_nested(model_input)
            scored = self.artefact.predict(model_input)
            return scored.assign(reasons=self.artefact.reasons(model_input, count)) if count else scored
        except LeptonError as error:
            raise _refusal(str(error)) from error


def _refuse_nested(rows: pd.DataFrame) -> None:
    """Refuse lists and objects of JSON, which would count as a category never seen."""
    for name in rows:
        if rows[name].dtype != object:
            continue
        nested = rows[name].map(lambda value: isinstance(value, list | dict))
        if nested.any():
            raise DataError(f"column {name!r} holds {rows[name][nested].iloc[0]!r}; give one plain value for each row.")


def _refusal(message: str) -> mlflow.MlflowException:
    return mlflow.MlflowException(message, error_code=INVALID_PARAMETER_VALUE)


mlflow.models.set_model(ServedModel())
