import numpy as np
import pytest
from sklearn.metrics import f1_score

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.threshold import best_f1_threshold


def f1_at(labels, probabilities, threshold):
    return f1_score(labels, probabilities >= threshold, zero_division=0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [1, 2, 16])
def test_no_other_threshold_is_better(seed, decimals):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, 60)
    probabilities = np.round(np.clip(0.3 * labels + 0.7 * random.random(60), 0, 1), decimals)
    best = f1_at(labels, probabilities, best_f1_threshold(labels, probabilities))
    assert best == max(f1_at(labels, probabilities, threshold) for threshold in probabilities)


def test_lies_halfway_between_neighbouring_scores():
    labels, probabilities = np.array([0, 1, 0, 1]), np.array([0.2, 0.8, 0.4, 0.9])
    assert best_f1_threshold(labels, probabilities) == pytest.approx(0.6)


def test_of_equally_good_thresholds_the_highest_is_taken():
    # F1 is 2/3 with the first row flagged and with the first four.
    labels, probabilities = np.array([1, 0, 0, 1]), np.array([0.9, 0.7, 0.5, 0.3])
    assert f1_at(labels, probabilities, 0.8) == f1_at(labels, probabilities, 0.2)
    assert best_f1_threshold(labels, probabilities) == pytest.approx(0.8)


def test_does_not_part_equal_scores():
    labels, probabilities = np.array([1, 0, 0, 0]), np.array([0.5, 0.5, 0.5, 0.1])
    assert best_f1_threshold(labels, probabilities) == pytest.approx(0.3)


def test_equal_scores_are_all_flagged():
    assert 0 < best_f1_threshold(np.array([1, 0, 0]), np.full(3, 0.3)) <= 0.3


def test_scores_that_are_neighbouring_numbers_are_parted():
    upper = 0.5
    lower = np.nextafter(upper, 0)
    assert best_f1_threshold(np.array([1, 0]), np.array([upper, lower])) == upper


def test_scores_of_zero_can_be_flagged():
    assert best_f1_threshold(np.array([1, 0]), np.zeros(2)) == 0


def test_row_order_does_not_matter():
    random = np.random.default_rng(3)
    labels, probabilities = random.integers(0, 2, 80), np.round(random.random(80), 1)
    shuffled = random.permutation(80)
    assert best_f1_threshold(labels, probabilities) == best_f1_threshold(labels[shuffled], probabilities[shuffled])


def test_refuses_rows_without_a_positive():
    with pytest.raises(DataError, match="0 of 3 rows are positive"):
        best_f1_threshold(np.zeros(3), np.array([0.1, 0.2, 0.3]))
