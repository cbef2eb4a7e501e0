"""Encode clean rows as numbers and codes, fitted on training rows only."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.data.columns import feature_columns
from lepton_pipeline.data.labels import learnt_labels
from lepton_pipeline.data.language import words_a_text
from lepton_pipeline.errors import DataError, nearest
from lepton_pipeline.features.column_encoders import (
    CategoricalColumn,
    NumericColumn,
    as_numbers,
)
from lepton_pipeline.features.leaks import enforce_report
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.features.sentence_part import SentencePart
from lepton_pipeline.features.sentences import SentenceEncoder, carry_files, open_encoder
from lepton_pipeline.features.text import FOLDS, LearntText, TextColumn, learn_text
from lepton_pipeline.parameters import Dataset, Features, Leaks, Training
from lepton_pipeline.statistics.strengths import Array, Strength
from lepton_pipeline.system.descriptions import read_description, write_arrays, write_description
from lepton_pipeline.tasks.find import Target

logger = logging.getLogger(__name__)
# Of format 2 are encoders of texts: in format 1 a place was a hash.
FORMAT, FORMAT_OF_TEXTS = 1, 2
DESCRIPTION, ARRAYS = "encoder.json", "encoder.safetensors"
# With more rows, trees and networks tell so few values apart themselves.
MOST_ROWS = 10_000
# Two are told apart either way; of many, few rows share one.
FEWEST_VALUES, MOST_VALUES = 3, 100
ROWS_A_VALUE = 5
# Kernel widths in shares of the rows; in the last all rows count alike.
WIDTHS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, np.inf)
BLOCKS = 5

_TEXT_ARRAYS, _SENTENCE_ARRAYS = ("rarity", "weights", "intercepts"), ("weights", "intercepts")
_KNOWN = ("words", "pieces")
_CARRIED = "sentence_encoder"
_NOTHING, _USUAL = Features(), Training()

Mask = npt.NDArray[np.bool_]
EncodedColumn = NumericColumn | CategoricalColumn | TextColumn


def encode_rows(
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    target: Target,
    dataset: Dataset,
    feature_report: FeatureReport,
    leaks: Leaks,
    features: Features = _NOTHING,
    training: Training = _USUAL,
) -> tuple[Encoder, pd.DataFrame]:
    """Fit the encoder on the training rows and encode every row; see `jumping_numbers`.

    Returns the encoder, and one row per row of the table: float32 numbers and int32 category codes. Numbers of
    texts come from models that have not learnt from the row, see `learn_text`.
    Raises DataError if a feature leaks the target, no feature is left, or a declared column of numbers or texts
    holds something else; ConfigurationError if a declared encoder of sentences is not there.
    """
    useless = enforce_report(feature_report, leaks)
    noise = dict.fromkeys(useless, "it adds nothing (see the report on features)")
    learnt_from = feature_table.loc[split.index[split["part"] == "train"]]
    categorical = [*dataset.categorical, *jumping_numbers(learnt_from, split, target, dataset)]
    declared, sentences = features.text, None
    if declared is not None and declared.encoder is not None:
        sentences = open_encoder(
            declared.encoder,
            declared.sha256,
            carry=declared.carry,
            device=training.device,
            cache=declared.cache,
        )
    texts = _learn_texts(feature_table, split, target, dataset, sentences)
    dataset = dataset.model_copy(update={"categorical": categorical})
    encoder = Encoder.fit(learnt_from, dataset, noise, texts)
    encoded: dict[str, np.ndarray] = {}
    for column in encoder.columns:
        learnt = texts.get(column.name)
        if isinstance(learnt, LearntText):
            encoded |= learnt.encode(feature_table)
        else:
            encoded |= column.transform(feature_table[column.name])
    return encoder, pd.DataFrame(encoded, index=feature_table.index)


def _learn_texts(
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    target: Target,
    dataset: Dataset,
    sentences: SentenceEncoder | None,
) -> dict[str, LearntText | str]:
    """Fit the declared columns of texts on the rows of the folds, or on training rows that are divided here."""
    if not dataset.text:
        return {}
    labels = learnt_labels(split).to_numpy()
    weights = split["weight"].to_numpy() if "weight" in split else None
    rows, folds = feature_table.loc[split.index], split["fold"].to_numpy().astype(np.intp)
    if (folds < 0).all():
        folds = np.where(split["part"] == "train", _dealt(rows, dataset), -1)
    learnt = {
        name: learn_text(rows[name], labels, folds, target.task, weights, sentences) for name in dataset.text
    }
    for name, text in learnt.items():
        if isinstance(text, LearntText) and text.column.share is not None:
            logger.info("%s: the sentence has the weight %.1f, its words the rest", name, text.column.share)
    return learnt


def _dealt(rows: pd.DataFrame, dataset: Dataset) -> npt.NDArray[np.intp]:
    """Deal rows to folds by chance, whole groups where some are declared."""
    units = np.arange(len(rows))
    if dataset.group is not None:
        groups = pd.factorize(rows[dataset.group], use_na_sentinel=False)[0]
        # A single group cannot be divided.
        units = groups if groups.any() else units
    dealt: npt.NDArray[np.intp] = np.random.default_rng(0).permutation(units.max() + 1)[units] % FOLDS
    return dealt


@dataclass(frozen=True, eq=False)
class Encoder:
    """Fitted map from raw to encoded rows: `columns` in order, and `dropped` features with reasons."""

    columns: list[EncodedColumn]
    dropped: dict[str, str]

    @property
    def sentences(self) -> SentenceEncoder | None:
        """The encoder of sentences that a column needs."""
        parts = (column.sentences for column in self.columns if isinstance(column, TextColumn))
        return next((part.encoder for part in parts if part is not None), None)

    @property
    def inputs(self) -> dict[str, str]:
        """Raw columns needed by `transform`, in order, each "number", "text" or "boolean"."""
        return {column.name: column.input for column in self.columns}

    @classmethod
    def fit(
        cls,
        table: pd.DataFrame,
        dataset: Dataset,
        unwanted: Mapping[str, str] | None = None,
        texts: Mapping[str, LearntText | str] | None = None,
    ) -> Encoder:
        """Learn quantiles and categories from training rows, except for `unwanted` features.

        Undeclared features are numeric or categorical by their dtype; `texts` are learnt already. Raises
        `DataError`, see `encode_rows`.
        """
        columns, dropped = fit_columns(table, dataset, unwanted, texts)
        _check_features(columns, dropped, feature_columns(table, dataset))
        return cls(columns, dropped)

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """Encode rows as float32 numbers, float32 indicators and int32 codes, indexed as `table`.

        The result for a row does not depend on other rows. Further columns are ignored; a `DataError` names a
        missing column, or a numeric column that holds something else.
        """
        if missing := [column.name for column in self.columns if column.name not in table.columns]:
            matches = {name: nearest(name, map(str, table.columns)) for name in missing}
            hints = {name: f" (did you mean {match!r}?)" if match else "" for name, match in matches.items()}
            raise DataError(
                f"columns that the model was trained on are missing: "
                f"{', '.join(f'{name!r}{hint}' for name, hint in hints.items())}; "
                "hand them in under these names (a value may be empty, a column may not be absent)."
            )
        encoded: dict[str, np.ndarray] = {}
        for column in self.columns:
            encoded |= column.transform(table[column.name])
        return pd.DataFrame(encoded, index=table.index)

    def save(self, folder: Path) -> None:
        """Write `encoder.json` and `encoder.safetensors`; equal encoders give equal bytes."""
        saved = [_saved(column) for column in self.columns]
        description = {
            "format": FORMAT_OF_TEXTS if any(each["kind"] == "text" for each, _ in saved) else FORMAT,
            "columns": [described for described, _ in saved],
            "dropped": [{"name": name, "reason": reason} for name, reason in self.dropped.items()],
        }
        if self.sentences is not None:
            description["sentence_encoder"] = {
                key: getattr(self.sentences, key) for key in ("name", "sha256", "carry")
            }
            if self.sentences.carry:
                carry_files(self.sentences, folder / _CARRIED)
        write_description(folder / DESCRIPTION, description)
        write_arrays(folder / ARRAYS, {name: array for _, arrays in saved for name, array in arrays.items()})

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """Read what `save` wrote; a `DataError` says that another version wrote it.

        Raises ConfigurationError if its encoder of sentences is not there, or has other files.
        """
        from safetensors.numpy import load_file

        description = read_description(folder / DESCRIPTION, FORMAT, FORMAT_OF_TEXTS)
        arrays = load_file(folder / ARRAYS)
        sentences = None
        if named := description.get("sentence_encoder"):
            carried = folder / _CARRIED if named["carry"] else None
            sentences = open_encoder(named["name"], named["sha256"], carry=named["carry"], carried=carried)
        columns = [_restore(column, arrays, sentences) for column in description["columns"]]
        return cls(columns, {column["name"]: column["reason"] for column in description["dropped"]})


def fit_columns(
    table: pd.DataFrame,
    dataset: Dataset,
    unwanted: Mapping[str, str] | None = None,
    texts: Mapping[str, LearntText | str] | None = None,
) -> tuple[list[EncodedColumn], dict[str, str]]:
    """Fit every feature, see `Encoder.fit`; returns the fitted columns, and the dropped ones with reasons."""
    columns: list[EncodedColumn] = []
    dropped: dict[str, str] = {}
    unwanted, texts = unwanted or {}, texts or {}
    for name in feature_columns(table, dataset):
        column = unwanted.get(name) or texts.get(name) or _fit_column(table[name], dataset)
        if isinstance(column, LearntText):
            columns.append(column.column)
        elif isinstance(column, str):
            dropped[name] = column
        else:
            columns.append(column)
    return columns, dropped


def _fit_column(column: pd.Series, dataset: Dataset) -> EncodedColumn | str:
    """Fit one feature, or return the reason why it is dropped."""
    if column.isna().all():
        return "every value is missing"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "a date; derive month, weekday or hour of it"
    truth = pd.api.types.is_bool_dtype(column.dtype)
    number = pd.api.types.is_numeric_dtype(column.dtype) and not truth
    if column.name in dataset.numeric or (number and column.name not in dataset.categorical):
        numbers = as_numbers(column)
        if (numbers == numbers[0]).all():
            return "every value is the same"
        return NumericColumn.fit(column, "boolean" if truth else "number")
    categorical = CategoricalColumn.fit(column, "boolean" if truth else "number" if number else "text")
    codes = categorical.transform(column)[categorical.name]
    if (codes == codes[0]).all():
        if categorical.categories:
            return "every value is the same"
        offered = "; declare it in dataset.text if it is written language" if words_a_text(column) else ""
        return f"every value is rare{offered}"
    return categorical


def _check_features(columns: list[EncodedColumn], dropped: dict[str, str], features: list[str]) -> None:
    if not columns:
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in dropped.items())
        raise DataError(
            f"no feature is left to learn from ({reasons or 'every column has another role'}). "
            "Check the raw data, dataset.exclude and dataset.sensitive."
        )
    added = {column.indicator_name for column in columns if isinstance(column, NumericColumn)}
    added.update(*(column.encoded_names for column in columns if isinstance(column, TextColumn)))
    taken = sorted(added.intersection(features))
    if taken:
        raise DataError(
            f"column {taken[0]!r} has the name of a column that encoding adds; rename or exclude it."
        )


def _saved(column: EncodedColumn) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Description and arrays of a column."""
    described: dict[str, object] = {"name": column.name, "kind": "numeric", "input": column.input}
    if isinstance(column, NumericColumn):
        described |= {"quantiles": len(column.quantiles), "indicator": column.indicator}
        return described, {f"{column.name}/{part}": getattr(column, part) for part in ("quantiles", "scores")}
    if isinstance(column, TextColumn):
        described |= {"kind": "text", "outputs": column.outputs}
        found = {f"{column.name}/{part}": getattr(column, part) for part in _TEXT_ARRAYS}
        if column.known is not None:
            described["known"] = True
            found |= {f"{column.name}/{part}": each for part, each in zip(_KNOWN, column.known, strict=True)}
        if column.share is not None:
            described["share"] = column.share
        if column.sentences is not None:
            own = {part: getattr(column.sentences, part) for part in _SENTENCE_ARRAYS}
            found |= {f"{column.name}/sentence {part}": array for part, array in own.items()}
        return described, found
    rare = None if column.rare is None else len(column.rare)
    described |= {"kind": "categorical", "categories": column.categories, "known": column.known, "rare": rare}
    return described, {f"{column.name}/rare": column.rare} if column.rare is not None and rare else {}


