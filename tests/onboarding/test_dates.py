import pandas as pd
import pytest

from lepton_pipeline.onboarding.dates import date_formats


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-01-31", "2026-02-01"], "ISO8601"),
        (["2026-01-31T10:00:00Z", "2026-02-01T11:30:00Z"], "ISO8601"),
        (["31/01/2026", "01/02/2026"], "%d/%m/%Y"),
        (["12/1/2009 7:45", "12/13/2009 17:45"], "%m/%d/%Y %H:%M"),
        (["31.01.26 23:59:59", "01.02.26 00:00:00"], "%d.%m.%y %H:%M:%S"),
        (["31-Jan-2026", "1-Feb-2026"], "%d-%b-%Y"),
        (["Jan 31, 2026", "Feb 1, 2026"], "%b %d, %Y"),
        (["Jan-2015", "Dec-2014"], "%b-%Y"),
        (["1/31/2026 11:59 PM", "2/1/2026 1:00 AM"], "%m/%d/%Y %I:%M %p"),
    ],
)
def test_date_format_is_the_one_that_every_value_has(values: list[str], expected: str) -> None:
    assert date_formats(pd.Series(values)) == [expected]
    assert pd.to_datetime(pd.Series(values), format=expected).notna().all()


def test_day_and_month_are_told_apart_by_the_order_of_rows() -> None:
    values = pd.Series(["01/11/2026", "01/12/2026", "02/01/2026", "03/01/2026"])
    assert date_formats(values) == ["%m/%d/%Y"]


@pytest.mark.parametrize(
    "values", [["1.5", "2.5"], ["a", "b"], ["2026-01-31", "yesterday"], ["10:30", "11:30"], []]
)
def test_other_columns_have_no_date_format(values: list[str]) -> None:
    assert date_formats(pd.Series(values, dtype="str")) == []
