import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.copies import find_copies
from lepton_pipeline.evaluation.measured_copies import describe_copies, more_than_chance
from lepton_pipeline.parameters import Dataset, Features, Split, Window
from lepton_pipeline.tasks.find import Target, find_task
from lepton_pipeline.tasks.split import split_rows

SHOP = Dataset(target="bought", positive=1, id="row")


def measurements(rows=600, seed=0):
    """Rows of which no two are alike."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"x": rng.normal(size=rows), "age": rng.integers(18, 80, rows)})
    return table.assign(city=rng.choice(["Oslo", "Rome"], rows), bought=rng.integers(0, 2, rows))


def answers(rows=2000, seed=1):
    """Rows of three categories that say much about the target: nearly every one occurs many times."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {name: rng.integers(0, levels, rows) for name, levels in (("a", 5), ("b", 4), ("c", 3))}
    )
    chance = 1 / (1 + np.exp(-3 * (table["a"] - 2)))
    return table.astype("str").assign(bought=(rng.random(rows) < chance).astype(int))


def numbered(table):
    return table.reset_index(drop=True).rename_axis("row").reset_index()


def find(table, dataset=SHOP, features=None, **split):
    declared, target = Split(**split), Target(find_task(table, dataset))
    parts = split_rows(table, target, dataset, declared)
    marks, found = find_copies(table, parts, target, dataset, features or Features(), declared)
    return marks, found, parts


def test_rows_that_equal_a_learnt_row_but_for_their_id_are_copies():
    table = numbered(pd.concat([measurements()] * 4))
    marks, found, parts = find(table)
    learnt = table[parts["part"] != "test"].drop(columns="row").apply(tuple, axis=1)
    test = table.loc[marks.index].drop(columns="row").apply(tuple, axis=1)
    assert marks["copy"].tolist() == test.isin(set(learnt)).tolist()
    copies = found.copies
    assert copies.rows == marks["copy"].sum() > 0.95 * found.test_rows
    assert copies.by_chance == 0
    assert copies.repeated == 1800
    one, other = copies.example
    assert (parts.loc[one, "part"], parts.loc[other, "part"] != "test") == ("test", True)
    assert table.loc[one].drop("row").equals(table.loc[other].drop("row"))
    ((name, said),) = describe_copies(found)
    assert (name, said) == (
        "copies",
        f"{copies.rows} of 480 test rows ({copies.rows / 480:.1%}) equal a training or validation row in "
        "every column but 'row', target included; leave every row once in the data, or declare dataset.group (what "
        "they belong to) and split.strategy: group",
    )


def test_another_outcome_makes_no_copy():
    once = measurements()
    marks, found, _ = find(numbered(pd.concat([once, once.assign(bought=1 - once["bought"])])))
    assert found.copies.rows == 0
    assert not more_than_chance(found)
    assert marks["same_inputs"].mean() > 0.5


def test_missing_values_equal_each_other():
    table = measurements().assign(age=np.nan, city=None)
    assert find(numbered(pd.concat([table] * 2)))[1].copies.rows > 100


def test_windows_and_excluded_row_numbers_do_not_hide_copies():
    table = numbered(pd.concat([measurements()] * 2))
    table = table.assign(udi=table["row"] + 9000, before=table["row"] / 7, amount=table["x"].round(1))
    features = Features(windows={"before": Window(statistic="count")})
    dataset = Dataset(target="bought", positive=1, id="row", exclude=["udi", "amount"])
    found = find(table, dataset, features)[1].copies
    assert found.rows > 100
    assert found.ignored == ["row", "udi"]


@pytest.mark.parametrize("deterministic", [False, True])
def test_rows_of_few_values_coincide_by_chance(deterministic):
    table = answers()
    if deterministic:
        table["bought"] = (table["a"].astype(int) + table["b"].astype(int)) % 2
    _, found, _ = find(table, Dataset(target="bought", positive=1))
    assert found.copies.rows > 0.95 * found.test_rows
    assert not more_than_chance(found)
    assert describe_copies(found) == []


