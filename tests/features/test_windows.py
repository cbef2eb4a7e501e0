"""Windows against a reference that looks at every pair of rows, and that no later row can change an earlier one."""

import math
import statistics

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.features.windows import window_feature
from lepton_pipeline.parameters import Dataset, Window

STATISTICS = ["lag", "mean", "sum", "min", "max", "std", "count"]
EXTENTS = [{"rows": 2}, {"rows": 4}, {"within": "8h"}, {}]
DATASET = Dataset(target="y", positive=1, time="at", label_delay="3h")
# Every statistic with every extent it takes, with and without groups, known times and the target's delay.
CASES = [
    Window(statistic=statistic, of=of, by=by, known=known, **extent)
    for statistic in STATISTICS
    for extent in EXTENTS
    if statistic != "lag" or "rows" in extent
    for by in ([], ["shop", "kind"])
    for of, known in (("x", None), ("x", "known"), ("y", None), ("y", "known"), (None, "known"))
    if of is not None or statistic == "count"
]


def table(seed, rows=60, spread=30):
    """Rows in no order, with ties in time, missing values everywhere, and some rows known before their own time."""
    rng = np.random.default_rng(seed)
    at = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, spread, rows), unit="h")
    x = rng.normal(1e6, 1, rows)
    x[rng.random(rows) < 0.1] = np.inf
    return pd.DataFrame(
        {
            "at": pd.Series(at).mask(rng.random(rows) < 0.1),
            "known": pd.Series(at + pd.to_timedelta(rng.integers(-3, 9, rows), unit="h")).mask(
                rng.random(rows) < 0.1
            ),
            "shop": pd.Series(rng.choice(["a", "b"], rows)).mask(rng.random(rows) < 0.2),
            "kind": pd.Series(rng.integers(0, 2, rows)).mask(rng.random(rows) < 0.2),
            "x": pd.Series(x).mask(rng.random(rows) < 0.2),
            "y": rng.random(rows) < 0.5,
        }
    ).set_axis(rng.permutation(rows * 2)[:rows], axis="index")


def feature(rows, window, dataset=DATASET):
    return window_feature(
        rows, "f", window, dataset, dataset.label_delay if window.of == dataset.target else 0
    )


def compute(table, statistic="sum", of="x", dataset=DATASET, **options):
    return feature(table, Window(statistic=statistic, of=of, **options), dataset).tolist()


def reference(rows, window):
    """Look at every pair of rows; times in hours, None for what is missing."""
    hours = {name: (rows[name] - pd.Timestamp("2024-01-01")) / pd.Timedelta("1h") for name in ("at", "known")}
    plain = rows.assign(**hours).astype(object)
    records = plain.where(plain.notna(), None).reset_index(names="index").to_dict("records")
    delay = {"y": 3, "x": 0, None: 0}[window.of]
    for record in records:
        own = None if record["at"] is None else record["at"] + delay
        record["moment"] = own if window.known is None else record["known"]
        record["group"] = [record[name] for name in window.by]
    return [math.nan if row["at"] is None else _reference_of(row, records, window) for row in records]


def _reference_of(row, records, window):
    counted = [
        other
        for other in records
        if other is not row
        and other["moment"] is not None
        and other["moment"] < row["at"]
        and (window.within is None or other["moment"] >= row["at"] - 8)
        and other["group"] == row["group"]
    ]
    counted.sort(key=lambda other: (other["moment"], other["index"]))
    raw = [1.0 if window.of is None else other[window.of] for other in counted]
    values = [math.nan if value is None else float(value) for value in raw]
    if window.statistic == "lag":
        value = values[-window.rows] if len(values) >= window.rows else math.nan
        return value if math.isfinite(value) else math.nan
    finite = [value for value in values[-window.rows if window.rows else 0 :] if math.isfinite(value)]
    if window.statistic in ("count", "sum"):
        return float(len(finite)) if window.statistic == "count" else math.fsum(finite)
    if len(finite) < (2 if window.statistic == "std" else 1):
        return math.nan
    return {"mean": statistics.fmean, "min": min, "max": max, "std": statistics.stdev}[window.statistic](
        finite
    )


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("seed", range(2))
def test_every_window_agrees_with_the_reference(statistic, seed):
    rows = table(seed)
    before = rows.copy()
    for window in CASES:
        if window.statistic == statistic:
            result = feature(rows, window)
            expected = reference(rows, window)
            assert (result.dtype, result.name) == (np.float64, "f")
            assert result.index.equals(rows.index)
            np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9, err_msg=repr(window))
            assert 10 < np.isfinite(result).sum() < len(rows), window
    pd.testing.assert_frame_equal(rows, before)


def test_results_by_hand():
    rows = pd.DataFrame({"at": [3, 1, 2, 2, 4], "x": [30.0, 10.0, 20.0, 25.0, 40.0]})
    dataset = Dataset(target="y", positive=1, time="at")
    assert compute(rows, "sum", dataset=dataset) == [55, 0, 10, 10, 85]
    assert compute(rows, "lag", rows=1, dataset=dataset)[0] == 25, (
        "of two rows at 2 the later one in the table"
    )
    assert compute(rows, "mean", rows=2, dataset=dataset)[4] == 27.5
    assert compute(rows, "count", within=2, dataset=dataset) == [3, 0, 1, 1, 3]
    assert compute(rows, "std", dataset=dataset)[0] == pytest.approx(statistics.stdev([10, 20, 25]))


