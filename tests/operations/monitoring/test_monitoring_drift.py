import re

import numpy as np
import pandas as pd
import pytest
from many_columns import draw, learn
from scipy.stats import binom

from lepton_pipeline.evaluation.drift import compare_rows
from lepton_pipeline.operations.monitoring.drift import (
    adjusted,
    compare,
    compare_numbers,
    compare_volume,
)
from lepton_pipeline.operations.monitoring.findings import DomainDrift
from lepton_pipeline.operations.monitoring.reference import Volume, count_numbers
from lepton_pipeline.parameters import Dataset, Monitoring

MONITORING = Monitoring()


def flags(train, other, monitoring=MONITORING):
    encoder, reference = learn(train)
    return {each.column: each for each in adjusted(compare(other, encoder, reference), monitoring)}


@pytest.mark.parametrize(("rows", "new"), [(1000, 300), (400, 400), (2000, 60)])
def test_false_alarms_are_no_more_frequent_than_declared(rows, new, exhaustive):
    tables = 400 if exhaustive else 20
    alarms = flagged = 0
    for seed in range(tables):
        columns = flags(draw(rows, 2 * seed), draw(new, 2 * seed + 1)).values()
        alarms += any(each.p_adjusted <= MONITORING.level for each in columns)
        flagged += any(each.flagged for each in columns)
    # More would be seen once in a thousand such tests if the rate were exactly the declared one.
    assert alarms <= binom.isf(0.001, tables, MONITORING.level)
    assert flagged <= alarms


@pytest.mark.parametrize(
    ("column", "change", "least"),
    [
        ("size", lambda values, _: values + 0.5, 0.95),
        ("size", lambda values, _: values * 1.8, 0.95),
        ("city", lambda values, random: values.mask(random.random(len(values)) < 0.25, "Bern"), 0.95),
        ("gappy", lambda values, random: values.mask(random.random(len(values)) < 0.25), 0.9),
        ("count", lambda values, random: values + random.poisson(0.5, len(values)), 0.95),
    ],
)
def test_a_known_change_is_found_and_only_where_it_is(column, change, least):
    found = wrong = 0
    for seed in range(12):
        columns = flags(draw(2000, 2 * seed), draw(400, 2 * seed + 1, **{column: change}))
        found += columns[column].flagged
        wrong += any(each.flagged for name, each in columns.items() if name != column)
    assert found > least * 12 - 1
    assert wrong <= 2


def test_stored_counts_find_nearly_what_whole_rows_find():
    train, other = draw(3000, 1), draw(500, 2, size=lambda values, _: values + 0.2)
    encoder, reference = learn(train)
    stored = {each.column: each for each in compare(other, encoder, reference)}
    for whole in compare_rows(train, other, encoder):
        own = stored[whole.column]
        assert own.psi == pytest.approx(whole.psi, abs=0.01)
        assert own.missing_new == whole.missing_test
        assert own.missing_reference == whole.missing_train


def test_the_distance_on_quantiles_is_at_most_that_of_the_samples_and_near_it():
    from scipy.stats import ks_2samp

    for seed in range(30):
        random = np.random.default_rng(seed)
        train, other = random.normal(size=2500), random.normal(0.15, 1, size=300)
        kept = count_numbers("size", train)
        found = compare_numbers(kept, other)
        whole = ks_2samp(train, other, method="asymp").statistic
        if found.test == "Kolmogorov-Smirnov":
            assert whole - 0.02 <= found.statistic <= whole + 1e-12


def test_numbers_of_few_values_are_compared_exactly():
    from scipy.stats import ks_2samp

    random = np.random.default_rng(1)
    train, other = random.integers(0, 5, 2000).astype(float), random.integers(0, 4, 300).astype(float)
    found = compare_numbers(count_numbers("stars", train), other)
    largest = ks_2samp(train, other, method="asymp")
    assert found.p_value <= 2 * largest.pvalue


def test_new_levels_are_told_from_rare_ones():
    train = draw(2000, 1)
    train.loc[5, "city"] = "Vik"
    new = draw(3000, 2)
    new.loc[[1, *range(3, 8)], "city"] = ["Vik"] + ["Lima"] * 5
    new.loc[[8, 9], "city"] = "Ann Lee, 5 Elm St"
    columns = flags(train, new)
    # What two rows share may be about a person.
    assert columns["city"].new_levels == ["Lima"]
    assert columns["city"].rows_of_new_levels == 7
    assert not columns["city"].flagged


