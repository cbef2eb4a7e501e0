"""What docs/robustness.md says is what the code does."""

import re
from pathlib import Path

import yaml

from lepton_pipeline.parameters import Robustness, Vertical
from lepton_pipeline.parameters.robustness import MISSING, NOISE, PERTURBATIONS, REACH, STEPS, TYPOS, UNSEEN

TEXT = (Path(__file__).parents[1] / "docs" / "robustness.md").read_text(encoding="utf-8")


def test_every_perturbation_is_in_the_table():
    table = TEXT.partition("| perturbation |")[2].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`", table) == list(PERTURBATIONS)
    for shares in (NOISE, MISSING, UNSEEN, TYPOS):
        assert f"{shares[0]}, {shares[1]} or {shares[2]} %" in table
    assert f"takes {STEPS} random steps of all numbers, each within {REACH} % of a deviation" in table


def test_the_example_declares_the_defaults():
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    declared = Vertical.model_validate({"dataset": {"target": "y", "positive": 1}, **yaml.safe_load(block)})
    assert declared.evaluation.robustness == Robustness()
    assert declared.gate.robustness == {"noise_10": 0.02, "missing_20": 0.05}
