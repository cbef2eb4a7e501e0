"""Turn a trained model into a version of the vertical's registered model."""

from __future__ import annotations

import json
import shutil
from importlib import import_module
from importlib.metadata import packages_distributions, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

import lepton_pipeline
from lepton_pipeline.data.training_rows import TrainingRows, as_text
from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.copies import enforce_copies
from lepton_pipeline.evaluation.measured_copies import MeasuredCopies
from lepton_pipeline.features.sentences import SentenceEncoder
from lepton_pipeline.model.artefact import BASKET, Artefact
from lepton_pipeline.parameters import MODELS, About, Dataset, Split
from lepton_pipeline.recommendation.recommender import OFFERED
from lepton_pipeline.registry import versions
from lepton_pipeline.registry.composition import describe_composition
from lepton_pipeline.registry.registration import Registration
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.system.descriptions import seal
from lepton_pipeline.system.file_hashes import record_files
from lepton_pipeline.system.markdown import as_markdown
from lepton_pipeline.tracking.artefacts import read_facts
from lepton_pipeline.tracking.flat import interval_tags, logged_metrics
from lepton_pipeline.tracking.runs import HEADLINE

# The packages that the served model imports.
_SERVING = ("mlflow", "numpy", "pandas", "pydantic", "safetensors", "torch")
# Width of the registry's column, which PostgreSQL enforces.
_DESCRIPTION_CHARACTERS = 5000
_ISO = "%Y-%m-%dT%H:%M:%S"
_LONG = 2**63
_LINEAGE = ("configuration.sha256", "data.sha256", "data.rows", "git.commit", "seed")


def register_model(
    artefact: Artefact,
    metrics: Metrics,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    dataset: Dataset,
    about: About,
    reference: versions.StoredReference,
    copies: MeasuredCopies,
    declared_split: Split,
    run_id: str,
) -> Registration:
    """Log the model to its run and make it a version of the vertical's registered model, without an alias.

    `reference` is the result of `describe_reference`, `copies` that of `measure_copies`; the run's experiment
    names the vertical, its lineage is the version's. Raises DataError if copies decide the result and are not
    allowed.
    """
    enforce_copies(copies, declared_split)
    import mlflow
    from mlflow.models import Model

    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    experiment, kind = run.info.experiment_id, artefact.task.model_type
    name, model = client.get_experiment(experiment).name, artefact.predictor
    learnt_from = TrainingRows.of(feature_table, split, artefact.inputs, dataset)
    schema = input_schema(artefact, feature_table)
    own_code, packages = _code_of(model.network.training.model)
    logged = client.create_logged_model(experiment, name=name, source_run_id=run_id, model_type=kind)
    with TemporaryDirectory() as temporary:
        places = ("artefact", versions.TRAINING_ROWS, versions.REFERENCE)
        folder, learnt, monitoring = (Path(temporary) / place for place in places)
        checksum = artefact.save(folder)
        composition = describe_composition(artefact, feature_table, len(learnt_from.hashes), folder)
        # Before there is a version, so that every version has it.
        learnt_from.save(learnt)
        client.log_artifacts(run_id, str(learnt), versions.TRAINING_ROWS)
        # All rows of all parts: any other row is new.
        seen = TrainingRows.of(feature_table, split.assign(part="train"), artefact.inputs, dataset)
        seen.save(monitoring)
        (monitoring / versions.REFERENCE_FILE).write_text(json.dumps(reference, ensure_ascii=False), "utf-8")
        reference_checksum = seal(monitoring, versions.REFERENCE_SEAL, {})
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
            code_paths=[str(Path(lepton_pipeline.__file__).parent), *own_code],
            signature=signature_of(
                schema, artefact.prediction_types, baskets=artefact.recommender is not None
            ),
            input_example=example_rows(artefact, feature_table, schema),
            pip_requirements=[
                f"{package}=={version(package).partition('+')[0]}"
                for package in (*_SERVING, *packages, *_packages_of(artefact.encoder.sentences))
            ],
            # The check would load an incomplete version.
            validate_serving_input=False,
        )
    try:
        client.create_registered_model(name)
    except mlflow.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # Whatever somebody has written there stays.
    if not client.get_registered_model(name).description:
        client.update_registered_model(name, describe_model(name, about))
    facts, figures = read_facts(client, run), logged_metrics(metrics, run.data.params.get(HEADLINE))
    tags = {
        **{key: facts[key] for key in _LINEAGE if key in facts},
        **{key: f"{value:.6g}" for key, value in figures.items() if key.startswith("test.")},
        **interval_tags(metrics),
        "weights.sha256": model.weights_sha256,
        versions.CHECKSUM: checksum,
        versions.FILES: flavour.sha256,
        versions.REFERENCE_CHECKSUM: reference_checksum,
        "trained.rows": str(len(learnt_from.hashes)),
        **({"trained.until": learnt_from.until} if learnt_from.until is not None else {}),
        # Over all parts: later rows are new.
        **({"data.until": as_text(feature_table[dataset.time].max())} if dataset.time is not None else {}),
        **({"caution": about.caution} if about.caution else {}),
        **({"texts.kept": f"{len(kept.texts)} of {kept.column.name}"} if (kept := artefact.nearest) else {}),
    }
    registered = client.create_model_version(
        name,
        source=info.model_uri,
        run_id=run_id,
        tags=tags,
        model_id=info.model_id,
        description=as_markdown(" ".join(filter(None, [about.question, about.caution]))),
    )
    return Registration(
        name=name,
        version=int(registered.version),
        model_uri=info.model_uri,
        run_id=run_id,
        weights_sha256=model.weights_sha256,
        device=model.trained["device"],
        boosting_weight=model.boosting_weight if model.boosting else None,
        # Absent in models of earlier versions.
        plan=model.trained.get("plan", ""),
        composition=composition,
    )


