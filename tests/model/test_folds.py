import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.model import folds as module
from lepton_pipeline.model.folds import Fold, Plan, holdout, plan_fits
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.split import split_rows


def positions(split, part):
    return np.flatnonzero(split["part"] == part).tolist()


@pytest.fixture
def at_random():
    """Rows whose index says nothing about their position."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=200), "bought": rng.choice(["yes", "no"], 200)})
    table.index = rng.permutation(1000)[:200]
    return split_rows(table, Target(Binary()), Dataset(target="bought", positive="yes"), Split())


@pytest.fixture
def by_time():
    table = pd.DataFrame({"day": range(100), "bought": ["yes", "no"] * 50})
    dataset = Dataset(target="bought", positive="yes", time="day", label_delay=3)
    return split_rows(table, Target(Binary()), dataset, Split(strategy="time"))


def test_at_random_every_row_but_the_test_rows_is_held_out_once_and_learnt_from_otherwise(at_random):
    plan = plan_fits(at_random)
    usable = sorted(positions(at_random, "train") + positions(at_random, "validation"))
    assert not plan.refit
    assert len(plan.folds) == 5
    assert sorted(np.concatenate([fold.held_out for fold in plan.folds]).tolist()) == usable
    for fold in plan.folds:
        assert sorted([*fold.train.tolist(), *fold.held_out.tolist()]) == usable
        assert at_random["label"].iloc[fold.held_out].nunique() == 2
    assert plan.everything.tolist() == usable


def test_by_time_later_rows_judge_and_then_all_are_learnt_from(by_time):
    plan = plan_fits(by_time)
    assert plan.refit
    (fold,) = plan.folds
    assert fold.train.tolist() == positions(by_time, "train")
    assert fold.held_out.tolist() == positions(by_time, "validation")
    assert fold.train.max() < fold.held_out.min()
    assert positions(by_time, "gap"), "the example must have rows that are used for nothing"
    assert plan.everything.tolist() == positions(by_time, "train") + positions(by_time, "validation")


def test_a_large_table_is_fitted_once_and_not_again(at_random, monkeypatch):
    in_folds = int((at_random["fold"] >= 0).sum())
    monkeypatch.setattr(module, "MOST_ROWS_OF_FOLDS", in_folds)
    assert len(plan_fits(at_random).folds) == 5
    monkeypatch.setattr(module, "MOST_ROWS_OF_FOLDS", in_folds - 1)
    plan = plan_fits(at_random)
    assert not plan.refit
    assert [fold.train.tolist() for fold in plan.folds] == [positions(at_random, "train")]
    assert [fold.held_out.tolist() for fold in plan.folds] == [positions(at_random, "validation")]


def test_folds_that_hold_fewer_numbers_are_taken_as_they_are(at_random):
    plan = plan_fits(at_random.assign(fold=at_random["fold"].replace(4, 3)))
    assert len(plan.folds) == 4
    assert all(len(fold.held_out) for fold in plan.folds)


def test_the_holdout_is_train_and_validation(at_random):
    fold = holdout(at_random)
    assert fold.train.tolist() == positions(at_random, "train")
    assert fold.held_out.tolist() == positions(at_random, "validation")


def test_everything_is_each_row_once_in_order():
    plan = Plan([Fold(np.array([5, 1]), np.array([3])), Fold(np.array([3, 5]), np.array([1]))], refit=False)
    assert plan.everything.tolist() == [1, 3, 5]
