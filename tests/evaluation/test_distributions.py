"""How columns are distributed, and the mean label over their values."""

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation.distributions import OTHERS, Distributions, describe_distributions
from lepton_pipeline.evaluation.explanation import Explanation, Importance
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.statistics.intervals import normal_deviate, wilson
from lepton_pipeline.system.records import from_plain, to_plain
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

ROWS = 1000


def described(task=None, labels=None, dataset=None, **columns):
    """Distributions of columns over 800 rows that are learnt from; 200 test rows have another value each."""
    table = pd.DataFrame(columns)
    part = np.where(np.arange(ROWS) < 600, "train", np.where(np.arange(ROWS) < 800, "validation", "test"))
    labels = np.arange(ROWS) % 4 == 0 if labels is None else labels
    split = pd.DataFrame({"part": part, "label": np.asarray(labels, dtype=float)})
    importance = [Importance(name, 0.1, 0.0, 0.2) for name in columns]
    explanation = Explanation("auc", ROWS, 0.8, 5, importance, [], {}, [])
    found = describe_distributions(
        table, split, Target(task or Binary()), explanation, dataset or Dataset(target="y", positive=1)
    )
    assert from_plain(Distributions, to_plain(found)) == found
    return found


def test_a_number_has_bins_between_its_ends_and_rates_with_intervals():
    values = np.arange(ROWS, dtype=float)
    values[:8] = np.nan
    values[8] = -1e9
    found = described(age=values)
    (age,) = found.columns
    assert (found.rows, age.column, age.missing) == (800, "age", 8)
    assert found.mean.value == 0.25
    assert len(age.edges) == len(age.parts) + 1 == 21
    # The outlier is counted in the first bin, which does not reach it.
    assert age.edges[0] > 0
    assert sum(part.rows for part in age.parts) == 792
    share = age.parts[5].mean
    low, high = wilson(share.value, age.parts[5].rows, normal_deviate(0.95))[1:]
    assert (share.low, share.high) == pytest.approx((low, high))


def test_a_category_has_its_most_frequent_values_and_rare_ones_together():
    town = np.array(["Graz"] * 500 + ["Linz"] * 295 + [f"t{number}" for number in range(205)])
    (column,) = described(town=town).columns
    assert [(part.name, part.rows) for part in column.parts] == [("Graz", 500), ("Linz", 295), (OTHERS, 5)]
    assert column.parts[2].mean is None
    assert list(column.edges) == []


def test_codes_have_their_labels_and_numbers_of_few_values_their_order():
    codes = np.arange(ROWS) % 3
    dataset = Dataset(target="y", positive=1, labels={"sex": {0: "men", 1: "women"}})
    sex, months = described(dataset=dataset, sex=codes, months=codes * 12).columns
    assert [part.name for part in sex.parts] == ["men", "women", "2"]
    assert [part.name for part in months.parts] == ["0", "12", "24"]


def test_dates_have_bins_of_seconds():
    (day,) = described(day=pd.date_range("2026-01-01", periods=ROWS)).columns
    assert day.dates
    assert pd.Timestamp(day.edges[0], unit="s").year == 2026
    assert sum(part.rows for part in day.parts) == 800


def test_a_number_has_a_mean_and_several_classes_have_none():
    found = described(Regression(), labels=np.arange(ROWS), size=np.arange(ROWS) % 50)
    assert found.mean.value == pytest.approx(399.5)
    assert all(part.mean.low < part.mean.value < part.mean.high for part in found.columns[0].parts)
    found = described(Multiclass(["a", "b", "c"]), labels=np.arange(ROWS) % 3, size=np.arange(ROWS))
    assert found.mean is None
    assert {part.mean for part in found.columns[0].parts} == {None}


def test_written_language_is_left_out():
    dataset = Dataset(target="y", positive=1, text=["note"])
    assert described(dataset=dataset, note=np.array(["good"] * ROWS)).columns == []


def test_a_column_without_values_has_no_parts():
    (column,) = described(empty=np.full(ROWS, np.nan)).columns
    assert (column.missing, list(column.parts)) == (800, [])