def _restore(
    column: dict[str, Any], arrays: dict[str, np.ndarray], sentences: SentenceEncoder | None
) -> EncodedColumn:
    name, raw = column["name"], column["input"]
    if column["kind"] == "categorical":
        # Encoders written by earlier versions do not say what the training rows had rarely.
        known, count = column.get("known"), column.get("rare")
        rare = None if count is None else arrays[f"{name}/rare"] if count else np.empty(0, np.uint64)
        return CategoricalColumn(name, raw, tuple(column["categories"]), known, rare)
    if column["kind"] == "text":
        rarity, weights, intercepts = (arrays[f"{name}/{part}"] for part in _TEXT_ARRAYS)
        # Absent without an encoder of sentences.
        share, own = column.get("share"), None
        if share and sentences is not None:
            own = SentencePart(sentences, *(arrays[f"{name}/sentence {part}"] for part in _SENTENCE_ARRAYS))
        # Absent in format 1.
        known = (arrays[f"{name}/words"], arrays[f"{name}/pieces"]) if column.get("known") else None
        return TextColumn(name, tuple(column["outputs"]), rarity, weights, intercepts, own, share, known)
    quantiles, scores = arrays[f"{name}/quantiles"], arrays[f"{name}/scores"]
    return NumericColumn(name, raw, quantiles, scores, column["indicator"])


