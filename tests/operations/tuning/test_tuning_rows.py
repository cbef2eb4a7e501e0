from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_search import made_rows

from lepton_pipeline.errors import SplitError
from lepton_pipeline.model.folds import plan_fits
from lepton_pipeline.operations.tuning.rows import CHOICE, JUDGED, TRAIN, divide_rows


def divided(*made):
    return divide_rows(*made)


@pytest.mark.parametrize("strategy", ["stratified", "group"])
def test_with_folds_the_validation_rows_are_judged_and_a_fold_of_the_training_rows_chooses(strategy):
    table, encoded, split, *_ = made = made_rows(strategy=strategy)
    rows = divided(*made)
    part = split["part"].loc[rows.split.index]
    assert set(part) == {"train", "validation"}
    assert (rows.split["part"] == JUDGED).equals(part == "validation")
    chosen = rows.split["part"] == CHOICE
    assert chosen.equals((part == "train") & (split["fold"].loc[part.index] == 0))
    assert rows.encoded.equals(encoded.loc[rows.split.index])
    # The whole model is fitted by folds that hold no row that is judged.
    plan = plan_fits(rows.split)
    assert len(plan.folds) == 5
    assert not rows.judged[plan.everything].any()
    if strategy == "group":
        shops = table["shop"].loc[rows.split.index]
        assert not set(shops[rows.judged]) & set(shops[~rows.judged])
        assert list(rows.units) == ["group"]


def test_by_time_the_later_half_of_the_validation_rows_is_judged():
    table, _, split, *_ = made = made_rows(strategy="time", label_delay="5h")
    rows = divided(*made)
    day = {
        name: table["day"].loc[rows.split.index[rows.split["part"] == name]]
        for name in (TRAIN, CHOICE, JUDGED)
    }
    assert day[TRAIN].max() < day[CHOICE].min()
    # What is judged begins when the labels of the choice are known.
    assert day[JUDGED].min() - day[CHOICE].max() == pd.Timedelta("5h")
    assert day[JUDGED].max() == table["day"].loc[split.index[split["part"] == "validation"]].max()
    assert (rows.split["fold"] == -1).all()
    plan = plan_fits(rows.split)
    assert plan.refit
    assert not rows.judged[plan.everything].any()
    assert list(rows.units) == ["block"]


def test_by_time_and_group_no_group_chooses_and_judges():
    table, *_ = made = made_rows(strategy="time_group", n=600, validation=0.4)
    rows = divided(*made)
    shops = table["shop"].loc[rows.split.index]
    assert not set(shops[rows.judged]) & set(shops[rows.split["part"] == CHOICE])


def test_without_folds_and_time_halves_are_drawn():
    table, encoded, split, target, dataset, how = made_rows()
    bare = dataset.model_copy(update={"time": None})
    rows = divided(table, encoded, split.assign(fold=np.int8(-1)), target, bare, how)
    counts = [rows.count(name) for name in (CHOICE, JUDGED)]
    assert sum(counts) == (split["part"] == "validation").sum()
    assert abs(counts[0] - counts[1]) <= 1


def test_what_cannot_be_divided_is_one_message():
    table, encoded, split, *rest = made_rows(strategy="time")
    same = table.assign(day=pd.Timestamp("2025-01-01"))
    with pytest.raises(
        SplitError, match=r"validation rows have the time 2025-01-01.*raise split\.validation"
    ):
        divided(same, encoded, split, *rest)
    one_class = split.assign(label=np.where(split["part"] == "validation", 0, split["label"]))
    with pytest.raises(SplitError, match=r"validation rows that make the choice.*raise split\.validation"):
        divided(table, encoded, one_class, *rest)
