import lzma
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf

from lepton_pipeline.data.raw import RawFile
from lepton_pipeline.declaration import read_vertical
from lepton_pipeline.errors import ConfigurationError, DataError, LeptonError, SplitError
from lepton_pipeline.onboarding import new_files
from lepton_pipeline.onboarding.draft import MOST_LINES, NewVertical, new_vertical, print_new
from lepton_pipeline.onboarding.new_contract import far_values, roomy_range
from lepton_pipeline.onboarding.new_roles import choose_roles, choose_time
from lepton_pipeline.onboarding.new_target import choose_target
from lepton_pipeline.onboarding.new_yaml import WIDTH, render, scalar
from lepton_pipeline.onboarding.profile import profile_files
from lepton_pipeline.parameters import Vertical

RAW = Path(__file__).parents[2] / "data/01_raw"
ROWS = 60


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("conf/base", "conf/staging", "data/01_raw"):
        (tmp_path / "project" / folder).mkdir(parents=True)
    return tmp_path / "project"


def frame(**columns: Any) -> pd.DataFrame:
    """A table of customers who leave or stay, with further columns."""
    draw = random.Random(3)
    return pd.DataFrame(
        {
            "visits": [draw.randrange(9) for _ in range(ROWS)],
            "plan": [draw.choice(["a", "b", "c"]) for _ in range(ROWS)],
            "churn": ["yes", "no", "no"] * (ROWS // 3),
            **columns,
        }
    )


@pytest.fixture
def new(project: Path, tmp_path: Path) -> Callable[..., tuple[NewVertical, dict[str, Any], str]]:
    def make(table: pd.DataFrame, **options: Any) -> tuple[NewVertical, dict[str, Any], str]:
        file = tmp_path / "customers.csv"
        table.to_csv(file, index=False)
        result = new_vertical(project, "shop", [file], **options)
        text = (project / "conf/base/shop/parameters.yml").read_text(encoding="utf-8")
        return result, yaml.safe_load(text)["shop"], text

    return make


def left_over(project: Path) -> list[str]:
    return sorted(path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file())


def test_both_folders_are_written_and_nothing_else(new: Any, project: Path) -> None:
    table = frame()
    result, declared, _ = new(table)
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
    assert result.base_rate == pytest.approx(1 / 3)
    source = (project / "data/01_raw/shop/SOURCE.md").read_text(encoding="utf-8")
    assert "licence.** NOT YET KNOWN" in source
    assert "| `visits` | number |" in source


def test_what_was_decided_and_the_next_command_are_printed(new: Any, capsys: pytest.CaptureFixture[str]) -> None:
    result, _, _ = new(frame(account_id=range(100, 100 + ROWS)))
    print_new(result)
    printed = capsys.readouterr().out
    assert "kedro run --pipelines shop" in printed
    assert "account_id" in printed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Shop", "cannot name"),
        ("../shop", "cannot name"),
        ("1shop", "cannot name"),
        ("", "cannot name"),
        ("s" * 60, "cannot name"),
        ("__default__", "cannot name"),
        ("class", "reserved"),
        ("base", "reserved"),
        ("all", "reserved"),
        ("staging", "reserved"),
        ("raw_tables", "module"),
    ],
)
def test_names_that_cannot_be_are_refused(project: Path, tmp_path: Path, name: str, message: str) -> None:
    frame().to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(ConfigurationError, match=message):
        new_vertical(project, name, [tmp_path / "t.csv"])
    assert left_over(project) == []


