"""The registered model: derived columns, encoder, classifier and threshold in one folder, without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.column_encoders import CategoricalColumn, NumericColumn, as_numbers
from lepton_pipeline.features.derive import Derivation
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.raw_values import RawValues, is_infinite, refuse_nested
from lepton_pipeline.features.unseen import UnseenCounts
from lepton_pipeline.model.attribution import Reason, shapley_effects, show, typical_row
from lepton_pipeline.model.predictor import Predictor
from lepton_pipeline.parameters import Dataset, Features, Ingestion, label_of
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.system.descriptions import open_sealed, require_format, seal
from lepton_pipeline.system.records import from_plain, to_plain
from lepton_pipeline.tasks.task import Task

FORMAT = 4
DESCRIPTION = "artefact.json"


def assemble_artefact(
    encoder: Encoder,
    model: Predictor,
    metrics: Metrics,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    features: Features,
    ingestion: Ingestion,
    dataset: Dataset,
) -> Artefact:
    """Assemble what scores raw rows; the typical row is that of part "train"."""
    derivation = Derivation.of(features, ingestion, feature_table)
    inputs = derivation.inputs(encoder.inputs)
    training = feature_table.loc[split.index[split["part"] == "train"], inputs]
    typical = typical_row(training, _numeric(encoder))
    keys = {column.name for column in encoder.columns if isinstance(column, CategoricalColumn)}
    raw_values = RawValues.of(feature_table, ingestion, inputs, keys)
    labels = {name: own for name, own in dataset.labels.items() if name in inputs}
    return Artefact(derivation, encoder, model, metrics.threshold, typical, raw_values, labels)


@dataclass(frozen=True)
class Artefact:
    """From raw rows to predictions and reasons."""

    derivation: Derivation
    encoder: Encoder
    predictor: Predictor
    # smallest probability of a positive decision, chosen on the validation rows; None in tasks without one
    threshold: float | None
    # the typical row, see `typical_row`, that effects are measured against; columns of `inputs`
    reference: dict[str, Any]
    raw_values: RawValues | None = None  # reader of the values that clients send; None in older models
    labels: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)  # of values in reasons

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Columns needed by `predict`: "number", "text", "boolean", or "any" if only derived from."""
        kinds = self.encoder.inputs
        return {name: kinds.get(name, "any") for name in self.derivation.inputs(kinds)}

    @cached_property
    def numbers(self) -> list[str]:
        """Numeric ones of `inputs`."""
        kinds = self.inputs if self.raw_values is None else self.raw_values.kinds
        return [name for name in self.inputs if kinds.get(name) == "number"]

    def read(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Select the columns of `inputs`, with raw values of clients converted as by ingestion.

        Raises DataError if a column is missing or duplicate, or a value is nested, infinite, or no number in
        a numeric column.
        """
        self._require(rows)
        if not rows.columns.is_unique:
            twice = rows.columns[rows.columns.duplicated()][0]
            raise DataError(f"column {twice!r} stands twice; hand each in once.")
        known = rows[list(self.inputs)]
        refuse_nested(known)
        read = known if self.raw_values is None else self.raw_values.read(known)
        for name, column in read.items():
            if name in self.numbers and len(infinite := np.flatnonzero(is_infinite(column))):
                raise DataError(
                    f"column {name!r} is infinite in row {infinite[0]}; correct it, or leave it empty."
                )
        return read

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Columns of `Task.predictions`, indexed as `rows`; `DataError` names a bad column."""
        predictions = self.task.predictions(self.scores(rows), self.threshold)
        return pd.DataFrame(predictions, index=rows.index)

    @property
    def task(self) -> Task:
        """What it predicts."""
        return self.predictor.task

    def scores(self, rows: pd.DataFrame) -> Floats:
        """Scores of the task, [n] or [n, K]; `DataError` names a bad column."""
        return self.predictor.predict(self._encode(rows))

    def effects(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Attribute what each row's prediction is, less the typical row's, to the raw columns.

        See `shapley_effects`, and `Task.explained`: log-odds of the positive or the likeliest class, or the number,
        of the whole model, blended and calibrated. A row's effects do not depend on
        other rows and add up to the difference; float64, indexed as `rows`, one column for each of `inputs`.
        """
        typed, reference = self._typed(rows), self._typed(pd.DataFrame([self.reference]))
        places = (
            self.task.explained_place(self.scores(rows)) if self.task.outputs > 1 else np.zeros(len(rows))
        )
        effects = np.empty((len(rows), len(reference.columns)))
        for place in np.unique(places).astype(int):

            def explained(some: pd.DataFrame, place: int = int(place)) -> Floats:
                return self.task.explained(self.predictor.outputs(self._encode(some)), place)

            own = places == place
            effects[own] = shapley_effects(explained, typed[own], reference)
        return pd.DataFrame(effects, index=rows.index, columns=list(reference.columns))

    def explain(self, rows: pd.DataFrame, count: int) -> list[list[Reason]]:
        """The `count` columns with the largest effects on each row's score, from `Task.smallest_effect` on."""
        effects, smallest = self.effects(rows), self.task.smallest_effect
        dates = self.derivation.read_dates(rows, self.encoder.inputs)
        shown = pd.DataFrame({name: dates.get(str(name), rows[name]) for name in effects}, index=rows.index)
        names = [str(name) for name in effects]
        return [
            [
                Reason(names[place], self.shown(names[place], shown.iloc[row, place]), float(of_row[place]))
                for place in np.argsort(-np.abs(of_row), kind="stable")[:count]
                if abs(of_row[place]) >= smallest
            ]
            for row, of_row in enumerate(effects.to_numpy())
        ]

    def shown(self, column: str, value: Any) -> str:
        """A value for a reader: its label, or as `show` writes it."""
        own = self.labels.get(column)
        return (label_of(own, value) if own else None) or show(value)

    def reasons(self, rows: pd.DataFrame, count: int) -> list[str]:
        """Reasons of each row as text: "PAY_0 = 2 (+0.91); LIMIT_BAL = 20000 (+0.22)"; see `explain`."""
        return [
            "; ".join(
                f"{reason.column} = {reason.value} ({self.task.effect_text(reason.effect)})"
                for reason in of_row
            )
            for of_row in self.explain(rows, count)
        ]

    def save(self, folder: Path) -> str:
        """Write the parts below `folder`, and `artefact.json` with their hashes; return the hash of all."""
        self.encoder.save(folder / "encoder")
        self.predictor.save(folder / "model")
        description = {
            "format": FORMAT,
            "threshold": self.threshold,
            "derivation": to_plain(self.derivation),
            "reference": self.reference,
            "raw_values": None if self.raw_values is None else to_plain(self.raw_values),
        }
        if self.labels:
            # Texts, as JSON has no other keys.
            description["labels"] = {
                name: {str(value): label for value, label in own.items()} for name, own in self.labels.items()
            }
        return seal(folder, DESCRIPTION, description)

    @classmethod
    def load(cls, folder: Path, sha256: str | None = None) -> Artefact:
        """Read what `save` wrote; `DataError` if a file was altered, or the registered `sha256` differs."""
        description = open_sealed(folder, DESCRIPTION, sha256)
        require_format(folder / DESCRIPTION, description, FORMAT)
        # Absent in older artefacts.
        raw_values = description.get("raw_values")
        return cls(
            from_plain(Derivation, description["derivation"], DESCRIPTION),
            Encoder.load(folder / "encoder"),
            Predictor.load(folder / "model"),
            description["threshold"],
            description["reference"],
            raw_values and from_plain(RawValues, raw_values, DESCRIPTION),
            description.get("labels", {}),
        )

    def _encode(self, rows: pd.DataFrame) -> pd.DataFrame:
        return self.encoder.transform(self.derivation.apply(rows, self.encoder.inputs))

    def _require(self, rows: pd.DataFrame) -> None:
        if missing := [name for name in self.inputs if name not in rows.columns]:
            raise DataError(
                f"columns that the model needs are missing: {', '.join(map(repr, missing))}; hand them in."
            )

    def _typed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The columns of `inputs` with parsed dates and numbers, so that rows can be mixed."""
        self._require(rows)
        columns: dict[str, Any] = {name: rows[name] for name in self.inputs}
        columns |= self.derivation.read_dates(rows, self.encoder.inputs)
        columns |= {name: as_numbers(rows[name]) for name in _numeric(self.encoder) if name in columns}
        return pd.DataFrame(columns, index=rows.index)

    def unseen_counts(self) -> UnseenCounts:
        """Create an empty counter of unseen categories."""
        categorical = [column for column in self.encoder.columns if isinstance(column, CategoricalColumn)]
        return UnseenCounts(categorical, self.derivation)


def _numeric(encoder: Encoder) -> list[str]:
    return [
        column.name
        for column in encoder.columns
        if isinstance(column, NumericColumn) and column.input == "number"
    ]
