"""Drafts of verticals that forecast series."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from customers import bare_project, left_over, new_shop

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.onboarding.new.draft import print_new
from lepton_pipeline.onboarding.new.render import WIDTH
from lepton_pipeline.project.declaration import read_vertical

WEEKS = pd.date_range("2021-01-04", periods=120, freq="W-MON")
OPTIONS = {"target": "units", "time": "week", "series": ("product",), "horizon": 4}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return bare_project(tmp_path)


def sales(
    products: int = 6, weeks: pd.DatetimeIndex = WEEKS, absent: float = 0.2, **columns: Any
) -> pd.DataFrame:
    """Weekly sales of products, of which some weeks have no record."""
    draw = np.random.default_rng(0)
    table = pd.DataFrame(
        [(week, f"P{number}") for number in range(products) for week in weeks], columns=["week", "product"]
    )
    number = table["product"].str[1:].astype(int)
    prices = (5 + number * draw.choice([1, 0.8], len(table))).round(2)
    table = table.assign(
        category=np.where(number % 2, "toys", "garden"),
        units=draw.poisson(3 + 2 * number),
        price=prices,
        week=table["week"].dt.strftime("%Y-%m-%d"),
        **columns,
    )
    return table[draw.random(len(table)) >= absent].reset_index(drop=True)


def lines(result: Any, what: str) -> dict[str, str]:
    return {each.choice: each.reason for each in result.decisions if each.what == what}


def test_sales_are_declared_whole_with_their_catalog(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = sales()
    table["revenue"] = (table["units"] * table["price"]).round(2)
    result, declared, text = new_shop(project, table, **OPTIONS)
    assert left_over(project) == [
        "conf/base/shop/catalog.yml",
        "conf/base/shop/parameters.yml",
        "data/01_raw/shop/SOURCE.md",
        "data/01_raw/shop/customers.csv",
    ]
    assert declared["dataset"] == {"target": "units", "time": "week"}
    assert declared["forecast"] == {
        "series": ["product"],
        "frequency": "W",
        "horizon": 4,
        "fill": "zero",
        "past_covariates": ["price"],
        "static_covariates": ["category"],
    }
    contract = declared["tables"]["records"]
    assert contract["time"] == "week"
    assert [each["column"] for each in contract["expectations"]] == ["product", "week", "units", "units"]
    assert {each["on_failure"] for each in contract["expectations"]} == {"quarantine"}
    assert contract["expectations"][-1]["min_value"] == 0
    vertical = read_vertical("shop", declared)
    assert vertical.forecast is not None
    assert vertical.forecast.season == 52
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "# revenue: not used, it follows from the target: units times price." in text
    catalog = yaml.safe_load((project / "conf/base/shop/catalog.yml").read_text(encoding="utf-8"))
    assert catalog["shop.records.raw"]["filepath"] == "data/01_raw/shop"
    print_new(result)
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        f"shop: {len(table):,} rows, 6 columns, 6 series of up to 120 weeks",
        "target units as asked for; whole numbers, and so are forecasts",
        "frequency W a series has one time in each of its weeks at most",
        "not used revenue it follows from the target: units times price",
        "history 6 series 120 weeks from 2021-01-04 to 2023-04-17",
        "next kedro run --pipelines shop",
    ):
        assert line in printed
    assert {"zeros", "youngest", "rows"} <= {line.split(" ")[0] for line in printed if line}


def test_columns_are_inferred_where_there_is_one(project: Path) -> None:
    hours = pd.date_range("2024-01-01", periods=24 * 42, freq="h")
    weekly = 20 + 8 * np.sin(2 * np.pi * hours.hour / 24) * np.where(hours.day_of_week > 4, -1, 1)
    table = pd.concat(
        [pd.DataFrame({"at": hours, "meter": f"m{each}", "load": weekly + each + 0.25}) for each in range(3)]
    )
    result, declared, _ = new_shop(project, table, series=("meter",), horizon=24)
    assert declared["dataset"] == {"target": "load", "time": "at"}
    assert declared["forecast"] == {
        "series": ["meter"],
        "frequency": "h",
        "horizon": 24,
        # A weekend is unlike the day before.
        "season_length": 168,
        "fill": "last",
    }
    assert lines(result, "target") == {"load": "the only column of numbers"}
    assert "2024-01-01 00:00 to 2024-02-11 23:00" in lines(result, "history")["3 series"]


def test_balances_of_several_keys_keep_what_is_below_0(project: Path) -> None:
    draw = np.random.default_rng(0)
    months = pd.date_range("2014-01-01", periods=96, freq="MS")
    keys = [(f"0{branch}", region) for branch in range(2) for region in ("north", "south")]
    table = pd.concat(
        [
            pd.DataFrame(
                {"month": months, "branch": b, "region": r, "balance": draw.normal(0, 9, 96).round(2)}
            )
            for b, r in keys
        ]
    )
    result, declared, _ = new_shop(project, table, series=("branch", "region"), horizon=6)
    assert declared["forecast"] == {
        "series": ["branch", "region"],
        "frequency": "MS",
        "horizon": 6,
        # 96 months hold few origins half a year apart.
        "every": 3,
        "fill": "last",
        "negative": "keep",
    }
    assert lines(result, "youngest") == {"00 / north": "96 months since its first record"}
    assert declared["tables"]["records"]["expectations"][-1]["min_value"] < 0


def test_invoice_lines_are_added_up_and_returns_are_no_demand(project: Path) -> None:
    draw = np.random.default_rng(0)
    times = pd.Timestamp("2021-01-04") + pd.to_timedelta(
        np.sort(draw.integers(0, 400 * 86400, 4000)), unit="s"
    )
    units = draw.integers(1, 9, 4000)
    units[::200] = -60
    table = pd.DataFrame({"sold_at": times, "product": draw.choice(["a", "b"], 4000), "qty": units})
    result, declared, text = new_shop(project, table, series=("product",), horizon=7)
    assert declared["dataset"]["target"] == "qty"
    forecast = declared["forecast"]
    assert (forecast["frequency"], forecast["aggregate"], forecast["negative"]) == ("D", "sum", "zero")
    assert "share a period" in lines(result, "aggregate")["sum"]
    assert "returns" in lines(result, "negative")["zero"]
    assert "# Is the target a level, such as a temperature? Then declare mean or last." in text
    by_week = new_shop_again(project, table, series=("product",), horizon=4, frequency="W")
    assert by_week["forecast"]["frequency"] == "W"


def new_shop_again(project: Path, table: pd.DataFrame, **options: Any) -> dict[str, Any]:
    return new_shop(bare_project(project.parent / "again"), table, **options)[1]


def test_a_level_of_closer_readings_is_averaged(project: Path) -> None:
    times = pd.date_range("2024-01-01", periods=6 * 24 * 20, freq="10min")
    table = pd.DataFrame(
        {"at": times, "room": "hall", "temperature": 20.5 + np.sin(np.arange(len(times)) / 23)}
    )
    _, declared, _ = new_shop(project, table, series=("room",), horizon=12)
    assert declared["forecast"]["frequency"] == "30min"
    assert declared["forecast"]["aggregate"] == "mean"


def test_few_records_that_share_a_period_are_asked_about(project: Path) -> None:
    table = sales()
    copies = pd.concat([table, table.iloc[:3]])
    result, declared, text = new_shop(project, copies, **OPTIONS)
    assert declared["forecast"]["aggregate"] == "sum"
    assert "3 records repeat another one in every column" in lines(result, "look at")["aggregate"]
    assert "# 3 records repeat another one" in text
    table.loc[1, "week"] = table.loc[0, "week"]
    again = new_shop(bare_project(project.parent / "again"), table, **OPTIONS)[0]
    assert "may be errors" in lines(again, "look at")["aggregate"]


def test_numbers_of_records_to_come_are_known_in_advance(project: Path) -> None:
    table = sales(absent=0)
    table["units"] = table["units"].astype("Int64").where(table["week"] < "2023-03-20")
    result, declared, text = new_shop(project, table, **OPTIONS)
    assert declared["forecast"]["future_covariates"] == ["price"]
    assert "past_covariates" not in declared["forecast"]
    # Records to come have a later date, and no target.
    contract = declared["tables"]["records"]
    assert "time" not in contract
    assert [each["column"] for each in contract["expectations"]] == ["product", "week", "units"]
    assert "to come" in lines(result, "future")["price"]
    assert "Given for 30 records to come" in text


def test_ids_calendar_columns_and_codes_are_no_covariates(project: Path) -> None:
    table = sales()
    draw = np.random.default_rng(1)
    table = table.assign(
        week_number=pd.to_datetime(table["week"]).dt.isocalendar().week.astype(int),
        line_id=range(len(table)),
        campaign_code=draw.integers(1, 4, len(table)),
        cashier=draw.choice(["x", "y"], len(table)),
        level=draw.normal(size=len(table)).round(3),
        name=table["product"].map("the thing {}".format),
        stock_after=100 - table["units"],
        constant=1,
    )
    result, declared, _ = new_shop(project, table, **OPTIONS)
    assert declared["forecast"]["past_covariates"] == ["price"]
    said = lines(result, "not used")
    unused = {name: why for names, why in said.items() for name in names.split(", ")}
    assert set(unused) == {
        "week_number", "line_id", "campaign_code", "cashier", "level", "stock_after", "constant", "name"
    }  # fmt: skip
    assert "part of the date" in unused["week_number"]
    assert "rename it" in unused["level"]
    assert "follows" in unused["stock_after"]


def test_a_season_that_is_not_held_twice_and_short_series_are_said(project: Path) -> None:
    table = sales(weeks=WEEKS[:40])
    new = pd.DataFrame(
        {"week": "2021-10-04", "product": "new", "category": "toys", "units": [3], "price": [4.5]}
    )
    result, declared, text = new_shop(project, pd.concat([table, new]), **OPTIONS)
    assert "season_length" not in declared["forecast"]
    assert "less than one" in lines(result, "look at")["season"]
    assert "# A season is 52 weeks, and the history of 40 holds less than one" in text
    assert "not forecast" in lines(result, "look at")["1 series"]
    assert lines(result, "youngest") == {"new": "1 week since its first record"}


def test_records_without_a_key_are_set_apart(project: Path) -> None:
    table = sales()
    table.loc[:30, "product"] = None
    result, declared, text = new_shop(project, table, **OPTIONS)
    assert declared["tables"]["records"]["max_quarantined"] > 0.05
    assert "records lack one of product, week, units" in text
    assert lines(result, "set apart")


TWO = pd.DataFrame({"week": ["2021-01-04", "2021-01-11"] * 2, "product": list("aabb"), "units": [1, 2, 3, 4]})


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [
        (sales(), {"horizon": None}, "--horizon: say how many"),
        (sales(), {"series": ()}, "--series: say which column.*product"),
        (sales(), {"series": ("produkt",)}, "--series: there is no column 'produkt'"),
        (sales(), {"series": ("week",)}, "--series: column 'week' holds dates"),
        (sales(), {"target": "category"}, "--target: column 'category' holds no numbers"),
        (sales(), {"time": "product"}, "--time: column 'product' holds no dates"),
        (sales(), {"target": "product", "series": ("units",)}, "--target: column 'product' holds no numbers"),
        (sales(), {"series": ("units",)}, "column 'units' was given two roles"),
        (sales(), {"task": "regression"}, "--task: it has no effect on series"),
        (sales(), {"group": "product"}, "--group: it has no effect on series"),
        (sales().assign(other=sales()["units"] * 3 % 7), {"target": None}, None),
        (
            sales().rename(columns={"units": "first"}), {"target": None},
            "target cannot be inferred; columns of numbers: first, price",
        ),
        (sales().assign(row=range(len(sales()))), {"series": ("row",)}, "another value in every record"),
        (sales(weeks=WEEKS[:30]), {"horizon": 26}, "too many for a history of 30.*4 perhaps"),
        (TWO, {"horizon": 1}, "1 week ahead are too many for a history of 2.*Bring a longer history"),
        (sales().rename(columns={"units": "level"}), {"target": "level"}, "'level' has the name of a column"),
        (
            sales().assign(day="2021-03-01").assign(day=lambda t: t["week"]), {"time": None},
            "--time: the column of dates cannot be inferred, several dates",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drafted_is_refused_and_nothing_is_left(
    project: Path, table: pd.DataFrame, options: dict[str, Any], said: str | None
) -> None:
    if said is None:
        assert new_shop(project, table, **OPTIONS | options)[1]["dataset"]["target"] == "units"
        return
    with pytest.raises((ConfigurationError, DataError), match=f"(?s){said}"):
        new_shop(project, table, **OPTIONS | options)
    assert left_over(project) == []
