"""Which rows a model has learnt from, kept as hashes, so that a later comparison can leave them out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.parameters.durations import before

# Format 1 has no `identity`: its hashes are of whole rows, also where an id was declared.
FORMAT, FORMATS = 2, (1, 2)
DESCRIPTION, HASHES, GROUPS = "training_rows.json", "training_rows.npy", "training_groups.npy"
_LEARNT_FROM = ("train", "validation")
# What the hash of rows gives for known ones: a release of pandas that hashes otherwise must not pass
# unnoticed.
_PROBE = pd.DataFrame({"number": [0.5, 2.0], "text": ["a", "é"]})


@dataclass(frozen=True)
class TrainingRows:
    """The training and validation rows of a model; no value can be read back.

    Where an id is declared, it alone says which row it is, with the time where one is declared: the inputs
    and the label of a customer change, and a model has learnt from the customer all the same. Rows without an
    id, and all rows where none is declared, are recognised by their inputs and their label.

    Attributes:
        columns: what is hashed of a row without an id beside its label: "number", "date" or "text" by column.
        keys: those of them that are hashed exactly; other numbers are rounded to float32, so that a sum that
            was made again in another order still gives the same row.
        hashes: one for each row, sorted; a row that stands twice is there twice; uint64 [rows].
        groups: one for each group among the rows, sorted; uint64 [groups], empty where no group is declared.
        until: time of the latest row as text: an ISO date or a number; None where no time is declared.
        identity: the columns that say which row it is, the id first; empty where no id was declared.
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
        """Take the rows that a model learns from.

        Args:
            table: rows of the vertical.
            split: `part` and `label` of every row, indexed as `table`.
            inputs: columns that the model reads.
            dataset: names the columns that tell rows apart: id, time and group.
        """
        parts = split[split["part"].isin(_LEARNT_FROM)]
        rows = table.loc[parts.index]
        keys = [name for name in (dataset.id, dataset.time) if name is not None]
        columns = {name: _kind(table[name]) for name in dict.fromkeys([*inputs, *keys])}
        groups = np.empty(0, dtype=np.uint64)
        if dataset.group is not None:
            groups = np.unique(_hash_keys(rows[dataset.group]))
        until = None if dataset.time is None else as_text(rows[dataset.time].max())
        identity = () if dataset.id is None else tuple(keys)
        hashes = np.sort(_hash(rows, parts["label"], columns, keys, identity))
        return cls(columns, keys, hashes, groups, until, identity)

    def learnt(self, table: pd.DataFrame, split: pd.DataFrame) -> pd.Series:
        """Mark the test rows that the model has learnt from.

        A row with an id is marked where a row of the same id (and time) was learnt from. Equal rows without
        an id cannot be told apart: as many of them as the model has learnt from are looked for among the rows
        that are not in the test; only what is left over counts as a test row learnt from.

        Args:
            table: rows of the vertical now.
            split: their `part` and `label`.

        Returns:
            One bool for each test row.

        Raises:
            DataError: a column is gone or holds values of another kind.
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
                raise DataError(f"it cannot be told which rows it has learnt from: column {name!r} is gone")
            if _kind(table[name]) != self.columns[name]:
                raise DataError(
                    "it cannot be told which rows it has learnt from: "
                    f"column {name!r} held {self.columns[name]}s then and holds {_kind(table[name])}s now"
                )

    def save(self, folder: Path) -> None:
        """Write description and hashes into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        description = {
            "format": FORMAT,
            "columns": self.columns,
            "keys": self.keys,
            "identity": self.identity,
            "until": self.until,
            "probe": _probe(),
        }
        text = json.dumps(description, indent=2, ensure_ascii=False)
        (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")
        np.save(folder / HASHES, self.hashes, allow_pickle=False)
        np.save(folder / GROUPS, self.groups, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> TrainingRows:
        """Read what `save` wrote.

        Raises:
            DataError: another version wrote it, or rows are hashed in another way now.
        """
        description: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if description["format"] not in FORMATS or description["probe"] != _probe():
            raise DataError(
                "the record of its training rows was made by another version of the project or of pandas"
            )
        hashes, groups = (np.load(folder / name, allow_pickle=False) for name in (HASHES, GROUPS))
        identity = tuple(description.get("identity", ()))
        return cls(
            description["columns"], description["keys"], hashes, groups, description["until"], identity
        )


def unseen_rows(
    known: TrainingRows, table: pd.DataFrame, split: pd.DataFrame, dataset: Dataset, declared: Split
) -> pd.Series:
    """Mark the test rows that a model can be judged on: it has not learnt from them, nor from what they share.

    Not the rows that the model has learnt from. Where the vertical is split by time, only rows that are as
    much later than the model's last one as the split keeps test rows from training rows: the label of that
    last row was known when they came. Where it is split by group, only rows of groups that the model has not
    learnt from.

    Args:
        known: what the model has learnt from.
        table: rows of the vertical now.
        split: their `part` and `label`.
        dataset: names time and group; has the label delay.
        declared: has the strategy and the gap.

    Returns:
        One bool for each test row.

    Raises:
        DataError: it cannot be told, with the reason.
    """
    unseen = ~known.learnt(table, split)
    if declared.strategy in ("time", "time_group"):
        unseen &= _later(known.until, table.loc[unseen.index, str(dataset.time)], dataset, declared)
    if declared.strategy in ("group", "time_group"):
        if not len(known.groups):
            raise DataError("it cannot be told which groups it has learnt from: none was declared then")
        unseen &= ~np.isin(_hash_keys(table.loc[unseen.index, str(dataset.group)]), known.groups)
    return unseen


def again_advice(dataset: Dataset) -> str:
    """What to do where few rows are new because the id alone says which row it is; empty where it does not."""
    by_id_alone = dataset.id is not None and dataset.time is None
    return f"declare dataset.time if rows of one {dataset.id} are observed again" if by_id_alone else ""


def _later(until: str | None, times: pd.Series, dataset: Dataset, declared: Split) -> pd.Series:
    if until is None:
        raise DataError("it cannot be told until when it has learnt: no time was declared then")
    known_by = before(before(times, dataset.label_delay, "dataset.label_delay"), declared.gap, "split.gap")
    try:
        last: Any = pd.Timestamp(until) if pd.api.types.is_datetime64_any_dtype(times) else float(until)
        later: pd.Series = (times > last) & (known_by >= last)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"it cannot be told until when it has learnt: {until} does not compare with column {times.name!r} now"
        ) from error
    return later


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _named(table: pd.DataFrame, identity: tuple[str, ...]) -> pd.Series:
    """Whether each row has an id."""
    return table[identity[0]].notna() if identity else pd.Series(data=False, index=table.index)


def _hash(
    table: pd.DataFrame,
    labels: pd.Series,
    columns: Iterable[str],
    keys: Iterable[str],
    identity: tuple[str, ...],
) -> np.ndarray:
    """64 bits for each row, of its values whatever their types are in memory."""
    named = _named(table, identity).to_numpy()
    hashes = np.empty(len(table), dtype=np.uint64)
    hashes[named] = _hash_values(table.loc[named], identity, identity)
    hashes[~named] = _hash_values(table.loc[~named], () if named.all() else columns, keys, labels[~named])
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
    """The same values whatever holds them: whole numbers become fractions where one of them is missing, say."""
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