def describe_model(name: str, about: About) -> str:
    """What the page of a registered model says, as Markdown: what it answers, and which of its versions is in use."""
    asked = as_markdown(" ".join(filter(None, [about.question, about.caution])))
    return (
        f"{asked}\n\nThe alias `champion` marks the version in use, `challenger` the latest one that the gate refused. "
        f"`kedro champion list {name}` says why they changed, and each version's description is its model card."
    ).strip()


def describe_version(registration: Registration, card: str) -> None:
    """Make a model card (Markdown) the description of its version, cut to the registry's limit."""
    import mlflow

    rest = f"\n\nThe rest is in `report/model_card.md` of run {registration.run_id}.\n"
    if len(card) > _DESCRIPTION_CHARACTERS:
        card = card[: _DESCRIPTION_CHARACTERS - len(rest)].rpartition("\n")[0].rstrip() + rest
    mlflow.MlflowClient().update_model_version(registration.name, str(registration.version), card)


def _code_of(architecture: str) -> tuple[list[str], list[str]]:
    """What a version needs for a network of one's own: its top module or package, or the distribution that has it."""
    top = architecture.partition(":")[0].partition(".")[0]
    if architecture in MODELS or top == lepton_pipeline.__name__:
        return [], []
    if distributions := packages_distributions().get(top):
        return [], distributions[:1]
    source = Path(str(import_module(top).__file__))
    return [str(source.parent if source.name == "__init__.py" else source)], []


def _packages_of(encoder: SentenceEncoder | None) -> list[str]:
    """What a version needs to encode sentences; the package that holds the encoder, unless its files are carried."""
    if encoder is None:
        return []
    holder = [] if encoder.carry else packages_distributions().get(encoder.name.replace("-", "_"), [])
    return ["sentence-transformers", *holder[:1]]


