"""`kedro export` as a user gives it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.registry.versions import CHECKSUM

PAGE = (Path(__file__).parents[2] / "docs/export.md").read_text(encoding="utf-8")


def require_onnx() -> None:
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason="it is not installed: pip install '.[onnx]'")


def test_the_champion_is_written_and_scores_as_the_model_does(trained, tmp_path, monkeypatch):
    require_onnx()
    from onnxruntime import InferenceSession

    project = trained[0].copy(tmp_path / "project")
    done = project.run("export", "finance", "--to", "onnx")
    assert done.returncode == 0, done.stderr
    written, inputs, parity = done.stdout.splitlines()[-3:]
    assert written.startswith("finance: version 1 is in data/08_reporting/finance/export/finance-1.onnx (")
    assert inputs == "inputs   19 numbers, 3 categories"
    assert " on 1,000 rows of the table and " in parity
    session = InferenceSession(project.output("08_reporting", "export/finance-1.onnx"))
    said = session.get_modelmeta().custom_metadata_map
    version = project.client().get_model_version("finance", "1")
    assert (said["run_id"], said["artefact.sha256"]) == (version.run_id, version.tags[CHECKSUM])
    assert {each["name"] for each in json.loads(said["inputs"])} == {
        each.name for each in session.get_inputs()
    }
    table = pd.read_parquet(project.output("04_feature", "feature_table.parquet"))
    scored = pd.read_parquet(project.output("07_model_output", "scores.parquet"))
    feed = {}
    for each in session.get_inputs():
        column = table.loc[scored.index, each.name]
        values = column.astype(str) if each.type == "tensor(string)" else column.astype("float64")
        feed[each.name] = values.to_numpy(object if each.type == "tensor(string)" else np.float64)[:, None]
    (probability,) = session.run(["probability"], feed)
    test = (scored["part"] == "test").to_numpy()
    np.testing.assert_allclose(probability[test, 0], scored.loc[test, "model"], rtol=0, atol=1e-5)
    assert [key for key in said if f"`{key}`" not in PAGE] == []
    # The example of the page.
    (example,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(project.path)
    names: dict[str, np.ndarray] = {}
    exec(example, names)
    assert names["probability"].shape == names["decision"].shape == (1, 1)
    assert 0 < names["probability"][0, 0] < 1


def test_what_cannot_be_done_is_one_message(trained):
    require_onnx()
    project, _ = trained
    for arguments, said in (
        (["finance", "--to", "onnx", "--version", "7"], "finance has no version 7; there are 1."),
        (["finence", "--to", "onnx"], "no vertical 'finence'; did you mean 'finance'?"),
        (["finance", "--to", "pmml"], "'pmml' is not 'onnx'"),
    ):
        done = project.run("export", *arguments)
        assert done.returncode == 2
        assert said in " ".join(done.stderr.split())
