import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY

from lepton_pipeline.errors import ConfigurationError, DataError
from lepton_pipeline.onboarding.match import (
    FITS,
    IGNORED,
    NAMED,
    PLAIN,
    TARGET,
    Match,
    Pair,
    match_file,
    print_matches,
    read_needs,
)
from lepton_pipeline.onboarding.match_columns import describe_column, likeness, name_likeness
from lepton_pipeline.parameters import Expectation

FINANCE = {
    "about": {"question": "Will a client default?"},
    "dataset": {
        "target": "default payment next month",
        "positive": 1,
        "id": "ID",
        "sensitive": ["SEX", "EDUCATION", "MARRIAGE", "AGE"],
    },
    "contract": {
        "expectations": [
            {"expect": "column_values_to_be_between", "column": "LIMIT_BAL", "min_value": 0},
            {"expect": "column_values_to_be_between", "column": "PAY_0", "min_value": -2, "max_value": 9},
            {"expect": "column_values_to_be_in_set", "column": "MARRIAGE", "value_set": [1, 2, 3]},
        ]
    },
}
TELECOM = {
    "about": {"question": "Does a customer leave?", "caution": "Fictional data."},
    "dataset": {
        "target": "churn",
        "positive": "Yes",
        "numeric": ["tenure", "monthly_charges", "total_charges"],
    },
}
MARKETING = {
    "dataset": {"target": "y", "positive": "yes", "id": "id", "exclude": ["duration"]},
    "contract": {
        "expectations": [
            {"expect": "column_values_to_be_between", "column": "age", "min_value": 16, "max_value": 110}
        ]
    },
}
SHOP = {"dataset": {"target": "returned", "positive": "yes", "id": "order", "numeric": ["price"]}}


def declare(project: Path, name: str, declared: dict, **tables: pd.DataFrame) -> None:
    folder = project / "conf/base" / name
    folder.mkdir(parents=True)
    # JSON is YAML, and leaves no doubt whether y is a text.
    (folder / "parameters.yml").write_text(json.dumps({name: declared}))
    for table, rows in tables.items():
        path = project / "data/01_raw" / name / f"{table}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(path, index=False)


@pytest.fixture(scope="module")
def real() -> dict[str, pd.DataFrame]:
    """Two thousand rows of three verticals, in the order of their files."""
    files = {
        "finance": "default_of_credit_card_clients.csv.gz",
        "telecom": "wa_churn.csv",
        "marketing": "bank-uci.csv",
    }
    raw = REPOSITORY / "data/01_raw"
    return {name: pd.read_csv(raw / name / file, nrows=2000, dtype=str) for name, file in files.items()}


@pytest.fixture(scope="module")
def project(tmp_path_factory, real) -> Path:
    """Three verticals, each with the first half of its rows."""
    path = tmp_path_factory.mktemp("project")
    for name, declared in (("finance", FINANCE), ("telecom", TELECOM), ("marketing", MARKETING)):
        declare(path, name, declared, table=real[name].head(1000))
    return path


@pytest.fixture
def shop(tmp_path) -> Path:
    rows = pd.DataFrame(
        {
            "order": range(100),
            "price": np.linspace(1, 90, 100),
            "colour": ["red", "blue", "green", "grey"] * 25,
            "returned": ["yes", "no"] * 50,
        }
    )
    declare(tmp_path, "shop", SHOP, orders=rows)
    return tmp_path


def written(path: Path, table: pd.DataFrame, **options) -> Path:
    table.to_csv(path / "client.csv", index=False, **options)
    return path / "client.csv"


@pytest.mark.parametrize("name", ["finance", "telecom", "marketing"])
def test_further_rows_of_a_vertical_fit_it_best(project, real, tmp_path, name):
    best, *others = match_file(project, written(tmp_path, real[name].tail(1000)))
    assert best.vertical == name
    assert best.score > 0.95
    assert best.share > 0.99
    assert best.missing == []
    assert all(other.score < 0.2 for other in others)


