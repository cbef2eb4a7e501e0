from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation.metrics import measure_once, paired_differences
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.estimates import Estimate

CUTS = {"one": 0.5, "other": 0.5}


def two_models(seed, positives, negatives, strong=1.2, weak=0.9, common=0.6):
    """Rows on which `one` is stronger; scores are normal within each class and correlated across models."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([1, 0], [positives, negatives])
    shared = rng.standard_normal(len(labels)) * np.sqrt(common)
    own = rng.standard_normal((2, len(labels))) * np.sqrt(1 - common)
    scores = [strength * labels + shared + noise for strength, noise in zip((strong, weak), own, strict=True)]
    one, other = (1 / (1 + np.exp(-score)) for score in scores)
    return pd.DataFrame({"label": labels, "one": one, "other": other})


def difference(rows, resamples, groups=None, metric="auc"):
    units = None if groups is None else pd.DataFrame({"group": groups}, index=rows.index)
    return paired_differences(rows, "one", "other", CUTS, Evaluation(resamples=resamples), units)[metric]


def midranks(values):
    """Ranks from 1; tied values share their mean rank."""
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    ends = np.append(starts[1:], len(values))
    ranks = np.empty(len(values))
    ranks[order] = np.repeat((starts + ends + 1) / 2, ends - starts)
    return ranks


def delong(rows):
    """Difference of two correlated AUCs and its standard error.

    DeLong, DeLong and Clarke-Pearson 1988; by midranks: Sun and Xu 2014, "Fast Implementation of DeLong's Algorithm".
    """
    positive = rows["label"].to_numpy() == 1
    m, n = positive.sum(), (~positive).sum()
    aucs, of_positives, of_negatives = [], [], []
    for model in ("one", "other"):
        scores = rows[model].to_numpy()
        everywhere = midranks(scores)
        aucs.append((everywhere[positive].sum() - m * (m + 1) / 2) / (m * n))
        of_positives.append((everywhere[positive] - midranks(scores[positive])) / n)
        of_negatives.append(1 - (everywhere[~positive] - midranks(scores[~positive])) / m)
    covariance = np.cov(of_positives) / m + np.cov(of_negatives) / n
    contrast = np.array([1, -1])
    return aucs[0] - aucs[1], float(np.sqrt(contrast @ covariance @ contrast))


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_agrees_with_delongs(seed):
    rows = two_models(seed, positives=200, negatives=500).round(3)  # with ties
    value, error = delong(rows)
    found = difference(rows, resamples=4000)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert found.low == pytest.approx(value - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(value + 1.96 * error, abs=0.15 * error)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Binormal scores have a known AUC: the normal distribution function of strength / sqrt(2)."""
    truth = NormalDist().cdf(1.2 / np.sqrt(2)) - NormalDist().cdf(0.9 / np.sqrt(2))
    covered = 0
    for seed in range(200):
        found = difference(two_models(1000 + seed, positives=50, negatives=100), resamples=300)
        covered += found.low <= truth <= found.high
    # Of 200 intervals with a coverage of 95 %, 181 to 198 hold the truth in 99.7 % of such experiments.
    assert 181 <= covered <= 198


def test_pairing_makes_the_interval_narrower_than_the_models_own_intervals():
    rows = two_models(1, 200, 500, common=0.95)
    alone = difference(rows.assign(other=0.5), resamples=500)
    paired = difference(rows, resamples=500)
    assert paired.high - paired.low < (alone.high - alone.low) / 2


def test_a_model_does_not_differ_from_itself():
    rows = two_models(2, 40, 60)
    found = paired_differences(
        rows.assign(other=rows["one"]), "one", "other", CUTS, Evaluation(resamples=100)
    )
    assert set(found) == {"auc", "f1", "average_precision", "log_loss", "brier"}
    assert all(each == Estimate(0.0, 0.0, 0.0, True) for each in found.values())


def test_each_model_is_measured_at_its_own_threshold():
    rows = two_models(3, 40, 60)
    cuts = {"one": 0.6, "other": 0.4}
    found = paired_differences(rows, "one", "other", cuts, Evaluation(resamples=100))["f1"].value
    assert found == measure_once(rows, "one", 0.6)["f1"] - measure_once(rows, "other", 0.4)["f1"]


def test_rows_that_stand_several_times_in_a_group_tell_nothing_more():
    rows = two_models(4, 100, 150)
    repeated = pd.concat([rows] * 9, ignore_index=True)
    groups = np.tile(np.arange(len(rows)), 9)
    once, by_row, by_group = (
        difference(rows, 1000),
        difference(repeated, 1000),
        difference(repeated, 1000, groups),
    )
    width = {name: each.high - each.low for name, each in (("1", once), ("row", by_row), ("group", by_group))}
    assert width["group"] == pytest.approx(width["1"], rel=0.15)
    assert width["row"] == pytest.approx(width["1"] / 3, rel=0.15)


def test_where_there_are_too_few_cases_a_difference_has_no_interval():
    rows = two_models(5, 9, 60)
    found = paired_differences(rows, "one", "other", CUTS, Evaluation(resamples=100))
    assert all(each.low is each.high is None for each in found.values())
    few = paired_differences(two_models(5, 10, 60), "one", "other", CUTS, Evaluation(resamples=100))
    assert all(each.low <= each.high and each.approximate for each in few.values())
