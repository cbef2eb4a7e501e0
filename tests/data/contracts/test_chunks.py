"""The contract over chunks gives what the contract over the whole table gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.contracts.checks import planned_checks
from lepton_pipeline.data.contracts.chunks import EXAMPLES, Evaluation, scoring_checks
from lepton_pipeline.data.contracts.contract import report_check
from lepton_pipeline.data.contracts.validation import evaluate_checks
from lepton_pipeline.parameters import Contract, Dataset, Expectation


def check_chunks(chunks, checks):
    evaluation = Evaluation(checks)
    for chunk in chunks:
        evaluation.add(chunk)
    return evaluation.found()


DATASET = Dataset(target="bought", positive="yes", id="id", numeric=["age"], exclude=["later"])
EXPECTATIONS = [
    {"expect": "column_values_to_be_between", "column": "age", "min_value": 20, "on_failure": "quarantine"},
    {
        "expect": "column_values_to_be_between",
        "column": "age",
        "max_value": 50,
        "mostly": 0.7,
        "on_failure": "warn",
    },
    {
        "expect": "column_values_to_be_between",
        "column": "age",
        "max_value": 50,
        "mostly": 0.8,
        "on_failure": "warn",
    },
    {"expect": "column_values_to_be_unique", "column": "id", "on_failure": "quarantine"},
    {"expect": "column_values_to_be_unique", "column": "id", "mostly": 0.9, "on_failure": "warn"},
    {"expect": "compound_columns_to_be_unique", "column_list": ["city", "age"], "on_failure": "warn"},
    {
        "expect": "column_values_to_be_in_set",
        "column": "city",
        "value_set": ["Oslo", "Rome"],
        "on_failure": "warn",
    },
    {"expect": "column_values_to_not_be_null", "column": "city", "mostly": 0.9, "on_failure": "warn"},
    {"expect": "column_values_to_not_be_null", "column": "city", "mostly": 0.95, "on_failure": "warn"},
    {"expect": "column_values_to_match_regex", "column": "city", "regex": "^[OR]", "on_failure": "warn"},
    {
        "expect": "column_values_to_be_between",
        "column": "age",
        "max_value": 30,
        "row_condition": 'city == "Rome"',
        "condition_parser": "pandas",
        "on_failure": "warn",
    },
    {
        "expect": "column_pair_values_a_to_be_greater_than_b",
        "column_A": "age",
        "column_B": "low",
        "on_failure": "warn",
    },
    {"expect": "column_values_to_be_increasing", "column": "low", "on_failure": "warn"},
    {
        "expect": "column_value_z_scores_to_be_less_than",
        "column": "age",
        "threshold": 2,
        "double_sided": True,
    },
    {
        "expect": "column_mean_to_be_between",
        "column": "age",
        "min_value": 20,
        "max_value": 30,
        "on_failure": "warn",
    },
    {"expect": "column_values_to_be_of_type", "column": "low", "type_": "int64", "on_failure": "warn"},
    {"expect": "table_row_count_to_be_between", "min_value": 31, "on_failure": "warn"},
]
CONTRACT = Contract(expectations=[Expectation(**each) for each in EXPECTATIONS])


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(7)
    table = pd.DataFrame(
        {
            "id": [f"c{row}" for row in range(30)],
            "age": generator.integers(19, 60, 30).astype(float),
            "city": generator.choice(["Oslo", "Rome", "Bonn"], 30, p=[0.6, 0.3, 0.1]),
            "low": range(30),
        }
    )
    # A key in the first and the last chunk, missing keys, repeated pairs, a step back.
    table.loc[29, "id"] = "c0"
    table.loc[[4, 9], "id"] = None
    table.loc[[5, 28], ["city", "age"]] = ["Oslo", 40.0]
    table.loc[[2, 17], "city"] = None
    table.loc[11, "age"] = None
    table.loc[14, "low"] = 3
    return table


def chunked(rows, size):
    return (rows.iloc[start : start + size] for start in range(0, len(rows), size))


@pytest.mark.parametrize("size", [7, 30])
def test_every_expectation_is_judged_as_on_the_whole_table(rows, size):
    checks = [
        check for check in planned_checks(CONTRACT, "contract") if not check.expect.endswith("to_exist")
    ]
    assert len(checks) == len(EXPECTATIONS)
    whole = evaluate_checks(rows, checks, {})
    found = check_chunks(chunked(rows, size), checks)
    for check, expected, each in zip(checks, whole, found, strict=True):
        verdict = each.verdict
        assert (verdict.success, verdict.evaluated, verdict.error) == (expected.success, True, None), (
            check.sentence
        )
        assert verdict.unexpected == expected.unexpected, check.sentence
        assert each.rows.tolist() == sorted(expected.positions), check.sentence
        shown, column = rows.loc[each.rows[:EXAMPLES]], rows.__getitem__
        assert report_check(shown, check, verdict, 30, column) == report_check(
            shown, check, expected, 30, column
        )
    # The table is such that the test tells something.
    assert {verdict.success for verdict in whole} == {True, False}


def test_what_needs_a_label_or_a_column_known_later_is_left_out(rows):
    declared = [
        {"expect": "column_values_to_be_in_set", "column": "bought", "value_set": ["yes", "no"]},
        {"expect": "column_values_to_be_between", "column": "later", "min_value": 0},
        {
            "expect": "column_values_to_not_be_null",
            "column": "city",
            "row_condition": 'bought == "yes"',
            "condition_parser": "pandas",
        },
        {"expect": "table_column_count_to_equal", "value": 9},
        {"expect": "column_values_to_not_be_null", "column": "city"},
        {"expect": "column_to_exist", "column": "nowhere"},
    ]
    contract = Contract(expectations=[Expectation(**each) for each in declared])
    checks, left_out = scoring_checks(contract, DATASET, list(rows.columns))
    assert [check.key for check in left_out] == [f"contract.expectations[{at}]" for at in range(4)]
    assert [check.key for check in checks] == [
        "dataset.numeric",
        "contract.expectations[4]",
        "contract.expectations[5]",
    ]
    found = check_chunks(chunked(rows, 10), checks)
    assert [each.verdict.success for each in found] == [True, False, False]


def test_texts_among_declared_numbers_are_counted_in_all_chunks(rows):
    wrong = rows.assign(age=rows["age"].astype(str).where(rows.index != 25, "old"))
    checks, _ = scoring_checks(CONTRACT, DATASET, list(rows.columns))
    found = check_chunks(chunked(wrong, 10), checks)
    number = found[0]
    assert (number.verdict.success, number.rows.tolist()) == (False, [25])
    message = report_check(wrong.loc[[25]], checks[0], number.verdict, 30, wrong.__getitem__).message
    assert "1 of 30 rows (3.33%) hold no number, e.g. 'old' (row 25)" in message
    # What compares numbers is not tried on texts.
    assert found[1].verdict.blocked == "column 'age' does not hold numbers"


@pytest.mark.parametrize("texts", [False, True])
def test_keys_are_compared_over_all_chunks(texts):
    values = pd.Series([1, 2, 3, 2, 4, 1, 9, 9])
    keys = pd.DataFrame({"key": values.astype(str) if texts else values})
    declared = Expectation(expect="column_values_to_be_unique", column="key")
    (_, unique) = check_chunks(
        chunked(keys, 3), planned_checks(Contract(expectations=[declared]), "contract")
    )
    assert unique.rows.tolist() == [0, 1, 3, 5, 6, 7]
