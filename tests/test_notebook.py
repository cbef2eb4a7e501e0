"""The notebook runs as it is committed, whatever the runs have come to."""

from __future__ import annotations

import base64
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import REPOSITORY, Project

from lepton_pipeline.evaluation.metrics import OWN

NOTEBOOK = REPOSITORY / "notebooks" / "explore_runs.ipynb"
# Asked of the kernel after the last cell: values are easier to trust than HTML.
QUESTION = """
import json
import sys
print(json.dumps({
    "python": sys.executable,
    "runs": json.loads(runs.to_json(orient="records")),
    "moved": None if metrics is None else moved["change"].abs().max(),
    "answer": json.loads(answer.to_json(orient="records")) if is_champion.any() else None,
}))
"""


class Executed:
    """What the cells of an executed notebook left."""

    def __init__(self, notebook: Any):
        self.outputs = {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}
        self.values = json.loads(self.text("question"))

    def everything(self) -> list[Any]:
        return [output for outputs in self.outputs.values() for output in outputs]

    def text(self, cell: str) -> str:
        return "".join(output.text for output in self.outputs[cell] if output.output_type == "stream")

    def data(self, cell: str, kind: str) -> list[str]:
        return [output.data[kind] for output in self.outputs[cell] if kind in output.get("data", {})]


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Project], Executed]:
    """Execute the notebook from the `notebooks` folder of a project, by the interpreter that runs the tests."""
    import nbformat
    from nbclient import NotebookClient
    from traitlets.config import Config

    # Neither what the user's IPython does at its start nor a kernel that is installed somewhere is of any matter.
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.delenv("LEPTON_VERTICAL", raising=False)
    own_kernel = Config(KernelSpecManager={"kernel_dirs": []})

    def run(project: Project) -> Executed:
        folder = project.path / "notebooks"
        folder.mkdir()
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(QUESTION, id="question"))
        where = {"metadata": {"path": str(folder)}}
        return Executed(NotebookClient(notebook, config=own_kernel, timeout=120, resources=where).execute())

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
    auc = metrics["test"]["model"]["auc"]
    baselines = [figures["auc"]["value"] for model, figures in metrics["test"].items() if model not in OWN]
    (run,) = copy.runs()

    executed = execute(copy)

    assert_quiet(executed)
    assert executed.values["python"] == sys.executable
    (shown,) = executed.values["runs"]
    assert shown["run"] == run.info.run_id[:8]
    assert (shown["status"], shown["version"], shown["alias"]) == ("FINISHED", 1, "champion")
    assert shown["data"] == run.data.tags["data.sha256"][:8]
    assert [shown["AUC"], shown["low"], shown["high"]] == pytest.approx(
        [auc["value"], auc["low"], auc["high"]]
    )
    assert shown["best baseline"] == pytest.approx(max(baselines))
    (table,) = executed.data("runs", "text/html")
    for text in (shown["run"], "champion", "promoted", f"{auc['value']:.3f}"):
        assert text in table
    for cell in ("comparison", "curves"):
        (picture,) = executed.data(cell, "image/png")
        assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert executed.values["moved"] > 0.01
    # The registered champion is the model that lies in the catalog.
    for row in executed.values["answer"]:
        assert row["champion's probability"] == row["latest model's probability"]


@pytest.mark.exhaustive
def test_a_failed_run_and_no_champion_leave_the_rest_to_be_seen(copy, execute):
    client = copy.client()
    client.delete_registered_model_alias("finance", "champion")
    experiment = client.get_experiment_by_name("finance").experiment_id
    failed = client.create_run(experiment, tags={"error": "LeptonError: training diverged"}).info.run_id
    # Runs are compared by what the latest declares.
    client.log_param(failed, "gate.metric", "log_loss")
    client.set_terminated(failed, "FAILED")
    for layer in ("06_models", "07_model_output", "08_reporting"):
        shutil.rmtree(copy.path / "data" / layer)

    executed = execute(copy)

    assert_quiet(executed)
    latest, before = executed.values["runs"]
    assert (latest["run"], latest["status"], latest["Log loss"]) == (failed[:8], "FAILED", None)
    assert latest["note"] == "LeptonError: training diverged"
    assert (before["status"], before["alias"]) == ("FINISHED", None)
    _, run = copy.runs()
    assert before["Log loss"] == pytest.approx(run.data.metrics["test.log_loss"])
    assert executed.data("comparison", "image/png")
    assert executed.data("table", "text/html")
    assert "stopped before its model" in executed.text("what-if")
    assert "No version has passed the gate" in executed.text("champion")


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
