from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from lepton_pipeline.data.kinds import Wanted, find_kinds
from lepton_pipeline.data.values import arrow_table, typed_block, typed_column
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Ingestion

INGESTION = Ingestion(dates={"day": "%d.%m.%Y"}, missing=["", "?"])
ROWS = pd.DataFrame(
    {
        "whole": ["1", "2", " 3", "4", "5"],
        "with_missing": ["1", "2", "?", "4", ""],
        "fraction": ["1", "2", "3.5", "4", "5"],
        "late_text": ["1", "2", "3", "4", "five"],
        "code": ["7", "8", "9", "10", "007"],
        "nothing": ["", "?", "", "", ""],
        "day": ["01.02.2024", "", "03.02.2024", "", ""],
    }
)


def blocks(rows, size):
    return [arrow_table(rows.iloc[start : start + size]) for start in range(0, len(rows), size)]


def kind_of(values, ingestion=INGESTION, **wanted):
    found = find_kinds([pa.table({"x": values})], ingestion, Wanted(**wanted))
    typed = typed_block(pa.table({"x": values}), found.of, ingestion)
    return found.of["x"], typed["x"], found.notes.get("x", [])


@pytest.mark.parametrize("size", [1, 2, 5])
def test_chunks_get_the_types_of_the_whole(size):
    found = find_kinds(blocks(ROWS, size), INGESTION)
    assert found.rows == 5
    assert found.of == {
        "whole": "whole",
        "with_missing": "number",
        "fraction": "number",
        "late_text": "text",
        "code": "text",
        "nothing": "empty",
        "day": "date",
    }
    assert found.missing["with_missing"] == 2
    parts = [
        typed_block(block, found.of, INGESTION, at * size) for at, block in enumerate(blocks(ROWS, size))
    ]
    whole = pd.DataFrame({name: typed_column(ROWS[name], INGESTION) for name in ROWS})
    pd.testing.assert_frame_equal(pd.concat(parts), whole)


def test_what_the_model_reads_decides_where_the_rows_do_not():
    rows = pa.table({"amount": ["", ""], "branch": ["12", "13"]})
    kinds = find_kinds([rows], INGESTION, Wanted(numbers=["amount"], texts=["branch"])).of
    typed = typed_block(rows, kinds, INGESTION)
    assert typed.dtypes.astype(str).to_dict() == {"amount": "float64", "branch": "str"}
    assert typed["branch"].tolist() == ["12", "13"]


def test_values_of_parquet_files_keep_one_type_whatever_their_chunk_lacks():
    parts = [
        pa.table({"n": [1, 2], "flag": [True, False], "at": [datetime(2024, 1, 1), datetime(2024, 1, 2)]}),
        pa.table({"n": [1.0, None], "flag": [True, None], "at": [datetime(2024, 1, 3), None]}),
    ]
    kinds = find_kinds(parts, INGESTION).of
    assert kinds == {"n": "number", "flag": "truth or missing", "at": "date"}
    for part in parts:
        assert typed_block(part, kinds, INGESTION).dtypes.astype(str).to_list() == [
            "float64",
            "boolean",
            "datetime64[us]",
        ]


def test_kinds_that_do_not_go_together_are_named():
    with pytest.raises(DataError, match=r"column 'x' holds values of several kinds \(truth, whole\)"):
        find_kinds([pa.table({"x": [True, False]}), pa.table({"x": [1, 2]})], INGESTION)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["007", "012"], "text"),
        (["0000.702", "0012.5"], "number"),
        (["1.5E5", "2.0E5"], "number"),
        (["1e-5", "3"], "number"),
        (["10E1", "11E2"], "text"),
        (["10E1", "12"], "text"),
        (["1E5", "2.5"], "number"),
        (["inf", "1"], "number"),
        (["NAN", "1"], "text"),
        (["1_0", "1"], "text"),
        (["0x10", "1"], "text"),
        (["9223372036854775807", "1"], "whole"),
        (["9223372036854775808", "1"], "unsigned"),
        (["9223372036854775807", ""], "whole or missing"),
        (["9223372036854775808", ""], "unsigned or missing"),
        (["18446744073709551616", "1"], "text"),
        (["-0", "+5"], "whole"),
        (["1", ""], "number"),
    ],
)
def test_texts_are_numbers_where_nothing_is_lost_by_it(texts, kind):
    found, typed, _ = kind_of(texts)
    assert found == kind
    if kind == "text":
        assert typed.tolist() == texts
    if kind.startswith(("whole", "unsigned")):
        assert [str(value) for value in typed if not pd.isna(value)] == [
            str(int(text)) for text in texts if text
        ]


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        (["1.1", "1.10"], ["1.1", "1.10"]),
        (["007", "7"], ["007", "7"]),
        (["10E1", "100"], ["10E1", "100"]),
        (["+5", "5"], ["+5", "5"]),
        (["\u22125", "5"], ["\u22125", "5"]),
        (["12345678901234567890123", "1"], ["12345678901234567890123", "1"]),
        (["5", "-7"], [5, -7]),
        (["123456789012345678", ""], [123456789012345678, None]),
    ],
)
def test_a_key_keeps_its_text(texts, kept):
    values = kind_of(texts, keys=["x"])[1]
    assert [None if pd.isna(value) else value for value in values] == kept