def test_what_is_there_is_not_overwritten(new: Any, project: Path) -> None:
    (project / "data/01_raw/shop").mkdir()
    (project / "data/01_raw/shop/other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigurationError, match="data/01_raw/shop exists already"):
        new(frame())
    (project / "data/01_raw/shop/other.csv").unlink()
    (project / "data/01_raw/shop").rmdir()
    new(frame())
    with pytest.raises(ConfigurationError, match="vertical 'shop' already"):
        new(frame())


def test_data_that_lie_in_their_place_already_stay_there(project: Path) -> None:
    folder = project / "data/01_raw/shop"
    folder.mkdir()
    frame().to_csv(folder / "t.csv", index=False)
    (folder / "SOURCE.md").write_text("mine")
    new_vertical(project, "shop", [folder])
    assert (folder / "SOURCE.md").read_text() == "mine"
    assert (project / "conf/base/shop/parameters.yml").exists()


@pytest.mark.parametrize("step", ["mkdir", "copyfile", "rename"])
def test_nothing_is_left_when_writing_fails(
    new: Any, project: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    if step == "copyfile":
        monkeypatch.setattr(new_files.shutil, "copyfile", fail)
    elif step == "rename":
        rename = Path.rename
        monkeypatch.setattr(Path, "rename", lambda path, to: fail() if "conf" in str(to) else rename(path, to))
    else:
        monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(LeptonError, match=r"disk full; nothing is left"):
        new(frame())
    monkeypatch.undo()
    assert left_over(project) == []
    assert not (project / "data/01_raw/shop").exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "does not exist"),
        ({"t.txt": "a"}, "does not exist"),
        ({"t.csv": ""}, "empty"),
        ({"t.csv": "<html><body>no</body></html>"}, "HTML"),
        ({"t.csv": "a,y\n"}, "only a header"),
    ],
)
def test_files_that_are_no_table_leave_nothing(
    project: Path, tmp_path: Path, files: dict[str, str], message: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(LeptonError, match=message):
        new_vertical(project, "shop", [tmp_path / "t.csv"])
    assert left_over(project) == []


def test_a_folder_and_several_files_are_read_and_copied(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "2025").mkdir(parents=True)
    table = frame()
    table.iloc[:30].to_csv(folder / "2025/a.csv", index=False)
    table.iloc[30:].to_csv(folder / "b.csv.xz", index=False)
    (folder / "notes.txt").write_text("no table")
    result = new_vertical(project, "shop", [folder])
    assert result.rows == ROWS
    assert sorted(path.name for path in (project / "data/01_raw/shop").rglob("*.*")) == [
        "SOURCE.md",
        "a.csv",
        "b.csv.xz",
    ]
    copied = (project / "data/01_raw/shop/b.csv.xz").read_bytes()
    assert lzma.decompress(copied).startswith(b"visits,plan,churn\n")


def test_two_files_of_one_name_and_other_suffixes_are_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for path in (tmp_path / "t.csv", tmp_path / "x/t.csv"):
        frame().to_csv(path, index=False)
    with pytest.raises(ConfigurationError, match="two files are named"):
        new_vertical(project, "shop", [tmp_path / "t.csv", tmp_path / "x/t.csv"])
    (tmp_path / "t.xlsx").write_text("a")
    with pytest.raises(ConfigurationError, match="no table file"):
        new_vertical(project, "shop", [tmp_path / "t.xlsx"])


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"default": ["x", "z"], "loan": [0, 1], "y": [1, 0]}, "y"),
        ({"sex": ["m", "f"], "isFraud": [0, 1]}, "isFraud"),
        ({"housing": [0, 1], "default payment next month": [0, 1]}, "default payment next month"),
        ({"a": [1, 2], "b": [3, 3], "c": [5, None]}, "a"),
        ({"a": [1, 2], "b": [3, 4]}, "b"),
    ],
)
def test_target_is_told_by_its_name_or_place(columns: dict[str, list[Any]], target: str) -> None:
    assert choose_target(pd.DataFrame(columns), None, None, []).column == target


@pytest.mark.parametrize(
    "columns", [{"a": [1, 2], "b": [3, 4], "c": [3, 3]}, {"a": [1, 1]}, {"churn": [1, 0], "fraud": [0, 1], "x": [1, 1]}]
)
def test_target_that_cannot_be_told_is_asked_for(columns: dict[str, list[Any]]) -> None:
    with pytest.raises(ConfigurationError, match="Give --target COLUMN"):
        choose_target(pd.DataFrame(columns), None, None, [])


def test_target_of_many_values_asks_which_are_positive() -> None:
    table = pd.DataFrame({"target": ["-", "K", "G"], "sex": ["m", "f", "m"]})
    with pytest.raises(ConfigurationError, match=r"holds 3 values .*--positive VALUE"):
        choose_target(table, None, None, [])
    assert choose_target(table, "target", "K", []).positive_when == "target == 'K'"
    assert choose_target(table, "target", "!= -", []).positive_when == "target != '-'"
    with pytest.raises(ConfigurationError, match="never holds 'Z'"):
        choose_target(table, "target", "Z", [])


def test_comparison_with_a_number_names_the_column_as_expressions_do() -> None:
    table = pd.DataFrame({"arr delay": [1.0, 20.0, 30.5]})
    assert choose_target(table, "arr delay", ">= 15", []).positive_when == "`arr delay` >= 15"
    with pytest.raises(ConfigurationError, match="'soon' is no number"):
        choose_target(table, "arr delay", "> soon", [])


@pytest.mark.parametrize(
    ("values", "given", "positive", "is_guess"),
    [
        ([0, 1, 1], None, 1, False),
        (["No", "Yes"], None, "Yes", False),
        (["f", "t", "t"], None, "t", False),
        (["ok", "churned"], None, "churned", False),
        (["not eligible", "eligible"], None, "eligible", False),
        ([1, 2, 1, 1], None, 2, True),
        (["red", "red", "blue"], None, "blue", True),
        ([1, 2], "1", 1, False),
        ([1.0, 2.0, None], "2", 2.0, False),
    ],
)
def test_positive_class(values: list[Any], given: str | None, positive: Any, is_guess: bool) -> None:
    found = choose_target(pd.DataFrame({"z": values}), "z", given, [])
    assert (found.positive, found.is_guess) == (positive, is_guess)


