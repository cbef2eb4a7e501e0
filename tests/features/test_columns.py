from dataclasses import replace

import pandas as pd
import pytest

from lepton_pipeline.data.reading import IngestionRecord, Reading
from lepton_pipeline.features.column_record import (
    BY_CODE,
    CATEGORY,
    DATE,
    NUMBER,
    OTHERS,
    UNUSED,
)
from lepton_pipeline.features.columns import describe_columns, kind_of
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.report import FeatureReport, Finding
from lepton_pipeline.parameters import Dataset, Features

ROWS = 60
DATASET = Dataset(
    target="paid",
    positive=1,
    id="id",
    time="at",
    group="shop",
    exclude=["memo", "width"],
    sensitive=["sex"],
    categorical=["code"],
)
FEATURES = Features.model_validate(
    {
        "derive": {
            "month": "month(at)",
            "area": "width * 2",
            "late": "month - 1",
            "always": "where(price > 0, 1, 1)",
        },
        "windows": {"paid_before": {"statistic": "mean", "of": "paid", "by": ["shop"], "rows": 5}},
    }
)
NOTES = {
    "price": ["text in 1 of 60 rows: '1.959,36' (row 17)"],
    "code": ["codes: whole numbers with leading zeros"],
}
READING = Reading(
    files=[],
    skipped=[],
    records=62,
    set_apart=2,
    reasons={},
    kinds={"price": "number", "code": "text", "at": "date", "sold_on": "date"},
    notes=NOTES,
)


def make_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": range(ROWS),
            "at": pd.date_range("2024-01-01", periods=ROWS, freq="5D", tz="Europe/Berlin"),
            "sold_on": pd.date_range("2024-01-01", periods=ROWS),
            "shop": ["a", "b", "c"] * 20,
            "sex": ["f", "m"] * 30,
            "memo": [f"note {row}" for row in range(ROWS)],
            "width": [row % 7 for row in range(ROWS)],
            "price": [None if row % 6 == 0 else row / 2 for row in range(ROWS)],
            "stock": [None, *(float(row) for row in range(1, ROWS))],
            "code": ["007", "008"] * 30,
            "new": [True, False, False] * 20,
            "useless": [row % 11 for row in range(ROWS)],
            "empty": [None] * ROWS,
            "paid": [0, 1] * 30,
        }
    )


def describe(reading=READING, findings=(), on_noise="warn", **readings):
    table = derive_features(make_table(), DATASET, FEATURES)
    unwanted = {each.feature: "it adds nothing" for each in findings if on_noise == "drop"}
    encoder = Encoder.fit(table, DATASET, unwanted)
    record = IngestionRecord(ROWS, {}, "", None, reading=reading)
    report = FeatureReport(0, 0.95, "stop", on_noise, [], list(findings))
    made = describe_columns(table, record, encoder, DATASET, FEATURES, report, **readings)
    assert made.rows == ROWS
    return {column.name: column for column in made.columns}, table


def test_every_column_stands_in_the_order_of_the_table_with_type_role_use_and_reason():
    columns, table = describe()
    assert list(columns) == list(table.columns)
    shown = {name: (each.kind, each.role, each.used_as, each.why_not) for name, each in columns.items()}
    assert shown == {
        "id": ("whole number", "id", UNUSED, "it names rows (dataset.id)"),
        "at": ("date with zone", "time", DATE, "it orders rows (dataset.time)"),
        "sold_on": ("date", "feature", UNUSED, "a date; derive month, weekday or hour of it"),
        "shop": ("text", "group", OTHERS, "it groups rows (dataset.group)"),
        "sex": ("text", "sensitive", UNUSED, "declared in dataset.sensitive"),
        "memo": ("text", "excluded", UNUSED, "declared in dataset.exclude"),
        "width": ("whole number", "excluded", OTHERS, "declared in dataset.exclude"),
        "price": ("number", "feature", NUMBER, ""),
        "stock": ("whole number", "feature", NUMBER, ""),
        "code": ("text", "category", CATEGORY, ""),
        "new": ("true or false", "feature", CATEGORY, ""),
        "useless": ("whole number", "feature", NUMBER, ""),
        "empty": ("no value", "feature", UNUSED, "every value is missing"),
        "paid": ("whole number", "target", OTHERS, "the target"),
        "month": ("whole number", "derived", NUMBER, ""),
        "area": ("whole number", "derived", NUMBER, ""),
        "late": ("whole number", "derived", NUMBER, ""),
        "always": ("whole number", "derived", UNUSED, "every value is the same"),
        "paid_before": ("number", "window", NUMBER, ""),
    }


