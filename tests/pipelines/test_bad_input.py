"""Bad input through the stages of the pipeline: each ends in one clear error, and nothing is half written."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY, Project, copy_face
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner

from lepton_pipeline import settings
from lepton_pipeline.errors import DataError
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.pipelines.training import create_pipeline
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.project.user_errors import user_error

DECLARED = {
    "dataset": {"target": "bought", "positive": "yes", "id": "id", "time": "day", "group": "shop"},
    "ingestion": {"dates": {"day": "%Y-%m-%d"}},
}
LOGISTICS = {"flights": 220, "weather": None, "planes": None, "airports": None, "airlines": None}

Fail = Callable[..., str]


@pytest.fixture(scope="module")
def entries() -> dict[str, Any]:
    return dict(OmegaConfigLoader(str(REPOSITORY / "conf"), **settings.CONFIG_LOADER_ARGS)["catalog"])


@pytest.fixture
def fail(entries, tmp_path, monkeypatch) -> Fail:
    """Run the stages of a vertical in an empty folder until one fails; gives the message of its error."""
    monkeypatch.chdir(tmp_path)

    def run(stage: str, declared: Vertical | None = None, vertical: str = "shop") -> str:
        declared = declared or read_vertical(vertical, DECLARED)
        whole = create_pipeline(vertical)
        catalog = DataCatalog.from_config(entries)
        for name in whole.inputs():
            if name.startswith("params:"):
                catalog[name] = parameter(declared, name.removeprefix(f"params:{vertical}."))
        with pytest.raises(Exception) as caught:  # noqa: PT011  # what it is comes next
            SequentialRunner().run(whole.to_nodes(f"{vertical}.encode_rows"), catalog)
        error = user_error(caught.value)
        assert isinstance(error, DataError)
        assert error.exit_code == 3
        failed = f"{vertical}.{stage}"
        before = whole.to_nodes(failed).all_outputs() - whole.only_nodes(failed).all_outputs()
        absent = {name for name in before if not catalog.get(name).exists()}
        assert not absent, error
        assert not [name for name in whole.from_nodes(failed).all_outputs() if catalog.get(name).exists()]
        require_whole(catalog, before)
        return str(error)

    return run


def parameter(declared: Vertical, path: str) -> Any:
    stage, _, table = path.partition(".")
    return getattr(declared, stage)[table] if table else getattr(declared, stage)


def require_whole(catalog: DataCatalog, names: set[str]) -> None:
    """What stages have made can be read, and they have left no temporary file."""
    for name in names:
        catalog.load(name)
    assert not [each for each in Path("data").rglob(".*") if each.name != ".locks"]


def declare(**changes: dict[str, Any]) -> Vertical:
    """The declaration of the shop, changed key by key."""
    stages = DECLARED.keys() | changes.keys()
    return read_vertical(
        "shop", {stage: {**DECLARED.get(stage, {}), **changes.get(stage, {})} for stage in stages}
    )


def purchases() -> pd.DataFrame:
    """Sixty days with a purchase or none, in three shops."""
    days = pd.date_range("2024-01-01", periods=60).strftime("%Y-%m-%d")
    columns = {
        "id": range(60),
        "day": days,
        "shop": ["A", "B", "C"] * 20,
        "amount": [n * 7 % 50 for n in range(60)],
    }
    return pd.DataFrame({**columns, "bought": ["yes", "no", "no"] * 20})


def put(rows: pd.DataFrame | bytes, name: str = "purchases.csv", vertical: str = "shop") -> None:
    folder = Path("data/01_raw") / vertical
    folder.mkdir(parents=True, exist_ok=True)
    content = rows if isinstance(rows, bytes) else rows.to_csv(index=False).encode()
    (folder / name).write_bytes(content)


def put_logistics(folder: Path, left_out: str = "") -> None:
    folder.mkdir(parents=True)
    for name, rows in LOGISTICS.items():
        (file,) = (REPOSITORY / "data/01_raw/logistics").glob(f"{name}.csv*")
        if name != left_out:
            pd.read_csv(file, dtype=str, keep_default_na=False, nrows=rows).to_csv(
                folder / f"{name}.csv", index=False
            )


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.csv", content)
    return buffer.getvalue()


def test_the_table_itself_passes(entries, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    put(purchases())
    catalog = DataCatalog.from_config(entries)
    pipeline = create_pipeline("shop").to_nodes("shop.encode_rows")
    for name in pipeline.inputs():
        if name.startswith("params:"):
            catalog[name] = parameter(declare(split={"strategy": "time"}), name.removeprefix("params:shop."))
    SequentialRunner().run(pipeline, catalog)
    require_whole(catalog, pipeline.all_outputs())


def test_a_missing_table(fail):
    message = fail("ingest_table")
    assert "no table file at" in message
    assert "data/01_raw/shop; put one there (.csv, .tsv, .parquet, .pq, .jsonl" in message
    assert "or declare it in the vertical's catalog.yml" in message


def test_a_table_without_rows(fail):
    put(purchases().head(0))
    assert fail("ingest_table") == "purchases.csv: only a header, no rows; put data below it."


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (
            b"<!DOCTYPE html>\n<html><body>Please log in</body></html>",
            "purchases.csv",
            "purchases.csv is HTML or XML, not CSV; download the file itself: "
            "what was saved is a page, often one that asks to log in.",
        ),
        (
            b"<html>404</html>",
            "purchases.parquet",
            "purchases.parquet is HTML or XML, not Parquet; download the file itself: "
            "what was saved is a page, often one that asks to log in.",
        ),
        (
            zipped(purchases=b"a,b\n1,2\n"),
            "purchases.csv",
            "purchases.csv is a zip archive or an Excel workbook, not CSV; "
            "give it a name that ends in .csv.zip or .xlsx.",
        ),
        (
            b"<html>404</html>",
            "purchases.csv.zip",
            "purchases.csv.zip cannot be read: File is not a zip file; is the file whole?",
        ),
        (
            zipped(january=b"a,b\n1,2\n", february=b"a,b\n3,4\n"),
            "purchases.csv.zip",
            "purchases.csv.zip must hold one file, but holds 2 ('january.csv', 'february.csv'); "
            "put its tables there unpacked.",
        ),
    ],
    ids=["page", "page as parquet", "zip", "page as zip", "zip of several"],
)
def test_a_file_that_is_something_else(fail, content, name, message):
    put(content, name)
    assert fail("ingest_table") == message


def test_one_bad_file_among_good_ones(fail):
    put(purchases())
    put(b"<html>404</html>", "later.csv")
    assert fail("ingest_table").startswith("later.csv is HTML or XML, not CSV; download the file itself")


@pytest.mark.parametrize(
    ("role", "column"), [("target", "bought"), ("id", "id"), ("time", "day"), ("group", "shop")]
)
def test_a_missing_column_of_a_role(fail, role, column):
    put(purchases().rename(columns={column: f"{column}s"}))
    named = f"purchases.csv has no column {column!r}, which dataset.{role} declares"
    # The column of time is named a second time, by its format.
    assert fail("ingest_table").splitlines()[0] == f"{named}; did you mean '{column}s'."


@pytest.mark.parametrize(
    ("table", "column", "stage", "message"),
    [
        (
            "weather",
            "time_hour",
            "weather.read_table",
            "weather.csv has no column 'time_hour', which tables.weather.time declares; did you mean 'hour'.",
        ),
        (
            "flights",
            "tailnum",
            "flights.read_table",
            "flights.csv has no column 'tailnum', which tables.flights.expectations[1] declares; "
            "the columns are 'year', 'month'",
        ),
        (
            "airports",
            "tz",
            "time_flights",
            "table 'airports' has no column 'tz', which the join of flights declares; did you mean 'tzone'.",
        ),
    ],
)
def test_a_missing_key_column_of_a_raw_table(fail, table, column, stage, message):
    folder = Path("data/01_raw/logistics")
    put_logistics(folder)
    file = folder / f"{table}.csv"
    pd.read_csv(file, dtype=str, keep_default_na=False).drop(columns=column).to_csv(file, index=False)
    declared = yaml.safe_load((REPOSITORY / "conf/base/logistics/parameters.yml").read_text())["logistics"]
    assert fail(stage, read_vertical("logistics", declared), "logistics").startswith(message)


@pytest.mark.parametrize(
    ("value", "dates", "stage", "message"),
    [
        (
            "31/02/2024",
            {"day": "%Y-%m-%d"},
            "ingest_table",
            "column 'day' cannot be read as dates (ingestion.dates): values are no dates of the format '%Y-%m-%d' "
            "(1 of them, e.g. '31/02/2024' (row 0)); correct the values or the format.",
        ),
        (
            "2024-02-31",
            {"day": "ISO8601"},
            "ingest_table",
            "column 'day' cannot be read as dates (ingestion.dates): values are no dates of the format 'ISO8601' "
            "(1 of them, e.g. '2024-02-31' (row 0)); correct the values or the format.",
        ),
        (
            "2024-01-01",
            {},
            "split_rows",
            "column 'day' (dataset.time) holds '2024-01-01' (row 0), '2024-01-02' (row 1), '2024-01-03' (row 2), which "
            "have no order in time; declare the format of its dates in ingestion.dates, or name another column in "
            "dataset.time.",
        ),
        (
            "",
            {"day": "%Y-%m-%d"},
            "split_rows",
            "column 'day' (dataset.time) has no time in 1 of 60 rows, first in row 0; fill them, quarantine "
            "them with {expect: column_values_to_not_be_null, column: day, on_failure: quarantine} in "
            "contract.expectations, or name another column in dataset.time.",
        ),
    ],
    ids=["other format", "no such day", "no format declared", "no value"],
)
def test_a_column_of_time_that_is_none(fail, value, dates, stage, message):
    put(purchases().assign(day=lambda rows: rows["day"].mask(rows["id"] == 0, value)))
    assert fail(stage, declare(ingestion={"dates": dates}, split={"strategy": "time"})) == message


def test_one_group_only(fail):
    put(purchases().assign(shop="A"))
    assert fail("split_rows", declare(split={"strategy": "group"})) == (
        "column 'shop' (dataset.group) holds the single group 'A' in 60 rows; the split needs at least 3, one a part: "
        "name another column in dataset.group, or declare the strategy stratified or time."
    )


def test_a_target_with_a_third_value(fail):
    put(purchases().assign(bought=lambda rows: rows["bought"].mask(rows["id"] == 7, "maybe")))
    assert fail("ingest_table") == (
        "target 'bought' holds 3 different values, but dataset.positive needs 'yes' and one other: 'no' (39 rows, "
        "first row 1), 'yes' (20 rows, first row 0), 'maybe' (1 row, first row 7). Correct the data, or "
        "declare dataset.positive_when instead, such as "
        "bought == 'yes', to set every other value against it."
    )


def test_a_target_without_any_value(fail):
    put(purchases().assign(bought=""))
    message = fail("ingest_table")
    assert message.startswith("target 'bought' holds no value at all in 60 rows")
    assert "Check dataset.target and dataset.positive" in message


def test_no_row_is_left_after_quarantine(fail):
    put(purchases())
    large = {"expect": "column_values_to_be_between", "column": "amount", "min_value": 1000}
    contract = {"max_quarantined": 0.99, "expectations": [{**large, "on_failure": "quarantine"}]}
    message = fail("enforce_contract", declare(contract=contract))
    assert message == (
        "60 of 60 rows (100.00%) are quarantined, more than contract.max_quarantined = 0.99 allows:\n"
        "  - 60 × amount at least 1000\n"
        "Correct the data or the expectations, or raise contract.max_quarantined."
    )
    quarantine = pd.read_parquet("data/02_intermediate/shop/quarantine.parquet")
    assert len(quarantine) == 60
    assert Path("data/08_reporting/shop/data_docs/index.html").exists()


def test_no_row_is_left_by_the_nodes_of_a_vertical(fail):
    file = REPOSITORY / "data/01_raw/energy/energydata_complete.csv.xz"
    put(pd.read_csv(file, dtype=str, nrows=6), "readings.csv", "energy")
    declared = yaml.safe_load((REPOSITORY / "conf/base/energy/parameters.yml").read_text())["energy"]
    assert fail("finish_table", read_vertical("energy", declared), "energy") == (
        "no row is left: the vertical's own nodes dropped all rows of the raw tables. Check what they require of a "
        "row, and whether the raw tables cover enough time."
    )


def test_a_class_that_is_missing_from_a_part(fail):
    put(purchases().assign(bought=lambda rows: rows["bought"].where(rows["id"] < 48, "no")))
    message = fail("split_rows", declare(split={"strategy": "time"}))
    assert message == (
        "part 'test' has 12 rows, 0 of them positive (train 36 rows, 12 of them positive, validation 12 rows, 4 of "
        "them positive, gap 0 rows), but needs rows of both classes; change split.test, split.validation so that "
        "each part covers a time in which both classes occur, shorten dataset.label_delay or split.gap, or provide "
        "a longer history."
    )


def test_a_class_too_rare_for_three_parts(fail):
    put(purchases().assign(bought=lambda rows: rows["bought"].where(rows["id"] < 4, "no")))
    message = fail("split_rows")
    assert message.startswith(
        "60 rows, 2 of them positive, cannot be divided into 36 training, 12 validation and"
    )
    assert message.endswith("provide more rows of the rarer class, or change split.test, split.validation.")


def test_a_missing_raw_table_ends_the_command_in_one_line(tmp_path, store):
    project = Project(tmp_path / "project")
    copy_face(project.path, ["logistics"])
    shutil.copy(store, project.path / "mlflow.db")
    put_logistics(project.path / "data/01_raw/logistics", left_out="weather")
    done = project.run("run", "--pipelines", "logistics")
    assert done.returncode == 3
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith(
        f"error: no table file at {project.path}/data/01_raw/logistics/weather; put one there (.csv"
    )
    assert line.endswith(" or declare it in the vertical's catalog.yml.")
    assert "Traceback" not in done.stdout + done.stderr
    assert [run.info.status for run in project.runs("logistics")] == ["FAILED"]
    assert "no table file at" in project.runs("logistics")[0].data.tags["error"]
    assert not list(project.path.glob("data/0[2-8]*/logistics/weather"))
    assert not [each for each in (project.path / "data").rglob(".*") if each.name != ".locks"]


def test_no_row_left_after_quarantine_ends_the_command_with_the_reasons(project):
    old = {
        "expect": "column_values_to_be_between",
        "column": "AGE",
        "min_value": 200,
        "on_failure": "quarantine",
    }
    project.declare("finance", lambda declared: declared["contract"].update(expectations=[old]))
    done = project.run("run", "--pipelines", "finance")
    assert done.returncode == 3
    said = done.stderr[done.stderr.index("error: ") :].splitlines()
    assert said == [
        "error: 1500 of 1500 rows (100.00%) are quarantined, more than contract.max_quarantined = 0.05 allows:",
        "  - 1500 × AGE at least 200",
        "Correct the data or the expectations, or raise contract.max_quarantined.",
        "Data Docs: data/08_reporting/finance/data_docs/index.html",
        "Quarantined rows: data/02_intermediate/finance/quarantine.parquet",
        "Once that is mended, run it again whole: kedro run --pipelines finance",
    ]
    assert "Traceback" not in done.stdout + done.stderr
    assert not project.output("03_primary", "clean_table.parquet").exists()
    assert not [each for each in (project.path / "data").rglob(".*") if each.name != ".locks"]
