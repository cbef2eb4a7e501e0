from typing import Any

import pandas as pd
import pytest

from lepton_pipeline.data.expressions.expression import parse_expression
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.onboarding.new.target import choose_target


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"default": ["x", "z"], "loan": [0, 1], "y": [1, 0]}, "y"),
        ({"sex": ["m", "f"], "isFraud": [0, 1]}, "isFraud"),
        ({"housing": [0, 1], "default payment next month": [0, 1]}, "default payment next month"),
        ({"a": [1, 2], "b": [3, 3], "c": [5, None]}, "a"),
        ({"a": [1, 2], "b": [3, 4]}, "b"),
    ],
)
def test_target_is_told_by_its_name_or_place(columns: dict[str, list[Any]], target: str) -> None:
    assert choose_target(pd.DataFrame(columns), None, None, []).column == target


@pytest.mark.parametrize(
    "columns",
    [{"a": [1, 2], "b": [3, 4], "c": [3, 3]}, {"a": [1, 1]}, {"churn": [1, 0], "fraud": [0, 1], "x": [1, 1]}],
)
def test_target_that_cannot_be_told_is_asked_for(columns: dict[str, list[Any]]) -> None:
    with pytest.raises(ConfigurationError, match="Give --target COLUMN"):
        choose_target(pd.DataFrame(columns), None, None, [])


def test_target_of_many_values_that_is_not_asked_for_offers_every_question() -> None:
    table = pd.DataFrame({"target": ["-", "K", "G"] * 20, "sex": ["m", "f", "m"] * 20})
    with pytest.raises(
        ConfigurationError, match=r"holds 3 values .*--positive VALUE .*--task multiclass"
    ) as told:
        choose_target(table, None, None, [])
    assert "--task regression" not in str(told.value)
    with pytest.raises(ConfigurationError, match=r"--task multiclass .*--task regression \(how much\)"):
        choose_target(table.assign(target=[1, 2, 3] * 20), None, None, [])
    assert choose_target(table, "target", "K", []).question.declared == {"positive_when": "target == 'K'"}
    assert choose_target(table, "target", "!= -", []).question.declared == {"positive_when": "target != '-'"}
    with pytest.raises(ConfigurationError, match="never holds 'Z'"):
        choose_target(table, "target", "Z", [])


def test_comparison_with_a_number_names_the_column_as_expressions_do() -> None:
    table = pd.DataFrame({"arr delay": [1.0, 20.0, 30.5]})
    assert choose_target(table, "arr delay", ">= 15", []).question.declared == {
        "positive_when": "`arr delay` >= 15"
    }
    with pytest.raises(ConfigurationError, match="'soon' is no number"):
        choose_target(table, "arr delay", "> soon", [])


@pytest.mark.parametrize(
    ("values", "given", "positive", "is_guess"),
    [
        ([0, 1, 1], None, 1, False),
        (["No", "Yes"], None, "Yes", False),
        (["f", "t", "t"], None, "t", False),
        (["ok", "churned"], None, "churned", False),
        (["not eligible", "eligible"], None, "eligible", False),
        ([1, 2, 1, 1], None, 2, True),
        (["red", "red", "blue"], None, "blue", True),
        ([1, 2], "1", 1, False),
        ([1.0, 2.0, None], "2", 2.0, False),
    ],
)
def test_positive_class(values: list[Any], given: str | None, positive: Any, is_guess: bool) -> None:
    asked = choose_target(pd.DataFrame({"z": values}), "z", given, []).question
    assert (asked.declared, bool(asked.comments)) == ({"positive": positive}, is_guess)


def test_target_that_is_absent_or_of_one_value_is_refused() -> None:
    table = pd.DataFrame({"churn": [1, 1], "other": [0, 1]})
    with pytest.raises(ConfigurationError, match="did you mean 'churn'"):
        choose_target(table, "Churn ", None, [])
    with pytest.raises(DataError, match="two classes"):
        choose_target(table, "churn", None, [])


