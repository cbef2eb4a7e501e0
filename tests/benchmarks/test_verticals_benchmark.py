"""The benchmark's arithmetic, its tables, and that its hook and its clock of memory work; no vertical is run."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MIB = 2**20


@pytest.fixture
def verticals(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("verticals")


def run_of(
    verticals: Any, seconds: float = 20.0, ingestion: float = 4.0, peak: float = 900.0, exit_code: int = 0
) -> Any:
    stages = [
        verticals.Stage("sales.check_contract", 1.0, 300.0),
        verticals.Stage("ingest_table", ingestion - 1.0, peak),
        verticals.Stage("check_contract", 2.0, 500.0),
        verticals.Stage("train_model", 8.5, 1100.0),
    ]
    return verticals.Run(seconds, stages, 450.0, exit_code)


def test_ingestion_ends_before_the_contract_on_the_table(verticals: Any) -> None:
    run = run_of(verticals)
    assert [stage.name for stage in run.ingestion] == ["sales.check_contract", "ingest_table"]
    assert verticals.total(run.ingestion) == verticals.Stage("total", 4.0, 900.0)


def test_whole_process_has_the_largest_peak_in_or_around_the_stages(verticals: Any) -> None:
    assert run_of(verticals).all.peak == 1100
    assert verticals.Run(5.0, [], 450.0).all.peak == 450


def test_stages_and_what_lies_around_them_add_up(verticals: Any) -> None:
    assert verticals.stage_table(run_of(verticals)).splitlines() == [
        "| stage                | seconds | peak MiB |",
        "| -------------------- | ------: | -------: |",
        "| sales.check_contract |    1.00 |      300 |",
        "| ingest_table         |    3.00 |      900 |",
        "| check_contract       |    2.00 |      500 |",
        "| train_model          |    8.50 |    1,100 |",
        "| around the stages    |    5.50 |      450 |",
        "| all                  |   20.00 |    1,100 |",
    ]


def test_summary_adds_seconds_and_takes_the_largest_peak(verticals: Any) -> None:
    runs = {"retail": run_of(verticals, peak=3000.0), "telecom": run_of(verticals, 10.0, exit_code=3)}
    assert verticals.summary_table(runs).splitlines() == [
        "| vertical                      | seconds | ingestion seconds | peak MiB | ingestion MiB |",
        "| ----------------------------- | ------: | ----------------: | -------: | ------------: |",
        "| retail                        |    20.0 |               4.0 |    3,000 |         3,000 |",
        "| telecom (failed: exit code 3) |    10.0 |               4.0 |    1,100 |           900 |",
        "| all                           |    30.0 |               8.0 |    3,000 |         3,000 |",
    ]
    assert "| all" not in verticals.summary_table({"retail": runs["retail"]})


def test_goals_are_those_of_the_verticals_that_ran(verticals: Any) -> None:
    runs = {name: run_of(verticals, ingestion=7.0) for name in ("finance", "logistics", "retail")}
    assert verticals.goals(runs, complete=False) == [
        ("retail, from raw lines to snapshots", 7.0, 60, "s"),
        ("retail, from raw lines to snapshots", 900.0, 4096, "MiB"),
        ("logistics, ingestion", 7.0, 30, "s"),
    ]
    assert verticals.goals(runs, complete=True)[3:] == [("all verticals", 60.0, 900, "s")]
    assert verticals.goals({"finance": runs["finance"]}, complete=False) == []


def test_vertical_that_failed_reaches_no_goal(verticals: Any) -> None:
    runs = {"retail": run_of(verticals, exit_code=3), "finance": run_of(verticals)}
    assert verticals.goals(runs, complete=True) == []


@pytest.mark.parametrize(("seconds", "verdict"), [(59.4, "reached"), (60.0, "missed")])
def test_report_says_whether_a_goal_is_reached(verticals: Any, seconds: float, verdict: str) -> None:
    text = verticals.report({"retail": run_of(verticals, 90.0, seconds)}, complete=False)
    goal = next(line for line in text.splitlines() if "from raw lines" in line and "MiB" not in line)
    assert [cell.strip() for cell in goal.split("|")[2:5]] == [f"{seconds:.0f} s", "< 60 s", verdict]
    assert "\n## retail\n\n| stage " in text
    assert "GiB of memory;\nPython " in text


def test_report_without_goals_has_no_table_of_them(verticals: Any) -> None:
    text = verticals.report({"telecom": run_of(verticals)}, complete=False, exact=False)
    assert "verdict" not in text
    assert "looked at fifty times a second" in text


def test_hook_measures_stages_and_what_lies_between_them(verticals: Any) -> None:
    hook_peaks, ticks = iter([10.0, 700.0, 30.0, 50.0, 20.0]), iter([1.0, 4.0, 10.0, 10.5])
    hook = verticals.StageHook(lambda: next(hook_peaks), lambda: next(ticks))
    manager = _create_hook_manager()
    manager.register(hook)
    split = Node(lambda first, second: (first, second), ["a", "b"], ["c", "d"], name="split")
    merge = Node(lambda first, second: first + second, ["c", "d"], "e", name="merge")
    catalog = DataCatalog({name: MemoryDataset(1) for name in ("shop.a", "shop.b")})
    SequentialRunner().run(Pipeline([split, merge], namespace="shop"), catalog, manager)
    hook.look_outside()
    assert hook.stages == [verticals.Stage("split", 3.0, 700.0), verticals.Stage("merge", 0.5, 50.0)]
    assert hook.outside == 30


def test_kedro_finds_the_hook_beside_those_of_the_project() -> None:
    script = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
import verticals
hook = verticals.StageHook(lambda: 0.0)
verticals.install(hook)
from kedro.framework.project import configure_project, settings
configure_project("lepton_pipeline")
print([type(each).__name__ for each in settings.HOOKS])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("['ProjectHooks', 'StageHook']")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.parametrize("exact", [True, False])
def test_peak_begins_anew_with_every_take(
    verticals: Any, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    if not exact:
        monkeypatch.setattr(verticals, "_CLEAR_REFS", Path("/absent/clear_refs"))
    memory = verticals.PeakMemory()
    if exact and not memory.exact:
        pytest.skip("the peak may not be reset here")
    assert memory.exact == exact
    before = memory.take()
    # Freed before the peak is taken.
    block = np.ones(200 * MIB, np.uint8)
    memory.sample()
    del block
    assert memory.take() > before + 150
    assert memory.take() < before + 100


STAGES = {"stages": [{"name": "ingest_table", "seconds": 0.25, "peak": 120.0}], "outside": 80.0}


@pytest.mark.parametrize("exit_code", [0, 3])
def test_process_is_measured_in_a_clean_project(
    verticals: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], exit_code: int
) -> None:
    (tmp_path / "empty.db").write_text("tables only")
    stale = tmp_path / "data/05_model_input/finance/encoded.parquet"
    stale.parent.mkdir(parents=True)
    stale.touch()
    script = f"""
