import gzip
import io
import random
from collections.abc import Callable
from datetime import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.errors import DataError
from lepton_pipeline.onboarding.profile import Profile, is_whole, profile_files


def raw(content: str | bytes, name: str = "table.csv") -> RawFile:
    data = content.encode() if isinstance(content, str) else content
    return RawFile(name, lambda: io.BytesIO(data))


def profile(content: str | bytes, target: str | None = None) -> Profile:
    return profile_files([raw(content)], target)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_the_one_that_divides_the_lines(separator: str) -> None:
    lines = [["a", "b, c", "d"], ["1", "x; y", "2"], ["3", "u|v", "4"]]
    text = "\n".join(separator.join(f'"{field}"' for field in line) for line in lines)
    found = profile(text)
    assert found.ingestion.separator == separator
    assert list(found.table) == ["a", "b, c", "d"]
    assert found.table["d"].tolist() == [2, 4]


def test_decimal_comma_is_found_and_said() -> None:
    found = profile("size;n\n1,5;1\n-0,25;2\n3;3\n")
    assert found.ingestion.decimal == ","
    assert found.table["size"].tolist() == [1.5, -0.25, 3.0]
    assert "1,5" in found.reasons["decimal"]


@pytest.mark.parametrize(
    ("texts", "style", "numbers"),
    [
        (["1,200", "15,300", "900"], {"thousands": ","}, [1200, 15300, 900]),
        (["12,50", "1.959,36", "-7"], {"decimal": ",", "thousands": "."}, [12.5, 1959.36, -7]),
        (["1\u202f234,50 €", "12,00 €"], {"decimal": ",", "thousands": " ", "units": ["€"]}, [1234.5, 12]),
        (["1'234.50", "CHF 12", "3"], {"thousands": "'", "units": ["CHF"]}, [1234.5, 12, 3]),
        (["$1,234.50", "-$12.00", "$3"], {"thousands": ",", "units": ["$"]}, [1234.5, -12, 3]),
        (["52.3%", "1%", "-7 %"], {"units": ["%"]}, [52.3, 1, -7]),
        (["(12.50)", "3.00", "4.25"], {"accounting": True}, [-12.5, 3, 4.25]),
        (["12.50-", "3.00", "4.25"], {"accounting": True}, [-12.5, 3, 4.25]),
        (["5\u2212", "3", "4"], {"accounting": True}, [-5, 3, 4]),
        (["\u22121\u202f234,5", "3"], {"decimal": ",", "thousands": " "}, [-1234.5, 3]),
        (["12 kg", "7.5 kg"], {"units": ["kg"]}, [12, 7.5]),
        (["1e-5", "2.5E3", "7"], {}, [1e-5, 2500, 7]),
        (["0000.702", "0012.5"], {}, [0.702, 12.5]),
    ],
)
def test_numbers_written_for_people_are_numbers_and_declared(
    texts: list[str], style: dict[str, Any], numbers: list[float]
) -> None:
    found = profile("price\tn\n" + "".join(f"{text}\t1\n" for text in texts))
    declared = found.ingestion.model_dump(
        include={"decimal", "thousands", "units", "accounting"}, exclude_defaults=True
    )
    assert declared == style
    assert found.table["price"].tolist() == numbers
    assert set(found.reasons) == {"separator", *style}


def test_a_reason_shows_the_text_as_the_file_has_it() -> None:
    found = profile("price,n\n" + "".join(f"1\u202f{row:03d},{row}\n" for row in range(9)))
    assert found.reasons["thousands"] == "numbers such as '1\\u202f000' in price"


@pytest.mark.parametrize("digits", [308, 309, 400, 4000])
def test_a_number_beyond_every_type_stays_a_text(digits: int) -> None:
    found = profile(f"c,n\n{'9' * digits},1\n3,2\n")
    assert found.table["c"].astype(str).tolist() == ["9" * digits, "3"]


@pytest.mark.parametrize(
    "texts",
    [
        ["A12", "B13", "A14"],
        ["555 123 456", "555 222 111", "333 444 555"],
        ["12A", "13B", "7", "8A"],
        ["12.05.24x", "1.6.24x"],
        ["(1)", "(2)", "(3)"],
    ],
)
def test_codes_are_not_made_numbers(texts: list[str]) -> None:
    found = profile("c\tn\n" + "".join(f"{text}\t1\n" for text in texts))
    assert found.table["c"].astype(str).tolist() == texts


def test_several_units_and_a_point_before_three_digits_are_a_doubt() -> None:
    found = profile(
        "w;x\n" + "".join(f"{n} {unit};{n}.{100 + n}\n" for n, unit in enumerate(["kg", "g"] * 10, 1))
    )
    assert "several units ('kg', 'g')" in found.doubts["w"]
    assert "thousands mark" in found.doubts["x"]


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["0123", "4567"], "leading zeros, such as '0123'"),
        (["12E4", "3E7", "1234"], "digits, E, digits, such as '12E4'"),
        (["123456789012345678", "223456789012345679"], "18 digits"),
    ],
)
def test_digits_that_are_codes_keep_their_digits_and_are_said(texts: list[str], why: str) -> None:
    found = profile("c,n\n" + "".join(f"{text},1\n" for text in texts))
    assert why in found.codes["c"]
    assert found.table["c"].astype(str).tolist() == texts


