import numpy as np
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from lepton_pipeline.statistics.intervals import auc_interval, normal_deviate
from lepton_pipeline.statistics.measures import measure, rank
from lepton_pipeline.statistics.ranks import auc, delong, delong_variance, placements


@pytest.fixture(params=[1, 3])
def rows(request):
    """Scores with few distinct values, and with many."""
    random = np.random.default_rng(request.param)
    labels = np.append(random.integers(0, 2, 298), [0, 1])
    return np.round(random.random(300) + 0.3 * labels, request.param), labels


def test_every_way_to_the_area_gives_the_same(rows):
    scores, labels = rows
    area = auc(scores, labels)
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    positives, negatives = scores[labels == 1], scores[labels == 0]
    assert area == mannwhitneyu(positives, negatives).statistic / (len(positives) * len(negatives))
    ranked = rank(scores, labels.astype(float))
    assert area == measure(ranked, 0.5, np.ones((1, 300)))["auc"][0]
    assert [each.mean() for each in placements(scores, labels)] == pytest.approx([area, area])
    assert auc_interval(labels, scores, normal_deviate(0.95)).value == pytest.approx(area)


def test_the_variance_of_rows_and_of_counts_is_the_same(rows):
    scores, labels = rows
    levels = np.unique(scores, return_inverse=True)[1]
    area, error = delong(
        np.stack([np.bincount(levels[labels == side], minlength=levels.max() + 1) for side in (0, 1)])
    )
    placed = placements(scores, labels)
    assert area == pytest.approx(auc(scores, labels))
    assert error**2 == pytest.approx(delong_variance(placed, labels))
    # A row alone is a unit: the sandwich estimator with its factor for few units.
    assert delong_variance(placed, labels, np.arange(300)) == pytest.approx(error**2, rel=0.02)
