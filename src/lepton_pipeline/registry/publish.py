"""Turn a trained model into a version of the vertical's registered model."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

import lepton_pipeline
from lepton_pipeline.data.training_rows import TrainingRows, as_text
from lepton_pipeline.evaluation.copies import enforce_copies
from lepton_pipeline.evaluation.measured_copies import MeasuredCopies
from lepton_pipeline.model.artefact import Artefact, hash_artefact
from lepton_pipeline.parameters import About, Dataset, Split
from lepton_pipeline.registry import versions
from lepton_pipeline.registry.recorded import RecordedPyfunc
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.registry.signature import example_rows, input_schema, signature_of
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.system.markdown import as_markdown
from lepton_pipeline.system.seal import read_seal, seal
from lepton_pipeline.tracking.flat import flat_metrics, interval_tags

# The packages that the served model imports.
_SERVING = ("mlflow", "numpy", "pandas", "pydantic", "safetensors", "torch")
# Width of the registry's column, which PostgreSQL enforces.
_DESCRIPTION_CHARACTERS = 5000
_HASHES = ("configuration.sha256", "data.sha256", "environment.sha256")
_LINEAGE = (*_HASHES, "data.rows", "git.commit", "git.dirty", "seed")


def register_model(
    artefact: Artefact,
    metrics: Metrics,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    dataset: Dataset,
    about: About,
    reference: dict[str, Any],
    copies: MeasuredCopies,
    declared_split: Split,
    run_id: str,
) -> Registration:
    """Log the model to its run and make it a version of the vertical's registered model, without an alias.

    `reference` is the result of `describe_reference`, `copies` that of `measure_copies`; the run's experiment
    names the vertical, its tags are the lineage. Raises DataError if copies decide the result and are not
    allowed.
    """
    enforce_copies(copies, declared_split)
    import mlflow
    from mlflow.models import Model

    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    name = client.get_experiment(run.info.experiment_id).name
    model = artefact.classifier
    learnt_from = TrainingRows.of(feature_table, split, artefact.inputs, dataset)
    schema = input_schema(artefact, feature_table)
    experiment, kind = run.info.experiment_id, "classifier"
    logged = client.create_logged_model(experiment, name=name, source_run_id=run_id, model_type=kind)
    with TemporaryDirectory() as temporary:
        folder, monitoring = Path(temporary) / "artefact", Path(temporary) / versions.REFERENCE
        artefact.save(folder)
        checksum = hash_artefact(folder)
        # Before there is a version, so that every version has it.
        learnt_from.save(Path(temporary) / "gate")
        client.log_artifacts(run_id, str(Path(temporary) / "gate"), versions.TRAINING_ROWS)
        # All rows of all parts: any other row is new.
        seen = TrainingRows.of(feature_table, split.assign(part="train"), artefact.inputs, dataset)
        seen.save(monitoring)
        (monitoring / versions.REFERENCE_FILE).write_text(json.dumps(reference, ensure_ascii=False), "utf-8")
        seal(monitoring, versions.REFERENCE_SEAL, {})
        reference_checksum = read_seal(monitoring, versions.REFERENCE_SEAL)
        client.log_artifacts(run_id, str(monitoring), versions.REFERENCE)
        flavour = RecordedPyfunc()
        info = Model.log(
            artifact_path=None,
            name=name,
            flavor=flavour,
            run_id=run_id,
            model_id=logged.model_id,
            # A copy, since MLflow records the absolute path.
            python_model=shutil.copy(Path(__file__).with_name("served_model.py"), temporary),
            artifacts={"artefact": str(folder)},
            code_paths=[str(Path(lepton_pipeline.__file__).parent)],
            signature=signature_of(schema),
            input_example=example_rows(artefact, feature_table, schema),
            pip_requirements=[f"{package}=={version(package).partition('+')[0]}" for package in _SERVING],
            # The check would load an incomplete version.
            validate_serving_input=False,
        )
    try:
        client.create_registered_model(name)
    except mlflow.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {
        **{key: run.data.tags[key] for key in _LINEAGE if key in run.data.tags},
        **{key: f"{value:.6g}" for key, value in flat_metrics(metrics).items() if key.startswith("test.")},
        **interval_tags(metrics),
        "device": model.trained["device"],
        "weights.sha256": model.weights_sha256,
        versions.CHECKSUM: checksum,
        versions.FILES: flavour.sha256,
        versions.REFERENCE_CHECKSUM: reference_checksum,
        "trained.rows": str(len(learnt_from.hashes)),
        **({"trained.until": learnt_from.until} if learnt_from.until is not None else {}),
        # Over all parts: later rows are new.
        **({"data.until": as_text(feature_table[dataset.time].max())} if dataset.time is not None else {}),
        **({"caution": about.caution} if about.caution else {}),
    }
    registered = client.create_model_version(
        name,
        source=info.model_uri,
        run_id=run_id,
        tags=tags,
        model_id=info.model_id,
        description=as_markdown(" ".join(filter(None, [about.question, about.caution]))),
    )
    for key in (versions.CHECKSUM, "device", "weights.sha256", "trained.until"):
        if key in tags:
            client.set_tag(run_id, key, tags[key])
    return Registration(
        name=name,
        version=int(registered.version),
        model_uri=info.model_uri,
        run_id=run_id,
        weights_sha256=model.weights_sha256,
        device=model.trained["device"],
        boosting_weight=None if model.boosting is None else model.boosting_weight,
        # Absent in models of earlier versions.
        plan=model.trained.get("plan", ""),
    )


def describe_version(registration: Registration, card: str) -> None:
    """Make a model card (Markdown) the description of its version, cut to the registry's limit."""
    import mlflow

    rest = f"\n\nThe rest is in `report/model_card.md` of run {registration.run_id}.\n"
    if len(card) > _DESCRIPTION_CHARACTERS:
        card = card[: _DESCRIPTION_CHARACTERS - len(rest)].rpartition("\n")[0].rstrip() + rest
    mlflow.MlflowClient().update_model_version(registration.name, str(registration.version), card)
