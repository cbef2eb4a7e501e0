"""The file: written whole or not at all, explains itself, and is run without this project."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from exported import loan_shop, require_onnx
from tasks.shops import CLASSES, house_shop, wine_shop

from lepton_pipeline.errors import ConfigurationError, LeptonError
from lepton_pipeline.export import onnx_file as module
from lepton_pipeline.export.onnx_file import Source, describe, export_onnx, require_libraries
from lepton_pipeline.export.parity import feed_of

SOURCE = Source("loans", 3, "run", "seal", "default", ("late",))
# Numbers and texts as JSON; the answer likewise.
ALONE = """
import json, sys
import numpy as np
import onnxruntime
assert not any(name.startswith("lepton_pipeline") for name in sys.modules)
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
rows = json.load(sys.stdin)
kinds = {"tensor(double)": np.float64, "tensor(string)": object}
feed = {each.name: np.array(rows[each.name], dtype=kinds[each.type])[:, None] for each in session.get_inputs()}
probability, decision = session.run(["probability", "decision"], feed)
props = session.get_modelmeta().custom_metadata_map
print(json.dumps([probability[:, 0].tolist(), decision[:, 0].tolist(), props["version"]]))
try:
    import lepton_pipeline
except ModuleNotFoundError:
    print("alone")
"""


def test_a_file_is_run_without_the_project(few_trees, tmp_path):
    require_onnx()
    shop = loan_shop()
    done = export_onnx(shop.artefact, SOURCE, shop.table, 1.0, tmp_path / "new/loans.onnx")
    assert done.path.stat().st_size == done.size
    assert (done.numbers, done.categories) == (4, 3)
    assert done.computed == {"late": "window over earlier rows", "rate": "amount / months"}
    feed = feed_of(shop.artefact, shop.table.head(20))
    rows = {name: values[:, 0].tolist() for name, values in feed.items()}
    # Only what is installed: neither this folder nor PYTHONPATH; the project's own link is undone.
    code = "import sys; sys.path[:] = [p for p in sys.path if not p.endswith('/src')]; sys.meta_path = " + (
        "[f for f in sys.meta_path if 'editable' not in repr(f).lower()]\n" + ALONE
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", code, str(done.path)],
        input=json.dumps(rows),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    answer, alone = run.stdout.splitlines()
    probability, decision, version = json.loads(answer)
    predicted = shop.artefact.predict(shop.table.head(20))
    np.testing.assert_allclose(probability, predicted["probability"], rtol=0, atol=1e-6)
    assert decision == predicted["decision"].tolist()
    assert (version, alone) == ("3", "alone")


def test_a_file_that_differs_is_not_left(few_trees, tmp_path, monkeypatch):
    require_onnx()
    shop = loan_shop()
    made = module.assemble_graph
    other = replace(shop.artefact, predictor=replace(shop.artefact.predictor, boosting_weight=0.0))
    monkeypatch.setattr(module, "assemble_graph", lambda artefact, metadata: made(other, metadata))
    with pytest.raises(LeptonError, match="No file was written"):
        export_onnx(shop.artefact, SOURCE, shop.table, 1.0, tmp_path / "loans.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_file_says_what_goes_in_and_comes_out(few_trees):
    said = describe(loan_shop().artefact, SOURCE)
    assert (said["vertical"], said["version"], said["run_id"], said["artefact.sha256"]) == (
        *("loans", "3", "run", "seal"),
    )
    assert said["task"] == "binary"
    assert float(said["threshold"]) == loan_shop().artefact.threshold
    inputs = {each.pop("name"): each for each in json.loads(said["inputs"])}
    assert inputs["amount"] == {"kind": "number", "missing": "NaN"}
    assert inputs["zip"] == {"kind": "category", "missing": ""}
    assert inputs["rate"] == {"kind": "number", "missing": "NaN", "computed": "amount / months"}
    assert list(json.loads(said["outputs"])) == ["probability", "decision"]
    wines = describe(wine_shop().artefact, SOURCE)
    assert json.loads(wines["classes"]) == CLASSES
    assert "threshold" not in wines
    houses = describe(house_shop().artefact, replace(SOURCE, target="progression"))
    assert json.loads(houses["outputs"]) == dict.fromkeys(
        ["prediction", "low", "high"], "unit of progression"
    )


def test_without_the_libraries_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    said = r"--to onnx needs onnx and onnxruntime, not installed here: pip install -e '\.\[onnx\]'"
    with pytest.raises(ConfigurationError, match=said) as caught:
        require_libraries()
    assert caught.value.exit_code == 2