def test_other_spellings_and_codes_are_recognised(project, real, tmp_path):
    client = real["telecom"].tail(1000).rename(columns=lambda name: name.title().replace("_", ""))
    client = client.rename(columns={"Female": "gender"}).assign(
        customerID=[f"{row:04d}-QPYBK" for row in range(1000)],
        gender=lambda table: table["gender"].map({"1": "Female", "0": "Male"}),
        Partner=lambda table: table["Partner"].map({"1": "Yes", "0": "No"}),
    )
    best = match_file(project, written(tmp_path, client))[0]
    found = {pair.vertical: pair for pair in best.pairs}
    assert (best.vertical, best.question, best.caution) == (
        "telecom",
        "Does a customer leave?",
        "Fictional data.",
    )
    assert best.score > 0.9
    assert found["monthly_charges"].client == "MonthlyCharges"
    assert {"name", "type", "values"} <= set(found["monthly_charges"].how)
    assert "values" in found["partner"].how
    assert best.pairs[0].vertical == "churn"
    assert "customerID" not in {pair.client for pair in best.pairs}


def test_another_separator_is_found(project, real, tmp_path):
    client = real["marketing"].tail(1000).drop(columns="id")
    best = match_file(project, written(tmp_path, client, sep=";", quoting=2))[0]
    assert (best.vertical, best.score > 0.9) == ("marketing", True)


def test_renamed_columns_are_recognised_by_their_values(project, real, tmp_path):
    months = dict(zip("023456", ("sep", "aug", "jul", "jun", "may", "apr"), strict=True))
    names = {
        **{f"PAY_{number}": f"pay_{month}" for number, month in months.items()},
        **{f"BILL_AMT{number}": f"owed_{month}" for number, month in enumerate(months.values(), 1)},
        **{f"PAY_AMT{number}": f"paid_{month}" for number, month in enumerate(months.values(), 1)},
        "LIMIT_BAL": "limit",
        "default payment next month": "defaulted",
        "ID": "client",
    }
    client = real["finance"].tail(1000).rename(columns=names).rename(columns=str.lower)
    best, second = match_file(project, written(tmp_path, client))[:2]
    found = {pair.vertical: pair for pair in best.pairs}
    assert best.vertical == "finance"
    assert best.score > FITS > second.score
    assert found["LIMIT_BAL"].client == "limit"
    assert "contract" in found["LIMIT_BAL"].how
    owed = [
        pair for pair in best.pairs if pair.vertical.startswith("BILL") and pair.client.startswith("owed")
    ]
    assert len(owed) == 6
    assert all("values" in pair.how and "name" not in pair.how for pair in owed)


def test_nonsense_fits_nothing(project, tmp_path, capsys):
    draw = np.random.default_rng(0)
    client = pd.DataFrame(
        {"foo": draw.normal(size=300), "bar": draw.choice(list("xyz"), 300), "zap": draw.integers(0, 9, 300)}
    )
    matches = match_file(project, written(tmp_path, client))
    print_matches(matches)
    assert all(match.score < 0.1 for match in matches)
    assert max(match.share for match in matches) < 0.5
    printed = " ".join(capsys.readouterr().out.split())
    assert "No vertical fits: the best score is 0.0" in printed
    assert "kedro vertical new NAME --from FILE" in printed


def test_score_and_share_are_what_the_formula_says(shop, tmp_path):
    declare(shop, "empty", {"dataset": {"target": "nowhere", "positive": 1}})
    client = pd.DataFrame({"price": np.linspace(1, 90, 100), "returned": ["yes", "no"] * 50})
    best, other = match_file(shop, written(tmp_path, client))
    # order (id), price (declared), colour, returned (target); the first and the third are not in the file.
    assert best.score == pytest.approx((NAMED + TARGET) / (IGNORED + NAMED + PLAIN + TARGET))
    assert other.score == 0
    assert best.share == pytest.approx(1 / (1 + np.exp(-best.score / 0.1)))
    assert best.share + other.share == pytest.approx(1)
    assert best.missing == []
    assert other.missing == ["nowhere"]


