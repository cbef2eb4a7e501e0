"""The types of the columns that a registered model reads, for those who send rows to it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.model.artefact import Artefact

_ISO = "%Y-%m-%dT%H:%M:%S"
_LONG = 2**63


def input_schema(artefact: Artefact, table: pd.DataFrame) -> dict[str, str]:
    """The type of every column of `Artefact.inputs` in typed rows, by the table in docs/scoring.md."""
    if artefact.raw_values is None:
        raise DataError("the model has no record of how raw values are read; train again.")
    types = {"truth": "boolean", "key": "string", "text": "string", "date": "string"}
    kinds = artefact.raw_values.kinds
    return {name: types.get(kinds[name]) or _number_type(table[name]) for name in artefact.inputs}


def signature_of(schema: dict[str, str]) -> Any:
    """MLflow's signature of a model with such inputs."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    outputs = [
        ColSpec("double", "probability"),
        ColSpec("boolean", "decision"),
        # Only on request.
        ColSpec("string", "reasons", required=False),
        ColSpec("string", "unseen", required=False),
    ]
    params = ParamSchema([ParamSpec("reasons", "long", 0), ParamSpec("unseen", "boolean", False)])
    inputs = Schema([ColSpec(kind, name) for name, kind in schema.items()])
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
