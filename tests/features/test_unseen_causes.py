import pandas as pd
import pytest

from lepton_pipeline.features.column_encoders import CategoricalColumn
from lepton_pipeline.features.unseen_causes import likely_cause, shown


def column(*categories, rare=()):
    """A column whose training rows had the categories often and the rare values once."""
    values = [text for text in categories for _ in range(10)] + list(rare)
    return CategoricalColumn.fit(pd.Series(values, name="x"), "text")


@pytest.mark.parametrize(
    ("known", "new", "words"),
    [
        (["1", "2", "A"], ["1.0", "2.0"], "zeros behind the decimal mark ('1.0' for '1')"),
        (["1.10", "1.2"], ["1.1"], "zeros behind the decimal mark ('1.1' for '1.10')"),
        (["120000", "x"], ["1.2E+05"], "an exponent ('1.2E+05' for '120000')"),
        (["TRUE", "FALSE"], ["True", "False"], "capital and small letters ('True' for 'TRUE')"),
        (["01234", "10115"], ["1234"], "lost leading zeros ('1234' for '01234')"),
        (["7", "x"], ["007"], "added leading zeros ('007' for '7')"),
        (["A01", "A02"], ["A1", "A2"], "lost leading zeros ('A1' for 'A01')"),
        (["New York"], ["New  York"], "blanks ('New  York' for 'New York')"),
        (["New York"], ["New\u00a0York"], r"blanks ('New\xa0York' for 'New York')"),
        (["A1"], ["\uff21\uff11"], "characters that look alike ('\uff21\uff11' for 'A1')"),
        (["A1"], ["\u04101"], "characters that look alike ('\u04101' for 'A1')"),
        (["Bonn"], ["Bo\u200bnn"], r"characters that look alike ('Bo\u200bnn' for 'Bonn')"),
        (["a-b"], ["a\u2013b"], "characters that look alike ('a\u2013b' for 'a-b')"),
        (["1.5", "x"], ["1,5"], "the decimal mark ('1,5' for '1.5')"),
        (["1250", "x"], ["1,250"], "thousands marks ('1,250' for '1250')"),
        (["Malm\u00f6"], ["Malmo"], "accents ('Malmo' for 'Malm\u00f6')"),
        (["Malm\u00f6"], ["Malm\u00c3\u00b6"], "a file in another encoding than ingestion.encoding ("),
        (["yes", "no"], ["1", "0"], "other words for true and false ('1' for 'yes')"),
        (["a"], ["'a'"], "quotation marks around the value (\"'a'\" for 'a')"),
        (["1.1", "x"], ["1.10000002"], "rounding ('1.10000002' for '1.1')"),
        (["St. Louis"], ["St Louis"], "punctuation ('St Louis' for 'St. Louis')"),
        (
            ["01234", "10115"],
            ["1234.0"],
            "zeros behind the decimal mark and lost leading zeros ('1234.0' for '01234')",
        ),
        (["Oslo"], ["NULL"], "a text that means no value: list it under ingestion.missing ('NULL')"),
    ],
)
def test_each_way_of_writing_is_told(known, new, words):
    cause = likely_cause(dict.fromkeys(new, 4), column(*known))
    assert str(cause).startswith(words)
    assert cause.rows == 4 * len(new)


def test_what_is_new_indeed_has_no_cause():
    assert likely_cause({"Atlantis": 60, "15": 5}, column("Oslo", "Rome", "1.5")) is None


def test_a_cause_that_explains_too_little_is_no_cause():
    assert likely_cause({"Atlantis": 60, "OSLO": 5}, column("Oslo", "Rome")) is None
    cause = likely_cause({"Atlantis": 60, "OSLO": 20, "New": 3}, column("Oslo", "Rome"))
    assert (cause.rows, cause.known) == (20, "Oslo")


def test_a_rare_value_of_the_training_rows_explains_too():
    assert str(likely_cause({"1.0": 9}, column("2", "3", rare=["1"]))).endswith("('1.0' for '1')")


def test_values_are_shown_short_and_printable():
    assert shown("a\n\x1b[31m") == r"'a\n\x1b[31m'"
    assert len(shown("\ud800" + "b" * 1000)) < 70
