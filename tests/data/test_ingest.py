import io
from datetime import date
from decimal import Decimal

import pandas as pd
import pytest

from lepton_pipeline.data.ingest import read_table
from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Contract, Dataset, Expectation, Features, Ingestion
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.tasks.ingest import ingest_table

DATASET = Dataset(target="y", positive=1)


def ingest(*files, dataset=DATASET, contract=None, **ingestion):
    table, record = ingest_table(
        list(files), dataset, Ingestion(**ingestion), contract or Contract(), Features()
    )
    return table.frame(), record


def test_types_follow_from_the_values(raw_file):
    table, _ = ingest(raw_file("whole,real,gap,text,y\n1,1.5,1,a,1\n-2,2,,7b,0\n"))
    assert table.dtypes.astype(str).to_dict() == {
        "whole": "int64",
        "real": "float64",
        "gap": "float64",
        "text": "str",
        "y": "int64",
    }
    assert table["gap"].isna().tolist() == [False, True]


@pytest.mark.parametrize("keys", [["branch"], ["branch", "region"]])
def test_columns_that_tell_series_apart_keep_their_text(raw_file, keys):
    declared = {
        "dataset": {"target": "y", "time": "month"},
        "forecast": {"series": keys, "frequency": "MS", "horizon": 1},
        "tables": {"records": {}},
    }
    vertical = read_vertical("shop", declared)
    raw = [raw_file("branch,region,month,y\n1.10,a,2024-01-01,1\n1.1,a,2024-02-01,2\n")]
    table, _ = read_table(raw, vertical.ingestion, vertical.tables["records"], "records", vertical.dataset)
    assert table.frame()["branch"].tolist() == ["1.10", "1.1"]


def test_codes_with_leading_zeros_stay_text(raw_file):
    table, _ = ingest(raw_file("postcode,share,y\n02134,0.5,1\n10001,0,0\n"))
    assert table["postcode"].tolist() == ["02134", "10001"]
    assert table["share"].tolist() == [0.5, 0.0]


def test_blanks_and_byte_order_mark_are_dropped(raw_file):
    table, _ = ingest(raw_file("\ufeff name , y \n  Ann , 1\nBob  ,0 \n"))
    assert list(table.columns) == ["name", "y"]
    assert table["name"].tolist() == ["Ann", "Bob"]
    assert table["y"].tolist() == [1, 0]


def test_decimal_commas_are_numbers_where_declared(raw_file):
    table, _ = ingest(raw_file("price;code;y\n1,5;1.5;1\n-2;x;0\n"), separator=";", decimal=",")
    assert table["price"].tolist() == [1.5, -2.0]
    assert table["code"].tolist() == ["1.5", "x"]


def test_a_point_is_no_decimal_mark_where_the_comma_is(raw_file):
    table, _ = ingest(raw_file("price;y\n1.5;1\n2,5;0\n"), separator=";", decimal=",")
    assert table["price"].tolist() == ["1.5", "2,5"]


def test_declared_texts_are_missing(raw_file):
    table, _ = ingest(raw_file("a,b,y\n1,unknown,1\n ? ,x,0\n"), missing=["?", "unknown"])
    assert table["a"].isna().tolist() == [False, True]
    assert table["a"].dtype == "float64"
    assert table["b"].isna().tolist() == [True, False]


def test_other_encodings_are_read_as_declared(raw_file):
    table, _ = ingest(raw_file("stadt,y\nKöln,1\nBern,0\n".encode("latin-1")), encoding="latin-1")
    assert table["stadt"].tolist() == ["Köln", "Bern"]


def test_several_files_are_put_below_one_another_by_column_name(raw_file):
    table, record = ingest(raw_file("a,y\n1,1\n", "one.csv"), raw_file("y,a\n0,2\n", "two.csv"))
    assert table.to_dict("list") == {"a": [1, 2], "y": [1, 0]}
    assert record.files == ["one.csv", "two.csv"]


