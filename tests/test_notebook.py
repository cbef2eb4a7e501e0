"""The notebook runs as it is committed, whatever the runs have come to."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import REPOSITORY, Project

NOTEBOOK = REPOSITORY / "notebooks" / "explore_runs.ipynb"
# Asked of the kernel after the last cell: values are easier to trust than HTML.
QUESTION = """
import json
import sys
asked = vertical.what_if(change={"PAY_0": 0}) if vertical.catalog.get("finance.artefact").exists() else None
print(json.dumps({
    "python": sys.executable,
    "runs": json.loads(vertical.runs().data.to_json(orient="records")),
    "asked": asked and json.loads(asked.predictions.to_json(orient="index")),
    "title": asked and asked.title,
}))
"""


class Executed:
    """What the cells of an executed notebook left."""

    def __init__(self, notebook: Any):
        self.outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
        self.answers = json.loads(self.text("question"))

    def everything(self) -> list[Any]:
        return [output for outputs in self.outputs.values() for output in outputs]

    def text(self, cell: str) -> str:
        return "".join(output.text for output in self.outputs[cell] if output.output_type == "stream")

    def data(self, cell: str, kind: str) -> list[str]:
        return [output.data[kind] for output in self.outputs[cell] if kind in output.get("data", {})]


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Executed]:
    """Execute the notebook from the `notebooks` folder of a project, by the interpreter that runs the tests."""
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    # Neither what the user's IPython does at its start nor a kernel that is installed somewhere is of any matter.
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("KEDRO_LOGGING_CONFIG", raising=False)
    own_kernel = Config(KernelSpecManager={"kernel_dirs": []})

    def run(project: Project, **options: Any) -> Executed:
        folder = project.path / "notebooks"
        folder.mkdir()
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(QUESTION, id="question"))
        where = {"metadata": {"path": str(folder)}}
        return Executed(
            NotebookClient(notebook, config=own_kernel, timeout=120, resources=where, **options).execute()
        )

    return run


@pytest.fixture
def copy(trained: tuple[Project, str], tmp_path: Path) -> Project:
    """The trained project, free to be changed."""
    project, _ = trained
    return project.copy(tmp_path / "copy")


def assert_quiet(executed: Executed) -> None:
    said = [
        output
        for output in executed.everything()
        if output.output_type == "error" or "stderr" in output.values()
    ]
    assert said == []


@pytest.mark.exhaustive
def test_one_run_is_shown_with_its_figures(copy, execute):
    metrics = json.loads(copy.output("08_reporting", "metrics.json").read_text())
    auc, boosting = (metrics["test"][model]["auc"] for model in ("model", "hist_gradient_boosting"))
    scores = pd.read_parquet(copy.output("07_model_output", "scores.parquet"))
    (run,) = copy.runs()

    executed = execute(copy)

    assert_quiet(executed)
    assert executed.answers["python"] == sys.executable
    (shown,) = executed.answers["runs"]
    assert shown["run"] == run.info.run_id[:8]
    assert (shown["status"], shown["version"], shown["test rows"]) == (
        "finished",
        "version 1 champion",
        "latest",
    )
    assert [shown["AUC"], shown["low"], shown["high"]] == pytest.approx(
        [auc["value"], auc["low"], auc["high"]]
    )
    assert shown["boosting"] == pytest.approx(boosting["value"])
    (table,) = executed.data("runs", "text/html")
    for text in (shown["run"], "champion", "promoted", f"{auc['value']:.4f}"):
        assert text in table
    for cell in ("comparison", "columns", "training", "what-if"):
        (shown,) = executed.data(cell, "text/html")
        assert "data:image/svg+xml;base64," in shown
    # The row with the highest probability, which is what the run has scored.
    test = scores.loc[scores["part"] == "test", "model"]
    assert f"row {test.idxmax()}, and what if PAY_0 = 0?" in executed.answers["title"]
    before, after = (executed.answers["asked"][each]["probability"] for each in ("as it is", "changed"))
    assert before == pytest.approx(test.max())
    assert after < before


@pytest.mark.exhaustive
def test_a_failed_run_and_no_champion_leave_the_rest_to_be_seen(copy, execute):
    client = copy.client()
    client.delete_registered_model_alias("finance", "champion")
    experiment = client.get_experiment_by_name("finance").experiment_id
    failed = client.create_run(experiment, tags={"error": "LeptonError: training diverged"}).info.run_id
    # Runs are compared by what the latest declares.
    client.log_param(failed, "gate.metric", "log_loss")
    client.set_terminated(failed, "FAILED")
    for layer in ("06_models", "07_model_output"):
        shutil.rmtree(copy.path / "data" / layer)

    executed = execute(copy, allow_errors=True)

    before, latest = executed.answers["runs"]
    assert (latest["run"], latest["status"], latest["Log loss"]) == (failed[:8], "failed", None)
    assert latest["note"] == "LeptonError: training diverged"
    assert (before["status"], before["version"]) == ("finished", "version 1")
    _, run = copy.runs()
    assert before["Log loss"] == pytest.approx(run.data.metrics["test.log_loss"])
    for cell in ("comparison", "columns"):
        assert executed.data(cell, "text/html")
    # One message, without a traceback.
    (error,) = [each for each in executed.outputs["what-if"] if each.output_type == "error"]
    assert error.traceback == [
        "error: no run of finance has left its scores yet; make one with: kedro run --pipelines finance"
    ]


def test_the_notebook_is_six_short_cells():
    cells = [
        cell["source"] for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"
    ]
    assert len(cells) == 6
    assert max(map(len, cells)) <= 3


def test_the_extra_that_the_notebook_names_is_declared():
    (named,) = set(re.findall(r"extra `(\w+)`", NOTEBOOK.read_text()))
    assert f"--editable '.[{named}]'" in NOTEBOOK.read_text()
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(each.startswith("jupyterlab") for each in extras[named])


def test_notebook_is_committed_without_results():
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}
