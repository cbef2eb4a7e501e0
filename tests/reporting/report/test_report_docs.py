"""docs/report.md says what is there."""

import re
from pathlib import Path

import yaml
from made_up import make_evidence, make_scope

from lepton_pipeline.evaluation.drift import LEVEL, PSI_BOUND
from lepton_pipeline.parameters import About
from lepton_pipeline.pipelines.training import create_pipeline
from lepton_pipeline.reporting.report.write import _SECTIONS, render_report

DOCS = Path(__file__).parents[3] / "docs"
TEXT = (DOCS / "report.md").read_text()


def test_its_sections_are_those_of_the_page():
    told = re.findall(r"^\| ([A-Z][^|]*?) \|", TEXT, flags=re.MULTILINE)
    # That on texts is on a page of its own.
    assert told == [title for _, title, _ in _SECTIONS if title != "Text"]
    # No run has all of them.
    shown = re.findall(r'<li><a href="#\w+">([^<]*)</a>', render_report(make_evidence(scope=make_scope())))
    assert [title for title in told if title not in ("Forecasts and orders", "Offers", "Robustness")] == shown


def test_its_declaration_builds_and_names_every_key():
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    about = About(**yaml.safe_load(block)["churn"]["about"])
    assert about.model_fields_set == set(About.model_fields)


def test_its_stage_bounds_and_picture_exist():
    assert "finance.write_report" in {node.name for node in create_pipeline("finance").nodes}
    assert f"corrected p ≤ {LEVEL} and PSI > {PSI_BOUND}" in TEXT
    assert 0 < (DOCS / "report.png").stat().st_size < 300_000