def test_real_copies_stand_out_from_chance():
    rng = np.random.default_rng(4)
    table = answers().assign(x=rng.normal(size=2000).round(2))
    dataset = Dataset(target="bought", positive=1)
    by_chance = find(table, dataset)[1]
    assert 20 < by_chance.copies.rows < 80
    assert not more_than_chance(by_chance)
    found = find(pd.concat([table, table.sample(300, random_state=0)], ignore_index=True), dataset)[1]
    assert more_than_chance(found)
    assert found.copies.by_chance < 0.6 * found.copies.rows


def test_oversampled_positives_are_copies():
    table = measurements()
    positives = table[table["bought"] == 1]
    marks, found, parts = find(numbered(pd.concat([table, positives, positives])))
    copied = marks["copy"] & (parts.loc[marks.index, "label"] == 1)
    assert copied.sum() == found.copies.rows
    assert found.copies.by_chance < 5


def test_a_split_by_time_keeps_copies_together():
    table = measurements().assign(day=pd.date_range("2025-01-01", periods=600))
    dataset = Dataset(target="bought", positive=1, id="row", time="day")
    found = find(numbered(pd.concat([table, table.tail(50)])), dataset, strategy="time")[1]
    assert (found.copies.rows, found.copies.repeated) == (0, 50)
    ((name, said),) = describe_copies(found)
    assert (name, said) == (
        "copies",
        "50 of 650 rows of the table repeat an earlier one; they have the same time, so the split by time "
        "keeps them in one part",
    )
    assert describe_copies(find(numbered(table), dataset, strategy="time")[1]) == []


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_copies_show_beside_a_block_of_rows_that_are_alike_by_nature(share):
    rng = np.random.default_rng(71)
    active = rng.random(2000) < 0.75
    table = pd.DataFrame(
        {"plan": rng.choice(["S", "M", "L"], 2000), "region": rng.choice(list("NESW"), 2000)}
    )
    for name, scale in (("minutes", 50), ("data", 3), ("abroad", 2)):
        table[name] = np.where(active, np.round(rng.gamma(2, scale, 2000), 1), 0)
    table["bought"] = (rng.random(2000) < np.where(active, 0.2, 0.6)).astype(int)
    again = table[active].sample(frac=share, random_state=2)
    found = find(numbered(pd.concat([table, again])))[1]
    assert more_than_chance(found) == (share > 0)


OTHER_TARGETS = [
    Dataset(target="bought", task="regression", id="row"),
    Dataset(target="bought", classes=[0, 1, 2, 3], id="row"),
]


def other_target(dataset, table, seed=5):
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=len(table)) if dataset.classes is None else rng.integers(0, 4, len(table))
    return table.assign(bought=numbers)


@pytest.mark.parametrize("dataset", OTHER_TARGETS, ids=["number", "classes"])
def test_copies_are_found_whatever_is_predicted(dataset):
    once = other_target(dataset, measurements())
    found = find(numbered(pd.concat([once, once])), dataset)[1]
    assert found.copies.rows > 100
    assert found.copies.by_chance == 0
    assert more_than_chance(found)
    # A house is sold again at another price.
    again = once.assign(bought=other_target(dataset, once, 6)["bought"])
    marks, found, _ = find(numbered(pd.concat([once, again[once["bought"] != again["bought"]]])), dataset)
    assert found.copies.rows == 0
    assert marks["same_inputs"].mean() > 0.4


@pytest.mark.parametrize("dataset", OTHER_TARGETS, ids=["number", "classes"])
def test_inputs_of_few_values_coincide_whatever_is_predicted(dataset):
    table = other_target(dataset, answers())
    assert not more_than_chance(find(numbered(table), dataset)[1])
    # A tariff: the target follows from the inputs.
    tariff = pd.factorize(table["a"] + table["b"])[0]
    table["bought"] = tariff * 1.7 if dataset.classes is None else tariff % 4
    assert not more_than_chance(find(numbered(table), dataset)[1])
