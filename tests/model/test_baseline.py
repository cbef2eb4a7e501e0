from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.model import baseline as module
from lepton_pipeline.model.baseline import score_baselines, score_in_use
from lepton_pipeline.parameters import Evaluation, Training
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

BINARY = Target(Binary())


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
    scores = score_baselines(encoded, split, BINARY, ALONE)
    assert list(scores.columns) == BOTH
    assert scores.index.equals(split.index[split["part"] != "train"])
    assert all(str(dtype) == "float64" for dtype in scores.dtypes)
    assert scores.to_numpy().min() >= 0
    assert scores.to_numpy().max() <= 1
    for name in scores:
        assert auc(scores[name], split.loc[scores.index, "label"]) > 0.8


def test_a_model_with_boosting_needs_no_second_one(in_folds):
    assert list(score_baselines(*in_folds, BINARY, Training())) == ["logistic_regression"]
    assert list(score_baselines(*in_folds, BINARY, Training(model="mlp", boosting=True))) == [
        "logistic_regression"
    ]


@pytest.mark.parametrize(
    ("model", "folds", "kind"), [("default", 1, "folds"), ("default", 0, "refit"), ("mlp", 1, "")]
)
def test_baselines_learn_from_the_rows_that_the_model_learns_from(in_folds, monkeypatch, model, folds, kind):
    """A label of a validation row tells on the test rows only where the model that is kept learns from it, too."""
    plans = []

    def boost_by_plan(encoded, targets, plan, training, task):
        plans.append(plan)
        return [SimpleNamespace(outputs=lambda rows: np.zeros(len(rows)))], np.zeros(len(encoded))

    monkeypatch.setattr(module, "boost_by_plan", boost_by_plan)
    encoded, split = in_folds
    split = split if folds else split.assign(fold=np.int8(-1))
    row = split.index[split["part"] == "validation"][0]
    other = split.assign(label=split["label"].where(split.index != row, 1 - split["label"]))
    training = Training(model=model, boosting=False)
    first, second = (
        score_baselines(encoded, each, BINARY, training)["logistic_regression"] for each in (split, other)
    )
    in_test = split.loc[first.index, "part"] == "test"
    assert (first != second)[in_test].any() == bool(kind)
    # The scores that choose the threshold are of a fit that has not learnt from the row.
    assert first[row] == second[row]
    assert plans[0].kind == (kind or "holdout")


def test_scores_are_repeated_and_do_not_see_test_labels():
    encoded, split = rows()
    first = score_baselines(encoded, split, BINARY, ALONE)
    flipped = split.assign(label=split["label"].where(split["part"] != "test", 1 - split["label"]))
    pd.testing.assert_frame_equal(score_baselines(encoded, flipped, BINARY, ALONE), first, check_exact=True)


def test_codes_beyond_what_boosting_takes_and_codes_never_trained_on_are_scored():
    encoded, split = rows()
    many = encoded.assign(many=np.arange(len(encoded), dtype=np.int32))
    before = many.copy(deep=True)
    assert score_baselines(many, split, BINARY, ALONE).notna().all(axis=None)
    pd.testing.assert_frame_equal(many, before)


def test_rows_of_numbers_only_and_of_codes_only_are_scored():
    encoded, split = rows()
    for columns in (["a", "noise"], ["c"]):
        assert score_baselines(encoded[columns], split, BINARY, ALONE).notna().all(axis=None)


def test_the_penalty_of_the_regression_is_chosen_by_the_validation_rows():
    encoded, split = rows()
    flipped = split.assign(label=split["label"].where(split["part"] != "validation", 1 - split["label"]))
    straight, reverse = (
        score_baselines(encoded, each, BINARY, Training(model="mlp", boosting=True))["logistic_regression"]
        for each in (split, flipped)
    )
    # Where the validation rows contradict the training rows, the strongest penalty is the least wrong.
    assert reverse.std() < 0.9 * straight.std()


def in_use(column, **declared):
    """Scores of a column in use, on rows that know the label a little."""
    encoded, split = rows()
    table = encoded.assign(column=column(encoded) if callable(column) else column)
    return score_in_use(table, split, BINARY, Evaluation(baselines={"today": "column", **declared})), split


def test_probabilities_in_use_stay_as_they_are():
    scores, split = in_use(lambda table: 1 / (1 + np.exp(-table["a"])))
    assert list(scores) == ["today"]
    assert scores.index.equals(split.index[split["part"] != "train"])
    assert auc(scores["today"], split.loc[scores.index, "label"]) > 0.7
    assert scores["today"].tolist() == (1 / (1 + np.exp(-rows()[0]["a"])))[scores.index].tolist()


def test_a_score_on_another_scale_keeps_its_ranks_and_becomes_a_probability():
    scores, _ = in_use(lambda table: 600 - 50 * table["a"])
    points = -rows()[0].loc[scores.index, "a"]
    assert scores["today"].between(0, 1, inclusive="neither").all()
    assert (scores["today"].rank() == points.rank()).all()


def test_a_rule_in_use_gets_the_rates_of_the_validation_rows():
    scores, split = in_use(lambda table: table["a"] > 0)
    validation = split["part"] == "validation"
    rates = split["label"][validation].groupby(rows()[0].loc[validation, "a"] > 0).mean()
    assert sorted(scores["today"].unique()) == pytest.approx(rates.tolist(), abs=0.02)


@pytest.mark.parametrize(
    ("column", "seen"),
    [
        (
            "high",
            r"column 'column' \(evaluation.baselines.today\) holds \['high'\], no number; a score in use is one",
        ),
        (
            np.nan,
            r"column 'column' \(evaluation.baselines.today\) has no score in \d+ of \d+ validation and test rows",
        ),
    ],
)
def test_a_score_in_use_that_is_none_is_refused(column, seen):
    with pytest.raises(DataError, match=seen):
        in_use(column)


def test_a_score_in_use_that_is_absent_is_hinted_at():
    encoded, split = rows()
    with pytest.raises(
        DataError, match=r"no column 'nois', which evaluation.baselines.today declares; did you mean"
    ):
        score_in_use(encoded, split, BINARY, Evaluation(baselines={"today": "nois"}))


def test_of_many_rows_the_linear_model_learns_from_a_sample_and_says_so(monkeypatch, caplog):
    encoded, split = rows(2000)
    whole = score_baselines(encoded, split, BINARY, ALONE)["logistic_regression"]
    monkeypatch.setattr(module, "SCORED_ROWS", 70)
    pd.testing.assert_series_equal(
        score_baselines(encoded, split, BINARY, ALONE)["logistic_regression"], whole, rtol=1e-12
    )
    assert not caplog.text
    monkeypatch.setattr(module, "LINEAR_ROWS", 500)
    with caplog.at_level("INFO"):
        some = score_baselines(encoded, split, BINARY, ALONE)["logistic_regression"]
    assert f"a sample of 500 of {(split['part'] == 'train').sum():,} rows" in caplog.text
    assert some.index.equals(whole.index)
    assert 0 < (some - whole).abs().max() < 0.1
