"""Divide the rows of a table into training, validation and test rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lepton_pipeline.data.columns import check_columns
from lepton_pipeline.data.labels import NO_LABEL, OUTSIDE
from lepton_pipeline.errors import ConfigurationError, DataError, SplitError, did_you_mean
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.parameters.durations import before
from lepton_pipeline.tasks.find import Target, out_of_scope
from lepton_pipeline.tasks.task import Task

PARTS = ("train", "validation", "test")
# The part of rows that are used for nothing.
GAP = "gap"
# Fewer of them say too little of where to hand rows over.
_FEWEST_OUTSIDE = 10

# Folds of the training and validation rows, so that every one of them can be held out in its turn.
FOLDS = 5
NO_FOLD = -1

_DRAWS = 64
# Between the largest and the smallest weight; networks sum them in 32 bits, figures in 64.
_FARTHEST = 1e12
# Values of a column of parts that a message lists.
_SHOWN = 20
_REMEDIES = {
    "stratified": "provide more {scarce}, or change split.test, split.validation",
    "time": "change split.test, split.validation so that each part covers a time in which {complete} occur, "
    "shorten dataset.label_delay or split.gap, or provide a longer history",
    "group": "provide more groups that hold {scarce}, or change split.test, split.validation",
    "column": "name values of split.column in split.test and split.validation that hold {complete}",
    "time_group": "too few rows are of groups that no earlier part holds: change split.test, split.validation, "
    "use the strategy time or group, or provide a longer history",
    "weight": "give more {scarce} a weight above 0 in every part, or leave out dataset.weight",
}


def split_rows(feature_table: pd.DataFrame, target: Target, dataset: Dataset, split: Split) -> pd.DataFrame:
    """Assign every row to one part, by the declared strategy.

    - stratified: at random, with the same share of each class, or tenth of a number, in each part.
    - time: the latest rows are the test, those before it the validation, those before them the training rows;
      see `_split_by_time` for ties, `dataset.label_delay` and `split.gap`. Nothing is drawn.
    - group: whole groups at random; the draw that divides the classes most nearly as declared.
    - time_group: as time; validation and test keep only rows of groups that no earlier part holds, so they
      become smaller than declared.
    - column: as the values of `split.column` say; rows with other values are trained on. With `dataset.time`,
      training and validation rows are used as by time, else as at random.

    Rows out of scope are divided likewise, those that would be trained on join the validation. They have parts
    of their own, so that nothing but what asks for `OUTSIDE` sees them, and the label -1.

    Returns, indexed as `feature_table`: `part` ("train", "validation", "test", "gap" for unused rows, or
    `OUTSIDE`), `label` (as the task reads it, see `Task`), with `dataset.weight` also `weight`, with `dataset.scale`
    also `scale` (float64), and `fold`
    (int8): under a random strategy, and for a column of parts without `dataset.time`, training and validation
    rows lie in folds 0 to 4; all others have -1.

    Raises:
        SplitError: a part would lack a class, also among rows of a weight above 0, times are missing or too few,
            the gap leaves no training rows, or there are fewer groups than parts.
        DataError: the labels cannot be learnt; the column of times or of groups is absent, has no order or
            missing values; a duration does not fit the column of times.
    """
    task = target.task
    if dataset.out_of_scope:
        outside = out_of_scope(feature_table, dataset)
        bare = dataset.model_copy(update={"out_of_scope": []})
        inside = split_rows(feature_table[~outside], target, bare, split)
        part = _place_outside(feature_table, outside, inside["part"], dataset, split)
        if split.rows is not None and split.rows < len(inside):
            # As many of them in a slice as of the others.
            few = max(round(split.rows / len(inside) * len(part)), 2 * _FEWEST_OUTSIDE)
            spaced = np.linspace(0, len(part) - 1, min(few, len(part))).round().astype(np.int64)
            part = part.where(part.index.isin(part.index[spaced]), OUTSIDE[GAP])
        others = pd.DataFrame({"part": part, "label": NO_LABEL, "fold": np.int8(NO_FOLD)}, index=part.index)
        if dataset.weight is not None:
            others["weight"] = row_weights(feature_table, dataset.weight)[outside]
        return pd.concat([inside, others.astype(inside.dtypes)]).loc[feature_table.index]
    labels = task.read(feature_table, dataset)
    if dataset.weight is not None:
        weight = row_weights(feature_table, dataset.weight)
        bare = dataset.model_copy(update={"weight": None})
        divided = split_rows(feature_table, target, bare, split)
        counts = divided[weight > 0]
        of_weight = f" of a {dataset.weight} (dataset.weight) above 0"
        _require_learnable(task, counts["part"], counts["label"], "weight", of_weight)
        return divided.assign(weight=weight)
    if dataset.scale is not None:
        scale = row_scales(feature_table, dataset.scale)
        bare = dataset.model_copy(update={"scale": None})
        return split_rows(feature_table, target, bare, split).assign(scale=scale)
    if split.rows is not None and split.rows < len(feature_table):
        spaced = _spaced(feature_table, dataset, split.rows)
        some = split_rows(
            feature_table.iloc[spaced], target, dataset, split.model_copy(update={"rows": None})
        )
        unused = pd.DataFrame({"part": GAP, "label": labels, "fold": np.int8(NO_FOLD)}, index=labels.index)
        return pd.concat([some, unused.drop(some.index)]).loc[labels.index]
    groups = None
    if split.strategy == "stratified":
        part = _split_stratified(task, labels, split)
    elif split.strategy == "group":
        groups = _groups(feature_table, dataset)
        part = _split_by_group(groups, task.strata(labels), split)
    elif split.strategy == "column":
        groups = None if dataset.group is None else _groups(feature_table, dataset)
        part = _split_by_column(feature_table, split)
    else:
        part = _split_by_time(_times(feature_table, dataset), dataset, split)
        if split.strategy == "time_group":
            groups = _groups(feature_table, dataset)
            # Rows of a group that an earlier part holds are unused.
            for position in (1, 2):
                seen = groups[part.isin(PARTS[:position])].unique()
                part = part.mask((part == PARTS[position]) & groups.isin(seen), GAP)
    _require_learnable(task, part, labels, split.strategy)
    fold = pd.Series(NO_FOLD, index=part.index, dtype="int8")
    if split.strategy in ("stratified", "group") or (split.strategy == "column" and dataset.time is None):
        fold = _folds(task, part, labels, groups, split)
    return pd.DataFrame({"part": part, "label": labels, "fold": fold})


def _spaced(table: pd.DataFrame, dataset: Dataset, rows: int) -> np.ndarray:
    """Positions of about so many rows, evenly spaced; those of a forecast stay whole, a series' at one origin."""
    if dataset.task != "forecast":
        return np.linspace(0, len(table) - 1, rows).round().astype(np.int64)
    units = table.groupby([dataset.time, dataset.group], sort=False).ngroup().to_numpy()
    number = int(units.max()) + 1
    kept = np.linspace(0, number - 1, max(rows * number // len(table), 1)).round()
    return np.flatnonzero(np.isin(units, kept))


def _split_stratified(task: Task, labels: pd.Series, split: Split) -> pd.Series:
    from sklearn.model_selection import train_test_split

    wanted = {
        "test": round(split.share("test") * len(labels)),
        "validation": round(split.share("validation") * len(labels)),
    }
    wanted["train"] = len(labels) - sum(wanted.values())
    strata = task.strata(labels)
    rarest = int(strata.value_counts().min())
    # Drawn in proportion, a class of k rows leaves each part about k times the part's share.
    if rarest < len(PARTS) or any(rows * rarest / len(labels) < 1 for rows in wanted.values()):
        raise SplitError(
            f"{task.counted(labels)}, cannot be divided into "
            f"{wanted['train']:,} training, {wanted['validation']:,} validation and {wanted['test']:,} test rows "
            f"with {task.complete} in each; {_remedy(task, split.strategy)}."
        )
    rest, test = train_test_split(strata, test_size=wanted["test"], stratify=strata, random_state=split.seed)
    size = wanted["validation"]
    _, validation = train_test_split(rest, test_size=size, stratify=rest, random_state=split.seed)
    part = pd.Series("train", index=labels.index, dtype="str")
    part.loc[validation.index] = "validation"
    part.loc[test.index] = "test"
    return part


def _folds(
    task: Task, part: pd.Series, labels: pd.Series, groups: pd.Series | None, split: Split
) -> pd.Series:
    """Fold of every row outside the test; none where a class has too few rows or groups."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    none = pd.Series(NO_FOLD, index=part.index, dtype="int8")
    labels = labels[part != "test"]
    strata = task.strata(labels)
    groups = None if groups is None else groups[labels.index]
    # Rows are as good as groups of one.
    units = pd.Series(np.arange(len(labels)), index=labels.index) if groups is None else groups
    if units.groupby(strata).nunique().min() < FOLDS:
        return none
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    cutter = kind(FOLDS, shuffle=True, random_state=split.seed)
    numbers = np.empty(len(labels), dtype=np.int8)
    for number, (_, held_out) in enumerate(cutter.split(labels, strata, groups)):
        numbers[held_out] = number
    # Whole groups may leave a fold without a class.
    if strata.groupby(numbers).nunique().min() < strata.nunique():
        return none
    return pd.Series(numbers, index=labels.index).reindex(part.index, fill_value=NO_FOLD).astype("int8")


def _split_by_time(times: pd.Series, dataset: Dataset, split: Split) -> pd.Series:
    """Cut the order of time into train, validation and test, from the end.

    1. The test starts at the time that makes its share of all rows nearest to `split.test`.
    2. A row before it is usable if its time + label_delay + gap is at or before the start of the test.
    3. The validation is the latest usable rows: it starts at the time that makes their number nearest to
    `split.validation` of all rows.
    4. Usable rows before it are trained on, with the same distance to its start. All others are "gap".

    Rows of the same time share a part; of two equally near cuts, the later is taken.
    """
    rows = times.value_counts().sort_index()
    advice = "declare another column, or the strategy stratified"
    _require_one_a_part(times, "dataset.time", "value", list(map(str, rows.index)), advice)
    part = pd.Series(GAP, index=times.index, dtype="str")
    test_start = start_of_last(rows, split.share("test") * len(times), keep=2)
    part[times >= test_start] = "test"
    usable = rows[(rows.index < test_start) & (rows.index <= labelled_at(test_start, dataset, split))]
    if len(usable) >= 2:
        validation_start = start_of_last(usable, split.share("validation") * len(times), keep=1)
        part[(times >= validation_start) & (times <= usable.index[-1])] = "validation"
        part[(times < validation_start) & (times <= labelled_at(validation_start, dataset, split))] = "train"
    if not (part == "train").any():
        raise SplitError(
            f"dataset.label_delay ({dataset.label_delay}) and split.gap ({split.gap}) leave no rows to train on: of "
            f"{len(times):,} rows from {rows.index[0]} to {rows.index[-1]}, {int((part == 'test').sum()):,} are test "
            f"rows from {test_start} on, {int((part == 'validation').sum()):,} are validation rows and "
            f"{int((part == GAP).sum()):,} lie too close before them. "
            "Shorten the two, lower split.test or split.validation, or provide a longer history."
        )
    return part


def start_of_last(rows: pd.Series, wanted: float, keep: int) -> Any:
    """The time from which about `wanted` rows lie; at least `keep` earlier times remain."""
    backwards = rows.to_numpy(dtype=np.int64)[::-1]
    # As Python's number: a duration that is taken from it need not fit the column's own type, uint8 say.
    return rows.index[[len(rows) - _blocks(backwards, wanted, keep)]].item()


def _blocks(rows: np.ndarray, wanted: float, keep: int) -> int:
    """Number of leading blocks with nearly `wanted` rows: at least one, and `keep` are left over."""
    return 1 + int(np.abs(rows[: len(rows) - keep].cumsum() - wanted).argmin())


def labelled_at(start: Any, dataset: Dataset, split: Split) -> Any:
    """The latest time whose labels are known, with the gap, when a part starts."""
    limit = before(pd.Series([start], name=dataset.time), dataset.label_delay, "dataset.label_delay")
    return before(limit, split.gap, "split.gap").iloc[0]


def _split_by_group(groups: pd.Series, strata: pd.Series, split: Split) -> pd.Series:
    """Deal whole groups to test, validation and train.

    They are shuffled as scikit-learn's `GroupShuffleSplit` does, but cut by rows, as groups differ in size.
    """
    codes, names = pd.factorize(groups, sort=True)
    by_class = np.stack(
        [np.bincount(codes[strata == each], minlength=len(names)) for each in np.unique(strata)]
    )
    generator = np.random.default_rng(split.seed)
    draws = [_deal(generator.permutation(len(names)), by_class.sum(axis=0), split) for _ in range(_DRAWS)]
    best = min(draws, key=lambda dealt: _imbalance(dealt, by_class, split))
    return pd.Series(np.array(PARTS)[best[codes]], index=groups.index, dtype="str")


def _split_by_column(table: pd.DataFrame, split: Split) -> pd.Series:
    names = _column(table, split.column, "split.column")
    if names.isna().any():
        raise DataError(_absent(names, names.isna(), "split.column", "names no part"))
    part = pd.Series("train", index=names.index, dtype="str")
    for name in ("validation", "test"):
        for value in split.values(name):
            of_value = (names == value).fillna(False).astype(bool)
            if not of_value.any():
                held = [str(each) for each in names.drop_duplicates().head(_SHOWN)]
                raise ConfigurationError(
                    f"split.{name}: no row has {value!r} in column {names.name!r} (split.column); "
                    f"{did_you_mean(str(value), held)}it holds {', '.join(held)}."
                )
            part[of_value] = name
    return part


def _place_outside(
    table: pd.DataFrame, outside: pd.Series, part: pd.Series, dataset: Dataset, split: Split
) -> pd.Series:
    """Parts of the rows out of scope, by the `part` of all others."""
    rows = table[outside]
    if split.strategy == "column":
        placed = _split_by_column(table, split)[outside]
    elif split.strategy in ("time", "time_group"):
        times = _times(table, dataset)
        first, last = times[part.index[part == "test"]].min(), times[part.index[part == "validation"]].max()
        placed = pd.Series(GAP, rows.index).mask(times <= last, "validation").mask(times >= first, "test")
        if split.strategy == "time_group":
            groups = _groups(table, dataset)
            seen = groups[part.index[part.isin(["train", "validation"])]]
            placed = placed.mask((placed == "test") & groups[outside].isin(seen), GAP)
    else:
        units, drawn = pd.Series(rows.index, rows.index), {}
        if split.strategy == "group":
            units = _groups(table, dataset)
            drawn = dict(zip(units[part.index], part, strict=True))
            units = units[outside]
        new = units[~units.isin(list(drawn))].unique()
        order = np.random.default_rng(split.seed).permutation(len(new))
        tested = new[order[: round(split.share("test") * len(new))]]
        placed = units.map({**dict.fromkeys(new, "validation"), **dict.fromkeys(tested, "test"), **drawn})
    placed = placed.map(lambda name: OUTSIDE[name if name in (GAP, "test") else "validation"])
    for name in ("validation", "test"):
        if (found := int((placed == OUTSIDE[name]).sum())) < _FEWEST_OUTSIDE:
            values = ", ".join(map(repr, dataset.out_of_scope))
            raise SplitError(
                f"{found} of {len(table):,} rows are out of scope ({dataset.target} is {values}) in part {name!r}, but "
                f"{_FEWEST_OUTSIDE} are needed to say when to hand over; bring more of them, or leave out "
                "dataset.out_of_scope and these rows."
            )
    return placed


def _deal(order: np.ndarray, rows: np.ndarray, split: Split) -> np.ndarray:
    """Position in `PARTS` of every group: the first of the order are the test, the next the validation."""
    dealt = np.zeros(len(order), dtype=np.int64)
    test = _blocks(rows[order], split.share("test") * rows.sum(), keep=2)
    validation = _blocks(rows[order[test:]], split.share("validation") * rows.sum(), keep=1)
    dealt[order[test : test + validation]] = 1
    dealt[order[:test]] = 2
    return dealt


def _imbalance(dealt: np.ndarray, by_class: np.ndarray, split: Split) -> tuple[int, float]:
    """Number of parts that lack a class, and the distance of the classes from the declared shares."""
    rows = np.stack([np.bincount(dealt, weights, minlength=len(PARTS)) for weights in by_class])
    validation, test = split.share("validation"), split.share("test")
    declared = np.array([1 - validation - test, validation, test])
    shares = rows / rows.sum(axis=1, keepdims=True)
    return int((rows == 0).sum()), float(np.abs(shares - declared).sum())


def _times(table: pd.DataFrame, dataset: Dataset) -> pd.Series:
    """Dates or numbers, none of them missing."""
    times = _column(table, dataset.time, "dataset.time")
    dates = pd.api.types.is_datetime64_any_dtype(times)
    if not dates and (not pd.api.types.is_numeric_dtype(times) or pd.api.types.is_bool_dtype(times)):
        first = times.dropna().drop_duplicates().head(3)
        shown = ", ".join(f"{value!r} (row {row})" for row, value in first.items()) or "no value at all"
        raise DataError(
            f"column {times.name!r} (dataset.time) holds {shown}, which have no order in time; "
            f"declare the format of its dates in ingestion.dates, or name another column in dataset.time."
        )
    missing = times.isna() if dates else ~np.isfinite(times.to_numpy(dtype=float, na_value=np.nan))
    if missing.any():
        raise SplitError(_absent(times, missing, "dataset.time", "has no time"))
    return times


def _groups(table: pd.DataFrame, dataset: Dataset) -> pd.Series:
    """Groups, none missing, at least one a part."""
    groups = _column(table, dataset.group, "dataset.group")
    missing = groups.isna()
    if missing.any():
        raise DataError(_absent(groups, missing, "dataset.group", "names no group"))
    advice = "name another column in dataset.group, or declare the strategy stratified or time"
    _require_one_a_part(groups, "dataset.group", "group", list(map(repr, groups.unique().tolist())), advice)
    return groups


def _require_one_a_part(column: pd.Series, key: str, kind: str, held: list[str], advice: str) -> None:
    if len(held) < len(PARTS):
        few = f"the single {kind}" if len(held) == 1 else f"only {len(held)} {kind}s,"
        raise SplitError(
            f"column {column.name!r} ({key}) holds {few} {' and '.join(held)} in {len(column):,} rows; the split "
            f"needs at least {len(PARTS)}, one a part: {advice}."
        )


def _column(table: pd.DataFrame, name: str | None, key: str) -> pd.Series:
    if name is None:
        raise ConfigurationError(
            f"{key}: required by split.strategy, but not declared; name a column of the table."
        )
    check_columns([str(column) for column in table.columns], {key: [name]}, "the table")
    return table[name]


def _absent(column: pd.Series, missing: Any, key: str, what: str) -> str:
    first = column.index[missing][0]
    return (
        f"column {column.name!r} ({key}) {what} in {missing.sum():,} of {len(column):,} rows, first in row "
        f"{first}; fill them, quarantine them with {{expect: column_values_to_not_be_null, column: "
        f"{column.name}, on_failure: quarantine}} in contract.expectations, or name another column in {key}."
    )


def _remedy(task: Task, kind: str) -> str:
    return _REMEDIES[kind].format(scarce=task.scarce, complete=task.complete)


def _require_learnable(task: Task, part: pd.Series, labels: pd.Series, kind: str, which: str = "") -> None:
    for name in PARTS:
        lacking = task.lacks(labels[part == name], learnt=name == "train")
        if lacking:
            others = ", ".join(
                f"{each} {task.counted(labels[part == each])}" for each in PARTS if each != name
            )
            raise SplitError(
                f"part {name!r} has {task.counted(labels[part == name])} ({others}, gap {int((part == GAP).sum()):,} "
                f"rows), but needs {lacking}{which}; {_remedy(task, kind)}."
            )


def row_scales(table: pd.DataFrame, name: str) -> pd.Series:
    """What each row's label is divided by, float64; a DataError names a row where that is no number above 0."""
    check_columns([str(column) for column in table.columns], {"dataset.scale": [name]}, "the table")
    scales = pd.to_numeric(table[name], errors="coerce").astype("float64")
    wrong = ~(np.isfinite(scales.to_numpy()) & (scales.to_numpy() > 0))
    if wrong.any():
        row = scales.index[wrong][0]
        raise DataError(
            f"column {name!r} (dataset.scale) holds {table.loc[row, name]!r} in row {row}, one of "
            f"{int(wrong.sum()):,} rows without a finite number above 0; correct them, or derive such a column."
        )
    return scales


def row_weights(table: pd.DataFrame, name: str) -> pd.Series:
    """How much each row counts, float64; a DataError names a row whose weight is none."""
    check_columns([str(column) for column in table.columns], {"dataset.weight": [name]}, "the table")
    column = table[name]
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        raise DataError(
            f"column {name!r} (dataset.weight) holds {column.dropna().iloc[:1].to_list()}, no number; list it in "
            "dataset.numeric to find the rows, or derive a number."
        )
    weights = column.astype("float64")
    wrong = ~(np.isfinite(weights.to_numpy(na_value=np.nan)) & (weights.to_numpy() >= 0))
    if wrong.any():
        row = column.index[wrong][0]
        raise DataError(
            f"column {name!r} (dataset.weight) holds {column[row]} in row {row}, one of {int(wrong.sum()):,} rows "
            "without a weight of 0 or more; correct them, or quarantine them in contract.expectations."
        )
    if not weights.any():
        raise DataError(f"column {name!r} (dataset.weight) is 0 in every row; name another column.")
    counted = weights[weights > 0]
    least, most = counted.min(), counted.max()
    if max(most, 1.0) > _FARTHEST * min(least, 1.0):
        rows = [counted.index[place] for place in (int(counted.argmin()), int(counted.argmax()))]
        raise DataError(
            f"column {name!r} (dataset.weight) holds {least:g} in row {rows[0]} and {most:g} in row {rows[1]}, but "
            f"weights must lie within a factor of {_FARTHEST:g} of each other and of 1, or rows would count for "
            "nothing; correct them, declare another unit, or cap them in a derived column."
        )
    return weights