def test_target_told_by_its_name_is_refused_where_it_has_one_value_and_doubted_where_many() -> None:
    with pytest.raises(DataError, match="target 'churn' holds only 'yes'"):
        choose_target(pd.DataFrame({"churn": ["yes", "yes"], "n": [1, 2]}), None, None, [])
    many = pd.DataFrame({"class": ["1st", "2nd", "3rd", "1st"], "survived": [0, 1, 1, 0]})
    with pytest.raises(ConfigurationError, match=r"If it is another column, give that as --target\."):
        choose_target(many, None, None, [])


def test_target_that_no_rule_can_be_about_is_refused() -> None:
    days = pd.to_datetime(["2026-01-01", "2026-01-02"])
    table = pd.DataFrame({"day": days, "delay": [1.0, 2.0], "a`b": ["x", "y"]})
    with pytest.raises(ConfigurationError, match="'day' holds dates"):
        choose_target(table, "day", None, [])
    with pytest.raises(ConfigurationError, match="'nan' is no number"):
        choose_target(table, "delay", "> nan", [])
    with pytest.raises(ConfigurationError, match="backtick; rename it"):
        choose_target(table, "a`b", "== x", [])


@pytest.mark.parametrize("name", ["class", "missing", "pi", "in", "True", "größe", "x²", "match"])
def test_targets_called_like_words_of_the_language_can_be_named(name: str) -> None:
    table = pd.DataFrame({name: [1, 2, 3, None], "t": ["a", "b", "c", "a"]})
    rule = choose_target(table, name, ">= 2", []).question.declared["positive_when"]
    assert parse_expression(rule, "dataset.positive_when").evaluate(table).tolist() == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("in ['a', 'b']", "s in ['a', 'b']"),
        ("in [a, b]", "s in ['a', 'b']"),
        ("IN ('a','c')", "s in ['a', 'c']"),
        ("a,b", "s in ['a', 'b']"),
        ("not in ['a', 'b']", "s not in ['a', 'b']"),
        ("d, e", "s == 'd, e'"),
        ("<30", "s == '<30'"),
    ],
)
def test_several_values_may_be_the_positive_class(given: str, rule: str) -> None:
    table = pd.DataFrame({"s": ["a", "b", "c", "d, e", "<30"]})
    assert choose_target(table, "s", given, []).question.declared == {"positive_when": rule}
    assert parse_expression(rule, "dataset.positive_when").evaluate(table).any()


def test_numbers_may_be_listed_and_a_list_leaves_a_class_over() -> None:
    table = pd.DataFrame({"n": [1.0, 2.0, 3.0, None]})
    assert choose_target(table, "n", "in [1, 3]", []).question.declared == {
        "positive_when": "n in [1.0, 3.0]"
    }
    with pytest.raises(ConfigurationError, match="never holds '4'; its values are"):
        choose_target(table, "n", "in [1, 4]", [])
    with pytest.raises(ConfigurationError, match="are all of the 3 values"):
        choose_target(table, "n", "1,2,3", [])
    with pytest.raises(ConfigurationError, match=r"--positive \"in \['.', '.'\]\""):
        choose_target(pd.DataFrame({"s": ["a", "b", "c"]}), "s", None, [])


def test_question_may_be_asked_for_by_the_name_of_its_task() -> None:
    table = pd.DataFrame({"stars": [1, 2, 3, 4] * 20, "left": [0, 1] * 40, "name": list("abcd") * 20})
    assert choose_target(table, "stars", None, [], "multiclass").question.declared == {"classes": "all"}
    assert choose_target(table, "stars", None, [], "regression").question.declared == {"task": "regression"}
    assert choose_target(table, "left", None, [], "binary").question.declared == {"positive": 1}
    asked = choose_target(table, "stars", ">= 4", [], "binary").question
    assert asked.declared == {"positive_when": "stars >= 4"}
    with pytest.raises(ConfigurationError, match="Say what is asked: --target 'stars' with --positive"):
        choose_target(table, "stars", None, [], "binary")
    with pytest.raises(ConfigurationError, match="--task multiclass has no positive class"):
        choose_target(table, "stars", "4", [], "multiclass")
    with pytest.raises(ConfigurationError, match="'left' holds 2 values in 80 rows; classes are 3 to 1,000"):
        choose_target(table, "left", None, [], "multiclass")
    with pytest.raises(ConfigurationError, match="'name' holds 'a', no number"):
        choose_target(table, "name", None, [], "regression")
