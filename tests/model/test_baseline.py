from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.model import baseline as module
from lepton_pipeline.model.baseline import score_baselines
from lepton_pipeline.parameters import Training


def rows(n=600, seed=0):
    """Rows whose label follows one number and one category of many codes."""
    rng = np.random.default_rng(seed)
    encoded = pd.DataFrame(
        {
            "a": rng.normal(size=n).astype(np.float32),
            "noise": rng.normal(size=n).astype(np.float32),
            "c": rng.integers(0, 3, n).astype(np.int32),
        }
    )
    chance = 1 / (1 + np.exp(-2 * encoded["a"] - 2 * (encoded["c"] == 1) + 1))
    split = pd.DataFrame({"part": rng.choice(["train", "validation", "test"], n, p=[0.6, 0.2, 0.2])})
    return encoded, split.assign(label=(rng.random(n) < chance).astype(np.int8), fold=np.int8(-1))


def auc(scores, labels):
    positive, negative = scores[labels == 1].to_numpy(), scores[labels == 0].to_numpy()
    return (positive[:, None] > negative).mean()


ALONE = Training(boosting=False)
BOTH = ["logistic_regression", "hist_gradient_boosting"]


@pytest.fixture
def in_folds():
    encoded, split = rows()
    in_test = split["part"] == "test"
    return encoded, split.assign(fold=np.where(in_test, -1, np.arange(len(split)) % 5).astype(np.int8))


def test_both_baselines_rank_the_scored_rows():
    encoded, split = rows()
    scores = score_baselines(encoded, split, ALONE)
    assert list(scores.columns) == BOTH
    assert scores.index.equals(split.index[split["part"] != "train"])
    assert all(str(dtype) == "float64" for dtype in scores.dtypes)
    assert scores.to_numpy().min() >= 0
    assert scores.to_numpy().max() <= 1
    for name in scores:
        assert auc(scores[name], split.loc[scores.index, "label"]) > 0.8


def test_a_model_with_boosting_needs_no_second_one(in_folds):
    assert list(score_baselines(*in_folds, Training())) == ["logistic_regression"]
    assert list(score_baselines(*in_folds, Training(model="mlp", boosting=True))) == ["logistic_regression"]


@pytest.mark.parametrize(
    ("model", "folds", "kind"), [("default", 1, "folds"), ("default", 0, "refit"), ("mlp", 1, "")]
)
def test_baselines_learn_from_the_rows_that_the_model_learns_from(in_folds, monkeypatch, model, folds, kind):
    """A label of a validation row tells on the test rows only where the model that is kept learns from it, too."""
    plans = []

    def boost_by_plan(encoded, labels, plan, training):
        plans.append(plan)
        return SimpleNamespace(logits=lambda rows: np.zeros(len(rows))), np.zeros(len(encoded))

    monkeypatch.setattr(module, "boost_by_plan", boost_by_plan)
    encoded, split = in_folds
    split = split if folds else split.assign(fold=np.int8(-1))
    row = split.index[split["part"] == "validation"][0]
    other = split.assign(label=split["label"].where(split.index != row, 1 - split["label"]))
    training = Training(model=model, boosting=False)
    first, second = (
        score_baselines(encoded, each, training)["logistic_regression"] for each in (split, other)
    )
    in_test = split.loc[first.index, "part"] == "test"
    assert (first != second)[in_test].any() == bool(kind)
    # The scores that choose the threshold are of a fit that has not learnt from the row.
    assert first[row] == second[row]
    assert plans[0].kind == (kind or "holdout")


def test_scores_are_repeated_and_do_not_see_test_labels():
    encoded, split = rows()
    first = score_baselines(encoded, split, ALONE)
    flipped = split.assign(label=split["label"].where(split["part"] != "test", 1 - split["label"]))
    pd.testing.assert_frame_equal(score_baselines(encoded, flipped, ALONE), first, check_exact=True)


def test_codes_beyond_what_boosting_takes_and_codes_never_trained_on_are_scored():
    encoded, split = rows()
    many = encoded.assign(many=np.arange(len(encoded), dtype=np.int32))
    before = many.copy(deep=True)
    assert score_baselines(many, split, ALONE).notna().all(axis=None)
    pd.testing.assert_frame_equal(many, before)


def test_rows_of_numbers_only_and_of_codes_only_are_scored():
    encoded, split = rows()
    for columns in (["a", "noise"], ["c"]):
        assert score_baselines(encoded[columns], split, ALONE).notna().all(axis=None)


def test_the_penalty_of_the_regression_is_chosen_by_the_validation_rows():
    encoded, split = rows()
    flipped = split.assign(label=split["label"].where(split["part"] != "validation", 1 - split["label"]))
    straight, reverse = (
        score_baselines(encoded, each, Training(model="mlp", boosting=True))["logistic_regression"]
        for each in (split, flipped)
    )
    # Where the validation rows contradict the training rows, the strongest penalty is the least wrong.
    assert reverse.std() < 0.9 * straight.std()