def test_row_that_was_known_before_its_own_time_does_not_count_for_itself():
    rows = pd.DataFrame({"at": [5, 6, 7], "known": [1, 2, 3], "x": [1.0, 10.0, 100.0]})
    dataset = Dataset(target="y", positive=1, time="at")
    assert compute(rows, "sum", known="known", dataset=dataset) == [110, 101, 11]
    assert compute(rows, "max", known="known", rows=1, dataset=dataset) == [100, 100, 10]
    assert compute(rows, "lag", known="known", rows=2, dataset=dataset) == [10, 1, 1]


def test_row_without_known_time_is_never_known_but_has_a_feature():
    rows = pd.DataFrame({"at": [1, 2, 3], "known": [1.0, None, 3.0], "x": [1.0, 10.0, 100.0]})
    dataset = Dataset(target="y", positive=1, time="at")
    assert compute(rows, "sum", known="known", dataset=dataset) == [0, 1, 1]
    grouped = rows.assign(known=[1.0, 1.0, None], shop=["a", "b", "b"])
    assert compute(grouped, "sum", known="known", by=["shop"], rows=5, dataset=dataset) == [0, 0, 10]


@pytest.mark.parametrize(
    ("delay", "expected"),
    [(0, [0, 1, 2, 3]), ("23h", [0, 1, 2, 3]), ("1d", [0, 0, 1, 2]), ("2d", [0, 0, 0, 1])],
)
def test_target_is_known_after_the_label_delay_and_other_columns_at_once(delay, expected):
    rows = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=4), "y": [1, 1, 1, 1], "x": [1, 1, 1, 1]})
    dataset = Dataset(target="y", positive=1, time="at", label_delay=delay)
    assert compute(rows, of="y", dataset=dataset) == expected
    assert compute(rows, of="x", dataset=dataset) == [0, 1, 2, 3]


