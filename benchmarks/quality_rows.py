"""The rows that every contender of `quality.py` is given, and the shapes in which libraries take them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lepton_pipeline.tasks.split import split_rows
from lepton_pipeline.features.column_encoders import NumericColumn, as_numbers
from lepton_pipeline.features.encode import Encoder, encode_rows
from lepton_pipeline.features.leaks import check_features
from lepton_pipeline.parameters import Vertical

Labelled = tuple[pd.DataFrame, npt.NDArray[np.int64]]
MOST_CATEGORIES = 254


@dataclass(frozen=True)
class Rows:
    """What every contender is given: one vertical, divided by one seed.

    Attributes:
        raw: the columns that the product's encoder reads: float64 numbers, NaN where missing, and categories of text.
        encoded: the same rows as the product's own models take them.
        split: `part` and `label` of every row.
    """

    raw: pd.DataFrame
    encoded: pd.DataFrame
    split: pd.DataFrame

    @classmethod
    def make(cls, feature_table: pd.DataFrame, declared: Vertical, seed: int) -> Rows:
        """Divide and encode the rows of a vertical as its own pipeline does, but with another seed of the draw."""
        split = split_rows(feature_table, declared.dataset, declared.split.model_copy(update={"seed": seed}))
        found = check_features(feature_table, split, declared.dataset, declared.leaks)
        encoder, encoded = encode_rows(feature_table, split, declared.dataset, found, declared.leaks)
        return cls(_raw_columns(feature_table, encoder), encoded, split)

    def save(self, folder: Path) -> None:
        """Write three Parquet files."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in vars(self).items():
            frame.to_parquet(folder / f"{name}.parquet")

    @classmethod
    def load(cls, folder: Path) -> Rows:
        """Read what `save` wrote."""
        return cls(*(pd.read_parquet(folder / f"{name}.parquet") for name in ("raw", "encoded", "split")))

    def part(self, *names: str) -> pd.Index:
        """Index of the rows of these parts."""
        return self.split.index[self.split["part"].isin(names)]

    def labelled(self, *names: str) -> Labelled:
        """Raw columns and labels of the rows of these parts."""
        rows = self.part(*names)
        return self.raw.loc[rows], self.split.loc[rows, "label"].to_numpy(np.int64)

    def numbered(self) -> Rows:
        """The same rows with columns c0, c1, ..: XGBoost refuses [ ] < in a name, LightGBM JSON's characters."""
        names = {name: f"c{position}" for position, name in enumerate(self.raw.columns)}
        return Rows(self.raw.rename(columns=names), self.encoded, self.split)


def _raw_columns(feature_table: pd.DataFrame, encoder: Encoder) -> pd.DataFrame:
    raw: dict[str, Any] = {}
    for column in encoder.columns:
        values = feature_table[column.name]
        if isinstance(column, NumericColumn):
            numbers = as_numbers(values)
            # XGBoost refuses infinities.
            raw[column.name] = np.where(np.isfinite(numbers), numbers, np.nan)
        else:
            raw[column.name] = values.map(str, na_action="ignore").astype("object").astype("category")
    return pd.DataFrame(raw, index=feature_table.index)


def with_categories_of(rows: pd.DataFrame, fitted: pd.DataFrame) -> pd.DataFrame:
    """Let categories that the fitted rows do not hold count as missing: XGBoost refuses them."""
    seen = {
        name: column.cat.remove_unused_categories().cat.categories for name, column in _categories(fitted)
    }
    return rows.assign(**{name: rows[name].cat.set_categories(kept) for name, kept in seen.items()})


def with_frequent_categories(rows: pd.DataFrame) -> pd.DataFrame:
    """Let all but the most frequent categories count as missing: HistGradientBoosting takes at most 255 a column."""
    frequent = {
        name: column.value_counts().index.tolist()[:MOST_CATEGORIES] for name, column in _categories(rows)
    }
    return rows.assign(**{name: rows[name].cat.set_categories(kept) for name, kept in frequent.items()})


def _categories(rows: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    return [(str(name), column) for name, column in rows.select_dtypes("category").items()]


def filled(rows: Rows) -> Rows:
    """Put medians of the training rows where numbers are missing, with an indicator beside: pytabkit takes no NaN."""
    numbers = rows.raw.select_dtypes("float64")
    missing = numbers.loc[:, numbers.isna().any()].isna().add_suffix(" is missing").astype("float64")
    medians = numbers.loc[rows.part("train")].median()
    return Rows(rows.raw.assign(**numbers.fillna(medians), **missing), rows.encoded, rows.split)