def jumping_numbers(
    training: pd.DataFrame, split: pd.DataFrame, target: Target, dataset: Dataset
) -> list[str]:
    """Name the undeclared whole numbers of few values whose held-out loss is lower as a category.

    The loss is log loss, or of a number's ranks the squared error. Each column is tried alone in both forms. As a
    category, a value has its own shares of the classes, or its own mean; as a number, those of nearby values
    (kernel regression on ranks: Nadaraya 1964, Watson 1964), with the best of several widths. A category must be
    better by more than one standard error of the paired losses.

    `split` holds `label` and `fold` of the rows; rows without folds are held out in order of time.
    """
    if len(training) > MOST_ROWS:
        return []
    labels, strength = learnt_labels(split.loc[training.index]).to_numpy(), target.task.strength
    labels = strength.scaled(labels, labels)
    turns = _turns(training, split, dataset)
    declared = {*dataset.numeric, *dataset.categorical}
    return [
        name
        for name in feature_columns(training, dataset)
        if name not in declared
        and _few_whole_numbers(training[name])
        and _jumps(training[name], labels, turns, strength)
    ]


def _turns(training: pd.DataFrame, split: pd.DataFrame, dataset: Dataset) -> list[tuple[Mask, Mask]]:
    """Training and held-out rows of each turn."""
    fold = split.loc[training.index, "fold"].to_numpy()
    if (fold >= 0).all():
        return [(fold != number, fold == number) for number in np.unique(fold)]
    if dataset.time is None:
        return []
    block = np.ceil(training[dataset.time].rank(pct=True).to_numpy() * BLOCKS)
    return [(block < number, block == number) for number in range(2, BLOCKS + 1)]