def test_long_whole_numbers_of_parquet_files_are_codes_too() -> None:
    stream = io.BytesIO()
    pd.DataFrame({"card": [2**62, 2**62 + 1], "n": [1, 2]}).to_parquet(stream)
    found = profile_files([raw(stream.getvalue(), "t.parquet")])
    assert list(found.codes) == ["card"]
    assert found.table["card"].tolist() == [2**62, 2**62 + 1]


def test_na_among_codes_of_countries_is_namibia() -> None:
    found = profile("country,n\nDE,1\nNA,2\nFR,3\nUS,\n")
    assert "NA" not in found.ingestion.missing
    assert found.table["country"].tolist() == ["DE", "NA", "FR", "US"]
    assert "DE, FR, US" in found.reasons["missing"].replace("FR, DE", "DE, FR")


def test_na_among_codes_is_asked_about_where_it_also_means_no_value() -> None:
    found = profile("country,n\nDE,1\nNA,2\nFR,NA\nUS,4\n")
    assert "NA" in found.ingestion.missing
    assert "take it out of ingestion.missing" in found.doubts["country"]
    other = profile("lang,n\ndeu,1\nnan,2\nfra,3\neng,4\n")
    assert "nan occurs among" in other.doubts["lang"]
    assert profile("grade,n\nA,1\nNA,2\nB,3\nC,4\n").doubts == {}


def test_two_digit_years_and_moments_since_1970_are_asked_about() -> None:
    found = profile(
        "born,seen,ts\n12.03.55,2024-01-05,1704400000\n31.12.01,2024-02-05,1707000000\n01.01.70,2023-02-05,1\n"
    )
    assert "ingestion.two_digit_years: {born: 2024}" in found.doubts["born"]
    assert "1 of them after 2024" in found.doubts["born"]
    assert "ts" not in found.doubts
    moments = profile("ts,at\n1704400000,1704400000123\n1707000000,1707000000123\n1707100000,1707100000123\n")
    assert "seconds since 1970, 2024-01-04 to" in moments.doubts["ts"]
    assert "floor(at / 3600000) % 24" in moments.doubts["at"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("cp1252", "Zürich €"), ("latin-1", "Zürich \x81"), ("utf-16", "Zürich"), ("utf-8", "Zürich")],
)
def test_encoding_is_found(encoding: str, text: str) -> None:
    found = profile(f"city,n\n{text},1\nBern,2\n".encode(encoding))
    assert found.ingestion.encoding == encoding
    assert found.table["city"].tolist() == [text, "Bern"]
    assert ("encoding" in found.reasons) == (encoding != "utf-8")


def test_byte_order_mark_is_no_part_of_a_name() -> None:
    assert list(profile("\ufeffa,b\n1,2\n").table) == ["a", "b"]


@pytest.mark.parametrize("odd", ["?", "-", "unknown", "N.A.", "#N/A", "TBD"])
def test_odd_texts_among_numbers_mean_no_value(odd: str) -> None:
    found = profile(f"n,t\n1,a\n{odd},b\n3,c\n")
    assert odd in found.ingestion.missing
    assert found.odd == {odd: ["n"]}
    assert found.table["n"].isna().tolist() == [False, True, False]


def test_odd_texts_among_dates_mean_no_value() -> None:
    found = profile("d,n\n2026-01-31,1\n0000-00-00,2\n2026-02-01,3\n")
    assert found.ingestion.dates == {"d": "ISO8601"}
    assert found.table["d"].isna().tolist() == [False, True, False]


def test_unknown_means_no_value_among_texts_but_none_and_dash_may_be_answers() -> None:
    found = profile("job,extra\nclerk,none\nunknown,-\ncook,garage\n")
    assert set(found.odd) == {"unknown"}
    assert found.table["extra"].tolist() == ["none", "-", "garage"]


def test_classes_of_the_target_stay_values_everywhere() -> None:
    text = "n,target\n1,-\n-,A\n3,B\n"
    assert profile(text, target="target").odd == {}
    assert profile(text).odd == {"-": ["n"]}


def test_unknown_in_a_target_of_two_more_values_means_no_value() -> None:
    found = profile("n,target\n1,yes\n2,no\n3,unknown\n", target="target")
    assert found.table["target"].isna().tolist() == [False, False, True]


def test_codes_stay_text_and_other_columns_get_their_types() -> None:
    found = profile("zip,n,x\n0123,1,1.5\n4567,2,2\n")
    assert [found.table[name].dtype.kind for name in ("n", "x")] == ["i", "f"]
    assert found.table["zip"].tolist() == ["0123", "4567"]


def test_a_few_texts_among_many_numbers_are_a_doubt() -> None:
    numbers = "\n".join(map(str, range(40)))
    found = profile(f"n\n{numbers}\nbroken\n".replace("\n", ",x\n").replace("n,x", "n,t", 1))
    assert "'broken'" in found.doubts["n"]


