"""The ways in which rows reach a model."""

from __future__ import annotations

import io
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.registry.publish import RecordedPyfunc, example_rows, input_schema, signature_of
from lepton_pipeline.registry.publish import __file__ as publish_file
from lepton_pipeline.scoring.check import CheckedRows, Declared, check_input
from lepton_pipeline.scoring.score import score_input


def load_served(artefact: Artefact, table: pd.DataFrame, folder: Path) -> Any:
    """The model as MLflow loads it."""
    import mlflow
    from mlflow.models import Model

    schema = input_schema(artefact, table)
    artefact.save(folder / "artefact")
    with warnings.catch_warnings():
        # MLflow's own, when it looks at our model's type hints.
        warnings.simplefilter("ignore")
        RecordedPyfunc().save_model(
            str(folder / "model"),
            mlflow_model=Model(),
            validate_serving_input=False,
            python_model=str(Path(publish_file).with_name("served_model.py")),
            artifacts={"artefact": str(folder / "artefact")},
            code_paths=[str(Path(publish_file).parents[1])],
            signature=signature_of(schema, artefact.prediction_types),
            input_example=example_rows(artefact, table, schema),
            pip_requirements=["mlflow"],
        )
        return mlflow.pyfunc.load_model(str(folder / "model"))


def send(model: Any, body: bytes | dict[str, Any], content_type: str = "application/json") -> list[Any]:
    """Predictions that the server answers."""
    from mlflow.pyfunc import scoring_server

    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = scoring_server.invocations(content, content_type, model, model.metadata.get_input_schema())
    assert answer.status == 200, answer.response
    found: list[Any] = json.loads(answer.response)["predictions"]
    return found


def score_batch(artefact: Artefact, declared: Declared, content: bytes, name: str) -> pd.DataFrame:
    """The rows of a scored file."""
    raw = [RawFile(name, lambda: io.BytesIO(content))]
    checked, left_out, _ = check_input(raw, artefact, declared)
    with tempfile.TemporaryDirectory() as folder:
        rows, version = CheckedRows(raw, checked, left_out), ModelVersion("v", 1, "", "r", "w")
        found, _ = score_input(rows, artefact, version, Path(folder) / "work", declared)
        return pd.concat(list(found), ignore_index=True)
