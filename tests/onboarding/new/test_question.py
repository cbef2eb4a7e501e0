from typing import Any

import numpy as np
import pandas as pd
import pytest
from customers import bare_project, frame, new_shop

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.onboarding.new.question import a_number, infer_question, several_classes

ROWS = 60


def column(values: Any, name: str = "z") -> pd.Series:
    return pd.Series(values, name=name)


def counts(*rows: int, start: int = 1) -> np.ndarray:
    """Whole numbers from `start`, each so many times."""
    return np.repeat(np.arange(len(rows)) + start, rows)


NUMBER, CLASSES = {"task": "regression"}, {"classes": "all"}


@pytest.mark.parametrize(
    ("values", "name", "declared"),
    [
        (["a", "b", "c"] * 20, "kind", CLASSES),
        (["001", "002", "100"] * 20, "level", CLASSES),
        (np.linspace(-1, 1, ROWS), "z", NUMBER),
        (np.arange(ROWS) * 7 % 50, "z", NUMBER),
        # Halves are no classes, however few.
        ([0.5, 1.0, 1.5] * 20, "z", NUMBER),
        # Few whole numbers: classes, unless a name or the frequencies say that they are a scale or a count.
        ([0, 1, 2] * 20, "target", CLASSES),
        ([1.0, 2.0, 3.0, None] * 20, "z", CLASSES),
        ([1, 2, 3, 4, 5] * 20, "stars", NUMBER),
        ([1, 2, 3, 4, 5] * 20, "visitCount", NUMBER),
        (counts(10, 20, 50, 90, 60, 30, 12, start=3), "z", NUMBER),
        (counts(90, 60, 30, 20, 10, start=0), "z", NUMBER),
        (counts(10, 20, 50, 90, 60, 30, 12), "cluster", CLASSES),
        (counts(10, 20, 15, 90, 60, 30, 12), "z", CLASSES),  # two peaks
        (counts(60, 70, 90, 80, 60), "z", CLASSES),  # no end is half as frequent as the peak
        (counts(10, 20, 90, 30), "z", CLASSES),  # too few values to tell
        (counts(10, 20, 50, 90, 60, 30, 12) * 10, "z", CLASSES),  # gaps
        # Too few rows of each to be classes.
        (counts(3, 2, 4, 1, 3), "z", NUMBER),
        # More values are classes if they are called codes, and repeat.
        (np.arange(400) % 40, "zone_code", CLASSES),
        (np.arange(400) % 40, "z", NUMBER),
        (np.arange(320) % 40, "zone_code", NUMBER),
    ],
)
def test_question_follows_from_values_and_names(values: Any, name: str, declared: dict[str, str]) -> None:
    assert infer_question(column(values, name)).declared == declared


