"""Contracts on raw tables, and keys that are looked up in another table."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from lepton_pipeline.data.contracts.contract import check_raw_table, enforce_contract
from lepton_pipeline.data.contracts.result import Example
from lepton_pipeline.errors import ConfigurationError, ContractError, DataError
from lepton_pipeline.parameters import Contract

FLIGHTS = pd.DataFrame({"origin": ["EWR", "JFK", "LGA", None], "hour": [1, 2, 3, 4], "tail": list("abcd")})
WEATHER = pd.DataFrame({"origin": ["EWR", "JFK", "LGA"], "at": [1, 2, 9]})


def contract(**changes):
    keys = {"expect": "keys_to_exist_in_table", "column_list": ["origin", "hour"], "table": "weather"}
    return Contract.model_validate({"expectations": [{**keys, "table_columns": ["origin", "at"], **changes}]})


def check(declared, table=FLIGHTS, **others):
    return check_raw_table(table, declared, "flights", others or {"weather": WEATHER})


def test_rows_whose_key_is_not_found_are_named_and_a_missing_key_conforms():
    result, quarantine, drawn = check(contract(on_failure="warn"))
    (keys,) = [each for each in result.expectations if each.expect == "column_values_to_be_in_set"]
    assert keys.unexpected == 1
    assert keys.examples == [Example(2, {"origin": "LGA", "hour": 3})]
    assert keys.declared == "tables.flights.expectations[0]"
    (warning,) = result.warnings
    assert warning.startswith(
        "origin, hour found in weather (tables.flights.expectations[0]): 1 of 4 rows (25.00%)"
    )
    assert quarantine.empty
    assert drawn == result


def test_a_key_coverage_below_the_declared_share_stops():
    result, quarantine, _ = check(contract(mostly=0.7))
    assert not result.success
    with pytest.raises(ContractError, match=r"origin, hour found in weather \(mostly 0.7\).*1 of 4 rows"):
        enforce_contract(FLIGHTS, quarantine, result, contract(mostly=0.7))
    assert check(contract(mostly=0.6))[0].success


def test_rows_without_a_match_can_be_quarantined_with_their_own_columns_only():
    declared = contract(on_failure="quarantine").model_copy(update={"max_quarantined": 0.5})
    result, quarantine, _ = check(declared)
    assert quarantine.index.tolist() == [2]
    assert list(quarantine.columns) == [*FLIGHTS.columns, "quarantine_reasons"]
    assert enforce_contract(FLIGHTS, quarantine, result, declared).frame().index.tolist() == [0, 1, 3]


def test_too_many_quarantined_rows_name_the_key_that_allows_more():
    declared = contract(on_failure="quarantine")
    result, quarantine, _ = check(declared)
    with pytest.raises(ContractError, match=r"more than tables.flights.max_quarantined = 0.05 allows"):
        enforce_contract(FLIGHTS, quarantine, result, declared)


def test_an_unknown_table_and_an_absent_key_column_are_errors():
    with pytest.raises(
        ConfigurationError, match="no table 'weather' to look keys up in; this check knows planes"
    ):
        check(contract(), planes=WEATHER)
    with pytest.raises(DataError, match="table 'weather' has no key column 'ad'; did you mean 'at'"):
        check(contract(table_columns=["origin", "ad"]))


@pytest.mark.parametrize("bound", ["2013-02-01", date(2013, 2, 1), "2013-02-01T00:00:00"])
def test_dates_are_compared_with_a_day(bound):
    table = pd.DataFrame({"at": pd.to_datetime(["2013-01-31 23:59", "2013-02-01 00:00", "2013-02-02 00:00"])})
    between = {
        "expect": "column_values_to_be_between",
        "column": "at",
        "min_value": bound,
        "on_failure": "quarantine",
    }
    _, quarantine, _ = check(Contract.model_validate({"expectations": [between]}), table=table)
    assert quarantine.index.tolist() == [0]


def test_an_absent_key_column_of_the_table_itself_stops():
    result, _, _ = check(contract(), table=FLIGHTS.drop(columns="hour"))
    assert not result.success
    assert any("'hour'" in stop for stop in result.stops)
