"""Energy: the label against readings worked out by hand, and what must not depend on the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from lepton_pipeline.data.columns import feature_columns
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.verticals.energy import ingestion, label_next_hour

CONF = Path(__file__).parents[2] / "conf/base/energy/parameters.yml"
START = pd.Timestamp("2016-01-11 17:00")


def readings(*used: float, minutes: list[int] | None = None) -> pd.DataFrame:
    """Readings every ten minutes, or at the given minutes after the start."""
    minutes = [10 * step for step in range(len(used))] if minutes is None else minutes
    dates = [START + pd.Timedelta(minutes=minute) for minute in minutes]
    return pd.DataFrame({"date": pd.Series(dates, dtype="datetime64[us]"), "Appliances": list(used)})


def random_readings(rows: int) -> pd.DataFrame:
    return readings(*np.random.default_rng(0).integers(10, 500, rows).tolist())


def test_the_label_is_the_mean_of_the_next_six_readings_without_the_own():
    labelled = label_next_hour(readings(1000, 10, 20, 30, 40, 50, 60, 100))
    assert labelled["next_hour"].tolist() == [35.0, 50.0]
    assert labelled["Appliances"].tolist() == [1000, 10]
    assert labelled.index.tolist() == [0, 1]


def test_readings_without_a_whole_hour_ahead_are_left_out():
    assert len(label_next_hour(random_readings(20))) == 14
    assert label_next_hour(random_readings(6)).empty


def test_a_gap_leaves_out_the_readings_whose_hour_it_touches():
    # 70 minutes after the start one reading is missing: of those before it only the first has a whole hour.
    minutes = [step * 10 for step in range(15) if step != 7]
    labelled = label_next_hour(readings(*range(14), minutes=minutes))
    assert labelled.index.tolist() == [0, 7]
    assert labelled["next_hour"].tolist() == [3.5, 10.5]


def test_a_reading_at_another_minute_is_not_the_next_one():
    minutes = [0, 10, 20, 31, 40, 50, 60, 70]
    assert label_next_hour(readings(*range(8), minutes=minutes)).empty


def test_a_reading_without_a_value_is_no_reading():
    used = [float(step) for step in range(10)]
    used[6] = float("nan")
    assert label_next_hour(readings(*used)).empty


def test_the_label_is_found_by_time_whatever_the_order_of_the_rows():
    table = random_readings(40)
    shuffled = table.sample(frac=1, random_state=1)
    before = shuffled.copy()
    labelled = label_next_hour(shuffled)
    pd.testing.assert_frame_equal(labelled.sort_index(), label_next_hour(table))
    pd.testing.assert_frame_equal(shuffled, before)


@pytest.mark.parametrize("cut", [10, 25])
def test_readings_more_than_an_hour_later_change_nothing(cut):
    table = random_readings(40)
    changed = table.assign(Appliances=table["Appliances"].where(table.index <= cut + 6, 9999))
    pd.testing.assert_frame_equal(label_next_hour(table).loc[:cut], label_next_hour(changed).loc[:cut])


def test_no_declared_feature_uses_a_later_reading_or_a_label_that_is_not_known_yet():
    declared = read_vertical("energy", yaml.safe_load(CONF.read_text())["energy"])
    table = label_next_hour(random_readings(400).assign(lights=lambda rows: rows["Appliances"] % 7))
    cut = table["date"].iloc[300]
    changed = table.assign(
        **{name: table[name].mask(table["date"] > cut, 7777) for name in ("Appliances", "lights")},
        next_hour=table["next_hour"].mask(table["date"] + pd.Timedelta(hours=1) >= cut, 7777),
    )
    before = derive_features(table, declared.dataset, declared.features)
    after = derive_features(changed.sample(frac=1, random_state=0), declared.dataset, declared.features)
    features = feature_columns(before, declared.dataset)
    known = before.index[before["date"] <= cut]
    pd.testing.assert_frame_equal(after.loc[known, features], before.loc[known, features])
    last = before.loc[known[-1]]
    assert last["lag_1"] == table.loc[known[-2], "Appliances"]
    assert last["lag_144"] == table.loc[known[-145], "Appliances"]
    days_before = table.loc[[known[-1] - 144, known[-1] - 288], "next_hour"]
    assert last["same_time_7d"] == pytest.approx(days_before.mean())


def test_the_pipeline_reads_one_raw_table_and_makes_the_table():
    pipeline = ingestion()
    assert pipeline.all_outputs() >= {"table", "ingestion_record", "labelled_appliances"}
    data = {name for name in pipeline.inputs() if not name.startswith("params:")}
    assert data == {"appliances.raw"}
