import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation import resampling as module
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.evaluation.resampling import LEVEL, Sample, find_units, resampling_units
from lepton_pipeline.parameters import Dataset, Evaluation
from lepton_pipeline.statistics.estimates import Estimate, Evidence
from lepton_pipeline.statistics.intervals import percentile_interval
from lepton_pipeline.system.records import to_plain
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

EVALUATION = Evaluation(resamples=500)


def dataset(**roles):
    return Dataset(target="y", positive=1, **roles)


def test_rows_of_a_declared_group_are_one_unit_and_a_row_without_is_its_own():
    rows = pd.DataFrame({"patient": ["b", None, "a", "b", None]}, index=[7, 3, 9, 1, 5])
    units = resampling_units(rows, dataset(group="patient"))
    assert list(units.columns) == ["group"]
    assert units.index.equals(rows.index)
    assert units["group"].nunique() == 4
    assert units.loc[7, "group"] == units.loc[1, "group"]


def test_without_a_group_labels_that_overlap_in_time_are_one_block():
    # Blocks of two delays from 1970: days 0 to 3, 4 to 7 and so on.
    times = pd.to_datetime("1970-01-01") + pd.to_timedelta([0, 3.9, 4, 7.9, 8, 100], unit="D")
    units = resampling_units(pd.DataFrame({"at": times}), dataset(time="at", label_delay="2d"))
    assert units["block"].tolist() == [0, 0, 1, 1, 2, 3]
    zoned = resampling_units(
        pd.DataFrame({"at": times.tz_localize("Europe/Berlin")}), dataset(time="at", label_delay="2d")
    )
    # On the axis they lie an hour earlier.
    assert zoned["block"].tolist() == [0, 1, 1, 2, 2, 3]
    numbers = resampling_units(pd.DataFrame({"at": np.arange(100.0)}), dataset(time="at", label_delay=2))
    assert numbers["block"].nunique() == 25
    assert numbers["block"].value_counts().eq(4).all()


def test_later_rows_do_not_move_the_blocks_of_earlier_ones():
    rows = pd.DataFrame({"at": np.arange(200.0)})
    roles = dataset(time="at", label_delay=3)
    before = resampling_units(rows.iloc[:120], roles)["block"]
    assert before.tolist() == resampling_units(rows, roles)["block"].iloc[:120].tolist()


def test_blocks_are_shorter_where_fewer_than_ten_would_fit():
    units = resampling_units(pd.DataFrame({"at": np.arange(100.0)}), dataset(time="at", label_delay=60))
    assert 10 <= units["block"].nunique() <= 11


@pytest.mark.parametrize("roles", [{}, {"time": "at"}, {"time": "at", "label_delay": 0}])
def test_without_group_and_overlap_rows_are_independent(roles):
    assert resampling_units(pd.DataFrame({"at": [1, 2, 3]}), dataset(**roles)).columns.empty


@pytest.mark.parametrize(("times", "delay"), [(["may", "june"], "2d"), ([1, 2], "2d"), (["may", "june"], 2)])
def test_a_delay_that_does_not_fit_the_times_is_refused(times, delay):
    with pytest.raises(DataError, match=r"dataset\.label_delay"):
        resampling_units(pd.DataFrame({"at": times}), dataset(time="at", label_delay=delay))


def test_only_test_rows_have_units():
    table = pd.DataFrame({"patient": [1, 1, 2, 2]})
    split = pd.DataFrame({"part": ["train", "test", "test", "gap"]})
    assert find_units(table, split, dataset(group="patient")).index.tolist() == [1, 2]


def draw(labels, groups=None, evaluation=EVALUATION):
    units = None if groups is None else pd.DataFrame({"group": groups})
    return np.concatenate(list(Sample.of(pd.Series(labels), units).weights(evaluation)))


def test_whole_groups_are_drawn_and_every_draw_holds_both_classes(monkeypatch):
    labels = np.array([1, 1, 0, 0, 0, 0, 1])
    weights = draw(labels, ["a", "a", "b", "b", "c", "d", "d"])
    assert weights.shape == (500, 7)
    for first, second in ((0, 1), (2, 3), (5, 6)):
        assert (weights[:, first] == weights[:, second]).all()
    assert (weights[:, [0, 2, 4, 5]].sum(axis=1) == 4).all()
    assert (weights @ labels > 0).all()
    assert (weights @ (1 - labels) > 0).all()
    monkeypatch.setattr(module, "CELLS", 7 * 64)
    assert np.array_equal(weights, draw(labels, ["a", "a", "b", "b", "c", "d", "d"]))


