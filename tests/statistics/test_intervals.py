import numpy as np
import pytest
from scipy.stats import beta, norm
from sklearn.metrics import roc_auc_score

from lepton_pipeline.statistics.intervals import (
    auc_interval,
    calibration_interval,
    difference,
    mean_interval,
    normal_deviate,
    share_interval,
    wilson,
)

Z = normal_deviate(0.95)


def test_deviate_is_that_of_the_normal_distribution():
    assert normal_deviate(0.95) == pytest.approx(norm.ppf(0.975))
    assert normal_deviate(1 - 0.05 / 70) == pytest.approx(norm.ppf(1 - 0.025 / 70))


def test_wilson_is_the_published_one():
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I: 81 of 263 and 0 of 20.
    assert wilson(81 / 263, 263, Z) == pytest.approx((0.3080, 0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20, Z) == pytest.approx((0, 0, 0.1611), abs=5e-5)


def test_difference_is_the_published_one():
    # Newcombe 1998, "Interval estimation for the difference", table II: 56/70 - 48/80 and 10/10 - 0/20, method 10.
    gap = difference(wilson(56 / 70, 70, Z), wilson(48 / 80, 80, Z))
    assert gap == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    gap = difference(wilson(1, 10, Z), wilson(0, 20, Z))
    assert gap == pytest.approx((1, 0.6791, 1), abs=5e-5)


def test_auc_is_that_of_scikit_learn_with_ties():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 80)
    scores = np.round(random.random(80) + 0.3 * labels, 1)
    found = auc_interval(labels, scores, Z)
    assert found.value == pytest.approx(roc_auc_score(labels, scores))
    assert found.low < found.value < found.high


def test_few_rows_ranked_right_leave_room_for_doubt():
    found = auc_interval(np.repeat([1, 0], [10, 300]), np.linspace(1, 0, 310), Z)
    assert found.high == 1
    assert 0.8 < found.low < 0.95


@pytest.mark.parametrize("positives", [10, 100])
@pytest.mark.parametrize(("shift", "spread"), [(0, 1), (1, 1), (1, 3), (3, 1)])
def test_auc_interval_covers_the_truth(positives, shift, spread):
    random = np.random.default_rng(1)
    truth = norm.cdf(shift / np.hypot(1, spread))
    labels = np.repeat([1, 0], [positives, 400])
    missed = 0
    for _ in range(400):
        scores = np.append(shift + spread * random.normal(size=positives), random.normal(size=400))
        interval = auc_interval(labels, scores, Z)
        missed += not interval.low <= truth <= interval.high
    # As many as chance leaves of 400 at a true rate of 5 %.
    assert missed <= beta.ppf(0.999, 21, 381) * 400


@pytest.mark.parametrize(("rows", "rate"), [(150, 0.1), (400, 0.05), (200, 0.5)])
def test_calibration_interval_covers_the_truth(rows, rate):
    random = np.random.default_rng(2)
    missed = 0
    for _ in range(400):
        probabilities = random.beta(1, 1 / rate - 1, rows)
        labels = (random.random(rows) < probabilities).astype(int)
        interval = calibration_interval(labels, probabilities, Z)
        assert interval.value == pytest.approx(probabilities.mean() - labels.mean())
        missed += not interval.low <= 0 <= interval.high
    assert missed <= beta.ppf(0.999, 21, 381) * 400


def test_certain_probabilities_that_come_true_leave_no_doubt():
    labels = np.array([0, 1, 1])
    assert calibration_interval(labels, labels.astype(float), Z) == (0, 0, 0)


@pytest.mark.parametrize(
    "make",
    [
        auc_interval,
        calibration_interval,
        lambda labels, _, z, codes=None: share_interval(labels == 1, z, codes),
    ],
)
def test_rows_that_are_repeated_in_a_unit_tell_nothing_more(make):
    random = np.random.default_rng(3)
    labels = (np.arange(300) % 3 == 0).astype(int)
    scores = 1 / (1 + np.exp(1 - labels - random.normal(size=300)))
    once = make(labels, scores, Z)
    repeated = make(np.tile(labels, 4), np.tile(scores, 4), Z, np.tile(np.arange(300), 4))
    assert repeated.value == pytest.approx(once.value)
    assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=0.05)
    alone = make(np.tile(labels, 4), np.tile(scores, 4), Z)
    assert alone.high - alone.low == pytest.approx((once.high - once.low) / 2, rel=0.05)


def test_without_variance_between_units_their_number_counts():
    codes = np.repeat(np.arange(12), 50)
    assert share_interval(np.zeros(600, dtype=bool), Z, codes) == wilson(0.0, 12, Z)
    perfect = auc_interval(np.tile([0, 1], 300), np.tile([0.0, 1.0], 300), Z, codes)
    assert perfect == wilson(1.0, 3 * 12 * 12 / 25, Z)


def test_a_mean_of_symmetric_values_has_a_normal_interval():
    values = np.array([-3.0, -1.0, 1.0, 3.0]) + 5
    reach = Z * values.std(ddof=1) / 2
    assert mean_interval(values, Z) == pytest.approx((5, 5 - reach, 5 + reach))


def test_a_mean_of_skewed_values_has_halls_interval():
    values = np.array([0.0] * 9 + [10.0])
    # Deviations from 1, over the standard error: nine of -1 and one of 9; sums of squares 90, of cubes 720.
    error = np.sqrt(10 / 9 * 90 / 100)
    skewness = 720 / 1000 / error**3
    low, high = (1 - error * 3 / skewness * (np.cbrt(1 + skewness * (z - skewness / 6)) - 1) for z in (Z, -Z))
    assert mean_interval(values, Z) == pytest.approx((1, low, high))
    assert high - 1 > 2 * (1 - low)


def test_means_of_skewed_values_are_covered():
    draws = np.random.default_rng(0).exponential(size=(2000, 60))
    level = normal_deviate(0.99)
    ends = [mean_interval(each, level)[1:] for each in draws]
    above, below = (np.mean([sign * (end[side] - 1) > 0 for end in ends]) for side, sign in ((0, 1), (1, -1)))
    # A normal interval is below the mean in 2.5 % of such samples, and above it in 0.1 %.
    assert above < 0.01
    assert below < 0.012


def test_equal_values_of_a_mean_leave_no_doubt():
    assert mean_interval(np.full(20, 2.0), Z) == (2, 2, 2)


def test_a_mean_of_repeated_rows_has_the_interval_of_single_ones():
    values = np.random.default_rng(1).exponential(size=40)
    assert mean_interval(np.tile(values, 3), Z, np.tile(np.arange(40), 3)) == pytest.approx(
        mean_interval(values, Z)
    )
