"""The registered model: derived columns, encoder, classifier and threshold in one folder, without pickle."""

from __future__ import annotations

import re
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
from lepton_pipeline.features.nearest import Nearest
from lepton_pipeline.features.raw_values import RawValues, is_infinite, refuse_nested
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.features.unseen import UnseenCounts
from lepton_pipeline.features.words import WHOLE, quote_words
from lepton_pipeline.model.attribution import MISSING, Reason, shapley_effects, show, typical_row
from lepton_pipeline.model.logged import Logged
from lepton_pipeline.model.order_rule import OrderRule
from lepton_pipeline.model.predictor import Predictor
from lepton_pipeline.parameters import Dataset, Features, Ingestion, code_text, label_of
from lepton_pipeline.recommendation.recommender import Recommender
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.statistics.losses import Floats
from lepton_pipeline.system.descriptions import open_sealed, require_format, seal
from lepton_pipeline.system.records import from_plain, to_plain
from lepton_pipeline.tasks.split import row_scales
from lepton_pipeline.tasks.task import Task

FORMAT = 4
DESCRIPTION, NEAREST, RECOMMENDER = "artefact.json", "nearest.json", "recommender"
# Column of baskets, each a text of items; blanks, commas and semicolons part them.
BASKET = "items"


def assemble_artefact(
    encoder: Encoder,
    model: Predictor,
    metrics: Metrics,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    features: Features,
    ingestion: Ingestion,
    dataset: Dataset,
    recommender: Recommender | None = None,
) -> Artefact:
    """Assemble what scores raw rows; the typical row is that of part "train"."""
    derivation = Derivation.of(features, ingestion, feature_table)
    scale = [] if dataset.scale is None else [dataset.scale]
    inputs = derivation.inputs([*encoder.inputs, *scale])
    training = feature_table.loc[split.index[split["part"] == "train"], inputs]
    # A text may be derived of another column, which holds it, too.
    texts = derivation.inputs({name: kind for name, kind in encoder.inputs.items() if name in dataset.text})
    typical = typical_row(
        training, [*_numeric(encoder), *scale], training[texts].select_dtypes(["object", "str"]).columns
    )
    keys = {column.name for column in encoder.columns if isinstance(column, CategoricalColumn)}
    raw_values = RawValues.of(feature_table, ingestion, inputs, keys)
    labels = {name: own for name, own in dataset.labels.items() if name in inputs}
    kept = None if features.text is None else features.text.retrieval
    column = next(
        (each for each in encoder.columns if isinstance(each, TextColumn) and each.name == kept), None
    )
    nearest = None if column is None else _nearest(column, feature_table, split, model.task)
    return Artefact(
        derivation,
        encoder,
        model,
        metrics.threshold,
        typical,
        raw_values,
        labels,
        nearest,
        dataset.scale,
        recommender=recommender,
        logged=Logged.of(dataset, inputs),
    )


