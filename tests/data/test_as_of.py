"""A table as it could have been used at a date: nothing that came later changes a bit of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from lepton_pipeline.data.as_of import existing_rows, label_known, labelled_rows, recent_rows
from lepton_pipeline.data.contracts.contract import check_contract, enforce_contract
from lepton_pipeline.data.ingest import ingest_table, read_table
from lepton_pipeline.errors import DataError
from lepton_pipeline.features.derive import derive_features
from lepton_pipeline.parameters import Contract, Dataset, Features, Ingestion, Split, Vertical, Window
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.split import split_rows
from lepton_pipeline.verticals.energy import label_next_hour
from lepton_pipeline.verticals.raw_tables import number_rows
from lepton_pipeline.verticals.retail import take_snapshots

DAYS = pd.Series(pd.date_range("2026-01-01", periods=10), name="day")
TABLE = pd.DataFrame({"day": DAYS, "x": range(10), "y": [0, 1] * 5})
FEATURES = Features(derive={"double": "x * 2"}, windows={"before": Window(statistic="mean", of="x", rows=3)})


def dataset(**keys: object) -> Dataset:
    return Dataset(target="y", positive=1, **{"time": "day", **keys})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("as_of", "delay", "there", "known"),
    [
        (None, "5d", 10, 10),
        ("2026-01-04", 0, 4, 4),
        ("2026-01-04T00:00:01", 0, 4, 4),
        ("2026-01-03T23:59:59", 0, 3, 3),
        ("2026-01-08", "5d", 8, 3),
        ("2027-01-01", "5d", 10, 10),
    ],
)
def test_a_row_is_there_from_its_time_on_and_known_once_its_label_is(as_of, delay, there, known):
    roles = dataset(as_of=as_of, label_delay=delay)
    assert list(existing_rows(TABLE, roles).index) == list(range(there))
    assert list(labelled_rows(TABLE, roles).index) == list(range(known))


def test_the_present_says_which_labels_are_known_and_leaves_every_row_there():
    roles = dataset(present="2026-01-08", label_delay="5d")
    assert existing_rows(TABLE, roles) is TABLE
    assert label_known(TABLE, roles).sum() == 3
    # Not of a column that is made later, nor of texts without a delay; with one, texts hide which labels wait.
    assert label_known(TABLE.drop(columns="day"), roles).all()
    texts = TABLE.assign(day=list("abcdefghij"))
    assert label_known(texts, dataset(present="2026-01-08")).all()
    with pytest.raises(
        DataError, match=r"column 'day' holds 'a' \(row 0\); declare its format in ingestion.dates"
    ):
        label_known(texts, roles)
    with pytest.raises(DataError, match=r"dataset\.present: no row is left at '2026-01-02'"):
        labelled_rows(TABLE, dataset(present="2026-01-02", label_delay="5d"))


def test_a_row_that_lies_ahead_has_no_label():
    assert label_known(TABLE, dataset(present="2026-01-08")).sum() == 8


def test_the_latest_number_is_the_present_where_there_is_no_clock():
    numbered = TABLE.assign(day=range(10))
    assert label_known(numbered, dataset(present="2026-01-08", label_delay=5)).sum() == 5
    assert label_known(numbered, dataset(as_of=7, present="2026-01-08", label_delay=5)).sum() == 3
    gaps = numbered.assign(day=numbered["day"].astype("Int64").mask(numbered["day"] == 9))
    assert label_known(gaps, dataset(present="2026-01-08", label_delay=5)).tolist() == [True] * 4 + [
        False
    ] * 5 + [True]
    record = number_rows(gaps, dataset(present="2026-01-08", label_delay=5), Contract(), Features())[1]
    # A run that goes on with this table has the same present.
    assert record.present == 8.0
    assert label_known(numbered, dataset(present=8.0, label_delay=5)).sum() == 4


def test_numbers_compare_with_numbers_and_zones_with_zones():
    numbered = TABLE.assign(day=range(10))
    assert len(labelled_rows(numbered, dataset(as_of=4, label_delay=2))) == 3
    there = TABLE.assign(day=DAYS.dt.tz_localize("Asia/Tokyo"))
    # Midnight of the 4th in Greenwich is 9 o'clock in Tokyo.
    assert len(existing_rows(there, dataset(as_of="2026-01-04"))) == 4
    assert len(labelled_rows(there, dataset(present="2026-01-04"))) == 4
    assert len(existing_rows(there, dataset(as_of="2026-01-03T16:00:00+00:00"))) == 4
    assert len(recent_rows(there, dataset(since="2026-01-04T00:00:00+09:00"))) == 7


def test_a_row_without_a_time_was_not_there_but_waits_for_nothing():
    gap = TABLE.assign(day=DAYS.mask(DAYS.index == 0))
    assert len(existing_rows(gap, dataset(as_of="2026-01-04"))) == 3
    assert len(labelled_rows(gap, dataset(present="2026-01-04"))) == 4


@pytest.mark.parametrize(
    ("column", "as_of", "message"),
    [
        (DAYS, "2025-12-31", "no row is left at '2025-12-31'; the 10 rows reach from 2026-01-01"),
        (DAYS, "soon", "'soon' does not compare with column 'day', which holds dates; write an ISO date"),
        (DAYS, 5, "5 does not compare with column 'day', which holds dates"),
        (DAYS, "2026-01-01T00:00:00Z", "dates without a time zone"),
        (pd.Series(range(10)), "2026-01-01", "which holds numbers"),
        (pd.Series(list("abcdefghij")), "2026-01-01", "declare its format in ingestion.dates"),
    ],
)
def test_a_date_that_cannot_be_used_is_refused(column, as_of, message):
    with pytest.raises(DataError, match=rf"dataset\.as_of: .*{message}"):
        existing_rows(TABLE.assign(day=column), dataset(as_of=as_of))


def test_windows_see_the_rows_before_the_first_that_is_used():
    whole = derive_features(TABLE, dataset(), FEATURES)
    recent = derive_features(TABLE, dataset(since="2026-01-06"), FEATURES)
    pd.testing.assert_frame_equal(recent, whole.loc[5:])
    assert recent["before"].iloc[0] == 3


def test_a_derived_time_is_looked_at_once_it_is_there():
    features = Features(derive={"day": "x * 10"})
    made = derive_features(TABLE.drop(columns="day"), dataset(as_of=30.0), features)
    assert list(made["x"]) == [0, 1, 2, 3]


def test_a_joined_table_is_numbered_after_later_rows_are_left_out():
    made, record = number_rows(TABLE.iloc[::-1], dataset(as_of="2026-01-04"), Contract(), Features())
    assert (list(made.index), list(made["x"]), record.rows) == ([0, 1, 2, 3], [3, 2, 1, 0], 4)
    assert (record.present, record.base_rate) == ("2026-01-04", 0.5)


def test_the_base_rate_is_that_of_known_labels():
    waiting = TABLE.assign(y=[0, 1, 0, 1, "pending", "pending", 0, 0, None, 0])
    roles = dataset(present="2026-01-10", label_delay="6d")
    made, record = number_rows(waiting, roles, Contract(), Features())
    assert (len(made), record.base_rate) == (10, 0.5)
    assert number_rows(waiting, dataset(present="2025-12-31"), Contract(), Features())[1].base_rate is None


def test_a_raw_table_ends_at_the_date_by_its_own_time(raw_file):
    raw = [raw_file("at,x\n2026-01-03,3\n2026-02-01,broken\n2026-01-01,1\n,5\n")]
    layout, contract = Ingestion(dates={"at": "ISO8601"}), Contract(time="at")
    # A label takes five days, but what it is made of is there at once.
    roles = dataset(as_of="2026-01-03", label_delay="5d")
    read = read_table(raw, layout, contract, "visits", roles)[0].frame()
    assert (list(read["x"]), list(read.index)) == ([3, 1], [0, 1])
    assert len(read_table(raw, layout, Contract(), "visits", roles)[0]) == 4
    assert len(read_table(raw, layout, contract, "visits", dataset())[0]) == 4
    with pytest.raises(DataError, match=r"no column 'when', which tables\.visits\.time declares"):
        read_table(raw, layout, Contract(time="when"), "visits", roles)


def test_what_came_later_changes_no_bit_of_table_and_split(raw_file):
    draw = np.random.default_rng(5)
    rows = pd.DataFrame(
        {
            "day": draw.permutation(pd.date_range("2026-01-01", periods=400, freq="6h").astype(str)),
            "shop": draw.choice(list("abc"), 400),
            "x": draw.normal(size=400).round(3).astype(str),
            "y": draw.integers(0, 2, 400).astype(str),
        }
    )
    later = pd.to_datetime(rows["day"]) > pd.Timestamp("2026-03-01")
    unknown = pd.to_datetime(rows["day"]) > pd.Timestamp("2026-03-01") - pd.Timedelta(5, "D")
    # Other values in another order, and texts that would make a column of numbers one of texts.
    shuffled = rows.copy()
    for name, changed in (("y", unknown), ("shop", later), ("x", later), ("day", later)):
        shuffled.loc[changed, name] = draw.permutation(rows.loc[changed, name])
    shuffled.loc[shuffled.index[later][0], "x"] = "broken"
    shuffled.loc[shuffled.index[unknown][0], "y"] = "pending"
    found = [_table_and_split(raw_file(each.to_csv(index=False))) for each in (rows, shuffled)]
    assert 150 < len(found[0][0]) < 300
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    # The same rows without a date: there, what is later does matter.
    with pytest.raises((AssertionError, DataError)):
        pd.testing.assert_frame_equal(
            *(_table_and_split(raw_file(each.to_csv(index=False)), None)[0] for each in (rows, shuffled))
        )


def test_labels_of_the_house_look_no_further_than_the_date():
    draw = np.random.default_rng(5)
    times = pd.Series(pd.date_range("2026-01-01", periods=300, freq="10min"), name="date")
    readings = pd.DataFrame({"date": times, "Appliances": draw.integers(10, 200, 300)})
    later = times > times[200]
    others = readings.assign(
        Appliances=readings["Appliances"].mask(later, draw.permutation(readings["Appliances"]))
    )
    roles = Dataset(
        target="next_hour",
        positive_when="next_hour > 100",
        time="date",
        label_delay="1h",
        as_of=str(times[200]),
    )
    found = [
        number_rows(label_next_hour(each), roles, Contract(), Features())[0] for each in (readings, others)
    ]
    assert found[0]["date"].max() == times[200]
    assert _differ_in_unknown_labels_only(found, roles)["date"].max() == times[194]


def test_snapshots_of_customers_look_no_further_than_the_date():
    draw = np.random.default_rng(5)
    days = pd.DataFrame(
        {"customer": draw.integers(0, 200, 800), "day": draw.integers(0, 500, 800)}
    ).drop_duplicates()
    days["day"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(days["day"], unit="D")
    counts = {name: draw.integers(1, 9, len(days)) for name in ("lines", "units", "pence", "new_products")}
    days = days.assign(country="Malta", returned_pence=0, **counts)
    later = days["day"] >= "2026-01-10"
    # Others come later, and they buy something else.
    moved = days["customer"].mask(later, (days["customer"] * 7 + 3) % 200)
    others = days.assign(customer=moved, pence=days["pence"].mask(later, 1)).drop_duplicates(
        ["customer", "day"]
    )
    roles = Dataset(target="churned", positive=True, time="snapshot", label_delay="90d", as_of="2026-01-10")
    found = [
        number_rows(take_snapshots(each, roles), roles, Contract(), Features())[0] for each in (days, others)
    ]
    assert found[0]["snapshot"].max() == pd.Timestamp("2026-01-01")
    assert _differ_in_unknown_labels_only(found, roles)["snapshot"].max() == pd.Timestamp("2025-10-01")


def _differ_in_unknown_labels_only(found, roles):
    """The rows whose label is known, which are the same."""
    pd.testing.assert_frame_equal(*(each.drop(columns=roles.target) for each in found), check_exact=True)
    one, other = (labelled_rows(each, roles) for each in found)
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    return one


def _table_and_split(raw, as_of="2026-03-01"):
    roles = dataset(as_of=as_of, label_delay="5d")
    features = Features(windows={"recent": Window(statistic="mean", of="x", by=["shop"], within="5d")})
    ingestion, contract = Ingestion(dates={"day": "ISO8601"}), Contract()
    table, _ = ingest_table([raw], roles, ingestion, contract, features)
    result, quarantine, _ = check_contract(table, roles, contract, features)
    made = derive_features(enforce_contract(table, quarantine, result, contract).frame(), roles, features)
    return made, split_rows(made, Target(Binary()), roles, Split(strategy="time"))


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"contract": {"time": "day"}}, "contract.time: 'day' has no effect; declare dataset.time"),
        ({"retraining": {"schedule": "61 3 * * *"}}, r"'61 3 \* \* \*': bad minute; write minute, hour"),
        ({"retraining": {"schedule": "0 0 * *"}}, r"has 4 fields; write minute, hour"),
        ({"dataset": {"as_of": "2026-01-01"}}, "dataset.as_of: '2026-01-01' needs dataset.time"),
        ({"dataset": {"since": 5}}, "dataset.since: 5 needs dataset.time"),
        ({"retraining": {"window": "90d"}}, "retraining.window: '90d' needs dataset.time"),
        ({"retraining": {"max_age": 90}}, "retraining.max_age: 90 has no unit"),
        ({"retraining": {"zone": "Berlin"}}, "'Berlin' is no time zone"),
    ],
)
def test_a_declaration_that_needs_a_clock_is_refused_without_one(declared, message):
    bare = {"target": "y", "positive": 1}
    with pytest.raises(ValidationError, match=message):
        Vertical.model_validate({**declared, "dataset": bare | declared.get("dataset", {})})
