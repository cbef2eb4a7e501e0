"""Every kind of broken contract is noticed, reported and acted upon; none passes silently."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.contracts import validation
from lepton_pipeline.data.contracts.contract import check_contract, enforce_contract
from lepton_pipeline.data.contracts.result import ContractResult, Example, ExpectationResult
from lepton_pipeline.data.contracts.validation import great_expectations_context, quiet_great_expectations
from lepton_pipeline.errors import ConfigurationError, ContractError, DataError
from lepton_pipeline.parameters import Contract, Dataset, Features
from lepton_pipeline.system.records import from_json, to_json

DATASET = Dataset(target="default", positive=1, id="ID", numeric=["LIMIT"])
Checked = tuple[dict[str, Any], pd.DataFrame, dict[str, bytes]]


@pytest.fixture
def table() -> pd.DataFrame:
    rows = 20
    return pd.DataFrame(
        {
            "ID": range(rows),
            "AGE": [20, 17, *range(30, 48)],
            "LIMIT": [0.0, 5.0, *np.arange(10.0, 28.0)],
            "SEX": ["f", "m"] * 10,
            "default": [0, 1] * 10,
        },
        # Labels that are not positions: a mix-up of the two would quarantine other rows.
        index=range(100, 100 + 2 * rows, 2),
    )


def contract_of(*expectations: dict[str, Any], max_quarantined: float = 0.5) -> Contract:
    return Contract.model_validate({"max_quarantined": max_quarantined, "expectations": list(expectations)})


def check(table: pd.DataFrame, *expectations: dict[str, Any], dataset: Dataset = DATASET) -> Checked:
    return check_contract(table, dataset, contract_of(*expectations), Features())


def enforce(table: pd.DataFrame, checked: Checked, max_quarantined: float = 0.5) -> pd.DataFrame:
    return enforce_contract(
        table, checked[1], checked[0], contract_of(max_quarantined=max_quarantined)
    ).frame()


def declared(result: ContractResult, position: int = 0) -> ExpectationResult:
    # The implied existence of its columns carries the same key and comes earlier.
    return [each for each in result.expectations if each.declared == f"contract.expectations[{position}]"][-1]


def between(column: str = "AGE", low: float = 18, high: float = 110, **rest: Any) -> dict[str, Any]:
    return {
        "expect": "column_values_to_be_between",
        "column": column,
        "min_value": low,
        "max_value": high,
        **rest,
    }


def test_a_kept_contract_hands_every_row_on(table: pd.DataFrame):
    before = table.copy(deep=True)
    checked = check(table, between(low=0))
    result, quarantine, _ = checked
    assert result.success
    assert (result.rows, result.quarantined, result.stops, result.warnings) == (20, 0, [], [])
    assert all(each.success and each.evaluated for each in result.expectations)
    assert quarantine.empty
    assert list(quarantine.columns) == [*table.columns, "quarantine_reasons"]
    pd.testing.assert_frame_equal(enforce(table, checked), before)
    pd.testing.assert_frame_equal(table, before)


def test_implied_expectations_come_first(table: pd.DataFrame):
    result, _, _ = check(table, between())
    assert [each.sentence for each in result.expectations] == [
        "default exists",
        "ID exists",
        "LIMIT exists",
        "AGE exists",
        "LIMIT holds numbers",
        "default not null",
        "AGE between 18 and 110",
    ]


def test_stop(table: pd.DataFrame):
    checked = check(table, between("LIMIT", 0, 100, strict_min=True, on_failure="stop"))
    result, quarantine, _ = checked
    assert not result.success
    assert quarantine.empty
    reported = declared(result)
    assert (reported.unexpected, reported.unexpected_fraction) == (1, 0.05)
    assert reported.examples == [Example(100, 0.0)]
    with pytest.raises(
        ContractError, match=r"LIMIT above 0 and at most 100 .*1 of 20 rows.*0\.0 \(row 100\)"
    ) as caught:
        enforce(table, checked)
    assert "on_failure" in str(caught.value)
    assert caught.value.exit_code == 3


def test_every_stop_is_listed(table: pd.DataFrame):
    checked = check(
        table, between("LIMIT", 1, 100), {"expect": "column_values_to_be_unique", "column": "SEX"}
    )
    with pytest.raises(ContractError) as caught:
        enforce(table, checked)
    assert "LIMIT between 1 and 100" in str(caught.value)
    assert "SEX unique" in str(caught.value)


def test_quarantine(table: pd.DataFrame):
    checked = check(
        table,
        between(on_failure="quarantine"),
        between("ID", 2, 50, on_failure="quarantine", description="known ID"),
    )
    result, quarantine, _ = checked
    assert result.success
    assert result.quarantined == 2
    assert quarantine["quarantine_reasons"].to_dict() == {
        100: ["known ID"],
        102: ["AGE between 18 and 110", "known ID"],
    }
    pd.testing.assert_frame_equal(quarantine.drop(columns="quarantine_reasons"), table.loc[[100, 102]])
    pd.testing.assert_frame_equal(enforce(table, checked), table.drop(index=[100, 102]))


def test_quarantine_survives_parquet(table: pd.DataFrame):
    result, quarantine, _ = check(table, between(on_failure="quarantine"))
    for frame in (quarantine, quarantine.iloc[:0]):
        buffer = io.BytesIO()
        frame.to_parquet(buffer)
        read = pd.read_parquet(buffer)
        assert [list(reasons) for reasons in read["quarantine_reasons"]] == frame[
            "quarantine_reasons"
        ].tolist()
        assert read.index.tolist() == frame.index.tolist()
    buffer = io.BytesIO()
    quarantine.to_parquet(buffer)
    with pytest.raises(ContractError, match="1 × AGE between 18 and 110"):
        enforce_contract(table, pd.read_parquet(buffer), result, contract_of(max_quarantined=0))


def test_too_many_quarantined(table: pd.DataFrame):
    expectation = between(low=25, on_failure="quarantine")
    contract = contract_of(expectation, max_quarantined=0.09)
    result, quarantine, shown = check_contract(table, DATASET, contract, Features())
    assert not result.success
    assert shown is result
    with pytest.raises(ContractError) as caught:
        enforce_contract(table, quarantine, result, contract)
    for words in (
        "2 of 20 rows (10.00%)",
        "contract.max_quarantined = 0.09",
        "2 × AGE between 25 and 110",
        "raise",
    ):
        assert words in str(caught.value)
    assert len(enforce_contract(table, quarantine, result, contract_of(max_quarantined=0.1))) == 18


def test_warn(table: pd.DataFrame):
    checked = check(
        table,
        {"expect": "column_values_to_be_in_set", "column": "SEX", "value_set": ["f"], "on_failure": "warn"},
    )
    result, quarantine, _ = checked
    assert result.success
    assert quarantine.empty
    assert not declared(result).success
    assert len(result.warnings) == 1
    assert "SEX in set ['f'] (contract.expectations[0]): 10 of 20 rows (50.00%)" in result.warnings[0]
    assert len(enforce(table, checked)) == 20


@pytest.mark.parametrize("on_failure", ["stop", "warn"])
@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        ({"expect": "column_mean_to_be_between", "column": "SEX", "min_value": 1}, "string dtype"),
        (between("SEX", 1, 2), "same type"),
        (
            {"expect": "column_values_to_match_regex", "column": "SEX", "regex": "[ab"},
            "Invalid regular expression",
        ),
        (between(row_condition="UNKNOWN == 1", condition_parser="pandas"), "UNKNOWN"),
    ],
)
def test_what_cannot_be_evaluated_stops_even_where_a_failure_would_warn(
    table: pd.DataFrame, expectation: dict[str, Any], said: str, on_failure: str
):
    checked = check(table, {**expectation, "on_failure": on_failure}, between(low=0))
    reported = declared(checked[0])
    assert (reported.success, reported.evaluated) == (False, False)
    assert said in reported.error
    assert declared(checked[0], 1).success
    with pytest.raises(ContractError, match="could not be evaluated") as caught:
        enforce(table, checked)
    assert said in str(caught.value)


def test_a_text_among_numbers_that_cannot_be_compared_is_named(table: pd.DataFrame):
    mixed = table.assign(AGE=table["AGE"].astype("str").mask(table.index == 104, "many"))
    result, _, _ = check(mixed, between())
    (stop,) = result.stops
    assert "could not be evaluated" in stop
    assert (
        "1 of 20 values of column 'AGE' are no numbers, e.g. 'many' (row 104): correct them, or list" in stop
    )
    (other,) = check(table, between("SEX"))[0].stops
    assert "20 of 20 values of column 'SEX' are no numbers, e.g. 'f' (row 100)" in other


def test_an_exception_that_great_expectations_lets_through_stops_too(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    with quiet_great_expectations():
        from great_expectations.expectations.core import ExpectColumnValuesToNotMatchRegex

    def crash(self: Any, *args: Any, **kwargs: Any) -> None:
        raise KeyError("metric")

    monkeypatch.setattr(ExpectColumnValuesToNotMatchRegex, "get_validation_dependencies", crash)
    odd = {"expect": "column_values_to_not_match_regex", "column": "ID", "regex": "x", "on_failure": "warn"}
    checked = check(table, odd, between(low=0))
    assert "metric" in declared(checked[0]).error
    assert declared(checked[0], 1).success
    with pytest.raises(ContractError, match="metric"):
        enforce(table, checked)


def test_a_suite_that_cannot_run_is_run_one_by_one(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch):
    with quiet_great_expectations():
        from great_expectations.validator.v1_validator import Validator

    def crash(self: Any, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the suite broke")

    monkeypatch.setattr(Validator, "validate_expectation_suite", crash)
    _, quarantine, _ = check(table, between(on_failure="quarantine"))
    assert quarantine.index.tolist() == [102]
    monkeypatch.setattr(Validator, "validate_expectation", crash)
    checked = check(table, between(on_failure="warn"))
    by_others = [each for each in checked[0].expectations if each.declared != "dataset.numeric"]
    assert by_others
    assert not any(each.success for each in by_others)
    with pytest.raises(ContractError, match="the suite broke"):
        enforce(table, checked)


def test_rows_that_are_not_named_are_a_stop(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch):
    with quiet_great_expectations():
        from great_expectations.validator.v1_validator import Validator

    original = Validator.validate_expectation_suite

    def without_rows(self: Any, *args: Any, **kwargs: Any) -> Any:
        outcome = original(self, *args, **kwargs)
        for each in outcome.results:
            each.result.pop("unexpected_index_list", None)
        return outcome

    monkeypatch.setattr(Validator, "validate_expectation_suite", without_rows)
    checked = check(table, between(on_failure="quarantine"))
    assert not checked[0].success
    with pytest.raises(ContractError, match="named 0 of 1 rows"):
        enforce(table, checked)


def test_a_result_that_is_missing_is_a_stop(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch):
    with quiet_great_expectations():
        from great_expectations.validator.v1_validator import Validator

    original = Validator.validate_expectation_suite

    def without_last(self: Any, *args: Any, **kwargs: Any) -> Any:
        outcome = original(self, *args, **kwargs)
        outcome.results = [
            each for each in outcome.results if "min_value" not in each.expectation_config.kwargs
        ]
        return outcome

    monkeypatch.setattr(Validator, "validate_expectation_suite", without_last)
    checked = check(table, between(low=0, on_failure="warn"))
    with pytest.raises(ContractError, match="no result was returned"):
        enforce(table, checked)


def test_missing_column_names_the_closest_one(table: pd.DataFrame):
    checked = check(table.rename(columns={"LIMIT": "LIMIT_BAL"}), between("LIMIT", 1, 2, on_failure="warn"))
    result = checked[0]
    unevaluated = [each.message for each in result.expectations if not each.evaluated]
    assert unevaluated == [
        "LIMIT holds numbers (dataset.numeric): not evaluated: column 'LIMIT' is absent.",
        "LIMIT between 1 and 2 (contract.expectations[0]): not evaluated: column 'LIMIT' is absent.",
    ]
    assert not any(each.success for each in result.expectations if not each.evaluated)
    with pytest.raises(ContractError, match=r"column 'LIMIT' \(dataset.numeric\) is absent; .*'LIMIT_BAL'"):
        enforce(table, checked)


def test_missing_target_and_column_of_an_expectation_are_stops(table: pd.DataFrame):
    expectation = {
        "expect": "column_pair_values_to_be_equal",
        "column_A": "AGE",
        "column_B": "AGES",
        "on_failure": "warn",
    }
    checked = check(table.drop(columns="default"), expectation)
    with pytest.raises(ContractError) as caught:
        enforce(table, checked)
    assert "column 'default' (dataset.target) is absent" in str(caught.value)
    assert "column 'AGES' (contract.expectations[0]) is absent; did you mean 'AGE'" in str(caught.value)


def test_a_declared_existence_keeps_its_own_policy(table: pd.DataFrame):
    result, _, _ = check(table, {"expect": "column_to_exist", "column": "REGION", "on_failure": "warn"})
    assert result.success
    assert result.warnings == [
        "column 'REGION' (contract.expectations[0]) is absent; the columns are 'ID', 'AGE', 'LIMIT', 'SEX', 'default'. "
        "Correct the name or the data."
    ]


def test_text_in_a_numeric_column(table: pd.DataFrame):
    text = table.assign(LIMIT=[*table["LIMIT"].astype(str)[:-2], "12 EUR", None])
    checked = check(text, between("LIMIT", 1, 2, on_failure="quarantine"))
    result, quarantine, _ = checked
    assert quarantine.empty
    assert declared(result).message.endswith("not evaluated: column 'LIMIT' does not hold numbers.")
    assert not declared(result).success
    with pytest.raises(
        ContractError, match=r"'LIMIT' is declared numeric .*1 of 20 rows .*'12 EUR' \(row 136\)"
    ) as caught:
        enforce(table, checked)
    assert "ingestion.missing" in str(caught.value)


@pytest.mark.parametrize(
    "kind", ["int8", "uint16", "int64", "float32", "float64", "bool", "Int64", "UInt8", "Float64", "boolean"]
)
def test_every_type_of_number_counts_as_numbers(table: pd.DataFrame, kind: str):
    result, _, _ = check(table.assign(LIMIT=pd.Series([0, 1] * 10, index=table.index).astype(kind)))
    assert result.stops == []


@pytest.mark.parametrize("values", [["1", "2"] * 10, [1, 2] * 10])
def test_a_column_that_is_not_of_a_number_type_stops(table: pd.DataFrame, values: list[Any]):
    result, _, _ = check(table.assign(LIMIT=pd.Series(values, index=table.index, dtype=object)))
    assert len(result.stops) == 1
    assert "of type object" in result.stops[0]


def test_a_numeric_column_without_any_value_says_so(table: pd.DataFrame):
    empty = table.assign(LIMIT=pd.Series([None] * len(table), index=table.index, dtype="str"))
    result, _, _ = check(empty)
    (stop,) = [stop for stop in result.stops if "'LIMIT'" in stop]
    assert "'LIMIT' is declared numeric (dataset.numeric), but has no value in any of" in stop


def test_rows_without_a_target_are_quarantined(table: pd.DataFrame):
    checked = check(table.assign(default=[np.nan, *table["default"][1:].astype(float)]))
    assert checked[1]["quarantine_reasons"].to_dict() == {100: ["default not null"]}
    assert 100 not in enforce(table, checked).index


AGED = Dataset(target="default", positive=1, time="day", label_delay="5d", present="2026-01-20")


def test_rows_that_wait_for_their_label_are_not_held_to_what_is_said_of_the_target(table: pd.DataFrame):
    days = pd.date_range("2026-01-01", periods=20)
    # The label of the 15th is known on the 20th; of the rest, some have none, and some say that they wait.
    targets = [None if row == 3 or row > 16 else 7 if row > 14 else row % 2 for row in range(20)]
    aged = table.assign(day=days, default=targets)
    in_set = {"expect": "column_values_to_be_in_set", "column": "default", "value_set": [0, 1]}
    filled = {"expect": "column_values_to_not_be_null", "column": "default", "mostly": 0.9}
    checked = check(aged, in_set, filled, between(on_failure="quarantine"), dataset=AGED)
    assert (checked[0].success, checked[0].rows) == (True, 20)
    assert checked[1].index.tolist() == [102, 106]
    assert len(enforce(aged, checked)) == 18
    assert not check(aged, in_set, filled, dataset=AGED.model_copy(update={"present": "2026-02-01"}))[
        0
    ].success
    quarantined = check(aged, dataset=AGED.model_copy(update={"present": "2026-02-01"}))[1]
    assert quarantined.index.tolist() == [106, 134, 136, 138]


def test_a_time_that_is_derived_is_asked_for_where_the_target_is_missing(table: pd.DataFrame):
    targets = [None if row in (3, 18, 19) else row % 2 for row in range(20)]
    aged = table.assign(code=[20260101 + row for row in range(20)], default=targets)
    features = Features(derive={"day": "date(code, '%Y%m%d')"})
    assert check_contract(aged, AGED, contract_of(), features)[1].index.tolist() == [106]


def test_a_missing_target_is_no_break_where_the_condition_decides_without_it(table: pd.DataFrame):
    gone = table.assign(default=table["default"].where(table["AGE"] > 40))
    asking = Dataset(target="default", positive_when="is_missing(default) or default > 0")
    assert check(gone, dataset=asking)[1].empty
    assert len(check(gone, dataset=Dataset(target="default", positive_when="default > 0"))[1]) == 13


def test_missing_values_conform_to_expectations_on_one_column(table: pd.DataFrame):
    holes = table.assign(AGE=[np.nan, np.nan, *range(30, 48)])
    result, quarantine, _ = check(holes, between(on_failure="quarantine"))
    assert declared(result).success
    assert quarantine.empty
    result, quarantine, _ = check(
        holes, {"expect": "column_values_to_not_be_null", "column": "AGE", "on_failure": "quarantine"}
    )
    assert quarantine["quarantine_reasons"].to_dict() == {100: ["AGE not null"], 102: ["AGE not null"]}
    assert declared(result).examples[0] == Example(100, None)


@pytest.mark.parametrize(("mostly", "quarantined"), [(0.95, 0), (0.96, 1)])
def test_mostly_tolerates_rows_or_quarantines_all_of_them(
    table: pd.DataFrame, mostly: float, quarantined: int
):
    result, quarantine, _ = check(table, between(on_failure="quarantine", mostly=mostly))
    assert declared(result).success is (quarantined == 0)
    assert declared(result).unexpected == 1
    assert len(quarantine) == quarantined


@pytest.mark.parametrize(
    ("expectation", "rows", "reason"),
    [
        (
            {"expect": "column_pair_values_a_to_be_greater_than_b", "column_A": "AGE", "column_B": "OTHER"},
            [102, 104],
            "AGE greater than OTHER",
        ),
        (
            {
                "expect": "column_pair_values_a_to_be_greater_than_b",
                "column_A": "AGE",
                "column_B": "OTHER",
                "ignore_row_if": "either_value_is_missing",
            },
            [102],
            "AGE greater than OTHER (ignore_row_if 'either_value_is_missing')",
        ),
        (
            {"expect": "multicolumn_sum_to_equal", "column_list": ["AGE", "REST"], "sum_total": 100},
            [106],
            "AGE, REST sum equal 100",
        ),
        (
            {"expect": "compound_columns_to_be_unique", "column_list": ["SEX", "CODE"]},
            [100, 104],
            "SEX, CODE unique",
        ),
    ],
)
def test_rows_of_expectations_on_several_columns_are_named(
    table: pd.DataFrame, expectation: dict[str, Any], rows: list[int], reason: str
):
    wide = table.assign(
        OTHER=[1.0, 99.0, np.nan, *[1.0] * 17],
        REST=[100 - age + (label == 106) for label, age in table["AGE"].items()],
        CODE=[0, 1, 0, *range(3, 20)],
    )
    result, quarantine, _ = check(wide, {**expectation, "on_failure": "quarantine"})
    assert quarantine["quarantine_reasons"].to_dict() == {row: [reason] for row in rows}
    assert [each.row for each in declared(result).examples] == rows
    assert len(declared(result).examples[0].value) == 2


def test_a_row_condition_keeps_row_labels(table: pd.DataFrame):
    condition = {"row_condition": 'SEX == "m"', "condition_parser": "pandas"}
    _, quarantine, _ = check(table, between(low=32, on_failure="quarantine", **condition))
    assert quarantine.index.tolist() == [102, 106]


def test_an_aggregate_tells_what_it_saw(table: pd.DataFrame):
    result, _, _ = check(table, {"expect": "column_max_to_be_between", "column": "AGE", "max_value": 40})
    assert result.stops == [
        "AGE max at most 40 (contract.expectations[0]) does not hold: the table shows 47."
    ]
    assert declared(result).unexpected is None


def test_equal_expectations_are_both_reported(table: pd.DataFrame):
    result, quarantine, _ = check(
        table, between(on_failure="quarantine"), between(on_failure="warn"), between()
    )
    assert [declared(result, position).success for position in range(3)] == [False] * 3
    assert len(quarantine) == len(result.warnings) == len(result.stops) == 1


def test_a_refused_value_is_a_configuration_error(table: pd.DataFrame):
    with pytest.raises(
        ConfigurationError, match=r"contract.expectations\[0\].min_value: .*'adult'"
    ) as caught:
        check(table, {**between(), "min_value": "adult"})
    assert "column_values_to_be_between" in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_expectation_is_a_configuration_error(table: pd.DataFrame):
    with pytest.raises(ConfigurationError, match="column_values_to_be_between"):
        check(table, {"expect": "column_values_to_be_betwen", "column": "AGE"})


def test_unusable_tables_are_refused(table: pd.DataFrame):
    with pytest.raises(DataError, match="'quarantine_reasons'"):
        check(table.assign(quarantine_reasons="mine"))
    with pytest.raises(DataError, match="index label 7"):
        check(table.set_axis([7, 7, *range(18)]))


def test_the_result_is_small_json(table: pd.DataFrame):
    many = pd.DataFrame({"ID": range(5000), "LIMIT": -1.5, "default": [0, 1] * 2500})
    result, quarantine, _ = check(
        many, between("LIMIT", on_failure="quarantine"), between("LIMIT", on_failure="warn")
    )
    text = to_json(result)
    assert from_json(ContractResult, text) == result
    assert len(text) < 10_000
    assert len(quarantine) == 5000
    assert len(declared(result).examples) == 5


def test_nothing_is_sent_printed_or_logged(
    table: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setenv("GX_ANALYTICS_ENABLED", "true")
    kl = {
        "expect": "column_kl_divergence_to_be_less_than",
        "column": "SEX",
        "threshold": 0.1,
        "on_failure": "warn",
    }
    check(
        table,
        between(),
        {**kl, "partition_object": {"values": ["f", "m"], "weights": [0.5, 0.5]}},
        between("SEX"),
    )
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    with quiet_great_expectations():
        context = great_expectations_context()
    assert context.variables.analytics_enabled is False
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_pattern_that_never_ends_is_named(table, monkeypatch):
    monkeypatch.setattr(validation, "_SECONDS", 2)
    noted = table.assign(NOTE="x" * 60)
    match = {"expect": "column_values_to_match_regex", "column": "NOTE", "on_failure": "warn"}
    with pytest.raises(ConfigurationError) as told:
        check(noted, match | {"regex": r"(x+x+)+y(?!z)"})
    assert r"contract.expectations[0].regex: '(x+x+)+y(?!z)': to look for this takes longer than 2 s" in str(
        told.value
    )
    # The same without what pandas leaves to Python.
    assert not declared(check(noted, match | {"regex": "(x+x+)+y"})[0]).success