def _nearest(column: TextColumn, table: pd.DataFrame, split: pd.DataFrame, task: Task) -> Nearest:
    learnt = split[split["part"].isin(["train", "validation"])]
    names = np.array(task.score_names, dtype=object)[learnt["label"].to_numpy(np.intp)]
    return Nearest.of(column, table.loc[learnt.index, column.name], names.tolist())


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
    nearest: Nearest | None = None  # texts that are shown beside cases handed over, where that is declared
    scale: str | None = None  # column that the target was divided by, where that is declared
    order_rule: OrderRule | None = None  # how forecasts become orders, where that is declared
    recommender: Recommender | None = None  # only where pairs are ranked
    logged: Logged | None = None  # what a server may keep of the rows it scores, where that is declared

    @cached_property
    def inputs(self) -> dict[str, str]:
        """Columns needed by `predict`: "number", "text", "boolean", or "any" if only derived from."""
        kinds = self.encoder.inputs
        own = {} if self.scale is None else {self.scale: "number"}
        return {name: {**kinds, **own}.get(name, "any") for name in self.derivation.inputs([*kinds, *own])}

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
        """Columns of `prediction_types`, indexed as `rows`; `DataError` names a bad column."""
        scores = self.scores(rows)
        predictions = self.task.predictions(scores, self.threshold)
        if self.nearest is not None:
            handed, found = self.task.handed_over(scores), np.full(len(rows), "", dtype=object)
            texts = self.derivation.apply(rows[handed], self.encoder.inputs)[self.nearest.column.name]
            found[handed] = self.nearest.find(texts)
            predictions["nearest"] = pd.array(found, dtype="str")
        return pd.DataFrame(predictions, index=rows.index)

    def offer(self, sent: pd.DataFrame) -> pd.DataFrame:
        """Offers for the baskets of the column `BASKET`, see `Recommender.offer`; DataError without a recommender."""
        if self.recommender is None:
            raise DataError(
                f"the model ranks no items, so {BASKET!r} says nothing to it; hand in its columns."
            )
        return self.recommender.offer([_basket(value) for value in sent[BASKET]], self.scores)

    @property
    def prediction_types(self) -> dict[str, str]:
        """Type in MLflow of each column of `predict`: those of `Task.predictions`, and any `nearest` texts."""
        return self.task.prediction_types() | ({} if self.nearest is None else {"nearest": "string"})

    @property
    def task(self) -> Task:
        """What it predicts."""
        return self.predictor.task

    def scores(self, rows: pd.DataFrame) -> Floats:
        """Scores of the task, [n] or [n, K]; `DataError` names a bad column."""
        return self.predictor.predict(self._encode(rows), self._scales(rows))

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
                explained = self.task.explained(self.predictor.outputs(self._encode(some)), place)
                scales = self._scales(some)
                return explained if scales is None else explained * scales

            own = places == place
            effects[own] = shapley_effects(explained, typed[own], reference)
        return pd.DataFrame(effects, index=rows.index, columns=list(reference.columns))

    def explain(self, rows: pd.DataFrame, count: int) -> list[list[Reason]]:
        """The `count` columns with the largest effects on each row's score, from `Task.smallest_effect` on.

        Of a text, the value is the words that move what it says of the explained output in the direction of the
        effect, and the sentence as a whole if that does, see `quote_words`; the whole text where nothing does.
        """
        found, smallest = self.effects(rows), self.task.smallest_effect
        names, effects = [str(name) for name in found], found.to_numpy()
        largest = np.argsort(-np.abs(effects), axis=1, kind="stable")[:, :count]
        told = np.zeros(effects.shape, dtype=bool)
        np.put_along_axis(told, largest, True, axis=1)
        told &= np.abs(effects) >= smallest
        dates = self.derivation.read_dates(rows, self.encoder.inputs)
        shown = pd.DataFrame({name: dates.get(name, rows[name]) for name in names}, index=rows.index)
        quoted = {
            at: self._quoted(column, rows, np.where(told[:, at], effects[:, at], 0))
            for at, name in enumerate(names)
            if (column := self._texts.get(name))
        }
        return [
            [
                Reason(
                    names[at],
                    quoted.get(at, {}).get(row) or self.shown(names[at], shown.iloc[row, at]),
                    float(effects[row, at]),
                )
                for at in largest[row]
                if told[row, at]
            ]
            for row in range(len(rows))
        ]

    def _quoted(self, column: TextColumn, rows: pd.DataFrame, effects: Floats) -> dict[int, str]:
        """Words of the rows with an effect, by position; empty where none moves the score."""
        places = np.flatnonzero(effects)
        told, outputs = rows.iloc[places], np.zeros(len(places), dtype=np.intp)
        if len(column.outputs) > 1:
            outputs = self.task.explained_place(self.scores(told)).astype(np.intp)
        quotes = quote_words(column, told[column.name], outputs, np.sign(effects[places]))
        return {
            row: ", ".join(word if word == WHOLE else f'"{word}"' for word in words)
            for row, words in zip(places.tolist(), quotes, strict=True)
        }

    @cached_property
    def _texts(self) -> dict[str, TextColumn]:
        return {column.name: column for column in self.encoder.columns if isinstance(column, TextColumn)}

    def shown(self, column: str, value: Any) -> str:
        """A value for a reader: its label, or as `show` writes it."""
        own = self.labels.get(column)
        return (label_of(own, value) if own else None) or show(value) or MISSING

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
        if self.scale is not None:
            description["scale"] = self.scale
        if self.order_rule is not None:
            description["order_rule"] = to_plain(self.order_rule)
        if self.logged is not None:
            description["logged"] = to_plain(self.logged)
        if self.labels:
            # Texts, as JSON has no other keys.
            description["labels"] = {
                name: {str(value): label for value, label in own.items()} for name, own in self.labels.items()
            }
        if self.nearest is not None:
            self.nearest.save(folder / NEAREST)
        if self.recommender is not None:
            self.recommender.save(folder / RECOMMENDER)
        return seal(folder, DESCRIPTION, description)

    @classmethod
    def load(cls, folder: Path, sha256: str | None = None) -> Artefact:
        """Read what `save` wrote; `DataError` if a file was altered, or the registered `sha256` differs."""
        description = open_sealed(folder, DESCRIPTION, sha256)
        require_format(folder / DESCRIPTION, description, FORMAT)
        # Absent in older artefacts.
        raw_values, rule = description.get("raw_values"), description.get("order_rule")
        logged = description.get("logged")
        encoder, nearest = Encoder.load(folder / "encoder"), None
        if (folder / NEAREST).exists():
            texts = [column for column in encoder.columns if isinstance(column, TextColumn)]
            nearest = Nearest.load(folder / NEAREST, texts)
        return cls(
            from_plain(Derivation, description["derivation"], DESCRIPTION),
            encoder,
            Predictor.load(folder / "model"),
            description["threshold"],
            description["reference"],
            raw_values and from_plain(RawValues, raw_values, DESCRIPTION),
            description.get("labels", {}),
            nearest,
            description.get("scale"),
            rule and from_plain(OrderRule, rule, DESCRIPTION),
            Recommender.load(folder / RECOMMENDER) if (folder / RECOMMENDER).exists() else None,
            logged and from_plain(Logged, logged, DESCRIPTION),
        )

    def _encode(self, rows: pd.DataFrame) -> pd.DataFrame:
        return self.encoder.transform(self.derivation.apply(rows, self.encoder.inputs))

    def _scales(self, rows: pd.DataFrame) -> Floats | None:
        """What the target of each row is divided by, [n]; a `DataError` names a row without a number above 0."""
        if self.scale is None:
            return None
        return row_scales(self.derivation.apply(rows, [self.scale]), self.scale).to_numpy()

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
        numeric = [*_numeric(self.encoder), *([] if self.scale is None else [self.scale])]
        columns |= {name: as_numbers(rows[name]) for name in numeric if name in columns}
        return pd.DataFrame(columns, index=rows.index)

    def unseen_counts(self) -> UnseenCounts:
        """Create an empty counter of unseen categories."""
        categorical = [column for column in self.encoder.columns if isinstance(column, CategoricalColumn)]
        return UnseenCounts(categorical, self.derivation)


def _basket(value: Any) -> list[str]:
    """Items of a basket: a list, a text of several, or a single code; nothing where it is missing."""
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return []
    if isinstance(value, list):
        return [code_text(item) for item in value if item is not None]
    return [item for item in re.split(r"[\s,;]+", code_text(value)) if item]


def _numeric(encoder: Encoder) -> list[str]:
    return [
        column.name
        for column in encoder.columns
        if isinstance(column, NumericColumn) and column.input == "number"
    ]
