import json

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data import training_rows
from lepton_pipeline.data.training_rows import TrainingRows, repeat_advice, unseen_rows
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset, Split

DATASET = Dataset(target="bought", positive=1)
BY_TIME = Dataset(target="bought", positive=1, time="day", label_delay="2d")


def rows(count=8, **columns):
    table = pd.DataFrame({"age": np.arange(count) + 20, "city": ["Oslo", "Rome"] * (count // 2), **columns})
    parts = ["train"] * (count // 2) + ["validation"] * (count // 4) + ["test"] * (count // 4)
    return table, pd.DataFrame({"part": parts, "label": np.arange(count) % 2})


def learnt(table, split, dataset=DATASET, inputs=("age", "city")):
    return TrainingRows.of(table, split, inputs, dataset)


def test_the_test_rows_of_the_same_split_are_new():
    table, split = rows()
    assert learnt(table, split).learnt(table, split).tolist() == [False, False]
    assert len(learnt(table, split).hashes) == 6


def test_rows_that_moved_into_the_test_are_recognised():
    table, split = rows()
    known = learnt(table, split)
    moved = split.assign(part=split["part"].to_list()[::-1])
    assert known.learnt(table, moved).tolist() == [True, True]


def test_a_corrected_value_makes_another_row():
    table, split = rows()
    known = learnt(table, split)
    moved = split.assign(part=split["part"].to_list()[::-1])
    table.loc[0, "age"] = 99
    assert known.learnt(table, moved).tolist() == [False, True]


def test_rows_are_the_same_whatever_holds_their_values():
    table, split = rows()
    known = learnt(table.assign(member=[True, False] * 4), split, inputs=["age", "city", "member"])
    other = table.assign(
        age=(table["age"] * (1 + 1e-12)).astype("float64"),
        city=table["city"].astype("category"),
        member=[1.0, -0.0] * 4,
    )
    moved = split.assign(part=split["part"].to_list()[::-1])
    assert known.learnt(other[["member", "city", "age"]], moved).tolist() == [True, True]


def test_of_equal_rows_as_many_are_left_out_as_were_learnt_from():
    """Five equal rows, of which the model has learnt from three."""
    table = pd.DataFrame({"age": [1] * 5})
    split = pd.DataFrame({"part": ["train", "train", "validation", "test", "test"], "label": 1})
    known = learnt(table, split, inputs=["age"])
    assert known.learnt(table, split).tolist() == [False, False]
    one_elsewhere = split.assign(part=["gap", "test", "test", "test", "test"])
    assert known.learnt(table, one_elsewhere).tolist() == [True, True, False, False]
    assert not known.learnt(table, one_elsewhere.assign(label=0)).any()


def test_an_id_tells_equal_rows_apart_to_the_last_digit():
    big = 2**40
    table = pd.DataFrame({"id": [big, big + 1, big + 2, big + 3], "age": 1})
    split = pd.DataFrame({"part": ["train", "validation", "test", "test"], "label": 1})
    known = learnt(table, split, Dataset(target="bought", positive=1, id="id"), inputs=["age"])
    swapped = split.assign(part=["test", "train", "train", "test"])
    assert known.learnt(table, swapped).tolist() == [True, False]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda table: table.drop(columns="city"), "column 'city' is gone"),
        (lambda table: table.assign(city=1.5), "column 'city' held texts then and holds numbers now"),
    ],
)
def test_rows_that_cannot_be_recognised_are_not_taken_for_new(change, problem):
    table, split = rows()
    with pytest.raises(DataError, match=problem):
        learnt(table, split).learnt(change(table), split)


def test_what_is_saved_is_read_again_and_holds_no_value(tmp_path):
    table, split = rows(day=pd.date_range("2026-01-01", periods=8))
    known = learnt(table, split, BY_TIME)
    known.save(tmp_path)
    loaded = TrainingRows.load(tmp_path)
    assert loaded.until == "2026-01-06T00:00:00"
    assert loaded.columns == {"age": "number", "city": "text", "day": "date"}
    assert np.array_equal(loaded.hashes, known.hashes)
    assert loaded.hashes.dtype == np.uint64
    assert b"Oslo" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("change", [{"format": 99}, {"probe": "other"}])
def test_hashes_of_another_making_are_refused(tmp_path, change):
    table, split = rows()
    learnt(table, split).save(tmp_path)
    file = tmp_path / "training_rows.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(DataError, match="another version of the project or of pandas"):
        TrainingRows.load(tmp_path)


@pytest.mark.parametrize("days", [pd.date_range("2026-01-01", periods=16), np.arange(16) + 1])
def test_by_time_only_rows_count_whose_model_could_not_know_of_them(days):
    """The champion knows rows until day 12, whose label was known on day 14; a gap of one day is declared."""
    table, split = rows(16, day=days)
    dated = isinstance(days, pd.DatetimeIndex)
    dataset = Dataset(target="bought", positive=1, time="day", label_delay="2d" if dated else 2)
    known = learnt(table, split, dataset)
    later = split.assign(part=["gap"] * 10 + ["test"] * 6)
    fresh = unseen_rows(known, table, later, dataset, Split(strategy="time", gap="1d" if dated else 1))
    assert fresh.tolist() == [False, False, False, False, True, True]


def test_a_time_that_was_not_known_then_or_is_of_another_kind_is_said():
    table, split = rows(day=pd.date_range("2026-01-01", periods=8))
    by_time = Split(strategy="time")
    with pytest.raises(
        DataError, match="the time until which it was trained is unknown: none was declared then"
    ):
        unseen_rows(learnt(table, split), table, split, BY_TIME, by_time)
    known = TrainingRows({}, [], np.empty(0, np.uint64), np.empty(0, np.uint64), "12")
    with pytest.raises(DataError, match="12 does not compare with column 'day' now"):
        unseen_rows(known, table, split, BY_TIME.model_copy(update={"label_delay": 0}), by_time)


def test_by_group_only_rows_of_new_groups_count():
    table, split = rows(household=list("aabbccdd"))
    dataset = Dataset(target="bought", positive=1, group="household")
    known = learnt(table, split, dataset)
    moved = split.assign(part=["gap"] * 4 + ["test"] * 4)
    changed = table.assign(age=table["age"] + 100)
    fresh = unseen_rows(known, changed, moved, dataset, Split(strategy="group"))
    assert fresh.tolist() == [False, False, True, True]
    with pytest.raises(DataError, match="the groups it was trained on are unknown: none was declared then"):
        unseen_rows(learnt(table, split), table, split, dataset, Split(strategy="group"))


BY_ID = Dataset(target="bought", positive=1, id="id")


def customers(count=8, **columns):
    table, split = rows(count, **columns)
    return table.assign(id=[f"c{number}" for number in range(count)]), split


def test_an_id_alone_says_whether_a_row_was_learnt_from():
    """The same customers a month later: older, some with another outcome."""
    table, split = customers()
    known = learnt(table, split, BY_ID)
    later = table.assign(age=table["age"] + 1).drop(columns="city")
    moved = split.assign(part=split["part"].to_list()[::-1], label=1 - split["label"])
    assert known.learnt(later, moved).tolist() == [True, True]
    assert known.learnt(later, split).tolist() == [False, False]
    with pytest.raises(DataError, match="column 'id' is gone"):
        known.learnt(table.drop(columns="id"), moved)


def test_of_rows_that_share_an_id_the_others_were_learnt_from_too():
    """Which of a customer's rows was in training, nobody can tell once their inputs have changed."""
    table, split = customers()
    known = learnt(table, split, BY_ID)
    shared = table.assign(id=["c0", "c1", "c2", "c3", "c4", "c5", "c0", "new"])
    assert known.learnt(shared, split).tolist() == [True, False]


def test_a_time_tells_the_observations_of_an_id_apart():
    dataset = Dataset(target="bought", positive=1, id="id", time="day")
    table, split = customers(day=pd.date_range("2026-01-01", periods=8))
    known = learnt(table, split, dataset)
    moved = split.assign(part=split["part"].to_list()[::-1])
    assert known.learnt(table.assign(age=1.5), moved).tolist() == [True, True]
    assert known.learnt(table.assign(day=table["day"] + pd.Timedelta(days=30)), moved).tolist() == [
        False,
        False,
    ]


def test_rows_without_an_id_are_recognised_by_their_inputs():
    table, split = customers()
    table = table.assign(id=table["id"].where(table.index > 2))
    known = learnt(table, split, BY_ID)
    moved = split.assign(part=["test"] * 4 + ["gap"] * 4)
    changed = table.assign(age=table["age"].where(table.index != 1, 99))
    assert known.learnt(changed, moved).tolist() == [True, False, True, True]
    with pytest.raises(DataError, match="column 'age' is gone"):
        known.learnt(table.drop(columns="age"), moved)


def test_a_record_of_before_is_read_and_judges_whole_rows(tmp_path):
    """As earlier versions wrote it: the id among the inputs, in one hash with the label."""
    table, split = customers()
    inputs = ("age", "city", "id")
    before = learnt(table, split, DATASET, inputs)
    before.save(tmp_path)
    file = tmp_path / "training_rows.json"
    description = json.loads(file.read_text()) | {"format": 1, "keys": ["id"]}
    del description["identity"]
    file.write_text(json.dumps(description))
    moved = split.assign(part=split["part"].to_list()[::-1])
    loaded = TrainingRows.load(tmp_path)
    assert loaded.learnt(table, moved).tolist() == [True, True]
    assert loaded.learnt(table.assign(age=table["age"] + 1), moved).tolist() == [False, False]


def test_what_is_saved_of_ids_is_read_again(tmp_path):
    table, split = customers()
    learnt(table, split, BY_ID).save(tmp_path)
    assert TrainingRows.load(tmp_path).identity == ("id",)


def test_who_names_rows_by_an_id_alone_is_told_of_the_time():
    assert repeat_advice(BY_ID) == "declare dataset.time if rows of one id are observed again"
    assert repeat_advice(BY_TIME) == repeat_advice(BY_ID.model_copy(update={"time": "day"})) == ""


@pytest.mark.parametrize("dataset", [DATASET, Dataset(target="bought", positive=1, id="key")])
def test_hashes_do_not_depend_on_how_many_rows_are_hashed_at_once(monkeypatch, dataset):
    table, split = rows(key=pd.array([7, None, 9, 10, None, 12, 13, 14], dtype="Int64"))
    whole = learnt(table, split, dataset)
    monkeypatch.setattr(training_rows, "CHUNK", 3)
    assert np.array_equal(learnt(table, split, dataset).hashes, whole.hashes)
    assert whole.learnt(table, split).tolist() == [False, False]