def test_each_column_is_taken_once(shop, tmp_path):
    prices = np.linspace(1, 90, 100)
    client = pd.DataFrame({"price": prices, "price_usd": prices, "prices": prices})
    pairs = match_file(shop, written(tmp_path, client))[0].pairs
    assert [(pair.client, pair.vertical) for pair in pairs] == [("price", "price")]


def test_without_raw_data_the_declaration_is_compared(tmp_path):
    declare(tmp_path, "shop", SHOP | {"features": {"derive": {"dear": "price > 50"}}})
    client = pd.DataFrame(
        {"Price": [1.5, 2.5, 3.5], "Returned": ["yes", "no", "no"], "other": ["a", "b", "c"]}
    )
    (match,) = match_file(tmp_path, written(tmp_path, client))
    assert match.score == pytest.approx((NAMED + TARGET) / (IGNORED + NAMED + TARGET))
    assert [(pair.client, pair.vertical) for pair in match.pairs] == [
        ("Returned", "returned"),
        ("Price", "price"),
    ]


def test_sources_of_features_and_what_contracts_name_weigh_more(tmp_path):
    declared = {
        "dataset": {"target": "late", "positive": 1, "time": "at", "exclude": ["delay"]},
        "tables": {
            "flights": {"expectations": [{"expect": "column_values_to_not_be_null", "column": "dest"}]}
        },
        "features": {
            "derive": {"speed": "distance / hours"},
            "windows": {
                "before": {"statistic": "mean", "of": "delay", "known": "at", "by": ["plane"], "within": "1d"}
            },
        },
    }
    flights = pd.DataFrame(
        {name: [1, 2, 3] for name in ("at", "dest", "distance", "hours", "delay", "plane", "gate")}
    )
    planes = pd.DataFrame({"plane": [1, 2], "seats": [50, 60], "engines": [2, 2]})
    declare(tmp_path, "flights", declared, flights=flights, more_flights=flights, planes=planes)
    weights = {column.name: weight for column, weight in read_needs(tmp_path, "flights")[1]}
    assert weights == {
        **dict.fromkeys(("at", "dest", "distance", "hours", "plane"), NAMED),
        "delay": IGNORED,
        "gate": PLAIN,
        "seats": PLAIN / 4,
        "engines": PLAIN / 4,
    }


def test_a_broken_vertical_is_named_and_spoils_no_other(shop, tmp_path, capsys):
    declare(shop, "typo", {"dataset": {"tagret": "a"}})
    declare(shop, "page", SHOP, orders=pd.DataFrame({"<html>": [1]}))
    matches = match_file(shop, written(tmp_path, pd.read_csv(shop / "data/01_raw/shop/orders.csv")))
    print_matches(matches)
    cautions = {match.vertical: match.caution for match in matches}
    assert matches[0].vertical == "shop"
    assert "typo.dataset.tagret: unknown key" in cautions["typo"]
    assert "orders.csv is HTML or XML" in cautions["page"]
    assert "caution: cannot be compared: typo.dataset.t" in " ".join(capsys.readouterr().out.split())


def test_what_cannot_be_matched_is_refused(shop, tmp_path):
    with pytest.raises(DataError, match=r"none\.csv does not exist; give a table file"):
        match_file(shop, tmp_path / "none.csv")
    page = tmp_path / "page.csv"
    page.write_text("<!DOCTYPE html><html></html>")
    with pytest.raises(DataError, match=r"page\.csv is"):
        match_file(shop, page)
    with pytest.raises(ConfigurationError, match="no vertical"):
        match_file(tmp_path / "elsewhere", written(tmp_path, pd.DataFrame({"a": [1, 2], "b": [3, 4]})))