def test_an_id_that_has_lost_digits_is_refused():
    with pytest.raises(
        DataError, match=r"column 'x' .* floats beyond 2\^53 \(123456789012345677\d+\)|floats beyond"
    ):
        kind_of([1.2345678901234568e17, None], keys=["x"])


@pytest.mark.parametrize("values", [[5, -999], [5.0, -999.0], ["5", "-999.0"], ["5", "-999"]])
def test_what_means_no_value_means_it_in_every_type(values):
    kind, typed, _ = kind_of(values, Ingestion(missing=["", "-999"]))
    assert kind == "number"
    assert typed.isna().tolist() == [False, True]


def test_a_date_that_means_no_value():
    never = [datetime(2024, 1, 2), datetime(1900, 1, 1)]
    assert kind_of(never, Ingestion(missing=["1900-01-01"]))[1].isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("texts", "note"),
    [
        (["1"] * 9 + ["1.2O"], "text in 1 of 10 rows, numbers in the others: '1.2O' (row 9); correct them"),
        (
            ["$1,234.50", "$7.00"],
            "text in 2 of 2 rows: '$1,234.50' (row 0), '$7.00' (row 1); declare how they are",
        ),
        (["52.3%", "7%"], "declare how they are written"),
        (["959.36"] * 9 + ["1.959,36"], "'1.959,36' (row 9); declare how they are written"),
        (
            ["3"] * 9 + ["#N/A"],
            "'#N/A' (row 9); correct them, list what means no value under ingestion.missing",
        ),
        (["007", "012"], "codes: whole numbers with leading zeros, such as '007' (row 0)"),
        (["1"] * 400 + ["007"], "text in 1 of 401 rows, numbers in the others: '007' (row 400)"),
        (["10E1", "11E2"], "codes: digits, E and digits"),
        (["2024-01-02", "2024-01-03"], "texts that look like dates: '2024-01-02' (row 0)"),
    ],
)
def test_what_makes_a_column_text_is_said_with_rows(texts, note):
    notes = kind_of(texts)[2]
    assert len(notes) == 1
    assert note in notes[0]


@pytest.mark.parametrize("texts", [["a", "b"], ["1", "2"], ["A1", "B2", "3"], [""]])
def test_what_is_plain_is_not_noted(texts):
    assert kind_of(texts)[2] == []


@pytest.mark.parametrize(
    ("declared", "texts", "numbers"),
    [
        ({"thousands": ","}, ["1,234.5", "12"], [1234.5, 12]),
        ({"thousands": ".", "decimal": ","}, ["1.959,36", "959,36"], [1959.36, 959.36]),
        ({"thousands": " "}, ["1 234", "1\u00a0234"], [1234, 1234]),
        ({"thousands": "'"}, ["1'234", "1\u2019234"], [1234, 1234]),
        (
            {"units": ["$", "%"], "thousands": ","},
            ["$1,234.50", "-$5", "$-5", "52.3 %"],
            [1234.5, -5, -5, 52.3],
        ),
        ({"accounting": True}, ["(5)", "5-", "( 1.5 )", "2"], [-5, -5, -1.5, 2]),
        ({"accounting": True, "units": ["€"]}, ["(€5)", "5 €"], [-5, 5]),
    ],
)
def test_numbers_are_read_as_they_are_declared_to_be_written(declared, texts, numbers):
    assert kind_of(texts, Ingestion(**declared))[1].tolist() == numbers


