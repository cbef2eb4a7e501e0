from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

from lepton_pipeline.statistics.class_measures import confusion, measure_classes, per_class, rank_classes
from lepton_pipeline.statistics.losses import softmax
from lepton_pipeline.statistics.measures import measure, rank

CLASSES = 4


def draw(rows: int = 120, classes: int = CLASSES, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, of which the last class is rare, and probabilities with many ties."""
    random = np.random.default_rng(seed)
    labels = random.choice(classes, rows, p=np.arange(classes, 0, -1) / (classes * (classes + 1) / 2))
    logits = random.normal(size=(rows, classes)) + 1.5 * (labels[:, None] == np.arange(classes))
    return labels, softmax(logits.round())


def mean_auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return float(
        np.mean([roc_auc_score(labels == each, probabilities[:, each]) for each in np.unique(labels)])
    )


def test_metrics_of_weighted_rows_are_those_of_scikit_learn_on_repeated_rows():
    labels, probabilities = draw()
    weights = np.random.default_rng(1).integers(0, 4, (30, len(labels)))
    measured = measure_classes(rank_classes(probabilities, labels), weights.astype(np.float64))
    for resample, counts in enumerate(weights):
        truth, scores = np.repeat(labels, counts), np.repeat(probabilities, counts, axis=0)
        decided = scores.argmax(axis=1)
        expected = {
            "log_loss": log_loss(truth, scores, labels=range(CLASSES)),
            "macro_f1": f1_score(truth, decided, labels=np.unique(truth), average="macro", zero_division=0),
            "accuracy": accuracy_score(truth, decided),
            "balanced_accuracy": balanced_accuracy_score(truth, decided),
            "auc": roc_auc_score(truth, scores, multi_class="ovr", average="macro"),
        }
        assert {name: measured[name][resample] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_resample_may_lack_classes_and_weights_may_be_fractions():
    labels, probabilities = draw()
    weights = np.stack(
        [np.where(np.isin(labels, kept), 0.5, 0.0) for kept in ([0, 1, 2], [1, 3], [2], [0, 1, 2, 3])]
    )
    measured = measure_classes(rank_classes(probabilities, labels), weights)
    assert all(np.isfinite(values).all() for values in measured.values())
    assert measured["auc"][2] == 0.5
    for resample, kept in enumerate(weights > 0):
        truth, scores = labels[kept], probabilities[kept]
        decided = scores.argmax(axis=1)
        # Classes that no row has do not count, also where they are decided on.
        assert measured["macro_f1"][resample] == pytest.approx(
            f1_score(truth, decided, labels=np.unique(truth), average="macro")
        )
        recalls = [(decided[truth == each] == each).mean() for each in np.unique(truth)]
        assert measured["balanced_accuracy"][resample] == pytest.approx(np.mean(recalls))
        if resample != 2:
            assert measured["auc"][resample] == pytest.approx(mean_auc(truth, scores))


def test_two_classes_have_the_metrics_of_the_binary_task():
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, 200)
    probability = random.random(200).round(2)
    weights = random.integers(0, 3, (5, 200)).astype(np.float64)
    probabilities = np.column_stack([1 - probability, probability])
    found = measure_classes(rank_classes(probabilities, labels), weights)
    expected = measure(rank(probability, labels.astype(np.float64)), 0.5, weights)
    for metric in ("auc", "log_loss"):
        assert found[metric] == pytest.approx(expected[metric])


def test_calibration_error_is_that_of_ten_bins_of_equal_mass():
    labels, _ = draw(1000)
    probabilities = softmax(2 * np.random.default_rng(3).normal(size=(1000, CLASSES)))
    weights = np.random.default_rng(4).integers(0, 3, (3, 1000)).astype(np.float64)
    confidence, hits = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    found = measure_classes(rank_classes(probabilities, labels), weights)["ece"]
    bins = np.array_split(np.argsort(-confidence), 10)
    for value, counts in zip(found, weights, strict=True):
        gaps = [abs((counts[rows] * (confidence[rows] - hits[rows])).sum()) for rows in bins]
        assert value == pytest.approx(sum(gaps) / counts.sum())


def test_rows_are_sure_and_right_by_hand():
    # Decided 0, 0, 1; the second row is wrong: confidences .8, .6, .9.
    probabilities = np.array([[0.8, 0.1, 0.1], [0.6, 0.4, 0.0], [0.1, 0.9, 0.0]])
    measured = measure_classes(rank_classes(probabilities, np.array([0, 1, 1])), np.ones((1, 3)))
    expected = {
        "log_loss": -np.log(0.8 * 0.4 * 0.9) / 3,
        "macro_f1": 2 / 3,
        "accuracy": 2 / 3,
        "balanced_accuracy": 3 / 4,
        "auc": 1.0,
        "ece": (0.1 + 0.2 + 0.6) / 3,
    }
    assert {name: values[0] for name, values in measured.items()} == pytest.approx(expected)


def test_figures_of_each_class_are_those_of_scikit_learn():
    labels, probabilities = draw()
    counts = np.random.default_rng(5).integers(0, 3, len(labels))
    truth, scores = np.repeat(labels, counts), np.repeat(probabilities, counts, axis=0)
    found = per_class(rank_classes(probabilities, labels), counts.astype(np.float64))
    precision, recall, f1, rows = precision_recall_fscore_support(truth, scores.argmax(axis=1))
    for figure, expected in ((found.precision, precision), (found.recall, recall), (found.f1, f1)):
        assert figure == pytest.approx(expected)
    assert found.rows.tolist() == rows.tolist()
    aucs = [roc_auc_score(truth == each, scores[:, each]) for each in range(CLASSES)]
    assert found.auc == pytest.approx(aucs)


def test_class_without_rows_and_decisions_has_no_auc():
    labels, probabilities = draw()
    found = per_class(rank_classes(np.column_stack([probabilities, np.zeros(len(labels))]), labels))
    assert (found.rows[-1], found.precision[-1], found.recall[-1], found.f1[-1]) == (0, 0, 0, 0)
    assert np.isnan(found.auc).tolist() == [False] * CLASSES + [True]


def test_confusion_is_that_of_scikit_learn():
    labels, probabilities = draw()
    decided, weights = probabilities.argmax(axis=1), np.random.default_rng(6).random(len(labels))
    assert (confusion(labels, decided, CLASSES) == confusion_matrix(labels, decided)).all()
    weighted = confusion_matrix(labels, decided, sample_weight=weights)
    assert confusion(labels, decided, CLASSES, weights) == pytest.approx(weighted)


def test_resamples_at_once_have_the_bits_of_each_alone():
    labels, probabilities = draw(500)
    weights = np.random.default_rng(7).poisson(1, (8, 500)).astype(np.float64)
    ranked = rank_classes(probabilities, labels)
    together = measure_classes(ranked, weights)
    for resample in range(8):
        alone = measure_classes(ranked, weights[resample : resample + 1])
        assert {name: values[0] for name, values in alone.items()} == {
            name: values[resample] for name, values in together.items()
        }