def test_the_base_rate_varies_as_it_does_between_samples():
    labels = np.repeat([1, 0], [20, 180])
    positives = draw(labels) @ labels
    assert positives.mean() == pytest.approx(20, rel=0.05)
    assert positives.std() == pytest.approx(np.sqrt(200 * 0.1 * 0.9), rel=0.15)


def test_a_draw_that_lacks_a_class_is_made_again_whatever_the_size_of_a_chunk(monkeypatch):
    labels = np.array([1, 0, 0, 0, 0])
    weights = draw(labels)
    assert (weights[:, 0] > 0).all()
    assert (weights[:, 1:].sum(axis=1) > 0).all()
    monkeypatch.setattr(module, "CELLS", 5 * 3)
    assert np.array_equal(weights, draw(labels))


def test_an_interval_of_few_units_is_widened_by_students_factor():
    labels = pd.Series([0, 1] * 20)
    drawn = np.random.default_rng(0).normal(size=1000)
    low, high = percentile_interval(drawn, LEVEL)
    by_row = Sample.of(labels).figure(0.0, drawn, least=-9)
    assert by_row.low == pytest.approx(low * student.ppf(0.975, 19) / 1.959964 * np.sqrt(20 / 19))
    groups = Sample.of(labels, pd.DataFrame({"group": np.arange(40) // 8})).figure(0.0, drawn, least=-9)
    assert groups.high == pytest.approx(high * student.ppf(0.975, 4) / 1.959964 * np.sqrt(5 / 4))
    # Neighbouring blocks share labels, which blocks drawn one by one do not show.
    blocks = Sample.of(labels, pd.DataFrame({"block": np.arange(40) // 8})).figure(0.0, drawn, least=-9)
    assert blocks.high == pytest.approx(groups.high * np.sqrt(6 / 5))


def test_ends_stay_where_values_are_possible():
    found = Sample.of(pd.Series([0, 1] * 60)).figure(0.9, np.linspace(-1, 2, 500), most=1.0)
    assert found == Estimate(0.9, 0.0, 1.0)


@pytest.mark.parametrize(
    ("positives", "groups", "keys"),
    [
        (9, None, {"value"}),
        (10, None, {"value", "low", "high", "approximate"}),
        (49, None, {"value", "low", "high", "approximate"}),
        (50, None, {"value", "low", "high"}),
        (150, None, {"value", "low", "high", "approximate"}),
        (191, None, {"value"}),
        (80, 1, {"value"}),
        (80, 29, {"value", "low", "high", "approximate"}),
        (80, 30, {"value", "low", "high"}),
    ],
)
def test_few_cases_or_groups_are_told_and_too_few_have_no_interval(positives, groups, keys):
    random = np.random.default_rng(1)
    labels = np.tile(np.arange(200) < positives, 2).astype(int)
    if positives == 150:  # The rarer class counts, whichever it is.
        labels = np.tile(np.arange(200) < 160, 2).astype(int)
    scores = pd.DataFrame({"part": np.repeat(["validation", "test"], 200), "label": labels})
    scores["model"] = 1 / (1 + np.exp(-labels - random.normal(size=400)))
    units = None if groups is None else pd.DataFrame({"group": np.arange(400) % groups})
    found = evaluate(scores, Target(Binary()), Evaluation(resamples=100), units=units)
    assert all(set(to_plain(figure)) == keys for figure in found.model.values())
    assert found.evidence.units == (groups or 200)


def test_groups_widen_every_interval_of_the_headline():
    """60 groups of 40 rows: drawn row by row, intervals are far too narrow."""
    random = np.random.default_rng(3)
    group = np.repeat(np.arange(60), 40)
    effect = random.normal(size=60)[group]
    label = (random.random(2400) < 1 / (1 + np.exp(-2 * effect))).astype(int)
    test = pd.DataFrame(
        {"part": "test", "label": label, "model": 1 / (1 + np.exp(-effect - random.normal(size=2400)))}
    )
    scores = pd.concat([test.assign(part="validation"), test], ignore_index=True)
    table = pd.DataFrame({"customer": np.tile(group, 2)})
    units = find_units(table, scores, dataset(group="customer"))
    target, some = Target(Binary()), Evaluation(resamples=200)
    by_row, by_group = (evaluate(scores, target, some, units=each) for each in (None, units))
    for metric, figure in by_group.model.items():
        row = by_row.model[metric]
        assert figure.value == row.value
        if metric != "ece":
            assert figure.high - figure.low > 2 * (row.high - row.low), metric
    assert by_group.evidence == Evidence(int(min(label.sum(), 2400 - label.sum())), 60, "group")