def test_large_files_are_judged_by_their_beginning(shop, tmp_path, monkeypatch):
    client = pd.DataFrame(
        {
            "price": np.linspace(1, 90, 9000),
            "returned": ["yes", "no"] * 4500,
            "colour": ["red", "blue", "green", "grey"] * 2250,
            "note": ["first line\nsecond, still the same"] * 9000,
        }
    )
    path = written(tmp_path, client)
    for size in (1 << 22, 4000, 4011, 4023):
        monkeypatch.setattr("lepton_pipeline.onboarding.match._SAMPLE_BYTES", size)
        assert {pair.client for pair in match_file(shop, path)[0].pairs} >= {"returned", "colour"}
    parquet = tmp_path / "client.parquet"
    client.to_parquet(parquet)
    assert len(match_file(shop, parquet)[0].pairs) == 3


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ("MonthlyCharges", "monthly_charges", 1, 1),
        ("monthlycharges", "monthly_charges", 1, 1),
        ("Torque [Nm]", "torque", 1, 1),
        ("customerID", "Customer ID", 1, 1),
        ("limit", "LIMIT_BAL", 0.5, 0.8),
        ("Air temperature [K]", "air_temp", 0.8, 0.95),
        ("age", "balance", 0, 0.2),
        ("foo", "bar", 0, 0),
        ("?", "?", 1, 1),
        ("?", "name", 0, 0),
    ],
)
def test_names_are_compared_by_their_words(one, other, low, high):
    assert low <= name_likeness(one, other) <= high
    assert name_likeness(other, one) == pytest.approx(name_likeness(one, other))


def column(values, name="a"):
    return describe_column(pd.Series(values, name=name))


def test_kinds_follow_from_the_values():
    assert column([1, 2, 3]).kind == "number"
    assert column(["Yes", "No", None]).kind == "flag"
    assert column(["2024-01-01", "2024-02-01", "2024-03-01"]).kind == "date"
    assert column(pd.to_datetime(["2024-01-01", "2024-02-01"])).kind == "date"
    assert column(["a", "b", "c"]).kind == "text"
    assert column([None, None]).kind == "unknown"


@pytest.mark.parametrize("values", [[[1], [2]], [Decimal("1.5"), Decimal("2.5")]])
def test_values_of_no_known_kind_are_unknown(values):
    assert column(values).kind == "unknown"


def test_values_speak_for_a_column_with_another_name():
    draw = np.random.default_rng(0)
    sums = draw.lognormal(8, 1, 2000)
    same, shifted = column(sums[:1000], "x"), column(sums[1000:] * 3, "y")
    again = column(sums[1000:], "y")
    assert likeness(same, again, []).value > 0.5
    assert likeness(same, again, []).reasons == ("type", "values")
    assert likeness(same, shifted, []).value < 0.1
    jobs, others = (
        column(["nurse", "cook", "clerk"] * 9, "job"),
        column(["red", "blue", "green"] * 9, "trade"),
    )
    assert likeness(jobs, column(["Cook", "clerk", "nurse"] * 9, "trade"), []).value == pytest.approx(0.7)
    assert likeness(jobs, others, []).value == 0


OPENINGS = ("A quiet room", "Sunny flat", "Tiny house", "Our old cabin", "Large loft")
NEWS = (
    "Profit rises",
    "Shares fall after the report",
    "Bank to raise rates",
    "Loss at the mill",
    "Oil ends higher",
)


def language(openings, rows, start=0):
    draw = np.random.default_rng(start)
    places = (
        "near the river",
        "in the old town",
        "with a view of the lake",
        "by the sea",
        "above the bakery",
    )
    return [f"{draw.choice(openings)} {draw.choice(places)}, number {start + n}" for n in range(rows)]


