"""Describe every column: how it was read, its role, how the model uses it, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from lepton_pipeline.data.reading import IngestionRecord, Reading
from lepton_pipeline.features.column_encoders import CategoricalColumn, NumericColumn
from lepton_pipeline.features.column_record import (
    BY_CODE,
    CATEGORY,
    DATE,
    NUMBER,
    OTHERS,
    TEXT,
    UNUSED,
    Column,
    Columns,
)
from lepton_pipeline.features.derive import columns_read, in_order
from lepton_pipeline.features.encode import EncodedColumn, Encoder
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.parameters import Dataset, Features

_ROLES = {"exclude": "excluded", "categorical": "category"}
_JUMPS = (
    "a category: on held-out rows its effect jumps from value to value "
    "(declared in dataset.numeric it stays a number)"
)
_NEVER_FEATURES = {
    "target": "the target",
    "id": "it names rows (dataset.id)",
    "time": "it orders rows (dataset.time)",
    "group": "it groups rows (dataset.group)",
    "exclude": "declared in dataset.exclude",
    "sensitive": "declared in dataset.sensitive",
    "weight": "it says how much a row counts (dataset.weight)",
    "scale": "the target is divided by it (dataset.scale)",
}


def describe_columns(
    feature_table: pd.DataFrame,
    ingestion_record: IngestionRecord,
    encoder: Encoder,
    dataset: Dataset,
    features: Features,
    feature_report: FeatureReport,
    **readings: Reading,
) -> Columns:
    """Describe every column of the training, validation and test rows, for the run's record.

    `readings` holds the reading records of raw tables by data set name, `<vertical>.<table>.reading`.
    """
    # The report on features is more specific than the encoder.
    noise = feature_report.noise if feature_report.on_noise == "drop" else []
    dropped = encoder.dropped | {each.feature: f"{each.finding} (leaks.on_noise: drop)" for each in noise}
    tables = {name.split(".")[-2]: reading for name, reading in readings.items()}
    reading = ingestion_record.reading
    columns = list_columns(feature_table, dataset, features, encoder.columns, dropped, reading, tables)
    return Columns(len(feature_table), columns)


def list_columns(
    table: pd.DataFrame,
    dataset: Dataset,
    features: Features,
    encoded: Sequence[EncodedColumn],
    why_not: Mapping[str, str],
    reading: Reading | None = None,
    tables: Mapping[str, Reading] | None = None,
) -> list[Column]:
    """List what became of every column; see `describe_columns`.

    `encoded` are the columns that a model reads; `why_not` gives reasons for others, before those of their
    roles. `reading` records how the table was read, None for a table made of others; `tables` the raw tables.
    """
    kinds_used = {NumericColumn: NUMBER, CategoricalColumn: CATEGORY, TextColumn: TEXT}
    used = {column.name: kinds_used[type(column)] for column in encoded}
    readers = _readers(columns_read(features, dataset), used)
    notes = _notes(reading, tables or {})
    for column in encoded:
        name = column.name
        if column.input == "number" and used[name] == CATEGORY and name not in dataset.categorical:
            notes.setdefault(name, []).append(_JUMPS)
    kinds = {} if reading is None else reading.kinds
    made = dict.fromkeys(features.derive, "derived") | dict.fromkeys(features.windows, "window")
    roles = {name: role for role, names in reversed(dataset.roles().items()) for name in names}
    columns = []
    for name in map(str, table.columns):
        values = table[name]
        missing, role, through = int(values.isna().sum()), roles.get(name, ""), readers.get(name, [])
        dated = pd.api.types.is_datetime64_any_dtype(values.dtype)
        kind = "" if name in made else kinds.get(name, "")
        columns.append(
            Column(
                name,
                # A date was read without its zone.
                kind=kind if kind and not (kind == "date" and dated) else kind_of(values),
                role=_ROLES.get(role, role) or made.get(name, "feature"),
                missing=missing,
                missing_share=_share(missing, len(table)),
                distinct=int(values.nunique()),
                used_as=used.get(name) or ((DATE if dated else OTHERS) if through else UNUSED),
                through=through,
                why_not="" if name in used else why_not.get(name) or _NEVER_FEATURES.get(role, "no feature"),
                notes=notes.get(name, []),
            )
        )
    return columns + _left_behind(tables or {}, {column.name for column in columns})


def kind_of(column: pd.Series) -> str:
    """Type of a typed column, see `Column.kind`."""
    if column.isna().all():
        return "no value"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "date" if column.dt.tz is None else "date with zone"
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        return "duration"
    if pd.api.types.is_bool_dtype(column.dtype):
        return "true or false"
    if not pd.api.types.is_numeric_dtype(column.dtype):
        return "text"
    if pd.api.types.is_integer_dtype(column.dtype):
        return "whole number"
    # With missing values, whole numbers are floats in pandas' classic types.
    present = column.dropna()
    return "whole number" if len(present) < len(column) and (present % 1 == 0).all() else "number"


def _readers(reads: Mapping[str, Sequence[str]], used: Iterable[str]) -> dict[str, list[str]]:
    """For each column, the computed columns through which it reaches the model."""
    reaching = set(used)
    for name in reversed(in_order(reads)):
        if name in reaching:
            reaching.update(reads[name])
    found: dict[str, list[str]] = {}
    for name in filter(reaching.__contains__, reads):
        for source in reads[name]:
            found.setdefault(source, []).append(name)
    return found


def _notes(reading: Reading | None, tables: Mapping[str, Reading]) -> dict[str, list[str]]:
    """Notes of each column; those of raw tables start with the table's name."""
    notes = {} if reading is None else {name: list(said) for name, said in reading.notes.items()}
    for table, record in tables.items():
        for name, said in record.notes.items():
            notes.setdefault(name, []).extend(f"{table}: {sentence}" for sentence in said)
    return notes


def _left_behind(tables: Mapping[str, Reading], taken: set[str]) -> list[Column]:
    """Columns of raw tables that the vertical's nodes did not take over."""
    return [
        Column(
            name,
            kind=kind,
            role="raw",
            missing=record.missing.get(name, 0),
            missing_share=_share(record.missing.get(name, 0), record.records - record.set_apart),
            distinct=None,
            used_as=BY_CODE,
            why_not=f"not taken over from the raw table {table}, unless under another name",
            notes=list(record.notes.get(name, [])),
            table=table,
        )
        for table, record in tables.items()
        for name, kind in record.kinds.items()
        if name not in taken
    ]


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
