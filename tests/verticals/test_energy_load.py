"""Energy's load: the query labels readings as energy's module does, and without the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.sql import run_query
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.verticals.energy import label_next_hour

QUERY = (Path(__file__).parents[2] / "conf/base/energy_load/table.sql").read_text(encoding="utf-8")
DATASET = Dataset(target="next_hour", positive_when="next_hour > 100", time="date", label_delay="1h")
START = pd.Timestamp("2016-01-11 17:00")


def readings(rows: int) -> pd.DataFrame:
    dates = pd.Series(pd.date_range(START, periods=rows, freq="10min"), dtype="datetime64[us]")
    used = np.random.default_rng(3).integers(10, 500, rows)
    return pd.DataFrame({"date": dates, "Appliances": used, "T1": used / 7})


def labelled(rows: pd.DataFrame) -> pd.DataFrame:
    return run_query(QUERY, {"appliances": rows}, DATASET, "energy_load/table.sql")


def test_the_label_is_the_mean_of_the_next_six_readings_without_the_own():
    rows = readings(8).assign(Appliances=[1000, 10, 20, 30, 40, 50, 60, 100])
    assert labelled(rows)[["Appliances", "next_hour"]].to_numpy().tolist() == [[1000, 35.0], [10, 50.0]]


@pytest.mark.parametrize("lost", [[], [0], [30], [10, 11, 40], [199]])
def test_the_table_is_that_of_energy_to_the_bit(lost):
    rows = readings(200).drop(index=lost)
    expected = label_next_hour(rows).reset_index(drop=True)
    pd.testing.assert_frame_equal(labelled(rows), expected, check_exact=True)


def test_a_reading_between_two_others_labels_none():
    rows = readings(20)
    between = rows.tail(1).assign(date=START + pd.Timedelta("35min"), Appliances=9000)
    made = labelled(pd.concat([rows, between], ignore_index=True))
    pd.testing.assert_frame_equal(made, labelled(rows), check_exact=True)


def test_what_is_used_later_than_an_hour_after_a_reading_changes_nothing():
    rows, known = readings(200), START + pd.Timedelta("20h")
    other = rows.assign(Appliances=rows["Appliances"].where(rows["date"] <= known, 0))
    before = known - pd.Timedelta(DATASET.label_delay)
    kept = [made[made["date"] <= before] for made in (labelled(rows), labelled(other))]
    assert len(kept[0]) == 115
    pd.testing.assert_frame_equal(*kept, check_exact=True)


def test_less_than_an_hour_of_readings_is_refused():
    with pytest.raises(DataError, match=r"energy_load/table\.sql gives no row"):
        labelled(readings(6))
