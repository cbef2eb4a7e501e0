import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation.metrics import measure_once
from lepton_pipeline.operations.monitoring.decay import decay_bound, has_decayed, is_worse, measure_window
from lepton_pipeline.parameters import Decay, Evaluation
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.tasks.binary import Binary

BINARY = Binary()
EVALUATION = Evaluation(resamples=200)
DECAY = Decay()


def scored(rows, seed, signal):
    random = np.random.default_rng(seed)
    labels = (random.random(rows) < 0.3).astype(np.int8)
    odds = signal * labels + random.normal(size=rows)
    return pd.DataFrame({"label": labels, "model": 1 / (1 + np.exp(-odds))})


@pytest.mark.parametrize("metric", ["auc", "average_precision", "f1"])
def test_a_window_is_measured_as_in_evaluation(metric):
    rows = scored(500, 1, 1.2)
    figure = measure_window(BINARY, rows, metric, 0.5, EVALUATION)
    assert figure.value == pytest.approx(measure_once(BINARY, rows, "model", 0.5)[metric])
    assert figure.low < figure.value < figure.high


def test_a_window_of_few_labels_is_not_measured():
    rows = scored(49, 1, 1.0)
    assert measure_window(BINARY, rows, "auc", 0.5, EVALUATION) is None
    assert measure_window(BINARY, scored(300, 1, 1.0).assign(label=0), "auc", 0.5, EVALUATION) is None
    nine = scored(300, 1, 1.0).assign(label=np.arange(300) < 9)
    assert measure_window(BINARY, nine, "auc", 0.5, EVALUATION) is None
    assert not is_worse("auc", None, 0.9)


def test_rows_that_hang_together_widen_the_interval_of_a_window():
    rows = pd.concat([scored(200, 2, 1.2)] * 4, ignore_index=True)
    units = pd.DataFrame({"group": np.tile(np.arange(200), 4)})
    for metric in ("auc", "f1"):
        by_row, by_group = (
            measure_window(BINARY, rows, metric, 0.5, EVALUATION, each) for each in (None, units)
        )
        assert by_group.high - by_group.low > 1.6 * (by_row.high - by_row.low)
    few = measure_window(BINARY, rows, "auc", 0.5, EVALUATION, units % 20)
    assert few.approximate
    assert measure_window(BINARY, rows, "auc", 0.5, EVALUATION, units * 0) is None


def test_the_bound_is_declared_or_the_low_end_of_the_test():
    assert decay_bound(DECAY, "auc", Estimate(0.8, 0.78, 0.82)) == 0.78
    assert decay_bound(Decay(at_least=0.7), "auc", Estimate(0.8, 0.78, 0.82)) == 0.7
    assert decay_bound(DECAY, "auc", None) is None
    assert not is_worse("auc", Estimate(0.1, 0.0, 0.2), None)


def test_only_a_whole_interval_below_the_bound_counts():
    assert is_worse("auc", Estimate(0.7, 0.66, 0.74), 0.75)
    assert not is_worse("auc", Estimate(0.7, 0.66, 0.76), 0.75)


@pytest.mark.parametrize(
    ("below", "decayed"),
    [
        ([True, True], True),
        ([True], None),
        ([], None),
        ([True, False, True], True),
        # Only the last three count.
        ([True, True, False, False, False], False),
        # What could not be measured is no window.
        ([True, None, True], True),
    ],
)
def test_some_of_the_last_windows_must_lie_below(below, decayed):
    assert has_decayed(below, DECAY) is decayed


def alarms(signal, trials, rows=600):
    """How often two of three windows lie below the test's interval, test and windows drawn anew each time."""
    found = 0
    for trial in range(trials):
        test, *windows = (
            scored(size, 100 * trial + part, each)
            for part, (size, each) in enumerate([(3000, 1.2), (rows, signal), (rows, signal), (rows, signal)])
        )
        bound = measure_window(BINARY, test, "auc", 0.5, EVALUATION).low
        figures = [measure_window(BINARY, window, "auc", 0.5, EVALUATION) for window in windows]
        found += bool(has_decayed([is_worse("auc", each, bound) for each in figures], DECAY))
    return found


def test_quality_that_holds_is_hardly_ever_called_decayed():
    assert alarms(1.2, 200) == 0


def test_quality_that_falls_is_called_decayed():
    # From an AUC of 0.80 to 0.71.
    assert alarms(0.8, 50) >= 47