def _few_whole_numbers(column: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        return False
    known = as_numbers(column.dropna())
    values = np.unique(known)
    whole = np.isfinite(values) & (np.floor(values) == values)
    few = FEWEST_VALUES <= len(values) <= min(MOST_VALUES, len(known) // ROWS_A_VALUE)
    return few and bool(whole.all())


def _jumps(column: pd.Series, labels: Array, turns: list[tuple[Mask, Mask]], strength: Strength) -> bool:
    """Whether each value's own rows lower the held-out loss by more than its standard error."""
    known = column.notna().to_numpy(bool)
    turns = [(learnt[known], held[known]) for learnt, held in turns]
    if not any(held.any() for _, held in turns):
        return False
    levels = np.unique(as_numbers(column[known]), return_inverse=True)[1]
    rows = np.bincount(levels)
    middles = (rows.cumsum() - rows / 2) / len(levels)
    distances = middles[:, None] - middles
    readings = [np.eye(len(rows)), *(np.exp(-0.5 * (distances / width) ** 2) for width in WIDTHS)]
    category, *numbers = (
        np.concatenate(
            [strength.kernel_losses(levels, labels[known], learnt, held, kernel) for learnt, held in turns]
        )
        for kernel in readings
    )
    gains = min(numbers, key=np.mean) - category
    return bool(gains.mean() > gains.std() / len(gains) ** 0.5)
