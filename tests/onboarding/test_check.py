"""Checks of small projects, in one process of its own, as Kedro's state is one for a process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import Project, make_project
from kedro.pipeline import Node, Pipeline

from lepton_pipeline.data.reading import ReadFile, Reading
from lepton_pipeline.features.column_record import NUMBER, UNUSED, Column
from lepton_pipeline.features.report import Finding
from lepton_pipeline.onboarding.check import (
    Checked,
    finding_sentences,
    print_check,
    stages_before_training,
)
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression


def make_column(name: str, why_not: str = "") -> Column:
    used_as = UNUSED if why_not else NUMBER
    return Column(name, "number", "feature", 5, 0.025, 40, used_as, why_not=why_not)


SCRIPT = """
import dataclasses, json, logging, pathlib, sys
from kedro.framework.startup import bootstrap_project
bootstrap_project(pathlib.Path.cwd())
from lepton_pipeline.project.user_errors import user_error
from lepton_pipeline.features.column_record import NUMBER, UNUSED, Column
from lepton_pipeline.onboarding.check import check_vertical
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = {"exit_code": 0, **dataclasses.asdict(check_vertical(name))}
    except Exception as error:
        known = user_error(error)
        if known is None:
            raise
        found[name] = {"exit_code": known.exit_code, "message": str(known)}
