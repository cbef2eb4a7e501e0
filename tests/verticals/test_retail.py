"""Retail: every trap of the lines, every family of features and the label, against rows worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.verticals.retail import (
    describe_customers,
    drop_repeated_invoices,
    ingestion,
    select_customer_lines,
    summarise_days,
    take_snapshots,
)

COLUMNS = ["Invoice", "StockCode", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
DATASET = Dataset(target="churned", positive=True, time="snapshot", label_delay="90d", exclude=["customer"])


def invoice_lines(*rows):
    lines = pd.DataFrame(rows, columns=COLUMNS)
    return lines.assign(InvoiceDate=pd.to_datetime(lines["InvoiceDate"]).dt.as_unit("us"))


def line(
    invoice="500001",
    code="10001",
    units=1,
    time="2010-12-01 10:00",
    price=1.0,
    customer=11.0,
    country="France",
):
    return invoice, code, units, time, price, customer, country


def customer_days(*rows):
    """Rows of (customer, day, pence), or with lines, units, new_products, returned_pence and country behind."""
    full = [(*row, *(1, 1, 0, 0, "France")[len(row) - 3 :]) for row in rows]
    names = ["customer", "day", "pence", "lines", "units", "new_products", "returned_pence", "country"]
    days = pd.DataFrame(full, columns=names)
    return days.assign(day=pd.to_datetime(days["day"]).dt.as_unit("us"))


def described(*rows, snapshot="2011-01-01"):
    return describe_customers(customer_days(*rows), pd.Timestamp(snapshot)).set_index("customer")


def at(snapshot, customer, snapshots):
    return snapshots.set_index(["snapshot", "customer"]).loc[(pd.Timestamp(snapshot), customer)]


def through(lines):
    return summarise_days(select_customer_lines(drop_repeated_invoices(lines)))


class TestDropRepeatedInvoices:
    def test_a_copy_in_a_later_file_goes_and_equal_lines_in_one_file_stay(self):
        shared = [
            line("500002", "10001", time="2010-12-02 09:00"),
            line("500003", "10003", time="2010-12-02 09:00"),
            line("500002", "10001", time="2010-12-02 09:00"),
            line("500003", "10004", time="2010-12-02 09:01"),
        ]
        before, after = line("500001", time="2010-12-01 09:00"), line("500009", time="2010-12-03 09:00")
        lines = invoice_lines(before, *shared, *[shared[i] for i in (1, 2, 0, 3)], after, after)
        kept = drop_repeated_invoices(lines)
        assert kept.index.tolist() == [0, 1, 2, 3, 4, 9, 10]
        assert len(lines) == 11

    def test_lines_of_one_file_all_stay(self):
        lines = invoice_lines(line(time="2010-12-01 09:00"), line(time="2010-12-01 09:00"), line("500002"))
        pd.testing.assert_frame_equal(drop_repeated_invoices(lines), lines)

    @pytest.mark.parametrize(
        "second",
        [
            [line("500002", units=3)],
            [line("500002", units=2), line("500002", units=2)],
        ],
    )
    def test_copies_that_differ_are_refused(self, second):
        lines = invoice_lines(line("500002", units=2), line("500003", time="2010-12-02 09:00"), *second)
        with pytest.raises(DataError, match=r"invoice '500002' occurs in several files .* sort that file"):
            drop_repeated_invoices(lines)


class TestSelectCustomerLines:
    @pytest.mark.parametrize(
        "other",
        [
            pytest.param({"customer": np.nan}, id="no customer"),
            pytest.param({"code": "POST"}, id="no product"),
            pytest.param({"code": "M"}, id="a manual entry"),
            pytest.param({"code": "gift_0001_20"}, id="a voucher"),
            pytest.param({"invoice": "A50001", "price": 5.0}, id="an adjustment"),
            pytest.param({"price": 0.0}, id="free"),
            pytest.param({"price": -1.0}, id="a negative price"),
            pytest.param({"units": -4}, id="a correction of the stock"),
            pytest.param({"invoice": "C500001", "units": 1}, id="a cancellation that takes nothing back"),
        ],
    )
    def test_what_is_neither_bought_nor_returned_is_left_out(self, other):
        assert select_customer_lines(invoice_lines(line(), line(**other))).index.tolist() == [0]

    def test_purchases_and_returns_get_a_signed_value_in_pence(self):
        lines = invoice_lines(
            line(code="85123A", units=3, price=0.85, time="2010-12-01 23:59"),
            line("C500002", "85123A", units=-2, price=0.85, time="2010-12-02 00:00"),
        )
        selected = select_customer_lines(lines)
        assert selected[["units", "pence"]].to_numpy().tolist() == [[3, 255], [-2, -170]]
        assert selected["day"].tolist() == [pd.Timestamp("2010-12-01"), pd.Timestamp("2010-12-02")]
        assert selected["customer"].tolist() == [11, 11]
        assert selected["customer"].dtype == "int64"


def test_days_sum_up_purchases_and_returns_of_all_invoices():
    lines = invoice_lines(
        line("500001", "10001", 2, "2010-12-01 09:00", 1.5),
        line("500001", "10002", 1, "2010-12-01 09:00", 2.0),
        line("500002", "10001", 4, "2010-12-01 15:00", 0.5),
        line("500003", "10001", 1, "2010-12-01 16:00", 9.0, 12.0, "Spain"),
        line("500004", "10003", 1, "2010-12-03 09:00", 3.0),
        line("500004", "10002", 1, "2010-12-03 09:00", 2.0),
        line("C500005", "10001", -2, "2010-12-04 09:00", 1.5),
    )
    days = through(lines)
    assert days.drop(columns="day").to_dict("split")["data"] == [
        [11, "France", 3, 7, 700, 2, 0],
        [11, "France", 2, 2, 500, 1, 0],
        [11, "France", 0, 0, 0, 0, 300],
        [12, "Spain", 1, 1, 900, 1, 0],
    ]
    assert days["day"].dt.day.tolist() == [1, 3, 4, 1]


class TestDescribeCustomers:
    def test_only_customers_of_the_last_180_days_are_described(self):
        features = described((1, "2010-07-05", 100), (2, "2010-07-04", 100), (3, "2010-12-31", 100))
        assert features.index.tolist() == [1, 3]

    def test_returns_alone_do_not_make_a_customer_active(self):
        assert described((1, "2010-12-01", 0, 0, 0, 0, 500), (2, "2010-12-01", 100)).index.tolist() == [2]

    def test_timing(self):
        features = described(
            (1, "2010-12-02", 100),
            (1, "2010-12-06", 100),
            (1, "2010-12-12", 100),
            (2, "2010-12-02", 100),
            (2, "2010-12-12", 100),
            (3, "2010-12-31", 100),
        )
        assert features["recency_days"].tolist() == [20, 20, 1]
        assert features["tenure_days"].tolist() == [30, 30, 1]
        # Gaps of 4 and 6 days: mean 5, standard deviation sqrt(2) with one degree of freedom less.
        np.testing.assert_allclose(features["gap_mean_days"], [5, 10, np.nan])
        np.testing.assert_allclose(features["gap_std_days"], [2**0.5, np.nan, np.nan])
        np.testing.assert_allclose(features["overdue"], [4, 2, np.nan])

    def test_frequency_and_value_by_window(self):
        # 400, 100, 91, 90, 31, 30 and 1 days before the snapshot.
        days = [
            "2009-11-27",
            "2010-09-23",
            "2010-10-02",
            "2010-10-03",
            "2010-12-01",
            "2010-12-02",
            "2010-12-31",
        ]
        features = described(*((1, day, 100 * 2**power) for power, day in enumerate(days))).loc[1]
        expected = {"30d": (2, 96.0), "90d": (4, 120.0), "180d": (6, 126.0), "ever": (7, 127.0)}
        for window, (purchases, value) in expected.items():
            assert (features[f"purchases_{window}"], features[f"value_{window}"]) == (purchases, value), (
                window
            )
        # 4 purchases for 120 in the last 90 days, 2 for 6 in the 90 before.
        assert features["purchases_trend"] == pytest.approx((4 - 2) / 6)
        assert features["value_trend"] == pytest.approx((120 - 6) / 126)
        assert not features.index.str.contains("_to_").any()

    def test_baskets_and_products(self):
        row = described((1, "2010-12-01", 1000, 3, 10, 3), (1, "2010-12-05", 200, 1, 5, 0)).loc[1]
        assert row[
            ["basket_value", "basket_lines", "basket_value_last", "unit_price", "products_ever"]
        ].tolist() == [
            6.0,
            2.0,
            2.0,
            0.8,
            3,
        ]

    def test_returns(self):
        features = described(
            (1, "2010-01-05", 0, 0, 0, 0, 100),
            (1, "2010-12-01", 1000, 1, 1, 1, 50),
            (1, "2010-12-05", 0, 0, 0, 0, 350),
            (2, "2010-12-01", 1000),
        )
        assert features["returns_180d"].tolist() == [2, 0]
        assert features["returns_share"].tolist() == [0.5, 0.0]

    def test_season(self):
        # A year before the snapshot, its first and last of 90 days, and the day after.
        days = ("2010-01-01", "2010-03-31", "2010-04-01", "2010-12-01")
        row = described(*((1, day, 100) for day in days)).loc[1]
        assert row["purchases_year_ago"] == 2
        assert (row["month_cos"], row["month_sin"]) == (1, 0)
        spring = described((1, "2011-03-01", 100), snapshot="2011-04-01").loc[1]
        assert (spring["month_cos"], spring["month_sin"]) == (pytest.approx(0), pytest.approx(1))
        later = described(*((1, day, 100) for day in days[1:]))
        assert later["purchases_year_ago"].isna().all()

    def test_the_last_country_counts(self):
        spain = (1, "2010-12-02", 100, 1, 1, 0, 0, "Spain")
        assert described((1, "2010-12-01", 100), spain)["country"].tolist() == ["Spain"]


class TestTakeSnapshots:
    @pytest.mark.parametrize(
        ("next_day", "churned"),
        [("2010-07-01", False), ("2010-09-28", False), ("2010-09-29", True), ("2010-06-30", True)],
    )
    def test_churned_means_no_purchase_in_the_90_days_from_the_snapshot_on(self, next_day, churned):
        days = customer_days(
            (1, "2010-01-01", 100), (2, "2010-05-01", 100), (2, next_day, 100), (1, "2010-12-01", 100)
        )
        assert at("2010-07-01", 2, take_snapshots(days, DATASET))["churned"] == churned

    def test_a_return_is_no_purchase(self):
        returned = (2, "2010-07-15", 0, 0, 0, 0, 100)
        days = customer_days((1, "2010-01-01", 100), (2, "2010-05-01", 100), returned, (1, "2010-12-01", 100))
        assert at("2010-07-01", 2, take_snapshots(days, DATASET))["churned"]

    @pytest.mark.parametrize(
        ("first", "last", "months"),
        [
            ("2010-01-02", "2010-09-29", [7]),
            ("2010-01-03", "2010-10-30", [8]),
            ("2010-01-02", "2010-10-30", [7, 8]),
        ],
    )
    def test_a_snapshot_has_180_days_before_it_and_90_after_it(self, first, last, months):
        middle = ((1, f"2010-{month:02}-15", 100) for month in range(2, 9))
        snapshots = take_snapshots(customer_days((1, first, 100), *middle, (1, last, 100)), DATASET)
        assert snapshots["snapshot"].dt.month.tolist() == months
        assert (snapshots["snapshot"].dt.day == 1).all()

    def test_too_short_records_are_refused(self):
        with pytest.raises(
            DataError, match=r"cover 2010-01-03 to 2010-09-29: no month start has 180 days before it"
        ):
            take_snapshots(customer_days((1, "2010-01-03", 100), (1, "2010-09-29", 100)), DATASET)

    @pytest.mark.parametrize("delay", [0, 90])
    def test_the_horizon_must_be_declared_as_a_duration(self, delay):
        dataset = DATASET.model_copy(update={"label_delay": delay})
        with pytest.raises(ConfigurationError, match=rf"label_delay: {delay} is no duration"):
            take_snapshots(customer_days((1, "2010-01-03", 100)), dataset)


def test_codes_that_were_all_read_as_numbers_are_codes_still():
    lines = invoice_lines(line(), line("500002", "2"))
    numbers = lines.assign(Invoice=lines["Invoice"].astype(int), StockCode=lines["StockCode"].astype(int))
    assert select_customer_lines(numbers).index.tolist() == [0]


def test_lines_of_which_none_counts_are_refused():
    free = through(invoice_lines(line(price=0.0)))
    with pytest.raises(
        DataError, match=r"no line is left of the raw table: .*; check the columns Customer ID, StockCode"
    ):
        take_snapshots(free, DATASET)


@pytest.fixture(scope="module")
def shop():
    """Lines of 12 random customers over 560 days, in order of time, with returns, postage and unknown customers."""
    random = np.random.default_rng(3)
    size = 900
    minutes = np.sort(random.integers(0, 560 * 1440, size))
    units = random.integers(1, 20, size)
    returned = random.random(size) < 0.15
    lines = pd.DataFrame(
        {
            "Invoice": [f"{'C' if back else ''}{500000 + row}" for row, back in enumerate(returned)],
            "StockCode": random.choice(["10001", "10002", "10003A", "POST"], size),
            "Quantity": np.where(returned, -units, units),
            "InvoiceDate": pd.Timestamp("2009-12-01") + pd.to_timedelta(minutes, "min"),
            "Price": random.integers(1, 999, size) / 100,
            "Customer ID": random.choice([*np.arange(11.0, 23.0), np.nan], size),
            "Country": random.choice(["France", "Spain"], size),
        }
    )
    return lines.assign(InvoiceDate=lines["InvoiceDate"].dt.as_unit("us"))


SNAPSHOTS = [pd.Timestamp(day) for day in ("2010-06-01", "2010-12-01", "2011-03-01")]


def removed(future, random):
    return future.iloc[:0]


def shuffled(future, random):
    order = random.permutation(len(future))
    return future.iloc[order].assign(InvoiceDate=future["InvoiceDate"].to_numpy())


def altered(future, random):
    changed = {
        "Quantity": future["Quantity"] * 1000,
        "Price": random.random(len(future)) * 1e4,
        "Customer ID": random.choice([11.0, 12.0, 99.0], len(future)),
        "StockCode": random.choice(["20001", "10001"], len(future)),
        "Country": "Atlantis",
    }
    return future.assign(**changed)


@pytest.mark.parametrize("change", [removed, shuffled, altered])
@pytest.mark.parametrize("snapshot", SNAPSHOTS)
def test_features_do_not_see_lines_from_the_snapshot_on(shop, snapshot, change):
    past, future = shop[shop["InvoiceDate"] < snapshot], shop[shop["InvoiceDate"] >= snapshot]
    other = pd.concat([past, change(future, np.random.default_rng(5))], ignore_index=True)
    features = describe_customers(through(shop), snapshot)
    assert len(features) > 5
    pd.testing.assert_frame_equal(describe_customers(through(other), snapshot), features, check_exact=True)


def test_only_labels_change_with_the_future(shop):
    snapshot = SNAPSHOTS[-1]
    past, future = shop[shop["InvoiceDate"] < snapshot], shop[shop["InvoiceDate"] >= snapshot]
    # The last line stays, so that the records have the same end; nobody else buys any more.
    other = pd.concat(
        [
            past,
            future.assign(**{"Customer ID": 99.0, "Invoice": "700000", "Quantity": 1, "StockCode": "10001"}),
        ]
    )
    parts = []
    for lines in (shop, other):
        snapshots = take_snapshots(through(lines), DATASET)
        parts.append(snapshots[snapshots["snapshot"] == snapshot].reset_index(drop=True))
    seen, changed = parts
    pd.testing.assert_frame_equal(
        changed.drop(columns="churned"), seen.drop(columns="churned"), check_exact=True
    )
    assert changed["churned"].all()
    assert not seen["churned"].all()


def test_the_order_of_lines_does_not_matter(shop):
    selected = select_customer_lines(shop)
    mixed = selected.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(summarise_days(mixed), summarise_days(selected), check_exact=True)


def test_the_pipeline_leads_from_the_raw_lines_to_the_table():
    pipeline = ingestion()
    own = [
        "drop_repeated_invoices",
        "select_customer_lines",
        "summarise_days",
        "take_snapshots",
        "finish_table",
    ]
    assert [node.name for node in pipeline.nodes if not node.namespace] == own
    assert "lines.raw" in pipeline.inputs()
    assert {"table", "ingestion_record"} <= pipeline.outputs()
