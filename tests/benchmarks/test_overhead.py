"""The benchmark's arithmetic, and that both of its sides do the same work; nothing is timed."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.io import AbstractDataset

from lepton_pipeline.parameters import Vertical
from lepton_pipeline.pipelines.training import create_pipeline
from lepton_pipeline.statistics.estimates import Metrics

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def overhead(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("overhead")


@pytest.fixture
def plain_run(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("plain_run")


@pytest.fixture
def clocked_run(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("clocked_run")


def test_ratio_is_that_of_the_medians(overhead: Any) -> None:
    assert overhead.ratio([12.0, 11.0, 90.0], [10.0, 1.0, 30.0]) == 1.2


def test_parts_are_compared_by_their_medians(overhead: Any) -> None:
    kedro = [
        {"imports": 3.0, "read": 1.0, "stage train": 9.0},
        {"imports": 5.0, "read": 1.0, "stage train": 9.0},
    ]
    plain = [
        {"imports": 1.0, "close": 0.5, "stage train": 9.5},
        {"imports": 1.0, "close": 0.5, "stage train": 9.5},
    ]
    assert overhead.compare(kedro, plain) == [
        ["imports", "4.00", "1.00", "+3.00"],
        ["read", "1.00", "0.00", "+1.00"],
        ["close", "0.00", "0.50", "-0.50"],
        ["all of these", "5.00", "1.50", "+3.50"],
        ["stage train", "9.00", "9.50", "-0.50"],
        ["all stages", "9.00", "9.50", "-0.50"],
        ["sum", "14.00", "11.00", "+3.00"],
    ]


def test_columns_are_aligned(overhead: Any) -> None:
    lines = overhead.table(["part", "s"], [["a", "1.00"], ["longer", "12.00"]]).splitlines()
    assert lines == ["| part   |     s |", "| ------ | ----: |", "| a      |  1.00 |", "| longer | 12.00 |"]


@pytest.mark.parametrize(("seconds", "verdict"), [(11.5, "reached"), (11.6, "missed")])
def test_report_says_whether_the_goal_is_reached(overhead: Any, seconds: float, verdict: str) -> None:
    runs = {"kedro": [overhead.Run(seconds, 9.0, ("", ""))], "plain": [overhead.Run(10.0, 6.0, ("", ""))]}
    text = overhead.report(runs, [["imports", "2.00", "1.00", "+1.00"]])
    assert f"**{seconds / 10:.3f}** times" in text
    assert f"goal: at most 1.15; {verdict}" in text
    assert " 9.00 (9.00 to 9.00) |" in text
    assert "| 1.500 |" in text


def test_runs_with_other_results_are_not_compared(overhead: Any) -> None:
    same, other = overhead.Run(1.0, 1.0, ("{}", "a")), overhead.Run(1.0, 1.0, ("{}", "b"))
    overhead.require_same_work([same, same])
    with pytest.raises(SystemExit, match=r"not do the same work.*\na\nb$"):
        overhead.require_same_work([same, other])


def test_process_is_measured_in_a_clean_project(overhead: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.db").write_text("tables only")
    (tmp_path / "mlflow.db").write_text("runs of before")
    stale = tmp_path / "data/05_model_input/finance/encoded.parquet"
    stale.parent.mkdir(parents=True)
    stale.touch()
    script = """
from pathlib import Path
assert not Path("data/05_model_input").exists()
assert Path("mlflow.db").read_text() == "tables only"
folder = Path("data/08_reporting/finance")
folder.mkdir(parents=True)
(folder / "metrics.json").write_text("metrics")
(folder / "registration.json").write_text('{"weights_sha256": "weights"}')
"""
    run = overhead.run_process(tmp_path, [sys.executable, "-c", script])
    assert run.made == ("metrics", "weights", "metrics.json", "registration.json")
    assert run.wall > 0
    assert run.cpu > 0


def test_process_that_fails_ends_the_benchmark(overhead: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(SystemExit, match=r"exit code 3:\nno such luck"):
        overhead.run_process(tmp_path, [sys.executable, "-c", "print('no such luck'); raise SystemExit(3)"])


def test_clock_gives_the_inner_part_its_own_time(clocked_run: Any) -> None:
    ticks = iter([0.0, 1.0, 3.0, 7.0, 15.0, 31.0])
    clock = clocked_run.Clock("outside", now=lambda: next(ticks))
    inner = clock.timed(lambda name: None, lambda name: f"stage {name}")
    clock.timed(lambda: inner("train"), "run")()
    clock.book()
    # Outside until 1, run until 3, stage until 7, run until 15, outside until 31.
    assert clock.seconds == {"outside": 17.0, "run": 10.0, "stage train": 4.0}


@pytest.mark.parametrize("side", ["kedro", "plain"])
def test_seams_exist(clocked_run: Any, side: str) -> None:
    script = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import clocked_run
clock = clocked_run.Clock("imports")
for seam, part in clocked_run.SEAMS[{side!r}].items():
    clock.install(seam, part)
print("kedro" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    # The plain side must not pay for Kedro.
    assert done.stdout.strip() == str(side == "kedro")


def test_plain_script_is_wired_as_the_pipeline(plain_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stages: dict[str, tuple[list[str], list[str]]] = {}

    class Recorder:
        """Hands the names of data sets on, instead of data."""

        id = "run_id"

        def __init__(self, project: Path, vertical: Vertical):
            self._names = {id(value): f"params:{name}" for name, value in vertical}

        def stage(self, function: Any, outputs: list[str], *inputs: Any, **named: Any) -> Any:
            names = [
                value if isinstance(value, str) else self._names.get(id(value), "raw")
                for value in (*inputs, *named.values())
            ]
            stages[function.__name__] = (names, outputs)
            return outputs if len(outputs) > 1 else outputs[0]

        def close(self) -> None:
            assert "gate_model" in stages

    monkeypatch.setattr(plain_run, "PlainRun", Recorder)
    monkeypatch.chdir(BENCHMARKS.parent)
    plain_run.main()
    nodes = create_pipeline("finance").nodes
    assert list(stages) == [node.func.__name__ for node in nodes]
    for node in nodes:
        declared = [[name.replace("finance.", "") for name in names] for names in (node.inputs, node.outputs)]
        assert list(stages[node.func.__name__]) == declared


@pytest.mark.parametrize(
    ("name", "data", "files"),
    [
        ("metrics", Metrics(0.1 + 0.2, {}, {}, 100, {}), ["metrics.json"]),
        ("table", pd.DataFrame({"age": [3]}, index=[7]), ["table.parquet"]),
        (
            "figures",
            {"roc.png": b"png", "more/page.html": b"html"},
            ["figures/more/page.html", "figures/roc.png"],
        ),
    ],
)
def test_plain_script_writes_what_the_catalog_would(
    plain_run: Any, tmp_path: Path, name: str, data: Any, files: list[str]
) -> None:
    declared = yaml.safe_load((BENCHMARKS.parent / "conf/base/catalog.yml").read_text())[
        f"{{vertical}}.{name}"
    ]
    path = tmp_path / "kedro" / Path(declared["filepath"]).name
    AbstractDataset.from_config(name, {**declared, "filepath": str(path)}).save(data)
    plain_run.save(data, tmp_path / "plain" / path.name)
    written = [_contents(tmp_path / side) for side in ("plain", "kedro")]
    assert sorted(written[0]) == files
    assert written[0] == written[1]


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