print(json.dumps(found))
"""


def files_below(path: Path) -> dict[str, tuple[int, int]]:
    found = {file: file.stat() for file in path.rglob("*") if file.is_file()}
    return {str(file.relative_to(path)): (stat.st_size, stat.st_mtime_ns) for file, stat in found.items()}


@pytest.fixture
def unused(tmp_path: Path) -> Project:
    """A project in which nothing has run, without an MLflow store."""
    return make_project(tmp_path / "project")


@pytest.mark.exhaustive
def test_verticals_are_checked_and_nothing_is_written(unused):
    project = unused
    young = {"expect": "column_values_to_be_between", "column": "AGE", "max_value": 30, "on_failure": "stop"}
    project.declare("broken", lambda declared: declared.update(contract={"expectations": [young]}))
    project.declare("mistyped", lambda declared: declared["dataset"].update(tagret="AGE"))
    project.declare("forgetful", lambda declared: None)
    catalog = project.path / "conf/base/forgetful/catalog.yml"
    catalog.write_text("forgetful.split: {type: MemoryDataset}\n")
    project.declare("typeless", lambda declared: None)
    (project.path / "conf/base/typeless/catalog.yml").write_text(
        "typeless.split: {type: pandas.NoSuchDataset}\n"
    )
    before = files_below(project.path)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "finance", "broken", "mistyped", "forgetful", "typeless", "finanse"],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert files_below(project.path) == before
    found = json.loads(done.stdout)

    good = found["finance"]
    assert (good["exit_code"], good["rows"]) == (0, 1500)
    assert sum(rows for rows, _ in good["parts"].values()) == 1500 - good["quarantined"]
    rows, rate = good["parts"]["test"]
    assert rows == 300
    assert float(rate.rstrip("%")) == pytest.approx(float(good["parts"]["train"][1].rstrip("%")), abs=1)
    assert good["seconds"].keys() >= {
        "ingest_table",
        "check_contract",
        "split_rows",
        "find_copies",
        "encode_rows",
    }
    assert "train_model" not in good["seconds"]
    columns = {column["name"]: column for column in good["columns"]}
    assert columns["LIMIT_BAL"]["used_as"] == "number"
    assert {columns[name]["used_as"] for name in ("AGE", "ID", "default payment next month")} == {"not used"}
    assert any("EDUCATION" in warning for warning in good["warnings"])
    assert "kedro" not in done.stderr

    assert found["broken"]["exit_code"] == 3
    assert "AGE" in found["broken"]["message"]
    assert found["mistyped"]["exit_code"] == 2
    assert "mistyped.dataset.tagret: unknown key" in found["mistyped"]["message"]
    assert found["forgetful"] == {
        "exit_code": 2,
        "message": "forgetful.split is declared as a MemoryDataset, so it would not be kept; "
        "declare a file for it in catalog.yml.",
    }
    assert found["typeless"]["exit_code"] == 2
    assert "NoSuchDataset" in found["typeless"]["message"]
    assert found["finanse"]["exit_code"] == 2
    assert found["finanse"]["message"].startswith("no vertical 'finanse'; did you mean 'finance'?")


def test_raw_tables_that_nothing_is_made_of_are_checked_but_nothing_is_trained():
    wired = {
        "read_table": ("raw", "table"),
        "check_contract": ("other_raw", "contract_result"),
        "encode_rows": ("table", "encoded"),
        "describe_columns": ("encoded", "columns"),
        "train_model": ("encoded", "model"),
        "register_model": (["model", "table"], "registration"),
    }
    whole = Pipeline(
        [Node(lambda *read: read, *ends, name=name) for name, ends in wired.items()], namespace="logistics"
    )
    chosen = {
        node.name.removeprefix("logistics.") for node in stages_before_training(whole, "logistics").nodes
    }
    assert chosen == {"read_table", "check_contract", "encode_rows", "describe_columns"}


def test_what_was_found_is_printed(capsys):
    print_check(
        Checked(
            vertical="shop",
            rows=1200,
            quarantined=3,
            tables={"lines": SimpleNamespace(rows=5000, quarantined=7)},
            warnings=["price [EUR] is odd"],
            parts={"train": (700, "25.0%"), "test": (400, "50.0%"), "gap": (97, "")},
            findings=["'noise', pure noise: AUC 0.5."],
            columns=[
                make_column("age"),
                make_column("visits [n]"),
                make_column("noise", why_not="pure noise"),
            ],
            seconds={"ingest_table": 1.25, "split_rows": 0.02, "encode_rows": 0.5},
            reading=Reading([ReadFile("shop.csv", 1201, 1)], [], 1201, 1, {"short record": 1}),
        )
    )
    printed = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for line in (
        "shop: ready to train",
        "train 700 25.0%",
        "gap 97",
        "read shop.csv 1,201 rows",
        "rows 1,201 in files, 1 set apart (1 short record), 1,200 in, 3 quarantined",
        "raw table lines: 5,000 in, 7 quarantined",
        "warning price [EUR] is odd",
        "finding 'noise', pure noise: AUC 0.5.",
        "visits [n] number feature 2.5% 40 number",
        "noise number feature 2.5% 40 not used: pure noise",
        "columns 3: 2 numbers, 1 not used",
        "seconds 1.8: ingest_table 1.2, encode_rows 0.5",
    ):
        assert line in lines
    assert max(map(len, printed.splitlines())) <= 110


def test_what_adds_nothing_is_said_once_and_leaks_one_by_one():
    noise = Finding("", "pure noise", "noise", "AUC 0.5", "Exclude it.")
    leak = Finding("", "an id", "leak", "9 of 9 rows", "Name it.")
    suspect = replace(leak, finding="outshines all others", severity="suspect")
    found = [
        *(replace(noise, feature=name) for name in "abc"),
        replace(leak, feature="d"),
        replace(suspect, feature="e"),
    ]
    assert finding_sentences(found, {"c": "it adds nothing"}) == [
        "'d', an id: 9 of 9 rows. Name it.",
        "'e', outshines all others: 9 of 9 rows. Name it.",
        "'a', 'b': pure noise. Exclude it.",
    ]


def test_one_of_many_verticals_takes_few_lines(capsys):
    checked = Checked(
        vertical="shop",
        rows=1200,
        quarantined=3,
        tables={},
        warnings=[],
        parts={"train": (700, "25.0%"), "gap": (97, "")},
        findings=[],
        columns=[
            *(make_column(f"feature {n}") for n in range(200)),
            make_column("noise", why_not="pure noise"),
        ],
        seconds={"ingest_table": 1.25},
    )
    print_check(checked, brief=True)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [
        "shop: ready to train",
        "rows 1,200 in, 3 quarantined",
        "parts train 700 (25.0% positive), gap 97",
        "columns 201: 200 numbers, 1 not used",
        "seconds 1.2",
    ]


@pytest.mark.parametrize(
    ("task", "summed_up", "line", "brief"),
    [
        (Multiclass(["a", "b [x]"]), "b [x] (44.5%)", "train 700 b [x] (44.5%)", "most often b [x] (44.5%)"),
        (Regression(), "450,000", "train 700 450,000", "median 450,000"),
    ],
)
def test_parts_are_summed_up_by_the_task(capsys, task, summed_up, line, brief):
    checked = Checked(
        vertical="shop",
        rows=700,
        quarantined=0,
        tables={},
        warnings=[],
        parts={"train": (700, summed_up)},
        findings=[],
        columns=[make_column("age")],
        seconds={},
        summed_up_by=task.summed_up_by,
    )
    print_check(checked)
    lines = [" ".join(each.split()) for each in capsys.readouterr().out.splitlines()]
    assert line in lines
    assert f"part rows {task.summed_up_by[0]}" in lines
    print_check(checked, brief=True)
    assert f"train 700 ({brief})" in capsys.readouterr().out