def test_written_language_is_a_kind_of_its_own_that_is_told_by_its_words():
    titles, others = column(language(OPENINGS, 400), "title"), column(language(OPENINGS, 300, 900), "advert")
    assert titles.kind == "language"
    assert sum(titles.shares.values()) == pytest.approx(1)
    assert likeness(others, titles, []).value > 0.6
    assert likeness(others, titles, []).reasons == ("type", "values")
    news = column([text.split(",")[0] + f" {n}" for n, text in enumerate(NEWS * 80)], "advert")
    assert news.kind == "language"
    assert likeness(news, titles, []).value < 0.2
    # Codes that differ from row to row are no language, nor are a few texts that repeat.
    assert column([f"AB-{n}" for n in range(400)]).kind == "text"
    assert column(list(OPENINGS) * 80).kind == "text"


def test_a_vertical_with_a_text_fits_a_table_that_has_one(tmp_path):
    declared = {"dataset": {"target": "price", "task": "regression", "text": ["title"]}}
    prices = np.linspace(20, 300, 400)
    declare(
        tmp_path, "rooms", declared, rooms=pd.DataFrame({"title": language(OPENINGS, 400), "price": prices})
    )
    client = pd.DataFrame({"advert": language(OPENINGS, 300, 900), "price": prices[:300]})
    (match,) = match_file(tmp_path, written(tmp_path, client))
    assert {(pair.client, pair.vertical, pair.weight) for pair in match.pairs} == {
        ("price", "price", TARGET),
        ("advert", "title", NAMED),
    }
    assert match.score > FITS
    assert match.missing == []
    coded = client.assign(advert=[f"AB-{n}" for n in range(300)])
    (match,) = match_file(tmp_path, written(tmp_path, coded))
    assert match.missing == ["title"]


def test_without_raw_data_a_declared_text_is_language(tmp_path):
    declare(tmp_path, "rooms", {"dataset": {"target": "price", "task": "regression", "text": ["title"]}})
    kinds = {each.name: each.kind for each, _ in read_needs(tmp_path, "rooms")[1]}
    assert kinds == {"title": "language", "price": "unknown"}


def test_row_numbers_and_flags_say_little_by_their_values():
    assert likeness(column(range(100), "x"), column(range(100), "y"), []).value == 0
    assert likeness(column([0, 1] * 50, "x"), column(["No", "Yes"] * 50, "y"), []).value < 0.2


def test_broken_expectations_speak_against_a_column():
    ages = Expectation(expect="column_values_to_be_between", column="a", min_value=18, max_value=110)
    sexes = Expectation(expect="column_values_to_be_in_set", column="a", value_set=["F", "M"])
    known = column([18, 40, 60, 110])
    assert likeness(column([18, 40, 60, 110]), known, [ages]).value == pytest.approx(1)
    assert "contract" in likeness(column([18, 40, 60, 110]), known, [ages]).reasons
    half = likeness(column([18, 40, 600, 1100]), column([18, 40, 600, 1100]), [ages])
    assert half.value == pytest.approx(0.75)
    assert "contract" not in half.reasons
    assert likeness(column(["f", "M"]), column(["F", "M"]), [sexes]).value == pytest.approx(1)
    assert likeness(column(["x", "z"]), column(["F", "M"]), [sexes, ages]).value < 0.5


def test_the_ranking_says_why_and_what_to_do(capsys):
    pairs = [Pair("Leaves", "churn", ("type", "values"), 0.8, 4.0), Pair("age", "age", ("name",), 1.0, 1.0)]
    print_matches(
        [
            Match("telecom", 0.8, 0.97, pairs, ["tenure [months]"], "Who leaves?", "Fictional data."),
            Match("finance", 0.1, 0.02, pairs[1:], ["LIMIT_BAL"], "Who defaults?", "Old."),
        ]
    )
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 110
    words = " ".join(printed.split())
    for text in (
        "telecom 0.80 97% Who leaves? 2 columns: Leaves → churn (type, values), age (name)",
        "missing: tenure [months]",
        "caution: Fictional data.",
        "finance 0.10 2% 1 column: age (name)",
        "telecom fits.",
        "rename them in the client's file",
        "kedro vertical check telecom",
        "kedro vertical new NAME --from FILE",
    ):
        assert text in words
    assert "LIMIT_BAL" not in words
    assert "No vertical fits" not in words
