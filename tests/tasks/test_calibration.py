import numpy as np
import pytest

from lepton_pipeline.statistics.losses import SMALLEST, log_loss, sigmoid, to_logits
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.calibration import Calibration

calibrate = Binary().calibrate


def draw(logits, seed=0):
    """Labels that are as frequent as the logits say."""
    return (np.random.default_rng(seed).random(len(logits)) < sigmoid(logits)).astype(np.int8)


@pytest.fixture(scope="module")
def honest():
    """Logits [n] and labels that follow them."""
    logits = np.random.default_rng(1).normal(-0.5, 1.5, 20_000)
    return logits, draw(logits)


def test_too_sure_logits_are_cooled(honest):
    logits, labels = honest
    fitted = calibrate(3 * logits, labels)
    assert fitted.slope == pytest.approx(1 / 3, rel=0.05)
    assert fitted.intercept == pytest.approx(0, abs=0.1)


def test_too_rare_positives_are_made_more_frequent(honest):
    logits, labels = honest
    fitted = calibrate(2 * logits - 1, labels)
    assert fitted.slope == pytest.approx(0.5, rel=0.05)
    assert fitted.intercept == pytest.approx(0.5, rel=0.1)
    assert sigmoid(fitted.correct(2 * logits - 1)).mean() == pytest.approx(labels.mean(), abs=1e-3)


def test_the_fit_is_the_one_of_logistic_regression(honest):
    from sklearn.linear_model import LogisticRegression

    logits, labels = honest
    fitted = calibrate(2 * logits - 1, labels)
    theirs = LogisticRegression(C=np.inf, tol=1e-8).fit((2 * logits - 1)[:, None], labels)
    assert (fitted.slope, fitted.intercept) == pytest.approx(
        (theirs.coef_[0, 0], theirs.intercept_[0]), abs=1e-4
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_correction_that_does_not_help_rows_beside_those_it_is_fitted_to_is_not_made(seed):
    """On few honest rows a fit follows chance: what is taken is at least not worse on either half."""
    logits = np.random.default_rng(seed).normal(0, 1, 60)
    labels = draw(logits, seed)
    fitted = calibrate(logits, labels)
    half = np.arange(60) % 2
    if fitted != Calibration():
        crossed = np.empty(60)
        for side in (0, 1):
            own = _refit(logits[half != side], labels[half != side], fitted.intercept != 0)
            crossed[half == side] = sigmoid(own.correct(logits[half == side]))
        assert log_loss(crossed, labels) < log_loss(sigmoid(logits), labels)


def _refit(logits, labels, with_intercept):
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=np.inf, tol=1e-8, fit_intercept=with_intercept).fit(logits[:, None], labels)
    return Calibration(model.coef_[0, 0], model.intercept_[0] if with_intercept else 0.0)


def test_sometimes_none_helps_and_nothing_is_changed():
    fitted = [calibrate(logits, draw(logits, seed)) for seed, logits in enumerate(_samples())]
    assert any(each == Calibration() for each in fitted)
    assert any(each.slope != 1 and each.intercept == 0 for each in fitted)
    assert any(each.intercept != 0 for each in fitted)


def _samples():
    rng = np.random.default_rng(5)
    return [rng.normal(0, 1, 80) for _ in range(30)]


def test_no_correction_leaves_logits_as_they_are(honest):
    logits, _ = honest
    assert np.array_equal(Calibration().correct(logits), logits)


@pytest.mark.parametrize("scale", [0.01, 1, 100])
def test_ranks_stay_whatever_the_labels(scale):
    """Even where the labels say the opposite of the logits."""
    logits = scale * np.linspace(-1, 1, 101)
    labels = (logits < 0).astype(np.int8)
    fitted = calibrate(logits, labels)
    assert fitted.slope > 0
    assert (np.diff(sigmoid(fitted.correct(logits))) >= 0).all()


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 0]])
def test_few_rows_and_one_class_give_numbers(labels):
    fitted = calibrate(np.array([3.0, -1.0, 2.0, 0.5]), np.array(labels))
    assert np.isfinite([fitted.slope, fitted.intercept]).all()


def test_a_perfect_separation_gives_numbers():
    logits = np.linspace(-16, 16, 200)
    fitted = calibrate(logits, (logits > 0).astype(np.int8))
    assert 1 <= fitted.slope <= 5
    assert np.isfinite(sigmoid(fitted.correct(logits))).all()


def test_logits_of_certainty_are_finite_and_others_are_exact():
    logits = np.array([-12.0, -1.0, 0.0, 0.3, 12.0])
    assert to_logits(sigmoid(logits)) == pytest.approx(logits, abs=1e-9)
    extreme = to_logits(np.array([0.0, 1.0]))
    assert np.isfinite(extreme).all()
    assert extreme[0] == pytest.approx(-extreme[1])
    assert np.isnan(to_logits(np.array([np.nan])))


def test_a_large_logit_overflows_nothing():
    assert sigmoid(np.array([-1e4, -800.0, 0.0, 800.0, 1e4])).tolist() == [0, 0, 0.5, 1, 1]
    assert log_loss(np.array([0.0, 1.0]), np.array([1, 0])) == pytest.approx(-np.log(SMALLEST))


def test_the_log_loss_is_the_usual_one(honest):
    from sklearn.metrics import log_loss as theirs

    logits, labels = honest
    assert log_loss(sigmoid(logits), labels) == pytest.approx(theirs(labels, sigmoid(logits)))
