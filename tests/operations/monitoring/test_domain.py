import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from lepton_pipeline.operations.monitoring.domain import classifier_test, one_per_group, permutation_test


def rows(count, seed, correlation=0.0, shift=0.0):
    random = np.random.default_rng(seed)
    one = random.normal(shift, 1, size=count)
    other = correlation * one + np.sqrt(1 - correlation**2) * random.normal(size=count)
    return pd.DataFrame({"one": one, "other": other, "third": random.normal(size=count)}).astype(np.float32)


def test_rows_of_one_kind_are_told_apart_as_seldom_as_declared(exhaustive):
    tables = 25 if exhaustive else 12
    alarms = sum(
        classifier_test(rows(600, 2 * seed), rows(300, 2 * seed + 1), 600, seed).p_value <= 0.05
        for seed in range(tables)
    )
    assert alarms <= binom.isf(0.001, tables, 0.05)


def test_columns_that_hang_together_otherwise_are_told_apart_though_each_is_as_before():
    found = classifier_test(rows(3000, 1), rows(3000, 2, correlation=0.8), 5000, 7)
    assert found.auc > 0.65
    assert found.p_value == pytest.approx(1e-4)
    assert found.rows == 5000
    assert found == classifier_test(rows(3000, 1), rows(3000, 2, correlation=0.8), 5000, 7)


def test_few_rows_are_not_told_apart():
    assert classifier_test(rows(3000, 1), rows(99, 2), 5000, 7) is None


def test_the_p_value_of_the_permutations_is_that_of_the_rank_test():
    from scipy.stats import mannwhitneyu

    random = np.random.default_rng(3)
    scores, labels = random.normal(size=200), np.repeat([0, 1], 100)
    scores[100:] += 0.2
    auc, p_value = permutation_test(scores, labels, random)
    whole = mannwhitneyu(scores[100:], scores[:100], alternative="greater", method="asymptotic")
    assert auc == pytest.approx(whole.statistic / 100**2)
    assert p_value == pytest.approx(whole.pvalue, abs=0.01)


def steady(count, seed, correlation):
    """Rows in order of time, each correlated with the one before."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, 3)) * np.sqrt(1 - correlation**2)
    for row in range(1, count):
        values[row] += correlation * values[row - 1]
    return pd.DataFrame(values, columns=["one", "other", "third"]).astype(np.float32)


def test_rows_that_follow_each_other_are_permuted_in_blocks(exhaustive):
    tables = 15 if exhaustive else 8
    whole = [steady(1600, seed, 0.8).iloc[100:] for seed in range(tables)]
    alarms = {
        dependence: sum(
            classifier_test(each.iloc[:1000], each.iloc[1000:], 1000, 1, dependence).p_value <= 0.05
            for each in whole
        )
        for dependence in (8.0, None)
    }
    assert alarms[8.0] <= binom.isf(0.001, tables, 0.05)
    # Row by row they would not do.
    assert alarms[None] > binom.isf(0.001, tables, 0.05)


def test_a_change_is_found_in_blocks_too():
    found = classifier_test(rows(3000, 1), rows(800, 2, shift=1.0), 5000, 7, dependence=1.0)
    assert found.p_value < 0.001
    assert found.rows == 1600


def test_blocks_are_permuted_as_a_whole():
    # One block of each kind: of two arrangements both reach an AUC of one half.
    auc, p_value = permutation_test(
        np.array([1.0, 4.0, 2.0, 3.0]), np.array([0, 0, 1, 1]), np.random.default_rng(1), 2
    )
    assert (auc, p_value) == (0.5, 1.0)


def test_too_few_blocks_that_are_long_enough_are_not_told_apart():
    assert classifier_test(rows(3000, 1), rows(800, 2), 5000, 7, dependence=16.0) is not None
    assert classifier_test(rows(3000, 1), rows(800, 2), 5000, 7, dependence=17.0) is None


def test_groups_that_are_told_apart_by_what_their_rows_share_are_no_drift():
    def grouped(seed):
        shared = rows(300, seed).loc[np.repeat(np.arange(300), 8)].reset_index(drop=True)
        return (shared + 0.1 * rows(len(shared), seed + 1)).assign(
            customer=np.arange(len(shared)) // 8 + 1000 * seed
        )

    known, new = grouped(1), grouped(11)
    inputs = ["one", "other", "third"]
    assert classifier_test(known[inputs], new[inputs], 4000, 7).p_value < 0.001
    one = [one_per_group(each, "customer", 7) for each in (known, new)]
    assert all(each["customer"].is_unique and len(each) == 300 for each in one)
    assert classifier_test(one[0][inputs], one[1][inputs], 4000, 7).p_value > 0.05
    missing = one_per_group(known.assign(customer=np.nan), "customer", 7)
    assert len(missing) == len(known)
