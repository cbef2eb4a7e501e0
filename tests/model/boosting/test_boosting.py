import numpy as np
import pandas as pd

from lepton_pipeline.model.boosting import fit as boosting
from lepton_pipeline.model.boosting.fit import Targets, boost, boost_by_plan, code_columns, folded
from lepton_pipeline.model.boosting.trees import Trees
from lepton_pipeline.model.folds import Fold, Plan
from lepton_pipeline.parameters import Training
from lepton_pipeline.statistics.ranks import auc
from lepton_pipeline.tasks.binary import Binary

TRAINING = Training()


def table(n=400, seed=0, rate=0.5):
    """Rows whose label follows one number and one category; another category has more codes than boosting takes."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < rate).astype(np.int8)
    rows = pd.DataFrame(
        {
            "a": (rng.normal(size=n) + 1.5 * labels).astype(np.float32),
            "noise": rng.normal(size=n).astype(np.float32),
            "c": (rng.integers(0, 3, n) + (labels & (rng.random(n) < 0.3))).astype(np.int32),
            "many": rng.integers(0, 400, n).astype(np.int32),
        }
    )
    return rows, labels


def stopped(rows, labels, cut=250, training=TRAINING, **options):
    return boost(
        rows.iloc[:cut],
        Targets(labels[:cut]),
        training,
        stop=(rows.iloc[cut:], Targets(labels[cut:])),
        **options,
    )


def logits(boosted, rows):
    return Trees.average([boosted]).outputs(rows)


def test_it_stops_and_keeps_the_trees_with_the_lowest_log_loss_of_the_stop_rows():
    rows, labels = table()
    before = rows.copy(deep=True)
    boosted = model, trees = stopped(rows, labels)
    assert 1 < trees < model.n_iter_ < boosting.MOST_TREES
    losses = [
        -np.log(np.where(labels[250:] == 1, staged[:, 1], staged[:, 0])).mean()
        for staged in model.staged_predict_proba(folded(rows.iloc[250:]))
    ]
    assert trees == np.argmin(losses) + 1
    assert model.n_iter_ == trees + 100
    unseen, theirs = table(seed=1)
    assert auc(logits(boosted, unseen), theirs) > 0.8
    pd.testing.assert_frame_equal(rows, before)


def test_a_given_number_of_trees_is_fitted_without_stopping():
    rows, labels = table()
    model, trees = boost(rows, Targets(labels), TRAINING, trees=17)
    assert trees == model.n_iter_ == 17
    assert model.learning_rate == 0.03


def test_many_rows_are_learnt_at_a_faster_rate_unless_one_is_given(monkeypatch):
    monkeypatch.setattr(boosting, "MANY_ROWS", 399)
    rows, labels = table()
    assert boost(rows, Targets(labels), TRAINING, trees=2)[0].learning_rate == 0.06
    assert boost(rows.iloc[:399], Targets(labels[:399]), TRAINING, trees=2)[0].learning_rate == 0.03
    assert boost(rows, Targets(labels), TRAINING, trees=2, learning_rate=0.03)[0].learning_rate == 0.03


def test_the_same_seed_gives_the_same_bits_and_another_one_others():
    rows, labels = table()
    first, again, other = (
        logits(boost(rows, Targets(labels), Training(seed=seed), trees=10), rows) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_balanced_classes_raise_the_odds_of_the_rarer():
    rows, labels = table(n=600, rate=0.1)
    plain, balanced = (
        stopped(rows, labels, training=Training(class_weight=weight)) for weight in ("none", "balanced")
    )
    assert logits(plain, rows).mean() < logits(balanced, rows).mean() - 1
    # Were the stop rows not weighted, too, the loss would rise from the first trees on.
    assert balanced[1] > 20


def test_a_few_dozen_rows_are_learnt_from():
    rows, labels = table(n=48)
    boosted = boost(rows[["a"]], Targets(labels), TRAINING, trees=50)
    assert boosted[0].min_samples_leaf == 5
    unseen, theirs = table(seed=1)
    assert auc(logits(boosted, unseen), theirs) > 0.65


def test_one_model_a_fold_scores_the_rows_it_has_not_learnt_from_and_the_average_is_kept():
    rows, labels = table()
    rows = rows[["a", "c"]]
    places = np.arange(len(rows))
    folds = [Fold(places[100:300], places[:100]), Fold(places[:200], places[200:300])]
    (trees,), held_out = boost_by_plan(
        rows, Targets(labels), Plan(folds, refit=False), Training(seed=5), Binary()
    )
    fits = [
        boost(
            rows.iloc[fold.train],
            Targets(labels[fold.train]),
            Training(seed=5 + number),
            stop=(rows.iloc[fold.held_out], Targets(labels[fold.held_out])),
        )
        for number, fold in enumerate(folds)
    ]
    for fold, boosted in zip(folds, fits, strict=True):
        np.testing.assert_array_equal(held_out[fold.held_out], logits(boosted, rows.iloc[fold.held_out]))
    assert np.isnan(held_out[np.r_[100:200, 300:400]]).all()
    mean = np.mean([logits(boosted, rows) for boosted in fits], axis=0)
    np.testing.assert_allclose(trees.outputs(rows), mean, rtol=0, atol=1e-12)


def test_a_refit_takes_as_many_trees_at_the_same_rate_on_all_rows(monkeypatch):
    monkeypatch.setattr(boosting, "MANY_ROWS", 250)
    rows, labels = table()
    rows = rows[["a", "c"]]
    places = np.arange(len(rows))
    plan = Plan([Fold(places[:200], places[200:300])], refit=True)
    (trees,), held_out = boost_by_plan(rows, Targets(labels), plan, Training(seed=5), Binary())
    first = stopped(rows.iloc[:300], labels[:300], cut=200, training=Training(seed=5))
    np.testing.assert_array_equal(held_out[200:300], logits(first, rows.iloc[200:300]))
    again = boost(
        rows.iloc[:300], Targets(labels[:300]), Training(seed=5), trees=first[1], learning_rate=0.03
    )
    np.testing.assert_array_equal(trees.outputs(rows), logits(again, rows))


def test_codes_are_all_columns_but_those_of_floats():
    rows, _ = table()
    assert code_columns(rows) == ["c", "many"]


def test_codes_beyond_the_most_are_folded_into_unseen_and_the_rows_are_left_as_they_were():
    rows = pd.DataFrame({"a": np.float32([300, 1]), "c": np.int32([254, 255])})
    before = rows.copy(deep=True)
    expected = rows.assign(c=np.int32([254, 1]))
    pd.testing.assert_frame_equal(folded(rows), expected)
    pd.testing.assert_frame_equal(rows, before)
