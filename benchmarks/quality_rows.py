"""The rows that every contender of `quality.py` is given, and the shapes in which libraries take them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from quality_metrics import REGRESSION, Prediction, Scores, conformal_reach
from quality_product import divide, encode, target_of

from lepton_pipeline.evaluation.resampling import ROW, resampling_units
from lepton_pipeline.features.column_encoders import NumericColumn, as_numbers
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

Labelled = tuple[pd.DataFrame, npt.NDArray[Any]]
MOST_CATEGORIES = 254


@dataclass(frozen=True)
class Rows:
    """What every contender is given: one vertical, divided by one seed.

    Attributes:
        raw: the columns that the product's encoder reads: float64 numbers, NaN where missing, and categories.
        encoded: the same rows as the product's own models take them.
        split: `part` and `label` of every row: 0 or 1, a class from 0 on, or the target on its own scale.
        units: what a bootstrap draws, one integer column `group`, `block` or `row`; the same for all seeds.
        target: what is to be predicted.
    """

    raw: pd.DataFrame
    encoded: pd.DataFrame
    split: pd.DataFrame
    units: pd.DataFrame
    target: Target = field(default_factory=lambda: Target(Binary()))

    @property
    def task(self) -> str:
        """The task: "binary", "multiclass" or "regression"."""
        return self.target.task.task

    @property
    def transform(self) -> str | None:
        """How a number is transformed before it is learnt: "log" or None."""
        transform: str | None = getattr(self.target.task, "transform", None)
        return transform

    @classmethod
    def make(cls, feature_table: pd.DataFrame, declared: Vertical, seed: int) -> Rows:
        """Divide and encode the rows of a vertical as its pipeline does, with another seed of the draw."""
        target = target_of(feature_table, declared)
        split = divide(feature_table, target, declared, seed)
        encoder, encoded = encode(feature_table, split, target, declared)
        units = _units(feature_table, split, declared)
        raw = _raw_columns(feature_table, encoder)
        return cls(raw, encoded, split, units, target)

    def save(self, folder: Path) -> None:
        """Write Parquet files, and what else there is as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in _FRAMES:
            getattr(self, name).to_parquet(folder / f"{name}.parquet")
        (folder / "target.json").write_text(to_json(self.target))

    @classmethod
    def load(cls, folder: Path) -> Rows:
        """Read what `save` wrote."""
        target = from_json(Target, (folder / "target.json").read_bytes())
        frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in _FRAMES}
        return cls(**frames, target=target)

    def part(self, *names: str) -> pd.Index:
        """Index of the rows of these parts."""
        return self.split.index[self.split["part"].isin(names)]

    def labelled(self, *names: str) -> Labelled:
        """Raw columns and labels of the rows of these parts."""
        rows = self.part(*names)
        return self.raw.loc[rows], self._labels(rows)

    def learnt(self, *names: str) -> Labelled:
        """As `labelled`, but with the log of the target where that is learnt."""
        raw, labels = self.labelled(*names)
        return raw, np.log(labels) if self.transform == "log" else labels

    def with_interval(self, values: Scores, residuals: Scores) -> Prediction:
        """Values and their split conformal interval, both brought to the target's own scale."""
        reach = conformal_reach(residuals)
        ends = (values, values - reach, values + reach)
        return Prediction(*(np.exp(end) if self.transform == "log" else end for end in ends))

    def with_raw(self, raw: pd.DataFrame) -> Rows:
        """The same rows with other columns in the place of the raw ones."""
        return replace(self, raw=raw)

    def numbered(self) -> Rows:
        """Name columns c0, c1, ..: XGBoost refuses [ ] < in a name, LightGBM JSON's characters."""
        names = {name: f"c{position}" for position, name in enumerate(self.raw.columns)}
        return self.with_raw(self.raw.rename(columns=names))

    def _labels(self, rows: pd.Index) -> npt.NDArray[Any]:
        labels = self.split.loc[rows, "label"]
        return np.asarray(labels, dtype=np.float64 if self.task == REGRESSION else np.int64)


_FRAMES = ("raw", "encoded", "split", "units")


def _units(feature_table: pd.DataFrame, split: pd.DataFrame, declared: Vertical) -> pd.DataFrame:
    dataset, rows = declared.dataset, feature_table
    if dataset.label_delay and dataset.group is None:
        # Blocks follow from the span of the test rows, which are the same for all seeds.
        rows = feature_table.loc[split.index[split["part"] == "test"]]
    units = resampling_units(rows, dataset)
    if units.columns.empty:
        units = pd.DataFrame({ROW: np.arange(len(rows))}, index=rows.index)
    return units.reindex(feature_table.index, fill_value=-1)


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
    """Let all but the most frequent categories count as missing: HistGradientBoosting takes 255."""
    frequent = {
        name: column.value_counts().index.tolist()[:MOST_CATEGORIES] for name, column in _categories(rows)
    }
    return rows.assign(**{name: rows[name].cat.set_categories(kept) for name, kept in frequent.items()})


def _categories(rows: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    return [(str(name), column) for name, column in rows.select_dtypes("category").items()]


def filled(rows: Rows) -> Rows:
    """Fill numbers with medians of the training rows, with an indicator beside: pytabkit takes no NaN."""
    numbers = rows.raw.select_dtypes("float64")
    missing = numbers.loc[:, numbers.isna().any()].isna().add_suffix(" is missing").astype("float64")
    medians = numbers.loc[rows.part("train")].median()
    return rows.with_raw(rows.raw.assign(**numbers.fillna(medians), **missing))