from pathlib import Path
assert not Path("data/05_model_input").exists()
assert Path("mlflow.db").read_text() == "tables only"
Path("stages.json").write_text({json.dumps(STAGES)!r})
print("such luck")
raise SystemExit({exit_code})
"""
    run = verticals.run_vertical(tmp_path, [sys.executable, "-c", script], tmp_path / "stages.json")
    assert run.stages == [verticals.Stage("ingest_table", 0.25, 120.0)]
    assert (run.outside, run.exit_code) == (80.0, exit_code)
    assert run.seconds > 0
    assert ("exit code 3:\nsuch luck" in capsys.readouterr().out) == bool(exit_code)


def test_process_that_ends_before_it_measures_anything_leaves_no_stage(
    verticals: Any, tmp_path: Path
) -> None:
    (tmp_path / "empty.db").touch()
    (tmp_path / "stages.json").write_text(json.dumps(STAGES))
    command = [sys.executable, "-c", "raise SystemExit(1)"]
    run = verticals.run_vertical(tmp_path, command, tmp_path / "stages.json")
    assert (run.stages, run.outside, run.exit_code) == ([], 0.0, 1)
    assert "around the stages" in verticals.stage_table(run)


def test_unknown_vertical_is_refused(
    verticals: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["verticals.py", "finanec"])
    with pytest.raises(SystemExit) as stop:
        verticals.main()
    assert stop.value.code == 2
    assert "no vertical 'finanec'; there are " in capsys.readouterr().err
