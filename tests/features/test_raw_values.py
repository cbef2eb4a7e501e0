from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.raw_values import RawValues
from lepton_pipeline.parameters import Ingestion
from lepton_pipeline.system.records import from_json, to_json

INGESTION = Ingestion(
    decimal=",",
    thousands=".",
    units=["€"],
    missing=["", "-99,9", "unknown", "01.01.1900"],
    dates={"day": "%d.%m.%Y"},
)
VALUES = RawValues(INGESTION, {"n": "number", "code": "key", "city": "text", "day": "date"})


def read(name, *values):
    found = VALUES.read(pd.DataFrame({name: pd.Series(values, dtype=object)}))[name]
    return [None if pd.isna(value) else value for value in found]


def test_texts_of_numbers_are_read_as_ingestion_reads_them():
    assert read("n", "1.959,36 €", " 5", 1.125, None, "-99,9", "") == [1959.36, 5, 1.125, None, None, None]


@pytest.mark.parametrize("value", [-99.9, np.float32(-99.9), np.float64(-99.9), Decimal("-99.9")])
def test_a_code_means_no_value_in_every_type(value):
    assert read("n", value if not isinstance(value, Decimal) else float(value), 1.0) == [None, 1.0]
    column = pd.DataFrame({"n": np.array([value, 1], dtype=np.float32)})
    assert VALUES.read(column)["n"].isna().tolist() == [True, False]


def test_durations_and_times_of_day_are_seconds():
    assert read("n", timedelta(minutes=1), time(1, 0)) == [60, 3600]
    column = pd.DataFrame({"n": pd.to_timedelta([5, 6], unit="s")})
    assert VALUES.read(column)["n"].tolist() == [5, 6]


def test_keys_and_texts_keep_what_they_are():
    assert read("code", "007", "7", 7, "1.0") == ["007", 7, 7, "1.0"]
    assert read("city", " Zu\u0308rich ", "unknown", 5) == ["Z\u00fcrich", None, 5]
    assert read("day", "01.01.1900", "1900-01-01 00:00:00", pd.Timestamp(1900, 1, 1), "02.01.2024") == [
        None,
        None,
        None,
        "02.01.2024",
    ]


def test_what_is_no_number_is_named():
    with pytest.raises(DataError, match=r"column 'n' must hold numbers, but '1\.2O' is no number"):
        read("n", "1.2O")


def test_it_comes_back_from_json():
    assert from_json(RawValues, to_json(VALUES)) == VALUES
