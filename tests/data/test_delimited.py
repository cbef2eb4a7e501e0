from __future__ import annotations

import pandas as pd
import pytest

from lepton_pipeline.data.delimited import EMPTY, HEADER, LONG, SHORT
from lepton_pipeline.data.source import Source
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion


def read(raw_file, content, **declared):
    """The rows of a file as texts, and what was set apart: line, reason and text of each."""
    source = Source.open([raw_file(content)], Ingestion(missing=[""], **declared), {})
    survey = source.survey()
    rows = pd.concat([chunk.block.to_pandas() for chunk in source.chunks(2)])
    record = survey.record()
    assert record.records == len(rows) + record.set_apart
    return rows.to_numpy().tolist(), [(each.line, each.reason, each.text) for each in survey.examples]


def test_records_that_are_no_rows_are_set_apart_with_their_lines(raw_file):
    content = 'a,b\n1,2\n\n3\n"4\n5",6\n7,8,9\n   \n,\n"","  "\na,b\n10,11\n'
    rows, apart = read(raw_file, content)
    assert rows == [["1", "2"], ["4\n5", "6"], ["10", "11"]]
    assert apart == [
        (4, SHORT, "3"),
        (7, LONG, "7,8,9"),
        (9, EMPTY, ","),
        (10, EMPTY, ",  "),
        (11, HEADER, "a,b"),
    ]


def test_a_column_of_its_own_may_be_empty(raw_file):
    assert read(raw_file, "a\n1\n\na\n2\n") == ([["1"], ["a"], ["2"]], [])


def test_separators_behind_every_record_are_named(raw_file):
    source = Source.open([raw_file("a,b\n1,2,\n3,4,\n")], Ingestion(), {})
    with pytest.raises(DataError, match=r"no record is a row \(2 long records\), such as line 2: '1,2,'"):
        source.survey()


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ('a,b,c\n1,"x,3\n4,y,6\n7,z,9\n', "line 2: a quote opens there and swallows the lines to 4"),
        (
            'a,b,c,d\n1,x,3,5\n4,"y,6,5\n7,z",9,5\n8,w,1,5\n',
            "line 3: a quote opens there and swallows the lines to 4",
        ),
        (
            'a,b,c\n1,x,3\n4,"y,6\n7,z,1\n5,\n9,w",9\n8,w,1\n',
            "line 3: a quote opens there and swallows the lines to 6",
        ),
        (
            'a,b\nu,yes\n"v,no\n' + "v,no\nu,yes\n" * 40 + 'u",yes\n' + "u,yes\nv,no\n" * 40,
            "line 3: a quote opens there",
        ),
        ('a,b,c\n1,x,"3\n4,y,"6\n7,z,9\n', "line 3: text follows a closing quote"),
        ('a,b,c\n1,x,3\n4,"y" or z,6\n', "line 3: text follows a closing quote"),
        ('a,b,c\n1,x,3\n4,y,"6', "line 3: a quote opens there"),
        ('sep=,\na,b,c\n1,x,3\n4,"y,6\n7,z,9\n', "line 4: a quote opens there"),
    ],
)
def test_a_stray_quote_stops_with_its_line(raw_file, content, lines):
    with pytest.raises(DataError, match=f"table.csv {lines}"):
        read(raw_file, content)


@pytest.mark.parametrize(
    "text",
    [
        "two\nlines",
        "a list:\n- one, two\n- three, four",
        'he said\n""yes"", then left',
        "1,2\nthree,four",
        "\n",
        "x,\n,y",
    ],
)
def test_a_quoted_line_break_is_part_of_a_value(raw_file, text):
    rows, apart = read(raw_file, f'n,text,m\n1,"{text}",2\n3,plain,4\n')
    assert rows == [["1", text.replace('""', '"'), "2"], ["3", "plain", "4"]]
    assert apart == []


def test_quotes_inside_of_a_value_are_characters(raw_file):
    assert read(raw_file, "a,b\n12\" wide,it's\n") == ([['12" wide', "it's"]], [])


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_line_that_names_the_separator_is_followed(raw_file, line, encoding):
    content = f"{line}\r\na;b\r\n1;2,5\r\n3\r\n".encode(encoding)
    assert read(raw_file, content) == ([["1", "2,5"]], [(4, SHORT, "3")])


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_do(raw_file, ends):
    assert read(raw_file, ends.join(["a,b", "1,2", "3,4"])) == ([["1", "2"], ["3", "4"]], [])


@pytest.mark.parametrize(("broken", "stops"), [(5, False), (6, True)])
def test_few_broken_records_are_set_apart_and_many_stop(raw_file, broken, stops):
    good, empty = ["1,2"] * (100 - broken), [","] * 400
    survey = Source.open(
        [raw_file("\n".join(["a,b", *["1"] * broken, *good, *empty]))], Ingestion(), {}
    ).survey()
    assert survey.record().reasons == {SHORT: broken, EMPTY: 400}
    if stops:
        with pytest.raises(DataError, match=r"6 of 500 records"):
            survey.require_whole(0.01, "contract.max_quarantined")
    else:
        survey.require_whole(0.01, "contract.max_quarantined")


def test_bytes_that_cannot_be_decoded_are_shown(raw_file):
    with pytest.raises(DataError, match=r"table.csv line 3 is not utf-8: byte e9 cannot be decoded; declare"):
        read(raw_file, b"a,b\n1,2\ncaf\xe9,3\n")
    with pytest.raises(DataError, match=r"ingestion.encoding 'klingon' is unknown"):
        read(raw_file, "a,b\n1,2\n", encoding="klingon")


def test_a_value_of_two_lines_that_may_be_two_records_is_a_doubt(raw_file):
    content = 'id,addr,y\n6,Elm,0\n7,"Main Street, 5\n12345, Berlin",1\n'
    survey = Source.open([raw_file(content)], Ingestion(), {}).survey()
    assert survey.kinds.notes["addr"] == [
        "a value of two lines (table.csv lines 3 and 4), each of which would be a record: is a quote astray there?"
    ]


@pytest.mark.parametrize("first", ["sta\u0308dt", "\ufeff\ufeffsta\u0308dt"])
def test_a_header_is_no_row_however_it_is_composed(raw_file, first):
    rows, apart = read(raw_file, f"{first},b\nx,1\n\ufeffst\u00e4dt,b\ny,2\n")
    assert rows == [["x", "1"], ["y", "2"]]
    assert [each[:2] for each in apart] == [(3, HEADER)]


def test_a_quote_in_the_header_is_named(raw_file):
    with pytest.raises(DataError, match=r"table\.csv line 1: a quote opens there"):
        read(raw_file, 'a,"b\n' + "1,2\n" * 60_000)


def test_many_broken_records_take_no_longer_than_others(raw_file):
    content = "a,b\n" + "1\n,\n1,2\n" * 30_000
    survey = Source.open([raw_file(content)], Ingestion(), {}).survey()
    assert survey.record().reasons == {SHORT: 30_000, EMPTY: 30_000}
