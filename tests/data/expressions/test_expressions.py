"""The expression language: what it computes, what it refuses, and that its documentation is true."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.expressions import values as expression_values
from lepton_pipeline.data.expressions.expression import parse_expression
from lepton_pipeline.data.expressions.functions import FUNCTIONS
from lepton_pipeline.data.values import typed_column
from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Ingestion

DOCS = (Path(__file__).parents[3] / "docs" / "features.md").read_text("utf-8")
KEY = "features.derive.new"
ROWS = pd.DataFrame(
    {
        "a": [1, 2, 0],
        "b": [2.0, np.nan, 0.0],
        "n": ["x", "Yb", None],
        "Torque [Nm]": [1.5, 2.5, 3.5],
        "d": pd.to_datetime(["2024-01-31 08:30", None, "2023-12-31 00:00"]),
        "z": pd.to_datetime(["2024-01-31T08:30Z", None, "2023-12-31T00:00Z"], format="ISO8601"),
        "f": [True, False, True],
        "none": [None, None, None],
        "kind": pd.Categorical(["u", None, "v"]),
        "day": [840801, 850102, 50103],
        "pi": [7, 8, 9],
        "mixed": [1, "a", None],
    },
    index=[3, 9, 7],
)


def evaluate(text, rows=ROWS):
    return parse_expression(text, KEY).evaluate(rows)


def values(text, rows=ROWS):
    """Values as a list, with None for what is missing."""
    return [None if pd.isna(value) else value for value in evaluate(text, rows).tolist()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b", [3, None, 0]),
        ("`Torque [Nm]` * a - 1", [0.5, 4, -1]),
        ("-a", [-1, -2, 0]),
        ("a / b", [0.5, None, None]),
        ("a // a", [1, 1, None]),
        ("a % 0", [None] * 3),
        ("7 // 2 + 7 % 4", [6, 6, 6]),
        ("-7 // 2", [-4, -4, -4]),
        ("0 ** -1", [None] * 3),
        ("(-8) ** 0.5", [None] * 3),
        ("9 ** 9 ** 9 ** 9", [None] * 3),
        ("exp(1000)", [None] * 3),
        ("f + 1", [2, 1, 2]),
        ("n + n", ["xx", "YbYb", None]),
        ("'<' + n + '>'", ["<x>", "<Yb>", None]),
        ("2 * pi == 6.283185307179586", [True] * 3),
        ("`pi` + 0", [7, 8, 9]),
        ("where(a > 1, missing, a)", [1, None, 0]),
        ("where(a > 1, n, missing)", [None, "Yb", None]),
        ("where(b > 1, 'much', 'little')", ["much", "little", "little"]),
        ("where(a > 1, d, '2024-05-01')", [pd.Timestamp("2024-05-01"), None, pd.Timestamp("2024-05-01")]),
        ("fill(n, '?')", ["x", "Yb", "?"]),
        ("fill(none, 1)", [1, 1, 1]),
        ("min(a, b, 1)", [1, None, 0]),
        ("max(d, '2024-01-01')", [pd.Timestamp("2024-01-31 08:30"), None, pd.Timestamp("2024-01-01")]),
        ("count(f)", [1, 0, 1]),
        ("kind + '!'", ["u!", None, "v!"]),
        (
            "date(day, '%y%m%d')",
            [pd.Timestamp("1984-08-01"), pd.Timestamp("1985-01-02"), pd.Timestamp("2005-01-03")],
        ),
        (
            "date('2024-02-03', 'ISO8601') + days(a)",
            list(pd.to_datetime(["2024-02-04", "2024-02-05", "2024-02-03"])),
        ),
        ("hours(b) + d", [pd.Timestamp("2024-01-31 10:30"), None, pd.Timestamp("2023-12-31")]),
        ("d + days(1e12)", [None] * 3),
        ("days(a) * 2 / hours(12)", [4, 8, 0]),
        ("(d - '2023-12-30') / days(1)", [32 + 8.5 / 24, None, 1]),
        ("round(2.5) + round(b / 3, 1)", [2.7, None, 2]),
        ("hour(z) - hour(d)", [0, None, 0]),
    ],
)
def test_values(text, expected):
    assert (
        values(text) == pytest.approx(expected)
        if isinstance(expected[0], float)
        else values(text) == expected
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a == 1", [1, 0, 0]),
        ("b != 2", [0, 0, 1]),
        ("not b == 2", [0, 0, 1]),
        ("not (b > 1 or a > 5)", [0, 0, 1]),
        ("b > 1 or a > 1", [1, 1, 0]),
        ("0 < a < 2", [1, 0, 0]),
        ("a in [1, -2] or a in (0,)", [1, 0, 1]),
        ("n not in ['x']", [0, 1, 0]),
        ("n < 'a'", [0, 1, 0]),
        ("f == True", [1, 0, 1]),
        ("f and not n == 'x'", [0, 0, 0]),
        ("d >= '2024-01-01'", [1, 0, 0]),
        ("z < '2024-01-01'", [0, 0, 1]),
        ("d in ['2023-12-31']", [0, 0, 1]),
        ("is_missing(b > 1)", [0, 1, 0]),
        ("none == 1 or none == 'a'", [0, 0, 0]),
        ("n == lower(none)", [0, 0, 0]),
        ("contains(n, 'b') or starts_with(n, 'x')", [1, 1, 0]),
        ("contains(n, '.')", [0, 0, 0]),
        ("'a`b' == \"a`b\"", [1, 1, 1]),
    ],
)
def test_conditions_are_true_or_false(text, expected):
    result = evaluate(text)
    assert result.dtype == bool
    assert result.tolist() == [bool(value) for value in expected]


@pytest.mark.parametrize("places", [-1000, -309, -308, -20, -19, 308, 309, 1000])
def test_rounding_to_any_place_gives_a_number_that_is_near(places):
    rows = pd.DataFrame({"n": [7, 6 * 10**18, -(6 * 10**18)], "x": [5.5, None, -2e300]})
    whole, real = (evaluate(f"round({name}, {places})", rows).tolist() for name in "nx")
    assert whole == [0 if places < 0 else 7] + (
        [1e19, -1e19] if places == -19 else [6e18, -6e18] if places > 0 else [0, 0]
    )
    assert real[0] == (0 if places < 0 else 5.5)
    assert real[2] == (0 if places < -300 else -2e300)


def test_texts_that_are_joined_again_and_again_are_refused_before_they_fill_the_memory(monkeypatch):
    rows = pd.DataFrame({"note": ["x" * 20, None]})
    once = evaluate("+".join(["note"] * 90), rows)
    assert once.str.len().tolist()[0] == 1800
    with pytest.raises(
        DataError, match=r"features\.derive\.new: .* a text would have 34,200 characters, of at most 32,767"
    ):
        evaluate("+".join(["note"] * 90), pd.DataFrame({"note": once}))
    monkeypatch.setattr(expression_values, "_MOST_TEXT", 1 << 20)
    with pytest.raises(DataError, match="the texts would take 3 MiB, of at most 1; join fewer"):
        evaluate("note + note", pd.DataFrame({"note": ["x" * 2_000] * 1_000}))


def test_words_have_blanks_of_any_kind_between_them():
    rows = pd.DataFrame({"title": ["hot tub, near  creek", " ", "one\ntwo\tthree\u3000four", "", None]})
    assert values("words(title)", rows) == [4, 0, 4, 0, None]


def test_what_comes_out_is_indexed_as_the_table_and_shares_nothing_with_it():
    before = ROWS.copy(deep=True)
    for column in ("a", "b", "n", "d", "z", "f"):
        result = evaluate(column)
        assert result.index.equals(ROWS.index)
        assert result.dtype == ROWS[column].dtype.name.replace("object", "str")
        result.iloc[0] = result.iloc[2]
    pd.testing.assert_frame_equal(ROWS, before)


@pytest.mark.parametrize(
    "column", ["a / b", "n + 'x'", "a > 1", "d + days(1)", "1", "'x'", "where(b > 1, n, 'q')", "none"]
)
@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_are_like_many(column, rows):
    alone = evaluate(column, ROWS.iloc[:rows])
    pd.testing.assert_series_equal(alone, evaluate(column).iloc[:rows], check_dtype=rows > 0)


def test_numbers_of_every_width_are_read_as_whole_or_float():
    rows = pd.DataFrame(
        {
            "small": np.array([100, 100], np.uint8),
            "huge": np.array([2**62, -(2**62)]),
            "nullable": pd.array([1, None], dtype="Int64"),
            "flag": pd.array([True, None], dtype="boolean"),
            "infinite": [np.inf, -np.inf],
        }
    )
    assert values("small * 3 - 400", rows) == [-100, -100]
    assert values("huge + huge", rows) == [2.0**63, -(2.0**63)]
    assert values("huge // 4 - 1", rows)[0] == 2**60 - 1
    assert values("nullable + 1", rows) == [2, None]
    assert values("not flag", rows) == [False, False]
    assert values("infinite", rows) == [None, None]


def test_the_order_of_columns_is_that_of_their_first_use():
    assert parse_expression("max(b, `Torque [Nm]`) - a * b", KEY).columns == ("b", "Torque [Nm]", "a")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is empty"),
        ("a.real", "a dot after a name is not allowed"),
        ("().__class__", "a dot after a name"),
        ("a[0]", r"square brackets.*in backticks"),
        ("a if b else 1", r"write where\(condition, a, b\)"),
        ("lambda: 1", "Lambda is not allowed"),
        ("[x for x in a]", "ListComp is not allowed"),
        ("[a]", "a list is allowed only after in"),
        ("f'{a}'", "texts with values in them"),
        ("(a := 1)", "NamedExpr"),
        ("a & b", "write and"),
        ("a ^ b", r"\*\* for a power"),
        ("a is b", "is_missing"),
        ("a == None", "write missing"),
        ("a == missing", r"write is_missing\(x\)"),
        ("b'x' == n", "is not allowed"),
        ("a in b", "a list of constants"),
        ("a in []", "a list of constants"),
        ("a in [1] == True", "join two conditions"),
        ("ratoi(a, b)", r"no function 'ratoi'; did you mean ratio\? The functions are abs, sqrt"),
        ("__import__('os')", "no function '__import__'; the functions are"),
        ("eval('1')", "no function 'eval'"),
        ("`abs`(a)", "only functions can be called"),
        ("abs(a)(b)", "only functions can be called"),
        ("abs(x=a)", "by position"),
        ("abs(*a)", "Starred"),
        ("abs()", r"called with 0 arguments; write abs\(x\)"),
        ("min(a)", r"write min\(a, b, ...\)"),
        ("date(n, a)", r"argument 2 of date\(x, format\) must be a text in quotes"),
        ("slice(n, 0, 1.5)", "must be a whole number"),
        ("slice(n, 0, 9999999999)", "must be a whole number"),
        ("a = 1", "invalid syntax"),
        ("class + 1", r"in backticks, such as `Torque \[Nm\]`"),
        ("a ` b", "a backtick has no partner"),
        ("`` + 1", "a backtick has no partner"),
        ("a # b", "# is not allowed"),
        ("a\0", "null bytes"),
        ("1e999", "too large"),
        ("9" * 400, "too large"),
        ("a" * 1001, "1,001 characters"),
        ("-" * 999 + "1", "deeper than 100 levels"),
        ("+".join(["a"] * 300), "deeper than 100 levels"),
        ("(" * 500, "too many nested parentheses"),
    ],
)
def test_what_is_not_allowed_is_refused_before_there_is_data(text, problem):
    with pytest.raises(ConfigurationError, match=problem) as refused:
        parse_expression(text, KEY)
    assert str(refused.value).startswith(f"{KEY}: {text[:60]!r}"[:60])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "a + n",
            r"\+ does not take a number and a text; column 'a' holds numbers \(int64\); column 'n' holds text \(str\)",
        ),
        ("f - (n - 1)", r"- does not take a text and a number; column 'n' holds text \(str\)\."),
        ("a == '1'", "values of one kind are needed, not a number and a text; column 'a'"),
        ("n in ['x', 1]", "not a number and a text; column 'n'"),
        ("abs(n)", "a number is needed, not a text; column 'n'"),
        ("a and f", "a condition is needed, not a number; compare it, such as x > 0"),
        ("where(a, 1, 2)", "a condition is needed"),
        ("min(n, 'x')", "numbers, dates or durations are needed"),
        ("z - d", "with a time zone cannot be mixed"),
        ("d > 'soon'", "'soon' is compared with dates; write"),
        ("d - d", "the result is a duration"),
        ("date(n, '%Y')", r"no dates of the format '%Y' \(2 of them, e.g. 'x' \(row \d\), 'Yb' \(row \d\)\)"),
        ("date(b / 4, '%Y')", r"e.g. '0.5'"),
        ("date(n, '%Q')", "'Q' is a bad directive"),
        ("mixed", "a column must hold values of one kind; column 'mixed'"),
        ("Torque + 1", r"reads column 'Torque', which is not in the table; did you mean 'Torque \[Nm\]'"),
    ],
)
def test_data_of_the_wrong_kind_is_named(text, problem):
    with pytest.raises(DataError, match=problem) as refused:
        evaluate(text)
    assert str(refused.value).startswith(f"{KEY}: {text!r} ")


def tables(heading):
    """The tables below a heading of the documentation, each as a frame of texts."""
    section = DOCS.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    return [table(block) for block in blocks]


def table(block):
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()]
    return pd.DataFrame(rows[2:], columns=rows[0], dtype="str")


def shown(value):
    if pd.isna(value):
        return "missing"
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M")
    return (
        value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else f"{value:.4g}"
    )


def documented_rows():
    layout = "%Y-%m-%d %H:%M"
    raw = tables("Functions")[0]
    return pd.DataFrame(
        {
            name: typed_column(raw[name], Ingestion(dates={"placed": layout, "shipped": layout}))
            for name in raw
        }
    )


def test_the_documentation_lists_the_functions_there_are():
    listed = tables("Functions")[1]
    assert listed["function"].str.strip("`").tolist() == [
        function.signature for function in FUNCTIONS.values()
    ]
    assert [signature.split("(")[0] for signature in listed["function"].str.strip("`")] == list(FUNCTIONS)


def documented_examples():
    functions, recipes = tables("Functions")[1], tables("Recipes")[0]
    assert all(name + "(" in example for name, example in zip(FUNCTIONS, functions["example"], strict=True))
    return [
        *zip(functions["example"], functions["result"], strict=True),
        *recipes[["expression", "result"]].to_numpy(),
    ]


@pytest.mark.parametrize(("example", "result"), documented_examples())
def test_the_documented_examples_give_the_documented_results(example, result):
    assert ", ".join(map(shown, evaluate(example.strip("`"), documented_rows()).tolist())) == result


@pytest.mark.parametrize("expression", ["contains(name, 'a')", "length(name)", "lower(name) + '!'"])
def test_no_rows_of_texts_give_no_rows(expression):
    texts = pd.DataFrame({"name": pd.Series(["a", None], dtype=object)})
    assert len(evaluate(expression, texts)) == 2
    assert evaluate(expression, texts.iloc[:0]).empty


def test_the_documented_logic_of_missing_values():
    logic = tables("Expressions")[1]
    rows = pd.DataFrame({"x": pd.to_numeric(logic["`x`"].replace("missing", None))})
    assert len(rows) == 3
    for expression in logic.columns[1:]:
        result = evaluate(expression.strip("`"), rows)
        # De Morgan's laws hold, too: what is unknown stays so when it is negated.
        assert [str(value).lower() for value in result] == logic[expression].tolist()


def test_a_million_rows():
    rows = pd.DataFrame({"a": np.arange(1_000_000), "n": "x"})
    result = evaluate("where(n == 'x' and a % 2 == 0, a / 3, 0)", rows)
    assert result.iloc[[3, 6]].tolist() == [0, 2]
    assert len(result) == len(rows)