def input_schema(artefact: Artefact, table: pd.DataFrame) -> dict[str, str]:
    """The type of every column of `Artefact.inputs` in typed rows, by the table in docs/scoring.md."""
    if artefact.raw_values is None:
        raise DataError("the model has no record of how raw values are read; train again.")
    types = {"truth": "boolean", "key": "string", "text": "string", "date": "string"}
    kinds = artefact.raw_values.kinds
    return {name: types.get(kinds[name]) or _number_type(table[name]) for name in artefact.inputs}


def signature_of(schema: dict[str, str], predicted: dict[str, str], *, baskets: bool = False) -> Any:
    """MLflow's signature of a model with such inputs, and such columns of predictions.

    With `baskets` a client sends either these inputs or baskets, and gets the columns of `OFFERED` for the latter.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    outputs = [
        *(ColSpec(kind, name) for name, kind in predicted.items()),
        # Only on request.
        ColSpec("string", "reasons", required=False),
        ColSpec("string", "unseen", required=False),
    ]
    params = ParamSchema([ParamSpec("reasons", "long", 0), ParamSpec("unseen", "boolean", False)])
    given = [ColSpec(kind, name, required=not baskets) for name, kind in schema.items()]
    if baskets:
        given.append(ColSpec("string", BASKET, required=False))
        outputs = [ColSpec(kind, name, required=False) for name, kind in {**predicted, **OFFERED}.items()]
        outputs += [ColSpec("string", name, required=False) for name in ("reasons", "unseen")]
    inputs = Schema(given)
    return ModelSignature(inputs, Schema(outputs), params)


def example_rows(artefact: Artefact, table: pd.DataFrame, schema: dict[str, str]) -> pd.DataFrame:
    """Three rows as a client would send them: typed as in the signature, dates as text."""
    rows = table[list(schema)].head(3).reset_index(drop=True)
    columns = {column.name: column for column in artefact.encoder.columns}
    dates = {}
    for name in map(str, rows.select_dtypes(["datetime", "datetimetz"])):
        layout = artefact.derivation.dates.get(name, "ISO8601")
        iso = layout == "ISO8601" or (rows[name].dt.tz is not None and "%z" not in layout.lower())
        # A time with an offset needs it written out.
        dates[name] = rows[name].dt.strftime(_ISO + "%z" * (rows[name].dt.tz is not None) if iso else layout)
    texts = [name for name, kind in schema.items() if kind == "string"]
    keys = [name for name in texts if pd.api.types.is_numeric_dtype(rows[name])]
    numbers = [name for name, kind in schema.items() if kind == "double"]
    return rows.assign(
        **dates,
        **{name: columns[name].texts(rows[name]) for name in keys},  # type: ignore[union-attr]  # keys are categories
        **{name: rows[name].astype("float64") for name in numbers},
    )


def _number_type(column: pd.Series) -> str:
    """`long` only where no value can be missing or have a fraction: MLflow's `long` holds neither."""
    whole = pd.api.types.is_integer_dtype(column.dtype) and not column.isna().any()
    return "long" if whole and (column.empty or column.max() < _LONG) else "double"


class RecordedPyfunc:
    """The flavour for `Model.log`; `sha256` is that of the files saved last, see `record_files`."""

    sha256 = ""

    def save_model(self, path: str, mlflow_model: Any, validate_serving_input: bool, **options: Any) -> None:
        """As `mlflow.pyfunc.save_model`; `validate_serving_input` is an option of `Model.log`."""
        import mlflow

        mlflow.pyfunc.save_model(path, mlflow_model=mlflow_model, **options)
        # Drop the folders that files were saved from; MLflow finds them beside `MLmodel`.
        described = mlflow.models.Model.load(path)
        described.artifact_path = None
        flavour = described.flavors["python_function"]
        flavour["model_code_path"] = Path(flavour["model_code_path"]).name
        for artifact in flavour["artifacts"].values():
            artifact["uri"] = artifact["path"]
        described.save(str(Path(path) / "MLmodel"))
        self.sha256 = record_files(Path(path))
