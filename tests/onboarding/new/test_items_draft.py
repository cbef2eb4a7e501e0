"""Drafts of verticals that recommend items to customers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import Project, copy_face
from customers import bare_project, left_over, new_shop

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.onboarding.new.draft import print_new
from lepton_pipeline.onboarding.new.items_plan import choose_delay
from lepton_pipeline.onboarding.new.render import WIDTH
from lepton_pipeline.parameters import Dataset, Split
from lepton_pipeline.parameters.recommendation import Recommendation
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.recommendation.cuts import find_cuts

OPTIONS = {"customer": "client", "item": "article"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return bare_project(tmp_path)


def sales(days: int = 700, clients: int = 60, visits: int = 24, **columns: Any) -> pd.DataFrame:
    """Sales of 30 articles to clients, of whom each has four that it mostly buys."""
    draw = np.random.default_rng(0)
    size = clients * visits
    client = np.repeat(np.arange(clients), visits)
    own = draw.integers(0, 30, (clients, 4))
    article = np.where(
        draw.random(size) < 0.7, own[client, draw.integers(0, 4, size)], draw.integers(0, 30, size)
    )
    days_of = draw.integers(0, days, size)
    # The records' ends do not depend on chance.
    days_of[:2] = 0, days - 1
    table = pd.DataFrame(
        {
            "client": [f"C{each:02}" for each in client],
            "article": [f"a{each:02}" for each in article],
            "sold_on": (pd.Timestamp("2022-01-01") + pd.to_timedelta(days_of, unit="D")).strftime("%Y-%m-%d"),
            "units": draw.integers(1, 5, size),
            "price": 2 + article / 10,
        }
    )
    return table.drop_duplicates(ignore_index=True).assign(**columns)


def lines(result: Any, what: str) -> dict[str, str]:
    return {each.choice: each.reason for each in result.decisions if each.what == what}


def again(project: Path, table: pd.DataFrame, **options: Any) -> Any:
    return new_shop(bare_project(project.parent / "again"), table, **OPTIONS | options)


def test_sales_are_declared_whole_with_their_catalog(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = sales()
    table["name"] = "the " + table["article"]
    table["revenue"] = table["units"] * table["price"]
    result, declared, text = new_shop(project, table, **OPTIONS)
    assert left_over(project) == [
        "conf/base/shop/catalog.yml",
        "conf/base/shop/parameters.yml",
        "data/01_raw/shop/SOURCE.md",
        "data/01_raw/shop/customers.csv",
    ]
    assert declared["dataset"] == {
        "target": "bought",
        "positive": True,
        "weight": "weight",
        "time": "cut",
        "group": "client",
        "label_delay": "90d",
        "exclude": ["article"],
    }
    assert declared["recommendation"] == {
        "customer": "client",
        "item": "article",
        "time": "sold_on",
        "quantity": "units",
        "price": "price",
        "purpose": "repeat",
        "cuts": 13,
    }
    assert declared["split"] == {"strategy": "time", "test": 0.01, "validation": 0.01}
    contract = declared["tables"]["records"]
    assert "max_quarantined" not in contract
    assert [each["column"] for each in contract["expectations"]] == [
        *("client", "article", "sold_on", "units"),
        *("units", "price"),
    ]
    assert {each["on_failure"] for each in contract["expectations"]} == {"quarantine"}
    catalog = yaml.safe_load((project / "conf/base/shop/catalog.yml").read_text(encoding="utf-8"))
    assert catalog["shop.records.raw"]["filepath"] == "data/01_raw/shop"
    assert read_vertical("shop", declared).recommendation is not None
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "# name: not used, it describes each article" in text
    assert "# Only what is new to a customer? Draft another vertical with --purpose discovery." in text
    print_new(result)
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in (
        "shop: 1,439 rows, 7 columns, 60 customers of 30 items",
        "customer client as asked for",
        "item article as asked for",
        "time sold_on the only date of every row",
        "label_delay 90d the history of 699 days is 6 times as long, which leaves time for all cuts",
        "quantity units its name says so",
        "every month cuts lie on the first of each month",
        "not used revenue a number that names neither how many nor the price of one",
        "returning 100.0% of the customers come on a second day",
        "next kedro run --pipelines shop",
    ):
        assert line in printed
    (held,) = lines(result, "history").values()
    assert held.endswith("from 2022-01-01 to 2023-12-01")
    assert list(lines(result, "test")) == ["2023-09-01"]
    assert list(lines(result, "training")) == ["2022-09-01 to 2023-03-01"]
    assert lines(result, "look at") == {}


def test_a_draft_of_the_command_passes_the_check_without_edits(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    copy_face(project.path, [])
    table = sales()
    table.loc[::50, "client"] = None
    table.to_csv(tmp_path / "sales.csv", index=False)
    new = ("vertical", "new", "shop", "--from", str(tmp_path / "sales.csv"), "--customer", "client")
    refused = project.run(*new)
    assert refused.code == 2
    assert "error: --item: say which column names what is offered" in refused.said
    drafted = project.run(*new, "--item", "article", "--purpose", "discovery")
    assert drafted.code == 0, drafted.said
    done = project.run("vertical", "check", "shop")
    assert done.code == 0, done.said
    assert "shop: ready to train" in done.said
    assert f"{len(table.index[::50])} quarantined" in done.said


def test_a_shorter_history_has_a_shorter_horizon(project: Path) -> None:
    result, declared, text = new_shop(project, sales(days=300), **OPTIONS)
    assert declared["dataset"]["label_delay"] == "49d"
    assert declared["recommendation"]["every"] == "16d"
    assert declared["monitoring"] == {"window": "49d"}
    assert lines(result, "label_delay") == {
        "49d": "a sixth of the history of 299 days, in whole weeks, which leaves time for all cuts"
    }
    assert list(lines(result, "look at")) == ["season"]
    assert "# season: no season is held twice" in text
    brief = again(project, sales(days=60))[0]
    assert {"season", "label_delay"} <= lines(brief, "look at").keys()


@pytest.mark.parametrize("first", [18_000, 18_017])
def test_a_history_of_any_length_holds_the_cuts(first: int) -> None:
    for span in (*range(6, 120), *range(120, 1500, 13), 539, 540):
        days = pd.Series([first, first + span])
        delay, every, _ = choose_delay(days)
        recommendation = Recommendation(customer="a", item="b", time="c", every=every, cuts=13)
        dataset = Dataset(target="bought", positive=True, label_delay=f"{delay}d")
        cuts = find_cuts(days, recommendation, dataset, Split(strategy="time"))
        assert len(cuts.train) >= 3
        # Before the first cut lies a time to learn from.
        assert cuts.train[0] - first >= delay / 2


def test_the_share_of_repeats_suggests_the_purpose(project: Path) -> None:
    # Nobody buys an article twice.
    once = sales().drop_duplicates(["client", "article"])
    result, declared, _ = new_shop(project, once, **OPTIONS)
    assert declared["recommendation"]["purpose"] == "discovery"
    assert declared["about"]["question"].startswith("Which article that is new to it will a client")
    assert lines(result, "purpose")["discovery"].startswith("0.0% of the interactions are of an item")
    _, declared, text = again(project, sales(), purpose="discovery")
    assert declared["recommendation"]["purpose"] == "discovery"
    assert "# As asked for; " in text


def test_a_close_call_of_the_purpose_is_asked_about(project: Path) -> None:
    table = sales().drop_duplicates(["client", "article"])
    some = table.sample(frac=0.15, random_state=0).assign(sold_on="2023-06-10")
    result, declared, _ = new_shop(project, pd.concat([table, some]), **OPTIONS)
    assert declared["recommendation"]["purpose"] == "repeat"
    assert "give --purpose" in lines(result, "look at")["purpose"]


def test_records_without_a_key_are_set_apart(project: Path) -> None:
    table = sales()
    table.loc[::4, "client"] = None
    result, declared, text = new_shop(project, table, **OPTIONS, time="sold_on")
    assert declared["tables"]["records"]["max_quarantined"] == 0.3
    assert "# 25.0% of the records lack one of client, article, sold_on, units." in text
    assert lines(result, "set apart") == {
        "25.0%": "records without a client, article, sold_on or units, by the contract"
    }
    assert lines(result, "time") == {"sold_on": "as asked for"}


def test_returns_copies_and_guests_are_said(project: Path) -> None:
    table = sales()
    table.loc[::10, "units"] *= -1
    table.loc[1::8, "client"] = "guest"
    table = pd.concat([table, table.iloc[:7]])
    result, declared, text = new_shop(project, table, **OPTIONS)
    assert "10.0% of the records hold 0 or less, as returns do" in lines(result, "quantity")["units"]
    assert "# Its name says so; 10.0% of the records hold 0 or less" in text
    asked = lines(result, "look at")
    assert "repeat another one in every column: 7." in asked["units"]
    assert "a code of those who are not known?" in asked["client guest"]
    assert declared["tables"]["records"]["expectations"][-2]["min_value"] < 0


def test_what_other_columns_are_is_told(project: Path) -> None:
    table = sales()
    size = len(table)
    draw = np.random.default_rng(1)
    table = table.rename(columns={"units": "amount"}).assign(
        list_price=3.5 * table["price"],
        rating=draw.integers(1, 6, size),
        event=draw.choice(["view", "cart", "purchase"], size),
        town=table["client"].map(lambda name: f"T{name[-1]}"),
        invoice_id=range(7000, 7000 + size),
        shipped=table["sold_on"],
        note=draw.choice(["a", "b"], size),
        constant=1,
    )
    result, declared, _ = new_shop(project, table, **OPTIONS, time="sold_on")
    assert not {"quantity", "price"} & declared["recommendation"].keys()
    said = {
        name: why for names, why in lines(result, "not used").items() for name in names.split(", ") if names
    }
    assert set(said) == {*table} - {"client", "article", "sold_on"}
    assert said["shipped"] == "another date"
    assert said["constant"] == "it has fewer than two values"
    assert said["invoice_id"] == "it names rows or things"
    assert said["town"].startswith("it describes each client")
    assert said["note"] == "recommendation has no use for it"
    asked = lines(result, "look at")
    assert "each may be the price" in asked["price, list_price"]
    assert "whatever its rating" in asked["rating"]
    assert "count alike" in asked["event"]


def test_items_that_few_buy_lower_how_many_make_one_known(project: Path) -> None:
    table = sales(clients=12, visits=60)
    rare = table["article"] + "-" + (table["client"].str[1:].astype(int) // 3).astype(str)
    result, declared, _ = new_shop(project, table.assign(article=rare), **OPTIONS)
    assert declared["recommendation"]["min_customers"] < 5
    assert "before the first cut" in next(iter(lines(result, "min_customers").values()))


def test_more_items_than_fit_raise_how_many_make_one_known(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lepton_pipeline.onboarding.new.items_plan.MOST_ITEMS", 27)
    result, declared, _ = new_shop(project, sales(), **OPTIONS)
    assert declared["recommendation"]["min_customers"] > 5
    assert "more than 27 of the 30 items" in next(iter(lines(result, "min_customers").values()))


ORDERS = sales().assign(order=lambda table: table["client"] + table["sold_on"])


@pytest.mark.parametrize(
    ("table", "options", "said"),
    [
        (sales(), {"item": None}, "--item: say which column names what is offered, beside --customer; .*article"),
        (sales(), {"customer": None}, "--customer: say which column names who comes again, beside --item.*client"),
        (sales(), {"customer": None, "item": None, "purpose": "repeat"}, "--customer: say which column"),
        (sales(), {"customer": "cleint"}, "--customer: there is no column 'cleint'; did you mean 'client'"),
        (sales(), {"item": "goods"}, "--item: there is no column 'goods'"),
        (sales(), {"item": "sold_on"}, "--item: column 'sold_on' holds dates"),
        (sales(empty=None), {"item": "empty"}, "--item: column 'empty' holds no value at all"),
        (sales(), {"item": "client"}, "column 'client' was given two roles"),
        (sales(), {"time": "client"}, "--time: column 'client' holds no dates"),
        (sales(), {"time": "when"}, "--time: there is no column 'when'"),
        (sales().drop(columns="sold_on"), {}, "--time: the column of dates cannot be inferred, no column of dates"),
        (sales().assign(shipped=sales()["sold_on"]), {}, "cannot be inferred, several dates"),
        (sales().rename(columns={"client": "weight"}), {"customer": "weight"}, "'weight' has the name of a column"),
        (sales(), {"target": "units"}, "--target: it has no effect on what is offered"),
        (sales(), {"positive": "1"}, "--positive: it has no effect"),
        (sales(), {"task": "regression"}, "--task: it has no effect"),
        (sales(), {"group": "client"}, "--group: it has no effect"),
        (sales(), {"series": ("article",)}, "--series: it has no effect"),
        (sales(), {"horizon": 4}, "--horizon: it has no effect"),
        (sales(), {"frequency": "W"}, "--frequency: it has no effect"),
        (ORDERS, {"customer": "order"}, "--customer: no value of 'order' comes on a second day"),
        (
            sales().assign(piece=[f"p{row}" for row in range(len(sales()))]), {"item": "piece"},
            "--item: no value of 'piece' was bought by two customers",
        ),
        (sales(days=6), {}, "--time: the interactions cover 2022-01-01 to 2022-01-06, too short"),
        (sales(clients=6, visits=5), {}, "10 at each cut are the fewest"),
        (
            pd.concat([sales(), sales().iloc[:1].assign(sold_on="2032-01-01")]), {},
            "bought 0 items .* check the dates: the last is 2032-01-01",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_drafted_is_refused_and_nothing_is_left(
    project: Path, table: pd.DataFrame, options: dict[str, Any], said: str
) -> None:
    with pytest.raises((ConfigurationError, DataError), match=f"(?s){said}"):
        new_shop(project, table, **OPTIONS | options)
    assert left_over(project) == []