def test_day_and_month_that_cannot_be_told_apart_are_a_doubt() -> None:
    found = profile("d,n\n05/04/2026,1\n07/02/2026,2\n01/06/2026,3\n")
    assert found.ingestion.dates == {"d": "%d/%m/%Y"}
    assert "%m/%d/%Y" in found.doubts["d"]


def test_whole_numbers_are_dates_only_where_the_name_says_so() -> None:
    found = profile("order_date,amount\n20260131,20260131\n20260201,20260201\n")
    assert found.ingestion.dates == {"order_date": "%Y%m%d"}
    assert found.table["order_date"].dt.month.tolist() == [1, 2]
    assert found.table["amount"].dtype.kind == "i"


def test_parquet_and_compressed_files_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"when": pd.to_datetime(["2026-01-01", "2026-01-02"]), "t": ["?", "b"]})
    stream = io.BytesIO()
    frame.to_parquet(stream)
    found = profile_files([raw(stream.getvalue(), "t.parquet")])
    assert found.table["when"].dt.day.tolist() == [1, 2]
    assert found.ingestion.dates == {}
    packed = gzip.compress(b"a,b\n1,2\n")
    file = RawFile("t.csv.gz", lambda: gzip.GzipFile(fileobj=io.BytesIO(packed)))  # type: ignore[arg-type, return-value]
    assert profile_files([file]).table["b"].tolist() == [2]


def test_rows_of_several_files_stand_one_below_the_other() -> None:
    found = profile_files([raw("a,b\n1,2\n", "1.csv"), raw("b,a\n4,3\n", "2.csv")])
    assert found.table.to_dict("list") == {"a": [1, 3], "b": [2, 4]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"a,b\n", "only a header"),
        (b"a,b,a\n1,2,3\n", "several columns named 'a'"),
        (b"a,,b\n1,2,3\n", "column 2 has no name"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML"),
        (b"PK\x03\x04rest of an archive", "zip"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        profile(content)


def test_files_that_differ_in_columns_are_refused() -> None:
    with pytest.raises(DataError, match=r"1\.csv and 2\.csv differ in the column\(s\) 'c'"):
        profile_files([raw("a,b\n1,2\n", "1.csv"), raw("a,b,c\n1,2,3\n", "2.csv")])


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2], True), ([1.0, None], True), ([1.5], False), ([True], False), ([None], False)],
)
def test_is_whole(values: list[float | None], expected: bool) -> None:
    make: Callable[..., pd.Series] = pd.Series
    assert is_whole(make(values)) is expected


def test_a_file_that_breaks_off_is_refused() -> None:
    packed = gzip.compress(b"a,b\n" + random.Random(0).randbytes(4000).hex().encode())[:1500]
    file = RawFile("t.csv.gz", lambda: gzip.GzipFile(fileobj=io.BytesIO(packed)))  # type: ignore[arg-type, return-value]
    with pytest.raises(DataError, match=r"t\.csv\.gz cannot be read: .* is the file whole\?"):
        profile_files([file])


def test_values_that_only_parquet_can_hold_are_seconds_or_refused() -> None:
    def read(value: Any) -> list[Any]:
        stream = io.BytesIO()
        pd.DataFrame({"odd": [value, value], "n": [1, 2]}).to_parquet(stream)
        return list(profile_files([raw(stream.getvalue(), "t.parquet")]).table["odd"])

    assert read(time(12, 30)) == [45_000, 45_000]
    assert read(pd.Timedelta("1h")) == [3600, 3600]
    with pytest.raises(
        DataError, match=r"column 'odd' holds values of the type list<.*>, which features cannot use"
    ):
        read([1, 2])


def test_a_few_texts_among_many_dates_are_a_doubt() -> None:
    days = pd.date_range("2026-01-01", periods=40).strftime("%Y-%m-%d").tolist()
    found = profile("day,n\n" + "\n".join(f"{day},1" for day in [*days, "soon"]))
    assert found.ingestion.dates == {}
    assert found.doubts["day"].startswith("dates except 'soon'")


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2024-01-02T10:00:00+01:00", "2024-07-02T10:00:00+02:00"], "ISO8601"),
        (["Dec-15", "Jan-16"], "%b-%y"),
        (["12/2015", "01/2016"], "%m/%Y"),
    ],
)
def test_local_times_and_months_are_dates(texts: list[str], form: str) -> None:
    found = profile("at,n\n" + "".join(f"{text},1\n" for text in texts * 3))
    assert found.ingestion.dates == {"at": form}
    assert pd.api.types.is_datetime64_any_dtype(found.table["at"])


def test_a_date_that_never_comes_means_no_value() -> None:
    days = "".join(f"{day:%Y-%m-%d},1\n" for day in pd.date_range("2023-01-01", periods=40))
    found = profile("until,n\n" + days + "9999-12-31,1\n" * 9)
    assert found.odd == {"9999-12-31": ["until"]}
    assert found.table["until"].isna().sum() == 9
