import numpy as np
import pytest

from lepton_pipeline.statistics.doubts import class_doubts, error_doubts


def test_a_label_is_doubtful_where_another_class_is_as_probable_as_in_its_own_rows():
    # Means of the own class: 0.5 of a, 0.65 of b, 0.4 of c.
    probabilities = np.array(
        [
            [0.8, 0.1, 0.1],
            [0.2, 0.7, 0.1],  # a, and b reaches its mean
            [0.1, 0.9, 0.0],
            [0.4, 0.4, 0.2],  # b, and nothing reaches a mean
            [0.3, 0.3, 0.4],
        ]
    )
    doubts = class_doubts(np.array([0, 0, 1, 1, 2]), probabilities)
    assert doubts == pytest.approx([0.0, 1 - 0.2 / 0.5, 0.0, 0.0, 0.0])


def test_a_rare_class_is_measured_by_its_own_mean():
    # Of two classes; in rows of the rare one its mean probability is 0.3, in the others that of theirs is 0.912.
    rare = np.array([0.45, 0.15, 0.3, 0.05, 0.02, 0.03, 0.04])
    doubts = class_doubts(np.array([1, 1, 0, 0, 0, 0, 0]), np.column_stack([1 - rare, rare]))
    # A frequent label is contradicted by a probability of 0.3, though its own class is likelier.
    assert doubts[2] == pytest.approx(1 - 0.7 / 0.912)
    # Both 0.15 of a rare label and 0.85 of its opposite are usual.
    assert np.flatnonzero(doubts).tolist() == [2]


def test_a_class_without_rows_contradicts_nothing():
    probabilities = np.array([[0.1, 0.0, 0.9], [0.2, 0.0, 0.8], [0.3, 0.7, 0.0]])
    assert class_doubts(np.array([0, 0, 0]), probabilities).tolist() == [0.0, 0.0, 0.0]
    assert class_doubts(np.array([1, 1, 0]), probabilities).tolist()[2] == 0.0
    assert class_doubts(np.zeros(0, np.int8), np.zeros((0, 3))).tolist() == []


def test_errors_are_measured_by_those_of_like_predictions():
    predicted = np.repeat([0.0, 100.0], 20)
    errors = np.r_[np.ones(19), 5.0, np.full(19, 10.0), 50.0]
    doubts = error_doubts(predicted + errors, predicted)
    assert {row: doubts[row] for row in np.flatnonzero(doubts)} == {19: 5.0, 39: 5.0}
    assert error_doubts(predicted - errors, predicted).tolist() == doubts.tolist()


def test_errors_of_a_few_times_the_usual_are_not_doubtful():
    assert error_doubts(np.array([1.0, 1.0, 3.0]), np.zeros(3)).tolist() == [0.0, 0.0, 0.0]


def test_a_median_error_of_0_leaves_doubts_finite():
    assert error_doubts(np.zeros(5), np.zeros(5)).tolist() == [0.0] * 5
    labels = np.array([0.0, 0.0, 0.0, 10.0])
    assert error_doubts(labels, np.zeros(4)).tolist() == [0.0, 0.0, 0.0, pytest.approx(10 / (0.01 * 2.5))]