def test_what_reaches_the_model_through_others_names_them():
    columns, _ = describe()
    assert columns["at"].through == ["month", "paid_before"]
    assert columns["width"].through == ["area"]
    assert columns["shop"].through == ["paid_before"]
    assert columns["month"].through == ["late"]
    # `always` is made of it, but does not reach the model.
    assert columns["price"].through == []


def test_missing_and_distinct_values_are_counted():
    columns, _ = describe()
    assert (columns["price"].missing, columns["price"].missing_share, columns["price"].distinct) == (
        10,
        0.166667,
        50,
    )
    assert (columns["empty"].missing, columns["empty"].distinct) == (ROWS, 0)


def test_notes_of_reading_are_kept_and_no_reading_is_none():
    columns, _ = describe()
    assert columns["price"].notes == NOTES["price"]
    without, _ = describe(reading=None)
    assert without["code"].notes == []
    assert without["code"].kind == "text"


def test_a_whole_number_that_is_read_as_a_category_says_so():
    table = make_table()
    encoder = Encoder.fit(table, DATASET.model_copy(update={"categorical": ["code", "useless"]}))
    made = describe_columns(
        table,
        IngestionRecord(ROWS, {}, "", None),
        encoder,
        DATASET,
        Features(),
        FeatureReport(0, 0.95, "stop", "warn", [], []),
    )
    columns = {column.name: column for column in made.columns}
    assert (columns["useless"].kind, columns["useless"].used_as) == ("whole number", CATEGORY)
    assert "jumps from value to value" in columns["useless"].notes[0]
    assert not any("jumps" in note for name in ("code", "stock", "new") for note in columns[name].notes)


def test_what_was_dropped_as_noise_says_how():
    noise = Finding("useless", "pure noise", "noise", "", "")
    dropped, _ = describe(findings=[noise], on_noise="drop")
    assert (dropped["useless"].used_as, dropped["useless"].why_not) == (
        UNUSED,
        "pure noise (leaks.on_noise: drop)",
    )
    warned, _ = describe(findings=[noise])
    assert warned["useless"].used_as == NUMBER


def test_columns_of_raw_tables_that_were_not_taken_over_have_a_line():
    lines = replace(
        READING,
        records=110,
        set_apart=10,
        kinds={"price": "number", "clerk": "text"},
        notes={"price": ["a guess"], "clerk": ["codes"]},
        missing={"clerk": 25},
    )
    columns, _ = describe(reading=None, **{"shop.lines.reading": lines})
    clerk = columns["clerk"]
    assert (clerk.table, clerk.role, clerk.kind, clerk.used_as) == ("lines", "raw", "text", BY_CODE)
    assert (clerk.missing, clerk.missing_share, clerk.distinct, clerk.notes) == (25, 0.25, None, ["codes"])
    assert clerk.why_not == "not taken over from the raw table lines, unless under another name"
    assert columns["price"].notes == ["lines: a guess"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.Series([1, 2]), "whole number"),
        (pd.Series([1, None], dtype="Int64"), "whole number"),
        (pd.Series([1.0, None]), "whole number"),
        (pd.Series([1.0, 2.0]), "number"),
        (pd.Series([0.5, None]), "number"),
        (pd.Series(["a", None]), "text"),
        (pd.Series(["a", "b"], dtype="category"), "text"),
        (pd.Series([True, None], dtype="boolean"), "true or false"),
        (pd.Series(pd.to_datetime(["2024-01-01"])), "date"),
        (pd.Series(pd.to_datetime(["2024-01-01"], utc=True)), "date with zone"),
        (pd.Series(pd.to_timedelta([1], unit="h")), "duration"),
        (pd.Series([None, None], dtype=float), "no value"),
    ],
)
def test_types_are_said_in_words(values, kind):
    assert kind_of(values) == kind