def test_a_mark_in_the_wrong_place_makes_no_number():
    assert kind_of(["1,23", "4"], Ingestion(thousands=","))[0] == "text"


def test_durations_and_times_of_day_are_seconds():
    kind, typed, notes = kind_of([timedelta(minutes=1.5), None])
    assert (kind, typed.iloc[0], notes) == ("number", 90.0, ["durations or times of day, in seconds"])
    assert kind_of(pa.array([3_600_000_000], pa.time64("us")))[1].tolist() == [3600.0]


@pytest.mark.parametrize("values", [[[1]], [{"a": 1}], [b"x"]])
def test_what_no_feature_has_is_refused_before_training(values):
    with pytest.raises(DataError, match=r"column 'x' holds values of the type .*, which features cannot use"):
        kind_of(values)


@pytest.mark.parametrize(
    ("texts", "zone", "kind", "hours"),
    [
        (["2024-01-02T10:00+02:00", "2024-07-02T10:00+02:00"], None, "date in UTC+02:00", [10, 10]),
        (["2024-01-02T10:00Z", "2024-07-02T10:00+00:00"], "Europe/Berlin", "date in UTC", [10, 10]),
        (
            ["2024-01-02T10:00+01:00", "2024-07-02T10:00+02:00"],
            "Europe/Berlin",
            "date in Europe/Berlin",
            [10, 10],
        ),
        (["2024-01-02T10:00+01:00", "2024-07-02T10:00+02:00"], None, "date in UTC", [9, 8]),
        (["2024-01-02T10:00", "2024-07-02"], "Europe/Berlin", "date", [10, 0]),
    ],
)
def test_a_column_keeps_the_clock_that_all_its_times_have(texts, zone, kind, hours):
    found, typed, notes = kind_of(texts, Ingestion(dates={"x": "ISO8601"}, zone=zone))
    assert (found, typed.dt.hour.tolist()) == (kind, hours)
    assert bool(notes) == (texts[0].endswith("+01:00"))


def test_times_are_read_on_the_clock_of_the_model():
    zones = {"x": "Europe/Berlin"}
    declared = Ingestion(dates={"x": "ISO8601"})
    assert kind_of(["2024-01-02T10:00Z"], declared, zones=zones)[1].dt.hour.tolist() == [11]
    with pytest.raises(
        DataError, match="has times with no time zone, but the training rows had Europe/Berlin"
    ):
        kind_of(["2024-01-02T10:00"], declared, zones=zones)
    with pytest.raises(DataError, match="has times with a time zone, but the training rows had none"):
        kind_of(["2024-01-02T10:00Z"], declared, zones={"x": None})


def test_zones_of_parquet_files():
    at = pa.array([datetime(2024, 1, 2, 9), datetime(2024, 7, 2, 8)], pa.timestamp("ns", "Europe/Berlin"))
    kind, typed, _ = kind_of(at)
    assert (kind, str(typed.dtype), typed.dt.hour.tolist()) == (
        "date in Europe/Berlin",
        "datetime64[us, Europe/Berlin]",
        [10, 10],
    )


def test_years_of_two_digits_are_as_declared():
    layout = {"dates": {"x": "%d.%m.%y"}}
    assert kind_of(["12.03.55"], Ingestion(**layout))[1].dt.year.tolist() == [2055]
    declared = Ingestion(**layout, two_digit_years={"x": 2024})
    assert kind_of(["12.03.55", "12.03.24"], declared)[1].dt.year.tolist() == [1955, 2024]


def test_texts_are_composed():
    assert kind_of(["Ko\u0308ln"])[1].tolist() == ["K\u00f6ln"]


@pytest.mark.parametrize("keys", [[], ["x"]])
def test_whole_numbers_beyond_64_bits_keep_their_digits(keys):
    large = pa.array([Decimal(10**24), Decimal(10**24 + 1), None], pa.decimal128(38, 0))
    assert kind_of(large, keys=keys)[1].dropna().tolist() == [str(10**24), str(10**24 + 1)]
    assert kind_of(["9223372036854775808", "-1"], keys=keys)[1].tolist() == ["9223372036854775808", "-1"]


