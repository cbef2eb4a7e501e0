"""What is known of expectations without importing Great Expectations must be what it says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from known_expectations import as_text, installed

from lepton_pipeline.data.contracts import expectations
from lepton_pipeline.data.contracts.expectations import check_declarations
from lepton_pipeline.parameters import Contract


def problems(**declared: Any) -> list[str]:
    return check_declarations(Contract.model_validate({"expectations": [declared]}))


def test_great_expectations_is_not_imported():
    program = (
        "import sys; from lepton_pipeline.parameters import Contract;"
        "from lepton_pipeline.data.contracts.expectations import check_declarations;"
        "declared = {'expect': 'column_values_to_be_between', 'column': 'AGE', 'min_value': 18};"
        "assert check_declarations(Contract.model_validate({'expectations': [declared, {'expect': 'nothing'}]}));"
        "print('great_expectations' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_snapshot_is_what_the_installed_version_says():
    written = Path(expectations.__file__).with_suffix(".json").read_text("utf-8")
    assert written == as_text(installed()), "run python tests/data/contracts/known_expectations.py"


@pytest.mark.parametrize(
    "declared",
    [
        {
            "expect": "column_values_to_be_between",
            "column": "AGE",
            "max_value": 110,
            "on_failure": "quarantine",
        },
        {
            "expect": "column_values_to_not_be_null",
            "column": "AGE",
            "mostly": 0.9,
            "description": "known age",
        },
        {
            "expect": "column_pair_values_to_be_equal",
            "column_A": "A",
            "column_B": "B",
            "on_failure": "quarantine",
        },
        {
            "expect": "multicolumn_sum_to_equal",
            "column_list": ["A", "B"],
            "sum_total": 1,
            "on_failure": "quarantine",
        },
        {"expect": "table_row_count_to_be_between", "min_value": 10, "on_failure": "warn"},
        {"expect": "column_mean_to_be_between", "column": "AGE", "min_value": 10},
        {
            "expect": "column_values_to_be_in_set",
            "column": "SEX",
            "value_set": [1, 2],
            "row_condition": "AGE > 3",
        },
    ],
)
def test_right_declarations_have_no_problem(declared: dict[str, Any]):
    assert problems(**declared) == []


@pytest.mark.parametrize(
    ("declared", "key", "said"),
    [
        (
            {"expect": "column_values_to_be_betwen", "column": "AGE"},
            "expect",
            ["'column_values_to_be_betwen'", "column_values_to_be_between"],
        ),
        (
            {"expect": "expect_column_values_to_be_unique", "column": "ID"},
            "expect",
            ["write 'column_values_to_be_un"],
        ),
        (
            {"expect": "column_values_to_match_like_pattern", "column": "A", "like_pattern": "a%"},
            "expect",
            ["databases", "column_values_to_match_regex"],
        ),
        (
            {"expect": "column_values_to_be_between", "column": "AGE", "min_valu": 18, "max_value": 110},
            "min_valu",
            ["18", "closest is min_value", "strict_max"],
        ),
        ({"expect": "column_values_to_be_in_set", "column": "SEX"}, "value_set", ["missing", "value_set"]),
        (
            {"expect": "column_values_to_not_be_in_set", "column": "SEX", "value_set": []},
            "value_set",
            ["empty"],
        ),
        (
            {"expect": "column_value_lengths_to_equal", "column": "A", "value": {"$PARAMETER": "x"}},
            "value",
            ["suite parameter", "Write the value"],
        ),
        (
            {
                "expect": "column_mean_to_be_between",
                "column": "A",
                "max_value": 1,
                "on_failure": "quarantine",
            },
            "on_failure",
            ["'quarantine'", "stop or warn"],
        ),
        (
            {"expect": "table_row_count_to_equal", "value": 1, "on_failure": "quarantine"},
            "on_failure",
            ["'quarantine'", "stop or warn"],
        ),
        (
            {
                "expect": "column_values_to_be_of_type",
                "column": "A",
                "type_": "int64",
                "on_failure": "quarantine",
            },
            "on_failure",
            ["'quarantine'", "stop or warn"],
        ),
        (
            {"expect": "column_kl_divergence_to_be_less_than", "column": "A", "threshold": 1},
            "partition_object",
            ["missing"],
        ),
    ],
)
def test_each_kind_of_problem_is_one_line(declared: dict[str, Any], key: str, said: list[str]):
    (line,) = problems(**declared)
    assert line.startswith(f"contract.expectations[0].{key}: ")
    assert "\n" not in line
    for words in said:
        assert words in line


@pytest.mark.parametrize(
    "declared",
    [
        {"expect": "column_values_to_be_between", "column": "AGE"},
        {"expect": "column_max_to_be_between", "column": "AGE", "strict_max": True},
        {"expect": "table_row_count_to_be_between"},
        {"expect": "column_values_to_be_in_type_list", "column": "AGE"},
        {"expect": "table_columns_to_match_set"},
    ],
)
def test_what_would_check_nothing_is_refused(declared: dict[str, Any]):
    (line,) = problems(**declared)
    assert line.startswith("contract.expectations[0]: ")
    assert "checks nothing" in line


def test_every_problem_of_every_expectation_is_listed_with_its_position():
    contract = Contract.model_validate(
        {
            "expectations": [
                {"expect": "column_values_to_be_unique", "column": "ID"},
                {"expect": "column_values_to_be_in_set", "colunm": "SEX"},
            ]
        }
    )
    lines = check_declarations(contract)
    assert [line.split(":")[0] for line in lines] == [
        "contract.expectations[1].colunm",
        "contract.expectations[1].column",
        "contract.expectations[1].value_set",
    ]