def test_parquet_is_read_with_its_types():
    buffer = io.BytesIO()
    pd.DataFrame({"a": [1.0, None], "t": ["007 ", "8"], "y": [1, 0]}).to_parquet(buffer)
    table, _ = ingest(RawFile("part.parquet", lambda: io.BytesIO(buffer.getvalue())))
    assert table["a"].isna().tolist() == [False, True]
    assert table["t"].tolist() == ["007", "8"]


def parquet_file(table: pd.DataFrame, name: str = "part.parquet") -> RawFile:
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    return RawFile(name, lambda: io.BytesIO(buffer.getvalue()))


def test_decimals_days_and_truth_values_of_parquet_have_types():
    rows = {
        "price": [Decimal("1.50"), None],
        "day": [date(2024, 1, 31), None],
        "member": [True, None],
        "y": [Decimal(1), Decimal(0)],
    }
    table, _ = ingest(parquet_file(pd.DataFrame(rows, dtype=object)), dates={"day": "%Y-%m-%d"})
    types = {"price": "float64", "day": "datetime64[us]", "member": "boolean", "y": "int64"}
    assert table.dtypes.astype(str).to_dict() == types
    assert table["price"].tolist()[0] == 1.5
    assert table["day"][0] == pd.Timestamp("2024-01-31")
    assert table.isna().sum().to_dict() == {"price": 1, "day": 1, "member": 1, "y": 0}


@pytest.mark.parametrize(
    "index", [[9, 4], pd.Index([9, 4], name="id"), pd.MultiIndex.from_tuples([(1, 2), (3, 4)])]
)
def test_an_index_that_pandas_has_written_does_not_upset_a_parquet_file(index):
    table, _ = ingest(parquet_file(pd.DataFrame({"a": [1, 2], "y": [1, 0]}, index=index)))
    assert table[["a", "y"]].to_dict("list") == {"a": [1, 2], "y": [1, 0]}
    assert set(table.columns) - {"id"} == {"a", "y"}


@pytest.mark.parametrize("values", [[[1], [2]], [{"k": 1}, {"k": 2}]])
def test_nested_values_are_refused(values):
    with pytest.raises(
        DataError, match=r"column 'a' holds values of the type \w+<.*>, which features cannot use; make"
    ):
        ingest(parquet_file(pd.DataFrame({"a": values, "y": [1, 0]})))


def test_files_whose_values_are_of_different_kinds_are_refused(raw_file):
    numbers = parquet_file(pd.DataFrame({"a": [1, 2], "y": [1, 0]}))
    assert ingest(numbers, raw_file("a,y\n3,1\n4,0\n"))[0]["a"].tolist() == [1, 2, 3, 4]
    with pytest.raises(
        DataError, match=r"'a' holds texts in some rows and numbers in others \('x' \(row 2\)\)"
    ):
        ingest(numbers, raw_file("a,y\nx,1\n4,0\n"))


@pytest.mark.parametrize(
    ("values", "form", "message"),
    [
        (
            ["2024-01-31", "31.01.2024"],
            "%Y-%m-%d",
            r"format '%Y-%m-%d' \(1 of them, e.g. '31.01.2024' \(row 1\)\); correct",
        ),
        (
            ["2024-01-31", "2024-01-31T00:00:00+01:00"],
            "ISO8601",
            "some of its times have a time zone .* and some have none; write them alike",
        ),
        (["2024-01-31", ""], "%Q", "the format '%Q' cannot be used: .*; declare ISO8601, or one such as"),
    ],
)
def test_dates_that_cannot_be_read_are_explained(raw_file, values, form, message):
    file = raw_file(f"day,y\n{values[0]},1\n{values[1]},0\n")
    with pytest.raises(
        DataError, match=rf"column 'day' cannot be read as dates \(ingestion\.dates\): .*{message}"
    ):
        ingest(file, dates={"day": form})


@pytest.mark.parametrize("day", [20240101.5, float("inf")])
def test_numbers_that_are_no_dates_are_explained(day):
    rows = pd.DataFrame({"day": [20240131.0, day], "y": [1, 0]})
    with pytest.raises(DataError, match=rf"format '%Y%m%d' \(1 of them, e\.g\. '{day}' \(row \d\)\)"):
        ingest(parquet_file(rows), dates={"day": "%Y%m%d"})


