"""Distributions before and now, from what a reference keeps."""

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.features.column_encoders import CategoricalColumn, NumericColumn
from lepton_pipeline.operations.monitoring.before_after import describe_change
from lepton_pipeline.operations.monitoring.reference import count_categories, count_numbers, count_words

RANDOM = np.random.default_rng(3)


def change(kept, values, column=None):
    return describe_change(column, kept, pd.Series(values))


def test_numbers_of_the_reference_are_spread_as_they_were():
    before, after = RANDOM.normal(size=4000), RANDOM.normal(3, 1, 500)
    found = change(count_numbers("size", before), after)
    edges = np.array(found.edges)
    assert len(edges) == len(found.before) + 1 == len(found.after) + 1
    inside = np.histogram(np.clip(before, edges[0], edges[-1]), edges)[0] / len(before)
    # Between two of a hundred quantiles.
    assert np.abs(inside - found.before).max() < 0.012
    assert sum(found.before) == pytest.approx(1)
    assert sum(found.after) == pytest.approx(1)
    assert np.average(edges[:-1], weights=found.after) - np.average(edges[:-1], weights=found.before) > 2.5


def test_a_value_that_many_rows_share_stays_one_bar():
    before = np.repeat([0.0, 1.0, 2.0], [700, 200, 100])
    found = change(count_numbers("count", before), before)
    assert sorted(found.before)[-3:] == pytest.approx([0.1, 0.2, 0.7])
    assert found.before == pytest.approx(found.after)


def test_ends_of_few_new_rows_are_those_of_five_of_them():
    after = np.append(np.zeros(49), 1e6)
    found = change(count_numbers("wage", RANDOM.normal(size=400)), after)
    assert found.edges[-1] < 1e5


@pytest.mark.parametrize("values", [[np.nan] * 60, []])
def test_without_values_there_is_no_picture(values):
    assert change(count_numbers("size", RANDOM.normal(size=100)), np.array(values)) is None
    assert change(count_numbers("size", np.array(values)), np.ones(60)) is None


def test_levels_with_the_largest_changes_are_named_and_rare_ones_are_not():
    before = pd.Series(["Oslo"] * 60 + ["Rome"] * 40, name="city")
    column = CategoricalColumn.fit(before, "text")
    after = pd.Series(["Oslo"] * 30 + ["Bern"] * 60 + ["Anna Blum"] * 4 + ["Rome"] * 6)
    found = change(count_categories("city", before), after, column)
    assert found.edges == []
    assert found.names == ["Oslo", "Rome", "Bern", "(others)"]
    assert found.before == pytest.approx([0.6, 0.4, 0.0, 0.0])
    assert found.after == pytest.approx([0.3, 0.06, 0.6, 0.04])


def test_words_are_shares_of_the_rows_that_have_any():
    before = pd.Series(["red shoe"] * 60 + ["blue shoe"] * 40)
    found = change(count_words("title", before), pd.Series(["red hat"] * 50 + [""] * 50))
    shares = dict(zip(found.names, zip(found.before, found.after, strict=True), strict=True))
    assert shares["shoe"] == (1.0, 0.0)
    assert shares["red"] == pytest.approx((0.6, 1.0))
    assert shares["hat"] == (0.0, 1.0)


def test_a_column_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="'city' is of another kind"):
        change(
            count_categories("city", pd.Series(["Oslo"] * 50)),
            [1.0],
            NumericColumn.fit(pd.Series([1.0, 2.0], name="city"), "number"),
        )
