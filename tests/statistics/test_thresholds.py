import numpy as np
import pytest
from sklearn.metrics import f1_score

from lepton_pipeline.errors import DataError
from lepton_pipeline.statistics.thresholds import best_f1_threshold, capacity_threshold, least_cost_threshold


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
    assert best_f1_threshold(labels, probabilities) == best_f1_threshold(
        labels[shuffled], probabilities[shuffled]
    )


def test_refuses_rows_without_a_positive():
    with pytest.raises(DataError, match="0 of 3 rows are positive"):
        best_f1_threshold(np.zeros(3), np.array([0.1, 0.2, 0.3]))


def cost_at(extra, probabilities, threshold):
    return extra[probabilities >= threshold].sum()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [1, 2, 16])
def test_no_other_cut_costs_less(seed, decimals):
    random = np.random.default_rng(seed)
    probabilities = np.round(random.random(60), decimals)
    extra = random.normal(0.5 - probabilities, 0.5)
    chosen = cost_at(extra, probabilities, least_cost_threshold(extra, probabilities))
    cuts = [*probabilities, 0, 2]
    assert chosen == pytest.approx(min(cost_at(extra, probabilities, cut) for cut in cuts))


def test_least_cost_of_a_case_worked_by_hand():
    # Acting on the first two rows saves 3, on the third costs 2, on the fourth saves 1: best is to stop after two.
    extra, probabilities = np.array([-1.0, 2.0, -2.0, -1.0]), np.array([0.8, 0.4, 0.9, 0.2])
    assert least_cost_threshold(extra, probabilities) == pytest.approx(0.6)


def test_of_equally_cheap_thresholds_the_highest_is_taken():
    # Sums of 0.1 are equal on paper only.
    extra, probabilities = np.array([-0.3, 0.1, 0.1, 0.1, -0.1, -0.1, -0.1]), np.linspace(0.9, 0.3, 7)
    assert least_cost_threshold(extra, probabilities) == pytest.approx(0.85)


def test_where_acting_always_pays_every_row_is_acted_on():
    probabilities = np.array([0.9, 0.5, 0.2])
    assert least_cost_threshold(np.full(3, -1.0), probabilities) == pytest.approx(0.1)
    assert least_cost_threshold(np.full(3, -1.0), np.array([0.9, 0.5, 0.0])) == 0


def test_where_acting_never_pays_no_row_is_acted_on():
    assert least_cost_threshold(np.ones(3), np.array([0.8, 0.5, 0.2])) == pytest.approx(0.9)
    certain = least_cost_threshold(np.ones(3), np.array([1.0, 0.5, 0.2]))
    assert 1 < certain < 1 + 1e-12


def test_equal_scores_are_acted_on_together():
    extra, probabilities = np.array([-3.0, 1.0, 1.0, 1.0]), np.array([0.5, 0.5, 0.5, 0.1])
    assert least_cost_threshold(extra, probabilities) == pytest.approx(0.3)


def test_capacity_keeps_as_many_rows_as_it_allows():
    probabilities = np.arange(1, 101) / 101
    for cases in (1, 29, 100):
        assert (probabilities >= capacity_threshold(probabilities, cases / 100)).sum() == cases


def test_capacity_parts_no_equal_scores_and_keeps_rather_less():
    probabilities = np.array([0.9, 0.5, 0.5, 0.1])
    assert (probabilities >= capacity_threshold(probabilities, 0.5)).sum() == 1
    assert (probabilities >= capacity_threshold(np.full(4, 1.0), 0.5)).sum() == 0
