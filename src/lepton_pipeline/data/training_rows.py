"""Hashes of the rows that a model was trained on, so that a later comparison can leave them out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.labels import OUTSIDE
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.parameters.durations import before

# Format 1 has no `identity`: its hashes are of whole rows, also where an id was declared.
FORMAT, FORMATS = 2, (1, 2)
DESCRIPTION, HASHES, GROUPS = "training_rows.json", "training_rows.npy", "training_groups.npy"
# Rows of no class choose when a model hands over.
LEARNT_FROM = ("train", "validation", OUTSIDE["validation"])
# Rows hashed at once.
CHUNK = 100_000
# Rows with a known hash, to notice a release of pandas that hashes otherwise.
_PROBE = pd.DataFrame({"number": [0.5, 2.0], "text": ["a", "é"]})


@dataclass(frozen=True)
class TrainingRows:
    """Hashes of the training and validation rows of a model; no value can be read back.

    A declared id, with the time where declared, alone identifies a row, as inputs and label of a customer
    change. Rows without an id are identified by their inputs and their label.

    Attributes:
        columns: kind of the columns hashed for rows without an id: "number", "date" or "text".
        keys: columns hashed exactly; other numbers are rounded to float32, so that a sum in another order
            keeps its hash.
        hashes: one a row, sorted, uint64 [rows].
        groups: one a group, sorted, uint64 [groups]; empty where no group is declared.
        until: time of the latest row as an ISO date or a number.
        identity: columns that identify a row, the id first; empty where no id was declared.
    """

    columns: dict[str, str]
    keys: list[str]
    hashes: np.ndarray
    groups: np.ndarray
    until: str | None
    identity: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, table: pd.DataFrame, split: pd.DataFrame, inputs: Iterable[str], dataset: Dataset
    ) -> TrainingRows:
        """Hash the training and validation rows, by the columns `inputs` that the model reads."""
        parts = split[split["part"].isin(LEARNT_FROM)]
        keys = [name for name in (dataset.id, dataset.time) if name is not None]
        columns = {name: _kind(table[name]) for name in dict.fromkeys([*inputs, *keys])}
        needed = [*columns, *([] if dataset.group is None or dataset.group in columns else [dataset.group])]
        rows = table.loc[parts.index, needed]
        groups = np.empty(0, dtype=np.uint64)
        if dataset.group is not None:
            groups = np.unique(_hash_keys(rows[dataset.group]))
        until = None if dataset.time is None else as_text(rows[dataset.time].max())
        identity = () if dataset.id is None else tuple(keys)
        hashes = np.sort(_hash(rows, parts["label"], columns, keys, identity))
        return cls(columns, keys, hashes, groups, until, identity)

    def learnt(self, table: pd.DataFrame, split: pd.DataFrame) -> pd.Series:
        """Mark the test rows that the model was trained on, one bool for each test row.

        Equal rows without an id cannot be told apart: as many of them as were trained on are first looked for
        among the rows outside the test; only the rest counts as test rows trained on. Raises a DataError
        where a column is gone or holds values of another kind.
        """
        self._check_kinds(table, self.identity)
        named = _named(table, self.identity)
        if not named.all():
            self._check_kinds(table, self.columns)
        labels = split["label"].reindex(table.index)
        hashes = pd.Series(_hash(table, labels, self.columns, self.keys, self.identity), table.index)
        in_test = (split["part"] == "test").reindex(table.index, fill_value=False)
        test, elsewhere = hashes[in_test], hashes[~in_test]
        copies = test.map(pd.Series(self.hashes).value_counts()).fillna(0)
        left_over = copies - test.map(elsewhere.value_counts()).fillna(0)
        marked = np.where(named[in_test], copies > 0, test.groupby(test).cumcount() < left_over)
        return pd.Series(marked, test.index)

    def _check_kinds(self, table: pd.DataFrame, names: Iterable[str]) -> None:
        for name in names:
            if name not in table:
                raise DataError(f"the rows it was trained on are unknown: column {name!r} is gone")
            if _kind(table[name]) != self.columns[name]:
                raise DataError(
                    "the rows it was trained on are unknown: "
                    f"column {name!r} held {self.columns[name]}s then and holds {_kind(table[name])}s now"
                )

    def save(self, folder: Path) -> None:
        """Write description and hashes into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        fields = {name: getattr(self, name) for name in ("columns", "keys", "identity", "until")}
        description = {"format": FORMAT, **fields, "probe": _probe()}
        text = json.dumps(description, indent=2, ensure_ascii=False)
        (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
        np.save(folder / HASHES, self.hashes, allow_pickle=False)
        np.save(folder / GROUPS, self.groups, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> TrainingRows:
        """Read what `save` wrote; a DataError where another version of the project or pandas wrote it."""
        about = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if about["format"] not in FORMATS or about["probe"] != _probe():
            raise DataError("its training rows were recorded by another version of the project or of pandas")
        hashes, groups = (np.load(folder / name, allow_pickle=False) for name in (HASHES, GROUPS))
        identity = tuple(about.get("identity", ()))
        return cls(about["columns"], about["keys"], hashes, groups, about["until"], identity)


def unseen_rows(
    known: TrainingRows, table: pd.DataFrame, split: pd.DataFrame, dataset: Dataset, declared: Split
) -> pd.Series:
    """Mark the test rows that a model can be judged on, one bool for each test row.

    These are rows that it was not trained on. Under a split by time they are also later than its last row by
    the label delay and the gap; under a split by group, their group was not trained on. Raises a DataError
    where this cannot be told, with the reason.
    """
    unseen = ~known.learnt(table, split)
    if declared.strategy in ("time", "time_group"):
        unseen &= _later(known.until, table.loc[unseen.index, str(dataset.time)], dataset, declared)
    if declared.strategy in ("group", "time_group"):
        if not len(known.groups):
            raise DataError("the groups it was trained on are unknown: none was declared then")
        unseen &= ~np.isin(_hash_keys(table.loc[unseen.index, str(dataset.group)]), known.groups)
    return unseen


def repeat_advice(dataset: Dataset) -> str:
    """Remedy where few rows are new because the id alone identifies a row, else ""."""
    by_id_alone = dataset.id is not None and dataset.time is None
    return f"declare dataset.time if rows of one {dataset.id} are observed again" if by_id_alone else ""


def _later(until: str | None, times: pd.Series, dataset: Dataset, declared: Split) -> pd.Series:
    if until is None:
        raise DataError("the time until which it was trained is unknown: none was declared then")
    known_by = before(before(times, dataset.label_delay, "dataset.label_delay"), declared.gap, "split.gap")
    try:
        last: Any = pd.Timestamp(until) if pd.api.types.is_datetime64_any_dtype(times) else float(until)
        later: pd.Series = (times > last) & (known_by >= last)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the time until which it was trained is unknown: {until} does not compare with column {times.name!r} now"
        ) from error
    return later


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _named(table: pd.DataFrame, identity: tuple[str, ...]) -> pd.Series:
    return table[identity[0]].notna() if identity else pd.Series(data=False, index=table.index)


def _hash(
    table: pd.DataFrame,
    labels: pd.Series,
    columns: Iterable[str],
    keys: Iterable[str],
    identity: tuple[str, ...],
) -> np.ndarray:
    """Hash rows to 64 bits, whatever their types in memory."""
    named = _named(table, identity).to_numpy()
    whole = () if named.all() else columns
    hashes = np.empty(len(table), dtype=np.uint64)
    # A row's hash is its own, and texts and floats of a whole table would be held beside it.
    for start in range(0, len(table), CHUNK):
        chunk = slice(start, start + CHUNK)
        some, own = table.iloc[chunk], named[chunk]
        part = hashes[chunk]
        part[own] = _hash_values(some.loc[own], identity, identity)
        part[~own] = _hash_values(some.loc[~own], whole, keys, labels.iloc[chunk][~own])
    return hashes


def _hash_values(
    rows: pd.DataFrame, columns: Iterable[str], exact: Iterable[str], labels: pd.Series | None = None
) -> np.ndarray:
    # A column of the table may itself be called "label".
    values = {f"column {name}": _comparable(rows[name], exact=name in exact) for name in columns}
    if labels is not None:
        values = {"label": labels.to_numpy(dtype=np.float64, na_value=np.nan), **values}
    return pd.util.hash_pandas_object(pd.DataFrame(values, rows.index), index=False).to_numpy()


def _hash_keys(column: pd.Series) -> np.ndarray:
    return pd.util.hash_pandas_object(pd.Series(_comparable(column, exact=True)), index=False).to_numpy()


def _comparable(column: pd.Series, exact: bool) -> Any:
    """The same values in any type: integers become floats where one is missing, say."""
    kind = _kind(column)
    if kind == "text":
        return column.astype("str").to_numpy()
    if kind == "date":
        return column.dt.as_unit("us").astype("int64").to_numpy()
    numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):
        rounded = numbers if exact else numbers.astype(np.float32)
    # One zero and one missing value, of the several that floating point has.
    return np.where(np.isnan(rounded), np.nan, rounded + 0.0)


def as_text(time: Any) -> str:
    """A time as an ISO date or a number."""
    return time.isoformat() if hasattr(time, "isoformat") else str(time)


def _probe() -> str:
    return "-".join(f"{value:016x}" for value in pd.util.hash_pandas_object(_PROBE, index=False))
