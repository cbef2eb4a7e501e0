from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from customers import ROWS, bare_project, frame, left_over, new_shop
from omegaconf import OmegaConf

from lepton_pipeline.data.raw_file import RawFile
from lepton_pipeline.onboarding.new.draft import MOST_LINES, new_vertical, print_new
from lepton_pipeline.onboarding.new.plan import Wanted
from lepton_pipeline.onboarding.new.render import WIDTH
from lepton_pipeline.onboarding.profile import profile_files
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.declaration import read_vertical

RAW = Path(__file__).parents[3] / "data/01_raw"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return bare_project(tmp_path)


def test_both_folders_are_written_and_nothing_else(project: Path) -> None:
    table = frame()
    result, declared, _ = new_shop(project, table)
    assert left_over(project) == [
        "conf/base/shop/parameters.yml",
        "data/01_raw/shop/SOURCE.md",
        "data/01_raw/shop/customers.csv",
    ]
    assert not list(project.rglob(".*"))
    assert declared["dataset"]["target"] == "churn"
    assert declared["dataset"]["positive"] == "yes"
    assert declared["split"] == {"strategy": "stratified"}
    assert (result.rows, result.columns) == table.shape
    assert result.outcome == "33.3% positive"
    source = (project / "data/01_raw/shop/SOURCE.md").read_text(encoding="utf-8")
    assert "licence.** NOT YET KNOWN" in source
    assert "| `visits` | whole number |" in source


def test_what_was_decided_and_the_next_command_are_printed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = pd.date_range("2024-01-01", periods=ROWS, freq="9D").strftime("%Y-%m-%d")
    result, _, _ = new_shop(project, frame(account_id=range(100, 100 + ROWS), shop="main", day=days))
    print_new(result)
    printed = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for line in (
        "next kedro run --pipelines shop",
        "columns 8: 3 numbers, 1 category, 1 date through others, 3 not used",
        "visits whole number feature 9 number",
        "shop text excluded 1 not used: every row has the same value",
        "churn text target 2 not used: the target",
        "account_id whole number id 60 not used: it names rows (dataset.id)",
        "day date time 60 date, through day_month, day_weekday",
        "day_month whole number derived 12 number (derived)",
    ):
        assert line in lines
    assert printed.count("every row has the same value") == 1


def test_strange_names_of_columns_are_declared_as_they_are(project: Path) -> None:
    days = pd.date_range("2024-01-01", periods=ROWS, freq="9D").strftime("%Y-%m-%d")
    table = frame(
        **{"on": range(ROWS), "a: b, c": range(ROWS), "${x}": [1.5, 2.5, 3.5, 4.5] * 15, "the day!": days}
    )
    _, _, text = new_shop(
        project, table.rename(columns={"churn": "Did they leave?"}), target="Did they leave?"
    )
    declared: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    vertical = read_vertical("shop", declared["shop"])
    assert vertical.dataset.target == "Did they leave?"
    assert vertical.features.derive["the_day_month"] == "month(`the day!`)"
    assert {"${x}"} <= {name for each in vertical.contract.expectations for name in each.columns()}


def test_wide_table_stays_short(project: Path) -> None:
    draw = np.random.default_rng(1)
    wide = {f"measurement number {n}": draw.integers(0, 50, ROWS) for n in range(40)}
    wide |= {f"constant {n}": 1 for n in range(150)}
    _, declared, text = new_shop(project, frame(**wide))
    assert text.count("\n") <= MOST_LINES
    assert "more were left out for length" in text
    assert not any(name.startswith("constant") for name in declared["dataset"].get("exclude", []))


def remarks(of: list[str]) -> list[str]:
    """A remark for each customer, of which `of` says the first words."""
    ends = (
        "and asked for the bill",
        "after a call to the shop",
        "with a friend of the house",
        "on the way to work",
    )
    return [f"{start} {ends[n % 4]} {ends[n // 4 % 4]} {n}" for n, start in enumerate(of)]


