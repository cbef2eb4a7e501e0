import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from lepton_pipeline.monitoring.domain import permutation_test, tell_apart


def rows(count, seed, correlation=0.0, shift=0.0):
    random = np.random.default_rng(seed)
    one = random.normal(shift, 1, size=count)
    other = correlation * one + np.sqrt(1 - correlation**2) * random.normal(size=count)
    return pd.DataFrame({"one": one, "other": other, "third": random.normal(size=count)}).astype(np.float32)


def test_rows_of_one_kind_are_told_apart_as_seldom_as_declared():
    tables = 25
    alarms = sum(
        tell_apart(rows(600, 2 * seed), rows(300, 2 * seed + 1), 600, seed)["p_value"] <= 0.05 for seed in range(tables)
    )
    assert alarms <= binom.isf(0.001, tables, 0.05)


def test_columns_that_hang_together_otherwise_are_told_apart_though_each_is_as_before():
    found = tell_apart(rows(3000, 1), rows(3000, 2, correlation=0.8), 5000, 7)
    assert found["auc"] > 0.65
    assert found["p_value"] == pytest.approx(1e-4)
    assert found["rows"] == 5000
    assert found == tell_apart(rows(3000, 1), rows(3000, 2, correlation=0.8), 5000, 7)


def test_few_rows_are_not_told_apart():
    assert tell_apart(rows(3000, 1), rows(99, 2), 5000, 7) is None


def test_the_p_value_of_the_permutations_is_that_of_the_rank_test():
    from scipy.stats import mannwhitneyu

    random = np.random.default_rng(3)
    scores, labels = random.normal(size=200), np.repeat([0, 1], 100)
    scores[100:] += 0.2
    auc, p_value = permutation_test(scores, labels, random)
    whole = mannwhitneyu(scores[100:], scores[:100], alternative="greater", method="asymptotic")
    assert auc == pytest.approx(whole.statistic / 100**2)
    assert p_value == pytest.approx(whole.pvalue, abs=0.01)
