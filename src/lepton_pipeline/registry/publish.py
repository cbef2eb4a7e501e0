"""Turn a trained model into a version of the vertical's registered model."""

from __future__ import annotations

from html import escape
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

import lepton_pipeline
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.classifier import Classifier
from lepton_pipeline.parameters import About, Features, Ingestion
from lepton_pipeline.registry.tracking import flat_metrics

# What the served model imports, and nothing else of the project's dependencies.
_SERVING = ("mlflow", "numpy", "pandas", "pydantic", "safetensors", "torch")
# Where a signature says `double`, MLflow refuses a column of whole numbers; the encoder checks numbers itself.
_SIGNATURE_TYPES = {"number": "any", "text": "string", "boolean": "any", "any": "any"}
_ISO = "%Y-%m-%dT%H:%M:%S"
_LINEAGE = ("configuration.sha256", "data.rows", "data.sha256", "environment.sha256", "git.commit", "git.dirty", "seed")


def register_model(
    encoder: Encoder,
    model: Classifier,
    metrics: dict[str, Any],
    feature_table: pd.DataFrame,
    features: Features,
    ingestion: Ingestion,
    about: About,
    run_id: str,
) -> dict[str, Any]:
    """Log the model to its run and make it a version of the vertical's registered model, without any alias yet.

    Args:
        encoder: fitted on the training rows.
        model: trained on them.
        metrics: what `evaluate` returns, for the threshold and the figures of the version.
        feature_table: rows, for the input example.
        features: derived columns, which the model makes itself when it serves.
        ingestion: formats of dates, as clients send them.
        about: the caution that stands beside every result, also in the registry.
        run_id: MLflow run; its experiment is the vertical, its tags are the lineage.

    Returns:
        `name`, `version`, `model_uri`, `run_id`, `weights_sha256`, `device`.
    """
    import mlflow
    from mlflow.models import Model

    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    name = client.get_experiment(run.info.experiment_id).name
    artefact = Artefact(Derivation.of(features, ingestion, feature_table), encoder, model, metrics["threshold"])
    example = _example(feature_table, artefact)
    logged = client.create_logged_model(
        run.info.experiment_id, name=name, source_run_id=run_id, model_type="classifier"
    )
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "artefact"
        artefact.save(folder)
        info = Model.log(
            artifact_path=None,
            name=name,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            model_id=logged.model_id,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"artefact": str(folder)},
            code_paths=[str(Path(lepton_pipeline.__file__).parent)],
            signature=_signature(artefact),
            input_example=example,
            pip_requirements=[f"{package}=={version(package).partition('+')[0]}" for package in _SERVING],
        )
    try:
        client.create_registered_model(name)
    except mlflow.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {
        **{key: run.data.tags[key] for key in _LINEAGE if key in run.data.tags},
        **{key: f"{value:.6g}" for key, value in flat_metrics(metrics).items() if key.startswith("test.")},
        "device": model.trained["device"],
        "weights.sha256": model.weights_sha256,
        **({"caution": about.caution} if about.caution else {}),
    }
    registered = client.create_model_version(
        name,
        source=info.model_uri,
        run_id=run_id,
        tags=tags,
        model_id=info.model_id,
        # Shown as Markdown, in which HTML would be HTML.
        description=escape(" ".join(filter(None, [about.question, about.caution])), quote=False),
    )
    for key in ("device", "weights.sha256"):
        client.set_tag(run_id, key, tags[key])
    return {
        "name": name,
        "version": int(registered.version),
        "model_uri": info.model_uri,
        "run_id": run_id,
        "weights_sha256": model.weights_sha256,
        "device": model.trained["device"],
    }


def _signature(artefact: Artefact) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    kinds = {"any": AnyType(), "string": "string"}
    inputs = [ColSpec(kinds[_SIGNATURE_TYPES[kind]], column) for column, kind in artefact.inputs.items()]
    return ModelSignature(Schema(inputs), Schema([ColSpec("double", "probability"), ColSpec("boolean", "decision")]))


def _example(table: pd.DataFrame, artefact: Artefact) -> pd.DataFrame:
    """Three rows as a client would send them: dates as text."""
    rows = table[list(artefact.inputs)].head(3).reset_index(drop=True)
    dates = {}
    for name in map(str, rows.select_dtypes("datetime")):
        layout = artefact.derivation.dates.get(name, "ISO8601")
        dates[name] = rows[name].dt.strftime(_ISO if layout == "ISO8601" else layout)
    return rows.assign(**dates)