def test_a_format_for_an_absent_column_is_refused(raw_file):
    with pytest.raises(
        DataError, match=r"no column 'dya', which ingestion\.dates declares; did you mean 'day'"
    ):
        ingest(raw_file("day,y\n2024-01-31,1\n2024-01-31,0\n"), dates={"dya": "%Y-%m-%d"})


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_another_separator_is_recognised(raw_file, mark):
    with pytest.raises(
        DataError, match=r"table\.csv has a single column, .*declare ingestion\.separator, which seems"
    ):
        ingest(raw_file(f"a{mark}y\n1{mark}1\n2{mark}0\n"))


def test_a_frame_from_the_catalog_is_taken_as_it_is():
    raw = pd.DataFrame({"a": [1, 2], "y": [1, 0]}, index=[7, 9])
    rows, record = ingest_table(raw, DATASET, Ingestion(), Contract(), Features())
    table = rows.frame()
    assert table.to_dict("list") == {"a": [1, 2], "y": [1, 0]}
    assert table.index.tolist() == [0, 1]
    assert raw.index.tolist() == [7, 9]
    assert record.files == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,y\n", "only a header"),
        ("a,a,y\n1,2,1\n", "several columns named 'a'"),
        ("a,Y2\n1,1\n", "no column 'y'"),
        (b"a,y\n\xff\xfe,1\n", "byte ff cannot be decoded"),
        ("a,y\n1,1\n2,1\n", "holds 1"),
        ("a,y\n1,0\n2,2\n", "positive value 1"),
        ("a,y\n1,\n2,\n", "no value at all"),
        (
            "a,y\n1,1\n1,2,3,4\n",
            r"1 of 2 records \(50.0%\) are broken .*\n  - table.csv line 3 \(long records\)",
        ),
        ("a,y\n1,1,9\n2,0,9\n", r"no record is a row \(2 long records\), such as line 2"),
    ],
)
def test_what_cannot_be_a_table_is_refused_with_the_reason(raw_file, content, message):
    with pytest.raises(DataError, match=message) as error:
        ingest(raw_file(content))
    assert error.value.exit_code == 3


def test_a_damaged_archive_is_refused():
    def open_damaged():
        raise EOFError("Compressed file ended before the end-of-stream marker was reached")

    with pytest.raises(DataError, match=r"table\.csv\.gz cannot be read: Compressed file ended"):
        ingest(RawFile("table.csv.gz", open_damaged))


def test_absent_columns_are_named_with_key_and_closest_name_before_any_row_is_read(raw_file):
    dataset = Dataset(target="y", positive=1, numeric=["ages"], exclude=["zzz"])
    contract = Contract(expectations=[Expectation(expect="column_values_to_not_be_null", column="AGE")])
    with pytest.raises(DataError) as error:
        ingest(raw_file("age,y\n1,1\n1,2,3,a row that cannot be read\n"), dataset=dataset, contract=contract)
    lines = str(error.value).splitlines()
    assert lines[0].startswith(
        "table.csv has no column 'zzz', which dataset.exclude declares; the columns are 'age', 'y'."
    )
    assert lines[1] == "table.csv has no column 'ages', which dataset.numeric declares; did you mean 'age'."
    assert "'AGE', which contract.expectations[0] declares; did you mean 'age'" in lines[2]


def test_files_with_other_columns_are_refused(raw_file):
    with pytest.raises(DataError, match=r"one\.csv and two\.csv differ in the column\(s\) 'b'"):
        ingest(raw_file("a,y\n1,1\n", "one.csv"), raw_file("a,b,y\n1,2,0\n", "two.csv"))


def test_an_unknown_encoding_is_refused(raw_file):
    with pytest.raises(DataError, match="encoding 'utf-9' is unknown"):
        ingest(raw_file("a,y\n1,1\n"), encoding="utf-9")
