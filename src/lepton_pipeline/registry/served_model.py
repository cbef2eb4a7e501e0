"""What MLflow runs to serve a registered model; a copy of this file lies in every model version.

MLflow executes the file when it saves or loads a model; it finds the package beside it, as it was at training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd

from lepton_pipeline.model.artefact import Artefact


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow is untyped
    """Raw rows in, probability and decision out."""

    def load_context(self, context: Any) -> None:
        """Read the artefact once."""
        self.artefact = Artefact.load(Path(context.artifacts["artefact"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Score rows; see `Artefact.predict`."""
        return self.artefact.predict(model_input)


mlflow.models.set_model(ServedModel())
