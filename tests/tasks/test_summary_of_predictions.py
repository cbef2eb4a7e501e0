import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.parameters.evaluation import ClassCosts
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.summary import Mean, Summary


def mean_of(parts, spread=1.0):
    mean = Mean(spread)
    for part in parts:
        mean.add(np.asarray(part, np.float64))
    return mean.value


@pytest.mark.parametrize("spread", [1e-9, 1.0, 3e7, 1e300])
def test_order_and_division_of_rows_change_no_bit_of_a_mean(spread):
    values = spread * np.random.default_rng(1).standard_normal(1000)
    expected = mean_of([values], spread)
    assert mean_of(np.array_split(values[::-1], 7), spread) == expected
    assert mean_of([values[:1], [], values[1:]], spread) == expected
    assert expected == pytest.approx(values.mean(), abs=1e-12 * spread)


def test_a_mean_is_exact_where_numbers_are_whole_units():
    # Summed one after the other as float64, the ones would be lost.
    assert mean_of([[1e16], [1.0] * 7, [-1e16]], spread=100.0) == 7 / 9
    assert mean_of([[0.25, 0.5]]) == 0.375
    assert mean_of([]) == 0


def test_a_binary_summary_counts_positive_decisions():
    parts = [
        pd.DataFrame({"probability": [0.1, 0.9], "decision": [False, True]}),
        pd.DataFrame({"probability": [0.5], "decision": [True]}),
    ]
    found = Binary().summarise(parts)
    assert found == Summary(scored=3, positives=2, share_positive=2 / 3, mean_score=pytest.approx(0.5))
    assert Binary().acted_on(parts[0]).tolist() == [False, True]
    assert Binary().summarise([]) == Summary(scored=0, positives=0, share_positive=0, mean_score=0)


def test_classes_that_no_row_was_decided_for_are_counted_as_0():
    task = Multiclass(["b", "a", "c"])
    parts = [pd.DataFrame({"decision": ["a", "b", "a"], "probability": [0.5, 0.75, 1.0]})]
    expected = Summary(scored=3, decided={"b": 1, "a": 2, "c": 0}, mean_probability=0.75)
    assert task.summarise(parts) == expected
    assert list(task.summarise(parts).decided) == ["b", "a", "c"]
    assert task.acted_on(parts[0]) is None


def test_rows_that_are_handed_over_are_counted_behind_the_classes():
    task = Multiclass(["b", "a", "c"], ClassCosts(hand_over=0.4))
    predicted = pd.DataFrame(task.predictions(np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1]]), None))
    found = task.summarise([predicted])
    assert list(found.decided.items()) == [("b", 1), ("a", 0), ("c", 0), ("(hand over)", 1)]
    assert found.mean_probability == pytest.approx(0.6)


def test_a_summary_of_numbers_has_their_median():
    parts = [
        pd.DataFrame({"prediction": [1.0, 10.0], "low": [0.0, 8.0], "high": [2.0, 11.0]}),
        pd.DataFrame({"prediction": [4.0, 5.0], "low": [4.0, 5.0], "high": [4.0, 8.0]}),
    ]
    task = Regression(centre=5.0, spread=2.0)
    expected = Summary(scored=4, mean_prediction=5.0, median_prediction=4.5, mean_width=2.0)
    assert task.summarise(parts) == expected
    assert task.summarise(reversed(parts)) == expected
    assert task.summarise([]) == Summary(scored=0)