def test_keys_that_are_floats_in_one_file_and_long_in_another_are_refused():
    parts = [pa.table({"x": [10**17 + 1]}), pa.table({"x": [1.5]})]
    with pytest.raises(DataError, match=r"whole numbers beyond 2\^53 \(100000000000000001\) in others"):
        find_kinds(parts, INGESTION, Wanted(keys=["x"]))
    with pytest.raises(DataError, match=r"floats beyond 2\^24"):
        kind_of(pa.array([2.0**25], pa.float32()), keys=["x"])


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64(), pa.decimal128(9, 1)])
def test_a_code_is_found_in_numbers_of_any_width(kind):
    values = pa.array([-99.9, 1.0]).cast(pa.float32() if kind == pa.float16() else kind).cast(kind)
    assert kind_of(values, Ingestion(missing=["-99.9"]))[1].isna().tolist() == [True, False]


def test_a_code_of_long_whole_numbers_hits_no_neighbour():
    assert kind_of([2**60, 2**60 + 1], Ingestion(missing=[str(2**60)]))[1].isna().tolist() == [True, False]


@pytest.mark.parametrize("missing", [" - ", "inconnu\u0301"])
def test_codes_are_compared_as_values_are(missing):
    assert kind_of([missing.strip(), "x"], Ingestion(missing=[missing]))[1].isna().tolist() == [True, False]


@pytest.mark.parametrize(("zone", "hours"), [("+0200", [2]), ("UTC+2", [2]), ("Europe/Berlin", [1])])
def test_zones_of_parquet_files_may_be_offsets(zone, hours):
    assert kind_of(pa.array([datetime(2024, 1, 2)], pa.timestamp("us", zone)))[1].dt.hour.tolist() == hours


def test_an_unknown_zone_is_refused():
    with pytest.raises(DataError, match="times in the unknown zone 'Nowhere/X'"):
        kind_of(pa.array([datetime(2024, 1, 2)], pa.timestamp("us", "Nowhere/X")))


@pytest.mark.parametrize(
    ("layout", "texts", "hours"),
    [
        ("%I:%M %p %z", ["07:30 PM +0200"], [19]),
        ("%Y-%m-%d%z", ["2024-01-01+0100", "2024-07-01+0200"], [0, 0]),
        ("%d.%m.%Y GMT%z %H", ["01.07.2024 GMT+02:00 08", "2024-07-01T08:00+02:00"], [8, 8]),
    ],
)
def test_offsets_stand_where_the_format_has_them(layout, texts, hours):
    assert kind_of(texts, Ingestion(dates={"x": layout}, zone="Europe/Berlin"))[1].dt.hour.tolist() == hours


def test_times_of_winter_alone_are_of_the_declared_zone():
    declared = Ingestion(dates={"x": "ISO8601"}, zone="Europe/Berlin")
    assert kind_of(["2024-01-02T10:00+01:00"], declared)[0] == "date in Europe/Berlin"
    assert kind_of(["2024-07-02T10:00+01:00"], declared)[0] == "date in UTC+01:00"
    named = Ingestion(dates={"x": "%Y-%m-%d %H:%M %Z"})
    assert kind_of(["2024-01-02 10:00 UTC"], named)[2] == ["times with names of zones, read as UTC"]


@pytest.mark.parametrize(
    ("texts", "declared", "numbers"),
    [
        (["12,34,567", "1,234"], {"thousands": ","}, [1234567, 1234]),
        (["279,63\u00a0€", "5 €"], {"decimal": ",", "units": ["€"]}, [279.63, 5]),
        (["12\u2009345"], {"thousands": " "}, [12345]),
        (["\u22125", "7"], {}, [-5, 7]),
        (
            ["\u22121\u00a0234,5 kr", "7 kr"],
            {"decimal": ",", "thousands": " ", "units": ["kr"]},
            [-1234.5, 7],
        ),
        (["5\u2212", "7"], {"accounting": True}, [-5, 7]),
    ],
)
def test_numbers_of_other_countries(texts, declared, numbers):
    assert kind_of(texts, Ingestion(**declared))[1].tolist() == numbers


def test_letters_beyond_ascii_are_no_currency():
    assert kind_of(["\u00e94", "\u00c41", "\u21163"])[2] == []
