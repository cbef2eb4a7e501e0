"""Parts and folds of every task: at random with the same shares, else by time, group or column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import SplitError
from lepton_pipeline.parameters import Dataset, Evaluation, Split, Training
from lepton_pipeline.tasks.find import find_target
from lepton_pipeline.tasks.split import PARTS, split_rows

ROWS = 600
ROLES = {"time": "when", "group": "who"}
DATASETS = {
    "binary": Dataset(target="late", positive=1, **ROLES),
    "multiclass": Dataset(target="kind", classes="all", **ROLES),
    "regression": Dataset(target="days", task="regression", **ROLES),
}
each_task = pytest.mark.parametrize("name", DATASETS)


def shipments(rows=ROWS, seed=0):
    """One row a day of fifty customers, in no order."""
    rng = np.random.default_rng(seed)
    days = np.exp(rng.normal(1.0, 0.6, rows))
    table = pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=rows),
            "who": rng.integers(0, 50, rows),
            "days": days,
            "late": (days > 4).astype(int),
            "kind": rng.choice(["air", "rail", "road", "sea"], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "part": np.where(
                np.arange(rows) % 6 == 0, "test", np.where(np.arange(rows) % 6 == 1, "dev", "rest")
            ),
        }
    )
    return table.sample(frac=1, random_state=1)


def divide(table, name, **declared):
    dataset = DATASETS[name]
    target = find_target(table, dataset, Training(), Evaluation())
    if declared.get("strategy") == "column":
        dataset = dataset.model_copy(update={"time": None})
    return target.task, split_rows(table, target, dataset, Split(**declared))


def shares(task, split):
    """Of each stratum, in each part."""
    strata = task.strata(split["label"])
    return pd.crosstab(strata, split["part"], normalize="index")[list(PARTS)]


@each_task
def test_at_random_every_stratum_is_shared_out_alike(name):
    table = shipments()
    task, split = divide(table, name, test=0.2, validation=0.2)
    assert split.index.equals(table.index)
    assert split["part"].value_counts().to_dict() == {"train": 360, "validation": 120, "test": 120}
    assert (shares(task, split) - [0.6, 0.2, 0.2]).abs().max(axis=None) < 0.04
    assert split["label"].dtype == {"binary": "int8", "multiclass": "int16", "regression": "float64"}[name]


@each_task
def test_at_random_every_fold_has_every_stratum(name):
    task, split = divide(shipments(), name)
    used = split[split["part"] != "test"]
    assert sorted(used["fold"].unique()) == [0, 1, 2, 3, 4]
    assert (split.loc[split["part"] == "test", "fold"] == -1).all()
    strata = task.strata(used["label"])
    counts = pd.crosstab(strata, used["fold"])
    assert (counts.max(axis=1) - counts.min(axis=1)).max() <= 1


@each_task
def test_by_time_parts_follow_each_other(name):
    table = shipments()
    _, split = divide(table, name, strategy="time")
    assert split.loc[table["when"].sort_values().index, "part"].tolist() == (
        ["train"] * 360 + ["validation"] * 120 + ["test"] * 120
    )
    assert (split["fold"] == -1).all()


@each_task
def test_groups_stay_whole_and_folds_too(name):
    table = shipments()
    task, split = divide(table, name, strategy="group")
    assert split.groupby(table["who"])["part"].nunique().max() == 1
    assert split.groupby(table["who"])["fold"].nunique().max() == 1
    assert sorted(split.loc[split["part"] != "test", "fold"].unique()) == [0, 1, 2, 3, 4]
    assert (shares(task, split).mean() - [0.6, 0.2, 0.2]).abs().max() < 0.1


@each_task
def test_a_column_of_parts_decides(name):
    table = shipments()
    _, split = divide(table, name, strategy="column", column="part", test=["test"], validation=["dev"])
    named = {"test": "test", "dev": "validation", "rest": "train"}
    assert split["part"].tolist() == table["part"].map(named).tolist()
    assert sorted(split.loc[split["part"] != "test", "fold"].unique()) == [0, 1, 2, 3, 4]


@each_task
@pytest.mark.parametrize("strategy", ["stratified", "group"])
def test_the_seed_decides(name, strategy):
    table = shipments()
    one, again, other = (divide(table, name, strategy=strategy, seed=seed)[1] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, again)
    assert not one["part"].equals(other["part"])


def test_a_class_that_training_rows_lack_is_named():
    table = shipments().assign(kind=lambda rows: np.where(rows["when"] < "2025-04-25", rows["kind"], "drone"))
    with pytest.raises(
        SplitError, match=r"part 'train' has 360 rows of 4 of 5 classes, .* but needs class 'drone'"
    ):
        divide(table, "multiclass", strategy="time")


def test_a_class_that_test_rows_lack_is_no_fault():
    table = shipments()
    later = table["when"] >= "2025-04-25"
    table["kind"] = table["kind"].mask(later & table["kind"].isin(["rail", "sea"]), "road")
    _, split = divide(table, "multiclass", strategy="time")
    assert split.loc[split["part"] == "test", "label"].nunique() == 2


def test_too_few_numbers_for_a_part_are_counted():
    with pytest.raises(
        SplitError, match=r"part 'validation' has 8 rows \(train 24 rows, .* but needs 10 rows; change"
    ):
        divide(shipments(40), "regression", strategy="time")


def test_few_numbers_are_divided_at_random_all_the_same():
    _, split = divide(shipments(60), "regression")
    assert split["part"].value_counts().to_dict() == {"train": 36, "validation": 12, "test": 12}
    assert sorted(split.loc[split["part"] != "test", "fold"].unique()) == [0, 1, 2, 3, 4]
