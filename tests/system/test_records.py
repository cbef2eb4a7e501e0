"""Records become JSON and come back."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isnan, nan

import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.system.records import Omitted, from_json, to_json, to_plain


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool | None
    next: Omitted[str] = None


@dataclass(frozen=True)
class Decision:
    checks: list[Check]
    by_column: dict[str, Check] = field(default_factory=dict)
    loss: float = nan


DECISION = Decision([Check("a", None), Check("b", False, "do c")], {"x y": Check("ü", True)}, 1e-05)


def test_a_record_comes_back_as_it_was():
    assert from_json(Decision, to_json(DECISION)) == DECISION


def test_what_does_not_apply_has_no_key_and_what_is_unknown_is_null():
    assert to_plain(DECISION)["checks"] == [
        {"name": "a", "passed": None},
        {"name": "b", "passed": False, "next": "do c"},
    ]


def test_not_a_number_comes_back_as_such():
    assert isnan(from_json(Decision, to_json(Decision([]))).loss)


def test_keys_of_other_versions_are_left_out_and_absent_ones_take_their_default():
    assert from_json(Decision, '{"checks": [], "loss": 0, "since": 1}') == Decision([], loss=0.0)


def test_what_is_no_such_record_is_a_data_error_that_names_the_key():
    with pytest.raises(
        DataError, match=r"a\.json holds no Decision: checks\.0\.passed: .* \(found 'perhaps'\); .*make it"
    ):
        from_json(Decision, '{"checks": [{"name": "a", "passed": "perhaps"}]}', "a.json")