def test_target_that_is_absent_or_of_one_value_is_refused() -> None:
    table = pd.DataFrame({"churn": [1, 1], "other": [0, 1]})
    with pytest.raises(ConfigurationError, match="did you mean 'churn'"):
        choose_target(table, "Churn ", None, [])
    with pytest.raises(DataError, match="two classes"):
        choose_target(table, "churn", None, [])


def test_roles_of_the_other_columns() -> None:
    rows = 200
    table = pd.DataFrame(
        {
            "note": [f"text {n}" for n in range(rows - 2)] + ["text 0", "text 1"],
            "row": range(1, rows + 1),
            "customer_id": [n % 100 for n in range(rows)],
            "account_id": range(5000, 5000 + 7 * rows, 7),
            "balance": [n * 37 for n in range(rows)],
            "constant": 4,
            "empty": np.nan,
            "half": [1.0, np.nan] * (rows // 2),
            "region_code": [n % 5 for n in range(rows)],
            "count": [n % 6 for n in range(rows)],
            "age": [n % 60 for n in range(rows)],
        }
    )
    roles = choose_roles(table, [])
    assert roles.id == "row"
    assert set(roles.excluded) == {"note", "account_id", "customer_id"}
    assert set(roles.constant) == {"constant", "empty"}
    assert roles.things == {"customer_id": 100}
    assert roles.categorical == ["region_code"]
    assert roles.protected == ["age"]


def test_time_axis_is_the_only_date_that_is_no_birthday() -> None:
    dates = pd.to_datetime(["2026-01-01", "2026-01-02"])
    table = pd.DataFrame({"birth_date": dates, "sold": dates, "n": [1, 2], "t": ["a", "b"], "c": [1, 1]})
    assert choose_time(table, None, set())[0] == "sold"
    assert choose_time(table.assign(sent=dates), None, set())[0] is None
    assert choose_time(table, "n", set())[0] == "n"
    with pytest.raises(DataError, match="neither numbers nor dates"):
        choose_time(table, "t", set())
    with pytest.raises(DataError, match="one value only"):
        choose_time(table, "c", set())
    with pytest.raises(ConfigurationError, match="no column 'solt'; did you mean 'sold'"):
        choose_time(table, "solt", set())
    with pytest.raises(ConfigurationError, match="target or the group already"):
        choose_time(table, "n", {"n"})


def test_time_axis_makes_a_split_by_time_and_parts_of_the_date(new: Any) -> None:
    days = pd.date_range("2024-01-01", periods=ROWS, freq="9D")
    _, declared, text = new(
        frame(day=days.strftime("%d.%m.%Y"), joined=(days - pd.Timedelta("40D")).strftime("%Y-%m-%d")), time="day"
    )
    assert declared["ingestion"]["dates"] == {"day": "%d.%m.%Y", "joined": "ISO8601"}
    assert declared["dataset"]["time"] == "day"
    assert declared["split"] == {"strategy": "time"}
    assert declared["features"]["derive"] == {
        "day_month": "month(day)",
        "day_weekday": "weekday(day)",
        "days_since_joined": "days_between(day, joined)",
    }
    assert "label_delay" in text


def test_split_by_an_inferred_time_that_parts_the_classes_is_not_taken(new: Any) -> None:
    days = pd.date_range("2026-01-01", periods=ROWS).strftime("%Y-%m-%d")
    table = frame(day=days, churn=["yes"] * 30 + ["no"] * 30)
    _, declared, text = new(table)
    assert declared["dataset"]["time"] == "day"
    assert declared["split"] == {"strategy": "stratified"}
    assert "one class only" in text


def test_split_that_was_asked_for_and_cannot_be_is_an_error(new: Any, project: Path) -> None:
    table = frame(step=range(ROWS), churn=["yes"] * 30 + ["no"] * 30)
    with pytest.raises(SplitError):
        new(table, time="step")
    assert left_over(project) == []


def test_group_is_declared_only_where_asked_for(new: Any) -> None:
    table = frame(client=[f"c{n % 20}" for n in range(ROWS)], churn=["yes", "no"] * (ROWS // 2), one="same")
    with pytest.raises(DataError, match="--group: column 'one' holds one value only"):
        new(table, group="one")
    with pytest.raises(ConfigurationError, match="--group: there is no column 'kunde'"):
        new(table, group="kunde")
    _, declared, _ = new(table, group="client")
    assert declared["dataset"]["group"] == "client"
    assert declared["split"] == {"strategy": "group"}


def test_leak_is_excluded_with_its_reason(new: Any) -> None:
    table = frame()
    result, declared, text = new(table.assign(final_bill=(table["churn"] == "yes") * 100 + table["visits"]))
    assert declared["dataset"]["exclude"] == ["final_bill"]
    assert "# final_bill: likely a leak" in text
    assert [each.choice for each in result.decisions if each.what == "likely leak"] == ["final_bill"]


def test_rows_without_a_target_are_allowed_for(new: Any) -> None:
    table = frame(churn=["yes", "no", None, "no", "yes", "no"] * (ROWS // 6))
    result, declared, _ = new(table)
    assert declared["contract"]["max_quarantined"] == pytest.approx(0.22)
    assert result.base_rate == pytest.approx(0.4)


def test_table_without_a_feature_is_refused(new: Any, project: Path) -> None:
    with pytest.raises(DataError, match="learn from"):
        new(frame()[["churn"]].assign(id=range(ROWS)))
    assert left_over(project) == []


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([18, 87], 0, 160),
        ([-5.5, 2.5], -14, 11),
        ([295.3, 304.5], 286, 314),
        ([-8, -2], -14, 0),
        ([0.001, 0.004], 0, 0.007),
        ([7, 7.0], 0, 14),
        ([0, 0], 0, 1),
        ([10_000, 1_000_000], 0, 2_000_000),
    ],
)
def test_ranges_are_wider_than_the_data_and_keep_their_sign(values: list[float], low: float, high: float) -> None:
    assert roomy_range(pd.Series(values)) == (pytest.approx(low), pytest.approx(high))


def test_values_far_from_all_others_are_found() -> None:
    ages = pd.Series([*range(1, 90), *range(1, 90), *range(1, 90), 65526, None])
    assert far_values(ages).tolist() == [65526]
    assert far_values(pd.Series(np.random.default_rng(0).normal(size=1000))).empty
    assert far_values(pd.Series([1] * 300)).empty


@pytest.mark.parametrize(
    "value",
    ["yes", "y", "No", "on", "null", "~", "", " a", "a: b", "a #b", "1e3", "1_000", "0x1f", "012", "12:30",
     "2026-01-01", "a, b", "[x]", "{x}", "- a", "?",
     "'", '"', "back\\slash", "Zürich", "*x", "&x", "%x", "@x", "!x", "a\nb", ".5",
     "${x}", "\\${x}", True, 0, -3, 1.5, 1e-7, 1e22, 10.0],
)  # fmt: skip
def test_any_value_reads_back_as_it_was(value: Any) -> None:
    text = render("v", {"dataset": {"target": value, "exclude": [value, "b"]}, "x": {"k": value}}, {}, "head")
    assert OmegaConf.to_container(OmegaConf.create(text), resolve=True) == {
        "v": {"dataset": {"target": value, "exclude": [value, "b"]}, "x": {"k": value}}
    }


def test_plain_texts_are_not_quoted() -> None:
    assert [scalar(text) for text in ("default payment next month", "Month-to-month", "hour(date)")] == [
        "default payment next month",
        "Month-to-month",
        "hour(date)",
    ]


def test_strange_names_of_columns_are_declared_as_they_are(new: Any) -> None:
    days = pd.date_range("2024-01-01", periods=ROWS, freq="9D").strftime("%Y-%m-%d")
    table = frame(**{"on": range(ROWS), "a: b, c": range(ROWS), "${x}": [1.5, 2.5, 3.5, 4.5] * 15, "the day!": days})
    _, _, text = new(table.rename(columns={"churn": "Did they leave?"}), target="Did they leave?")
    declared: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=True)
    vertical = read_vertical("shop", declared["shop"])
    assert vertical.dataset.target == "Did they leave?"
    assert vertical.features.derive["the_day_month"] == "month(`the day!`)"
    assert {"${x}"} <= {name for each in vertical.contract.expectations for name in each.columns()}


def test_wide_table_stays_short(new: Any) -> None:
    draw = np.random.default_rng(1)
    wide = {f"measurement number {n}": draw.integers(0, 50, ROWS) for n in range(40)}
    wide |= {f"constant {n}": 1 for n in range(150)}
    _, declared, text = new(frame(**wide))
    assert text.count("\n") <= MOST_LINES
    assert "more would not fit" in text
    assert not any(name.startswith("constant") for name in declared["dataset"].get("exclude", []))


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
        ("finance", {}, {"target": "default payment next month", "positive": 1, "id": "ID"}),
        ("marketing", {}, {"target": "y", "positive": "yes", "id": "id"}),
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
    new_vertical(project, "shop", [tmp_path / "head.csv"], **options)
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