def test_within_is_counted_back_from_the_row_also_for_a_target_that_is_delayed():
    rows = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=6), "y": [1, 2, 4, 8, 16, 32]})
    dataset = Dataset(target="y", positive=1, time="at", label_delay="1d")
    # At day 5 (from 0) the labels of days 1 to 3 have become known within the last three days.
    assert compute(rows, of="y", within="3d", dataset=dataset)[5] == 2 + 4 + 8


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("statistic", STATISTICS)
def test_later_rows_change_no_bit_of_earlier_features(statistic, seed):
    rows = table(seed, rows=200, spread=90).dropna(subset=["at"])
    rows["known"] = rows["known"].where(rows["known"] >= rows["at"], rows["at"])
    now = rows["at"].sort_values().iloc[len(rows) // 2]
    later = rows["at"] > now
    changed = _another_future(rows, later, np.random.default_rng(seed))
    for window in CASES:
        if window.statistic == statistic:
            pd.testing.assert_series_equal(
                feature(rows, window)[~later],
                feature(changed, window).loc[rows.index[~later]],
                check_exact=True,
            )


def _another_future(rows, later, rng):
    """Other values, groups and times for most of the later rows, the rest of them gone, all in another order."""
    future = rows[later].sample(frac=0.7, random_state=int(rng.integers(99)))
    shuffled = {name: rng.permutation(future[name].to_numpy()) for name in ("shop", "kind", "y")}
    delay = pd.to_timedelta(rng.integers(0, 50, len(future)), unit="h")
    altered = future.assign(x=rng.normal(0, 1e12, len(future)), at=future["at"] + delay, **shuffled)
    altered["known"] = altered["at"]
    return pd.concat([altered, rows[~later]])


@pytest.mark.parametrize("window", CASES[::7], ids=str)
def test_order_of_the_table_does_not_matter(window):
    rows = table(5)
    shuffled = rows.sample(frac=1, random_state=1)
    pd.testing.assert_series_equal(
        feature(shuffled, window).loc[rows.index], feature(rows, window), check_exact=True
    )


def test_no_digit_is_lost_to_rows_outside_of_the_window():
    rng = np.random.default_rng(0)
    x = np.concatenate([[1e300, 1e17], rng.normal(1e9, 1, 2_000)])
    rows = pd.DataFrame({"at": np.arange(len(x)), "x": x})
    dataset = Dataset(target="y", positive=1, time="at")
    result = compute(rows, "std", rows=100, dataset=dataset)
    assert result[-1] == pytest.approx(statistics.stdev(x[-101:-1]), rel=1e-6)
    assert compute(rows, "mean", rows=100, dataset=dataset)[-1] == pytest.approx(
        math.fsum(x[-101:-1]) / 100, rel=1e-15
    )


def test_equal_values_have_no_spread():
    rows = pd.DataFrame({"at": range(50), "x": [0.1] * 50})
    assert set(compute(rows, "std", dataset=Dataset(target="y", positive=1, time="at"))[2:]) == {0.0}


def test_large_values_end_in_infinity_without_a_warning():
    rows = pd.DataFrame({"at": range(4), "x": [1.5e308] * 4})
    dataset = Dataset(target="y", positive=1, time="at")
    assert compute(rows, dataset=dataset)[3] == math.inf
    assert compute(rows, "max", dataset=dataset)[3] == 1.5e308
    assert compute(rows, "std", dataset=dataset)[3] == 0


@pytest.mark.parametrize("values", [[True, False, True], pd.array([True, None, True], "boolean"), [1, 0, 1]])
def test_truth_values_and_nullable_numbers_count_as_numbers(values):
    rows = pd.DataFrame({"at": [1, 2, 3], "x": values})
    assert compute(rows, dataset=Dataset(target="y", positive=1, time="at")) == [0, 1, 1]


@pytest.mark.parametrize(
    "times",
    [
        pd.array([10, None, 30], "Int64"),
        np.array([10, 20, 30], np.uint8),
        pd.to_datetime(["2024-01-01", None, "2024-01-03"], utc=True),
    ],
)
@pytest.mark.parametrize("within", [None, 40])
def test_times_of_any_type(times, within):
    rows = pd.DataFrame({"at": times, "x": [1.0, 2.0, 4.0]})
    if within is not None and pd.api.types.is_datetime64_any_dtype(rows["at"]):
        within = "40d"
    there = rows["at"].notna()
    result = compute(rows, within=within, dataset=Dataset(target="y", positive=1, time="at"))
    expected = [0.0, 1.0, 3.0] if there.all() else [0.0, math.nan, 1.0]
    np.testing.assert_array_equal(result, expected)


def test_dates_of_different_precision_are_compared_exactly():
    at = pd.Series(pd.to_datetime(["2024-01-01 00:00:00", "2024-01-01 00:00:01"])).dt.as_unit("s")
    known = pd.Series(pd.to_datetime(["2024-01-01 00:00:00.999999999", "2024-01-01 00:00:01.000000001"]))
    rows = pd.DataFrame({"at": at, "known": known.dt.as_unit("ns"), "x": [1.0, 2.0]})
    assert compute(rows, known="known", dataset=Dataset(target="y", positive=1, time="at")) == [0, 1]


def test_no_rows_and_one_row():
    rows = table(0)
    for window in CASES[::5]:
        assert feature(rows.iloc[:0], window).empty
        assert feature(rows.dropna(subset=["at"]).iloc[:1], window).fillna(0).tolist() == [0.0]


def test_more_rows_than_there_are():
    rows = pd.DataFrame({"at": range(3), "x": [1.0, 2.0, 4.0]})
    dataset = Dataset(target="y", positive=1, time="at")
    assert compute(rows, rows=10**30, dataset=dataset) == [0, 1, 3]
    assert np.isnan(compute(rows, "lag", rows=10**30, dataset=dataset)).all()


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ({"of": "X"}, r"no column 'X', which features\.windows\.f\.of declares; did you mean 'x'"),
        ({"by": ["shops"]}, r"'shops', which features\.windows\.f\.by declares; did you mean 'shop'"),
        ({"known": "knwon"}, r"'knwon', which features\.windows\.f\.known declares; did you mean 'known'"),
        ({"of": "shop"}, r"features\.windows\.f\.of: column 'shop' holds \w+ values"),
        ({"of": "at"}, r"features\.windows\.f\.of: column 'at' holds datetime64\[us\] values"),
        ({"known": "x"}, r"features\.windows\.f\.known: column 'x' holds numbers, but .*'at'.* holds dates"),
        (
            {"known": "shop"},
            r"features\.windows\.f\.known: column 'shop' holds \w+ values, neither dates nor numbers",
        ),
        ({"known": "zoned"}, r"holds dates with a time zone, but .* holds dates; "),
        ({"within": 5}, r"features\.windows\.f\.within: 5 does not fit column 'at', which holds dates"),
    ],
)
def test_what_cannot_be_computed_is_refused(window, message):
    rows = table(0).assign(zoned=lambda frame: frame["known"].dt.tz_localize("UTC"))
    with pytest.raises(DataError, match=message):
        compute(rows, **{"statistic": "sum", **window})


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"time": "shop"}, r"dataset\.time: column 'shop' holds .* ingestion\.dates"),
        ({"time": "when"}, r"no column 'when', which dataset\.time declares"),
        ({"time": "x"}, r"features\.windows\.f\.within: '2h' does not fit column 'x', which holds numbers"),
        ({"time": "at", "label_delay": 3}, r"dataset\.label_delay: 3 does not fit column 'at'"),
    ],
)
def test_times_that_do_not_fit_the_dataset_are_refused(dataset, message):
    with pytest.raises(DataError, match=message):
        compute(table(0), of="y", within="2h", dataset=Dataset(target="y", positive=1, **dataset))


def test_window_without_time_is_refused():
    with pytest.raises(ConfigurationError, match=r"features\.windows\.f: it needs dataset\.time"):
        compute(table(0), dataset=Dataset(target="y", positive=1))