def test_written_language_is_drafted_as_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    came = ["Came early", "Came late", "Sent a letter", "Rang twice"] * (ROWS // 4)
    result, declared, text = new_shop(
        project, frame(remark=remarks(came), page=[f"https://example.org/the/page/{n}" for n in range(ROWS)])
    )
    assert declared["dataset"]["text"] == ["remark"]
    assert declared["dataset"]["id"] == "page"
    said = text[: text.index("text: [remark]")].splitlines()[-3:]
    assert said[0].strip() == "# remark: written language, 13 words a text on average."
    assert said[1].strip().startswith("# Is one written after the outcome, or about persons?")
    assert [column.used_as for column in result.table if column.name == "remark"] == ["text"]
    print_new(result)
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "text remark written language, 13 words a text on average" in printed
    assert "remark text text 60 text (declared)" in printed


def test_a_text_that_tells_the_outcome_is_left_out(project: Path) -> None:
    table = pd.concat([frame()] * 10, ignore_index=True)
    outcome = table["churn"].map({"yes": "Has left us", "no": "Pays again"}).tolist()
    _, declared, text = new_shop(project, table.assign(remark=remarks(outcome)))
    assert declared["dataset"]["exclude"] == ["remark"]
    assert "text" not in declared["dataset"]
    assert "# remark: likely a leak, duplicates the target" in text


def conforming(table: pd.DataFrame, vertical: Vertical) -> dict[str, float]:
    """Fraction of values that keep each expectation, by an evaluation of our own."""
    fractions = {}
    for each in vertical.contract.expectations:
        assert each.column is not None
        column = table[each.column]
        present = column.dropna()
        if each.expect == "column_values_to_be_between":
            assert isinstance(each.min_value, int | float)
            assert isinstance(each.max_value, int | float)
            assert (each.min_value, each.max_value) != (present.min(), present.max())
            good = present.between(each.min_value, each.max_value).mean()
        elif each.expect == "column_values_to_be_in_set":
            good = present.isin(each.value_set or []).mean()
        elif each.expect == "column_values_to_not_be_null":
            good = column.notna().mean()
        else:
            assert each.expect == "column_values_to_be_unique"
            good = float(column.is_unique)
        fractions[f"{each.expect} {each.column}"] = float(good)
    return fractions


@pytest.mark.parametrize(
    ("vertical", "options", "expected"),
    [
        pytest.param(
            "finance",
            {},
            {"target": "default payment next month", "positive": 1, "id": "ID"},
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            "marketing", {}, {"target": "y", "positive": "yes", "id": "id"}, marks=pytest.mark.exhaustive
        ),
        ("telecom", {}, {"target": "churn", "positive": "Yes", "id": None}),
        ("manufacturing", {}, {"target": "Target", "positive": 1, "id": "UDI"}),
        (
            "healthcare",
            {"target": "target", "positive": "!= -"},
            {"positive_when": "target != '-'", "id": "patient_id"},
        ),
    ],
)
def test_real_tables_get_a_valid_declaration_that_they_keep(
    project: Path, tmp_path: Path, vertical: str, options: dict[str, str], expected: dict[str, Any]
) -> None:
    (bundled,) = (path for path in (RAW / vertical).iterdir() if ".csv" in path.suffixes)
    head = pd.read_csv(bundled, nrows=900, dtype=str, keep_default_na=False)
    head.to_csv(tmp_path / "head.csv", index=False)
    new_vertical(project, "shop", [tmp_path / "head.csv"], Wanted(**options))
    text = (project / "conf/base/shop/parameters.yml").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= WIDTH
    declared = read_vertical("shop", yaml.safe_load(text)["shop"])
    assert {key: getattr(declared.dataset, key) for key in expected} == expected
    table = profile_files(
        [RawFile("head.csv", lambda: (tmp_path / "head.csv").open("rb"))], options.get("target")
    ).table
    fractions = conforming(table, declared)
    assert len(fractions) > 5
    assert all(fraction == 1 for fraction in fractions.values()), fractions
    excluded = {"manufacturing": {"Product ID", "Failure Type"}}.get(vertical, set())
    assert excluded <= set(declared.dataset.exclude)
