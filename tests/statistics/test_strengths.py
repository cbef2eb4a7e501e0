import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import log_loss, r2_score, roc_auc_score

from lepton_pipeline.statistics.strengths import AUC, MOST_CLASSES, R_SQUARED, Auc


def draw(rows=4000, seed=0):
    """Values of a feature, and normal noise."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=rows), generator.normal(size=rows)


def halves(rows):
    return np.arange(rows) % 2


def levels(values):
    """Numbers of the values, from 1."""
    return np.unique(values, return_inverse=True)[1] + 1


def tenths(values):
    return (rankdata(values) * 20 / (len(values) + 1)).astype(int) + 1


def test_ranks_share_the_mean_and_do_not_depend_on_the_scale():
    labels = np.array([3.0, 1.0, 3.0, 900.0])
    (ranks,) = R_SQUARED.targets(labels).values()
    assert ranks.tolist() == ((rankdata(labels) - 0.5) / 4).tolist()
    assert R_SQUARED.scaled(np.array([0.0, 3.0, 5.0, 1e9]), labels).tolist() == [0, 0.5, 0.75, 1]


def test_r2_of_scores_is_that_of_scikit_learn_and_its_error_that_of_draws():
    drawn = []
    for seed in range(200):
        x, noise = draw(400, seed)
        figure, error = R_SQUARED.of_scores(x, x + noise)
        assert figure == pytest.approx(r2_score(x + noise, x))
        drawn.append((figure, error))
    figures, errors = np.transpose(drawn)
    assert errors.mean() == pytest.approx(figures.std(), rel=0.15)
    assert R_SQUARED.of_scores(np.zeros(3), np.array([0.0, 0.5, 1.0]))[0] == 0, (
        "worse than the mean is no less"
    )
    assert R_SQUARED.of_scores(np.zeros(3), np.ones(3)) == R_SQUARED.chance


def test_values_and_order_explain_what_they_should():
    x, noise = draw()
    (ranks,) = R_SQUARED.targets(x + noise).values()
    # Spearman's correlation of two normals with Pearson's r is 6 / pi asin(r / 2) (Pearson 1907).
    expected = (6 / np.pi * np.arcsin(np.sqrt(0.5) / 2)) ** 2
    assert R_SQUARED.of_order(levels(x), ranks, halves(4000))[0] == pytest.approx(expected, abs=0.03)
    assert R_SQUARED.of_values(tenths(x), ranks, halves(4000))[0] == pytest.approx(expected, abs=0.03)
    (bent,) = R_SQUARED.targets(np.abs(x)).values()
    assert R_SQUARED.of_values(tenths(x), bent, halves(4000))[0] > 0.95
    assert R_SQUARED.of_order(levels(x), bent, halves(4000))[0] < 0.01


def test_many_categories_explain_nothing_by_chance():
    (ranks,) = R_SQUARED.targets(draw()[0]).values()
    for count in (700, 4000):
        codes = np.random.default_rng(3).permutation(np.arange(4000) % count) + 1
        assert R_SQUARED.of_values(codes, ranks, halves(4000))[0] < 0.01


def test_a_number_is_settled_by_its_copies_and_not_by_strong_features():
    x, noise = draw()
    price = np.exp(x)
    none, every = np.zeros(4000, np.intp), 4000
    for copy in (price, -x, np.round(price, 2), price.astype("float32")):
        assert R_SQUARED.out_of_order(levels(copy), price) < 0.05 * every
    for other in (x + 0.05 * noise, noise, none):
        assert R_SQUARED.out_of_order(levels(other), price) > 0.5 * every
    steps = np.digitize(x, [-1, 0, 1])
    assert R_SQUARED.out_of_order(levels(x), steps) == 0, "thresholds settle a number of few values"
    assert R_SQUARED.out_of_order(levels(steps), x) > 0.8 * every
    missing = np.where(np.arange(4000) < 100, 0, levels(x))
    assert R_SQUARED.out_of_order(missing, price) == 100
    code = np.random.default_rng(1).permutation(4)[steps] + 1
    assert R_SQUARED.contradicted(code, steps, halves(4000)) == 0
    assert R_SQUARED.contradicted(code, price, halves(4000)) > 0.9 * every
    assert R_SQUARED.contradicted(levels(x), price, halves(4000)) == every, "each value is met once"


def test_each_of_several_classes_is_told_from_the_others():
    x, noise = draw()
    labels = np.digitize(x, [-1, 1])
    strength = Auc(("low", "mid", "high"))
    targets = strength.targets(labels)
    assert {name: target.sum() for name, target in targets.items()} == {
        name: (labels == place).sum() for place, name in enumerate(("low", "mid", "high"))
    }
    figure, error = strength.of_order(levels(x + noise), targets["high"], halves(4000))
    assert figure == pytest.approx(roc_auc_score(labels == 2, x + noise), abs=0.005)
    assert 0.003 < error < 0.02
    assert strength.cases(labels) == (labels != 1).sum()
    many = Auc(tuple(map(str, range(50))))
    frequent = many.targets(np.repeat(np.arange(50), np.arange(1, 51)))
    assert list(frequent) == [str(place) for place in range(50 - MOST_CLASSES, 50)]


def test_classes_are_settled_by_their_code_whatever_its_order():
    labels = np.arange(300) % 3
    code = np.array([7, 2, 5])[labels]
    assert AUC.contradicted(code, labels, halves(300)) == 0
    wrong = np.where(np.arange(300) < 4, 2, code)
    # Rows 0 and 2 and 3 have another class's code; row 1 has its own.
    assert AUC.contradicted(wrong, labels, halves(300)) == 3
    assert AUC.contradicted(np.ones(300, np.intp), labels, halves(300)) == 200
    assert AUC.out_of_order(code, labels) == 300, "there is no one threshold between three classes"
    assert AUC.out_of_order(labels[labels < 2] + 1, labels[labels < 2]) == 0


def test_losses_of_a_model_are_those_of_scikit_learn():
    x, noise = draw(600)
    matrix, labels = x[:, None], np.digitize(x + noise, [-1, 1]).astype(np.int16)
    model = AUC.boost(matrix, AUC.scaled(labels, labels), max_iter=5, random_state=0)
    losses = AUC.losses(model, matrix, labels)
    assert losses.mean() == pytest.approx(log_loss(labels, model.predict_proba(matrix)))
    never_met = np.where(np.arange(600) < 10, 9, labels)
    assert (AUC.losses(model, matrix, never_met) == np.where(np.arange(600) < 10, 0, losses)).all()
    ranks = R_SQUARED.scaled(x + noise, x + noise)
    model = R_SQUARED.boost(matrix, ranks, max_iter=5, random_state=0)
    explained = 1 - R_SQUARED.losses(model, matrix, ranks).mean()
    assert explained == pytest.approx(r2_score(ranks, model.predict(matrix)), abs=1e-4)


def test_held_out_losses_of_values_by_hand():
    codes, learnt = np.array([0, 0, 1, 0, 1]), np.array([True, True, True, False, False])
    labels = np.array([0, 2, 1, 2, 0])
    # Each class once of three rows, one more of each added: base rates of a third, counted as ten rows.
    losses = AUC.kernel_losses(codes, labels, learnt, ~learnt, np.eye(2))
    assert losses == pytest.approx([-np.log((1 + 10 / 3) / 12), -np.log((10 / 3) / 11)])
    scaled = np.array([0.0, 1.0, 0.5, 1.0, 0.0])
    losses = R_SQUARED.kernel_losses(codes, scaled, learnt, ~learnt, np.ones((2, 2)))
    assert losses == pytest.approx([0.25, 0.25])
