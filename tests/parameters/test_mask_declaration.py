from __future__ import annotations

import pytest
from pydantic import ValidationError

from lepton_pipeline.parameters import Ingestion, Mask, Vertical
from lepton_pipeline.parameters.mask import KINDS

BARE = {"dataset": {"target": "y", "positive": 1, "id": "key"}}


def vertical(mask, **parts):
    return Vertical.model_validate({**BARE, **parts, "ingestion": {"mask": mask}})


def test_without_a_mask_a_declaration_is_recorded_as_before():
    assert "mask" not in Ingestion().model_dump()
    whole = vertical({"columns": ["note"]})
    assert whole.ingestion.mask.kinds == list(KINDS)
    assert Vertical.model_validate(whole.model_dump()) == whole


def test_every_field_says_what_it_is():
    assert [name for name, field in Mask.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("pattern", ["(", "a{1,2000}", r"(a)\1", "(?=a)", "(?<!x)y"])
def test_a_pattern_must_be_one_of_re2(pattern):
    with pytest.raises(ValidationError, match=r"cannot be used: .* write a pattern of RE2"):
        Mask(columns=["note"], patterns={"NAME": pattern})


@pytest.mark.parametrize("pattern", ["", "a*", "a|", "^", "$", r"\b", r"\B", r"\bx*", "(x|)"])
def test_a_pattern_must_need_a_character(pattern):
    with pytest.raises(
        ValidationError, match="matches the empty text; write a pattern that needs a character"
    ):
        Mask(columns=["note"], patterns={"NAME": pattern})


@pytest.mark.parametrize(
    "pattern", ["a", ".", r"\w+", "[^a]", r"\b[A-Z]\w+", "(?i)jane|doe", "^x", "é", "(x+)+y"]
)
def test_other_patterns_are_taken(pattern):
    assert Mask(columns=["note"], patterns={"NAME": pattern}).patterns == {"NAME": pattern}


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"columns": []}, "columns: none is named"),
        ({"columns": ["note"], "kinds": []}, "kinds: nothing is looked for"),
        ({"columns": ["note"], "kinds": ["mail"]}, "Input should be 'email'"),
        ({"columns": ["note"], "patterns": {"EMAIL": "a"}}, "'EMAIL' cannot name a token"),
        ({"columns": ["note"], "patterns": {"na me": "a"}}, "'na me' cannot name a token"),
        ({"columns": ["note"], "patterns": {"NAME": "a" * 501}}, "has 501 characters; at most 500"),
        ({"columns": ["note"], "patterns": {f"N{at}": "a" for at in range(13)}}, "at most 12 items"),
        ({"columns": ["y"]}, "'y' is dataset.target, which a token would spoil"),
        ({"columns": ["key"]}, "'key' is dataset.id"),
        ({"columns": {"calls": ["note"]}}, "name the columns as a list"),
    ],
)
def test_what_cannot_be_meant_is_refused(declared, message):
    with pytest.raises(ValidationError, match=message):
        vertical(declared)


def test_of_several_raw_tables_the_table_is_named():
    tables = {"calls": {}, "people": {}}
    assert vertical({"columns": {"calls": ["note"]}}, tables=tables).ingestion.mask.names() == ["note"]
    with pytest.raises(ValidationError, match=r"name the columns by raw table \(table: \[columns\]\)"):
        vertical({"columns": ["note"]}, tables=tables)
    with pytest.raises(ValidationError, match="no raw table 'call'; there are calls, people"):
        vertical({"columns": {"call": ["note"]}}, tables=tables)


def test_a_date_is_not_masked():
    with pytest.raises(ValidationError, match="'at' is a date"):
        Ingestion(dates={"at": "ISO8601"}, mask=Mask(columns=["at"]))


def test_joined_masks_do_what_either_does():
    first = Mask(columns={"calls": ["a"]}, kinds=["email"], patterns={"NAME": "Jane"})
    second = Mask(columns=["b"], kinds=["card"], patterns={"NAME": "Bob", "CITY": "Rome"})
    both = first.joined(second)
    assert (both.columns, both.kinds) == (["a", "b"], ["email", "card"])
    assert both.patterns == {"NAME": "Jane", "CITY": "Rome"}
    assert first.joined(None) is first
