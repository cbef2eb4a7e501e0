import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation.drift import LEVEL, PSI_BOUND, compare_rows, measure_drift
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.parameters import Dataset

DATASET = Dataset(target="y", positive=1)


def draw(rows, seed, **changes):
    """Rows whose columns hang together, as those of real tables do."""
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    table = pd.DataFrame(
        {
            "y": np.arange(rows) % 2,
            "size": size,
            "double": 2 * size + random.normal(scale=0.1, size=rows),
            "count": random.poisson(1.0, size=rows),
            "gappy": np.where(random.random(rows) < 0.2, np.nan, random.exponential(size=rows)),
            "city": random.choice(["Oslo", "Rome", "Bern"], size=rows, p=[0.6, 0.3, 0.1]),
            "code": [f"c{number}" for number in random.zipf(1.6, size=rows)],
        }
    )
    return table.assign(**{name: change(table[name], random) for name, change in changes.items()})


def compare(train, other):
    return {each.column: each for each in compare_rows(train, other, Encoder.fit(train, DATASET))}


def test_rows_of_one_source_are_hardly_ever_flagged_and_rarely_surprise():
    surprised = flagged = 0
    for seed in range(60):
        columns = compare(draw(500, 2 * seed), draw(200, 2 * seed + 1)).values()
        surprised += any(each.p_value <= LEVEL for each in columns)
        flagged += any(each.flagged for each in columns)
    # At most 5 % of tables may surprise by chance; more than 8 of 60 would happen once in 300 trials at that rate.
    assert surprised <= 8
    assert flagged <= surprised


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("size", lambda values, _: values + 0.6),
        ("size", lambda values, _: values * 2.0),
        ("city", lambda values, random: random.permutation(np.where(values == "Oslo", "Rome", values))),
        ("count", lambda values, _: values + (values == 0)),
    ],
)
def test_a_shift_is_flagged_in_its_column_only(column, change):
    columns = compare(draw(2000, 1), draw(800, 2, **{column: change}))
    assert [name for name, each in columns.items() if each.flagged] == [column]
    assert columns[column].psi > PSI_BOUND
    assert columns[column].p_value < 1e-6


def test_a_shift_that_is_certain_but_small_is_not_flagged():
    columns = compare(draw(40000, 1), draw(40000, 2, size=lambda values, _: values + 0.05))
    assert columns["size"].p_value < 1e-6
    assert columns["size"].psi < PSI_BOUND
    assert not columns["size"].flagged


def test_a_large_difference_between_few_rows_is_not_flagged():
    columns = compare(draw(60, 1), draw(6, 2, size=lambda values, _: values + 0.8))
    assert columns["size"].psi > PSI_BOUND
    assert not columns["size"].flagged


def test_new_levels_are_named_the_most_frequent_first_and_flagged_where_they_are_many():
    few = draw(1000, 2)
    few.loc[[3, 4, 5], "city"] = ["Wien", "Wien", "Paris"]
    columns = compare(draw(2000, 1), few)
    assert columns["city"].new_levels == ["Wien", "Paris"]
    assert not columns["city"].flagged
    many = compare(draw(2000, 1), draw(1000, 2, city=lambda values, _: values.replace("Bern", "Wien")))
    assert many["city"].new_levels == ["Wien"]
    assert many["city"].flagged
    wide = compare(draw(2000, 1), few.assign(city=[f"new {row}" for row in range(1000)]))
    assert len(wide["city"].new_levels) == 10


def test_values_that_go_missing_are_flagged():
    lost = draw(800, 2, gappy=lambda values, _: values.where(values < 0.8))
    gone = compare(draw(2000, 1), lost.assign(city=lost["city"].where(lost["city"] != "Rome")))
    assert gone["gappy"].flagged
    assert gone["city"].flagged
    assert gone["gappy"].missing_train == pytest.approx(0.2, abs=0.03)
    assert gone["gappy"].missing_test == pytest.approx(lost["gappy"].isna().mean())
    at_random = draw(800, 2, size=lambda values, random: values.mask(random.random(len(values)) < 0.3))
    assert compare(draw(2000, 1), at_random)["size"].flagged


def test_a_column_without_any_value_is_the_extreme_of_missing():
    columns = compare(draw(500, 1), draw(200, 2).assign(size=np.nan, city=None))
    for name in ("size", "city"):
        assert columns[name].missing_test == 1.0
        assert columns[name].flagged
    assert columns["size"].statistic == 0.0


def test_psi_is_that_of_the_definition():
    train = pd.DataFrame({"y": [0, 1] * 500, "kind": ["a"] * 500 + ["b"] * 500})
    other = pd.DataFrame({"y": [0, 1] * 500, "kind": ["a"] * 800 + ["b"] * 200})
    expected = (0.8 - 0.5) * np.log(0.8 / 0.5) + (0.2 - 0.5) * np.log(0.2 / 0.5)
    assert compare(train, other)["kind"].psi == pytest.approx(expected, rel=0.01)


def test_p_values_are_corrected_by_holms_method():
    from scipy.stats import ks_2samp

    train, other = draw(800, 1), draw(300, 2, size=lambda values, _: values + 0.2)
    columns = [
        each for each in compare_rows(train, other, Encoder.fit(train, DATASET)) if each.kind == "number"
    ]
    raw = ks_2samp(train["size"], other["size"], method="asymp").pvalue
    corrected = next(each.p_value for each in columns if each.column == "size")
    # The smallest of the six p-values is multiplied by six.
    assert corrected == pytest.approx(6 * raw)


def test_a_category_that_changes_its_dtype_has_not_changed():
    train = draw(500, 1).assign(level=np.arange(500) % 4)
    other = draw(500, 2).assign(level=(np.arange(500) % 4).astype(float))
    encoder = Encoder.fit(train, Dataset(target="y", positive=1, categorical=["level"]))
    (level,) = (each for each in compare_rows(train, other, encoder) if each.column == "level")
    assert level.new_levels == []
    assert level.psi == pytest.approx(0)


def test_the_node_compares_test_rows_with_training_rows_and_changes_nothing():
    table = pd.concat(
        [draw(400, 1), draw(200, 2), draw(200, 3, size=lambda values, _: values + 1)], ignore_index=True
    )
    split = pd.DataFrame({"part": ["train"] * 400 + ["validation"] * 200 + ["test"] * 200})
    before = table.copy()
    drift = measure_drift(table, split, Encoder.fit(table.loc[:399], DATASET))
    assert (drift.rows_train, drift.rows_test) == (400, 200)
    assert [each.column for each in drift.columns if each.flagged] == ["size"]
    pd.testing.assert_frame_equal(table, before)