@pytest.mark.parametrize(
    ("changes", "column", "words"),
    [
        ({"size": lambda values, _: values + 1000}, "size", r"median -?0\.\d+ before, (999\.\d|1,000) now"),
        (
            {"size": lambda values, _: values * 4},
            "size",
            r"eight in ten values from -1\.\d+ to 1\.\d+ before, from -[45]",
        ),
        (
            {"gappy": lambda values, _: values * np.nan},
            "gappy",
            r"missing in [12]\d\.\d % of the rows before, 100\.0 % now",
        ),
        ({"city": lambda values, _: "Rome"}, "city", r"Rome: [23]\d\.\d % of the rows before, 100\.0 % now"),
        (
            {"city": lambda values, _: "<b>Lima" * 9},
            "city",
            r"rare or unknown: 0\.0 % of the rows before, 100\.0 % now",
        ),
    ],
)
def test_a_change_is_told_in_words(changes, column, words):
    found = flags(draw(2000, 1), draw(300, 2, **changes))[column]
    assert found.flagged
    assert re.search(words, found.change)
    assert all(len(level) <= 40 for level in found.new_levels)


def test_a_column_that_loses_all_its_values_is_flagged():
    columns = flags(
        draw(1000, 1), draw(300, 2).assign(size=np.nan, city=pd.Series([None] * 300, dtype="str"))
    )
    assert columns["size"].flagged
    assert columns["city"].flagged
    assert columns["size"].test == "missing values"


def test_what_is_certain_but_small_is_not_flagged():
    columns = flags(draw(40000, 1), draw(40000, 2, size=lambda values, _: values + 0.05))
    assert columns["size"].p_adjusted < 1e-6
    assert not columns["size"].flagged


def test_the_auc_bound_is_that_of_normals_with_the_same_psi():
    # d = 0.3162 standard deviations.
    assert DomainDrift(0.5886, 0.01, 200).is_large(0.1)
    assert not DomainDrift(0.5884, 0.01, 200).is_large(0.1)
    random = np.random.default_rng(1)
    one, other = random.normal(size=200_000), random.normal(0.1**0.5, 1, size=200_000)
    assert compare_numbers(count_numbers("x", one), other).psi == pytest.approx(0.1, abs=0.01)


def test_p_values_are_corrected_together_and_nothing_is_changed():
    given = [DomainDrift(0.9, 0.01, 200), DomainDrift(0.9, 0.02, 200), DomainDrift(0.5, 0.04, 200)]
    found = adjusted(given, MONITORING)
    assert [each.p_adjusted for each in found] == pytest.approx([0.03, 0.04, 0.04])
    assert [each.flagged for each in found] == [True, True, False]
    assert given[0].p_adjusted == 1
    assert adjusted([], MONITORING) == []


def test_volume_is_compared_by_unit():
    kept = Volume(10.0, [100, 110, 90, 105, 95] * 6)
    same = compare_volume(kept, np.linspace(300.1, 400, 1000), 300.0)
    assert same.new == pytest.approx(100, abs=1)
    assert same.p_value > 0.3
    less = compare_volume(kept, np.linspace(300.1, 400, 300), 300.0)
    assert less.is_large(0.1)
    assert not same.is_large(0.1)
    assert less.p_value < 1e-6
    assert compare_volume(kept, np.array([301.0, 325.0]), 300.0) is None


def test_rows_that_hang_together_in_time_alarm_no_more_than_declared():
    dataset = Dataset(target="y", positive=1, time="day", numeric=["slow"])
    alarms = plain = 0
    for seed in range(15):
        random = np.random.default_rng(seed)
        # Each value stays for twenty rows.
        slow = np.repeat(random.normal(size=175), 20)
        table = pd.DataFrame({"y": np.arange(3500) % 2, "slow": slow, "day": np.arange(3500)})
        encoder, reference = learn(table[:3000], dataset)
        (found,) = compare(table[3000:], encoder, reference)
        alarms += found.p_value <= 0.05
        plain += compare_numbers(count_numbers("slow", slow[:3000]), slow[3000:]).p_value <= 0.05
    assert alarms <= binom.isf(0.001, 15, 0.05)
    assert plain > binom.isf(0.001, 15, 0.05)