def test_where_both_questions_make_sense_the_comment_names_the_other() -> None:
    scale = infer_question(column([1, 2, 3, 4, 5] * 20, "stars"))
    assert scale.comments == {
        "task": [
            "Whole numbers of 5 values are read as a number: its name says so. If they name classes, declare classes: "
            "all instead of task."
        ]
    }
    assert "declare task: regression instead" in infer_question(column([0, 1, 2] * 20)).comments["classes"][0]
    assert infer_question(column(["a", "b", "c"] * 20)).comments == {}
    assert infer_question(column(np.linspace(-1, 1, ROWS))).comments == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([f"text {n}" for n in range(300)], "300 values in 300 rows, of which 300 have fewer than 10"),
        ([f"text {n}" for n in range(1001)] * 10, "1,001 values in 10,010 rows; classes are 3 to 1,000"),
        (
            ["a"] * 40 + [f"text {n}" for n in range(50)],
            "51 values in 90 rows, of which 50 have fewer than 10",
        ),
        (range(100, 100 + ROWS), "another whole number in every row, as names of rows have"),
    ],
)
def test_values_that_name_rows_or_are_rare_are_refused(values: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as told:
        infer_question(column(values, "name"))
    assert "--positive VALUE" in str(told.value)
    assert "--task multiclass" not in str(told.value)


def test_rare_classes_become_one_if_they_are_enough_and_are_left_out_if_not() -> None:
    common = ["a"] * 30 + ["b"] * 30
    grouped = several_classes(column([*common, *["x"] * 7, *["y"] * 6]))
    assert grouped.declared == {"classes": "all", "rare_classes": "group"}
    assert grouped.comments["rare_classes"][0].startswith(
        "2 values have fewer than 10 rows: 'x' (7), 'y' (6)."
    )
    left = several_classes(column([*common, *["c"] * 10, *["x"] * 3]))
    assert (left.declared, left.left_out) == ({"classes": "all"}, ["x"])
    assert left.comments["classes"] == [
        "1 value has fewer than 10 rows: 'x' (3). The contract quarantines these rows."
    ]
    # Two classes and a rare one that is left out are no three.
    with pytest.raises(ConfigurationError, match="too few to learn them as classes"):
        several_classes(column([*common, *["x"] * 3]))


def log_normal(spread: float, rows: int = 1000) -> np.ndarray:
    return np.exp(spread * np.random.default_rng(0).normal(size=rows))


@pytest.mark.parametrize(
    ("values", "logarithm"),
    [
        (log_normal(1.0), True),
        (log_normal(0.2), False),  # hardly skewed
        (-log_normal(1.0), False),
        (np.append(log_normal(1.0), 0), False),  # 0 has no logarithm
        (np.random.default_rng(0).random(1000) ** 8, False),  # its logarithm is skewed to the other side
        (100 + log_normal(1.0), False),  # the largest is near the median
    ],
)
def test_logarithm_is_proposed_for_positive_numbers_that_it_makes_even(values: Any, logarithm: bool) -> None:
    asked = a_number(column(values))
    assert asked.declared == (NUMBER | {"transform": "log"} if logarithm else NUMBER)
    assert list(asked.comments) == ["transform"] * logarithm


def test_reason_of_a_logarithm_gives_the_figures() -> None:
    values = column([1.0] * 9 + [10.0] * 9 + [100.0] * 2)
    # Deviations from the mean are -13.95, -4.95 and 85.05: second moment 821.9, third 60,245, and 60,245 / 821.9^1.5.
    assert "the largest 10 times the median, and of skewness 2.6" in a_number(values).comments["transform"][0]


def drafted(tmp_path: Any, table: pd.DataFrame, **options: Any) -> tuple[str, dict[str, Any], str]:
    result, declared, text = new_shop(bare_project(tmp_path), table, **options)
    return result.outcome, declared, text


def test_classes_are_drafted_with_the_values_that_they_may_have(tmp_path: Any) -> None:
    table = frame(churn=["stays", "leaves", "moves"] * 20)
    outcome, declared, _ = drafted(tmp_path, table, target="churn")
    assert outcome == "most often leaves (33.3%)"
    assert declared["about"]["question"] == "Which value of churn does a row have?"
    assert declared["dataset"] == {"target": "churn", "classes": "all"}
    assert declared["contract"]["expectations"][0] == {
        "expect": "column_values_to_be_in_set",
        "column": "churn",
        "value_set": ["leaves", "moves", "stays"],
        "on_failure": "stop",
    }
    assert not {"gate", "leaks"} & set(declared)


def test_rows_of_values_that_are_left_out_are_quarantined(tmp_path: Any) -> None:
    table = frame(churn=[*["stays", "leaves", "moves"] * 19, *["lost"] * 3])
    outcome, declared, _ = drafted(tmp_path, table, target="churn")
    assert outcome == "most often leaves (33.3%)"
    first = declared["contract"]["expectations"][0]
    assert (first["value_set"], first["on_failure"]) == (["leaves", "moves", "stays"], "quarantine")
    assert declared["contract"]["max_quarantined"] == pytest.approx(0.1)


def test_number_is_drafted_with_its_range(tmp_path: Any) -> None:
    table = frame(churn=np.round(1000 * log_normal(1.2, ROWS), 2))
    outcome, declared, text = drafted(tmp_path, table, target="churn")
    assert outcome == f"median {table['churn'].median():,.6g}"
    assert declared["dataset"] == {"target": "churn", "task": "regression", "transform": "log"}
    assert "# Values are positive, the largest" in text
    first = declared["contract"]["expectations"][0]
    assert (first["expect"], first["on_failure"]) == ("column_values_to_be_between", "quarantine")
    assert (first["min_value"], first["strict_min"]) == (0, True)
    assert not {"gate", "leaks"} & set(declared)


def test_a_leak_of_a_number_is_left_out(tmp_path: Any) -> None:
    amount = log_normal(1.0, 400).round(3)
    draw = np.random.default_rng(1)
    table = pd.DataFrame({"x": draw.normal(size=400), "in_dollars": 1.08 * amount, "amount": amount})
    _, declared, text = drafted(tmp_path, table, target="amount")
    assert declared["dataset"]["exclude"] == ["in_dollars"]
    assert "# in_dollars: likely a leak, duplicates the target" in text


def test_numbers_among_which_a_text_stands_for_no_value_are_a_number(tmp_path: Any) -> None:
    amount = [f"{value:,.2f}" for value in 5000 + 1000 * np.arange(ROWS)]
    outcome, declared, _ = drafted(tmp_path, frame(churn=[*amount[:-3], "n/a", "-", "-"]), target="churn")
    assert outcome == "median 33,000"
    assert declared["dataset"]["task"] == "regression"
    assert declared["ingestion"]["thousands"] == ","
    assert {"n/a", "-"} <= set(declared["ingestion"]["missing"])
