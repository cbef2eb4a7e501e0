import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.features import encode
from lepton_pipeline.features.column_encoders import CategoricalColumn
from lepton_pipeline.features.encode import Encoder, encode_rows, jumping_numbers
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import Dataset, Leaks
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target, find_task

BINARY = Target(Binary())
DATASET = Dataset(target="y", positive=1)
IN_TIME = Dataset(target="y", positive=1, time="t")
EFFECTS = {
    "nothing": lambda code: 0 * code,
    "a slope": lambda code: (code - 15) / 8,
    "a bend": lambda code: ((code - 15) / 8) ** 2,
    "a step": lambda code: 2.0 * (code > 18),
}


def jumping(code):
    return np.random.default_rng(0).normal(0, 1.2, 31)[code]


def make(effect, rows=1000, seed=0, by_time=False):
    """Rows with a code from 1 to 30 and another number, and a label that follows both."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"code": rng.integers(1, 31, rows), "x": rng.normal(size=rows), "t": range(rows)})
    logit = effect(table["code"].to_numpy()) + table["x"]
    table["y"] = (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(int)
    fold = -1 if by_time else rng.integers(0, 5, rows)
    return table, pd.DataFrame({"part": "train", "label": table["y"], "fold": fold})


@pytest.mark.parametrize("by_time", [False, True])
def test_a_whole_number_whose_effect_jumps_is_a_category(by_time):
    table, split = make(jumping, by_time=by_time)
    dataset = IN_TIME if by_time else Dataset(target="y", positive=1, exclude=["t"])
    assert jumping_numbers(table, split, BINARY, dataset) == ["code"]


@pytest.mark.parametrize("by_time", [False, True])
@pytest.mark.parametrize("effect", EFFECTS)
def test_a_gradual_effect_or_none_is_that_of_a_number(effect, by_time):
    for seed in range(4):
        table, split = make(EFFECTS[effect], seed=seed, by_time=by_time)
        assert jumping_numbers(table, split, BINARY, IN_TIME) == []


@pytest.mark.parametrize("role", ["numeric", "categorical", "exclude"])
def test_a_declared_role_is_kept(role):
    table, split = make(jumping)
    assert (
        jumping_numbers(table, split, BINARY, Dataset(target="y", positive=1, time="t", **{role: ["code"]}))
        == []
    )


def test_missing_values_are_left_out_and_other_columns_not_tried(monkeypatch):
    table, split = make(jumping)
    table["text"] = table["code"].map(str)
    table["fraction"] = table["code"] / 2
    table["code"] = table["code"].astype("float64").mask(table.index % 7 == 0)
    assert jumping_numbers(table, split, BINARY, IN_TIME) == ["code"]
    never_held_out = table.assign(code=table["code"].where(table.index < 100))
    assert jumping_numbers(never_held_out, split.assign(fold=-1), BINARY, IN_TIME) == []
    monkeypatch.setattr(encode, "MOST_ROWS", 999)
    assert jumping_numbers(table, split, BINARY, IN_TIME) == []


def test_values_that_only_earlier_rows_have_tell_nothing_by_time():
    """By chance each value seems to have a rate of its own; later rows have other values."""
    table, split = make(EFFECTS["nothing"], by_time=True)
    table["code"] = table["t"] // 25
    table["y"] = (table["code"] % 2).astype(int)
    assert jumping_numbers(table, split.assign(label=table["y"]), BINARY, IN_TIME) == []
    assert jumping_numbers(table, split, BINARY, DATASET) == [], (
        "neither folds nor a time: nothing is held out"
    )


def test_a_jumping_number_is_encoded_as_codes_and_saved_so(tmp_path):
    table, split = make(jumping)
    split["part"] = np.where(table.index < 800, "train", "test")
    encoder, encoded = encode_rows(
        table, split, BINARY, IN_TIME, FeatureReport(0, 0.95, "stop", "warn", [], []), Leaks()
    )
    assert {name: dtype.kind for name, dtype in encoded.dtypes.items()} == {"code": "i", "x": "f"}
    encoder.save(tmp_path)
    loaded = Encoder.load(tmp_path)
    assert isinstance(loaded.columns[0], CategoricalColumn)
    assert loaded.inputs == {"code": "number", "x": "number"}
    pd.testing.assert_frame_equal(
        loaded.transform(table.assign(code=table["code"].astype("float64"))), encoded
    )


OTHERS = {
    "number": (Dataset(target="y", task="regression", time="t"), lambda score: score),
    "classes": (
        Dataset(target="y", classes=[0, 1, 2, 3], time="t"),
        lambda score: np.digitize(score, [-1, 0, 1]),
    ),
}


def make_other(task, effect, seed=0, by_time=False):
    """As `make`, with another target of the same score."""
    dataset, of = OTHERS[task]
    table, split = make(effect, seed=seed, by_time=by_time)
    score = (
        effect(table["code"].to_numpy()) + table["x"] + np.random.default_rng(seed + 9).logistic(size=1000)
    )
    return (
        table.assign(y=of(score)),
        split.assign(label=of(score)),
        Target(find_task(table.assign(y=of(score)), dataset)),
    )


@pytest.mark.parametrize("by_time", [False, True])
def test_a_jumping_effect_on_a_number_makes_a_category(by_time):
    table, split, target = make_other("number", jumping, by_time=by_time)
    assert jumping_numbers(table, split, target, OTHERS["number"][0]) == ["code"]


def test_a_jumping_effect_on_classes_makes_a_category():
    table, split, target = make_other("classes", jumping)
    assert jumping_numbers(table, split, target, OTHERS["classes"][0]) == ["code"]


@pytest.mark.parametrize("task", OTHERS)
@pytest.mark.parametrize("effect", EFFECTS)
def test_a_gradual_effect_on_another_target_is_that_of_a_number(task, effect):
    for seed, by_time in ((0, False), (1, True)):
        table, split, target = make_other(task, EFFECTS[effect], seed, by_time)
        assert jumping_numbers(table, split, target, OTHERS[task][0]) == []
