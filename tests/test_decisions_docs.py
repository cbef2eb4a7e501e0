"""What `docs/decisions.md` says is what can be declared and what is measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lepton_pipeline.evaluation.outcomes import OUTCOMES
from lepton_pipeline.evaluation.slices import FEWEST_ROWS, LEVEL, MOST_VALUES
from lepton_pipeline.parameters import Costs
from lepton_pipeline.project.declaration import read_vertical
from lepton_pipeline.statistics.estimates import FEWEST_CASES
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs/decisions.md").read_text()


def declared(vertical):
    return yaml.safe_load((REPOSITORY / f"conf/base/{vertical}/parameters.yml").read_text())[vertical]


@pytest.mark.parametrize(("block", "vertical"), [(0, "telecom"), (1, "finance")])
def test_examples_are_those_of_the_bundled_verticals(block, vertical):
    example = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[block])
    own = declared(vertical)
    for part, keys in example.items():
        for key, value in keys.items():
            if isinstance(value, dict):
                assert value.items() <= own[part][key].items()
            else:
                assert own[part][key] == value
    read_vertical(vertical, own)


def test_capacity_of_marketing_is_the_one_told():
    assert f"`evaluation: {{capacity: {declared('marketing')['evaluation']['capacity']}}}`" in PAGE


def test_outcomes_and_their_defaults_are_the_declared_ones():
    rows = re.findall(
        r"^\| `(\w+)` \| (positive|negative) \| (left|acted on) \| (.*) \|$", PAGE, re.MULTILINE
    )
    assert [row[0] for row in rows] == list(OUTCOMES)
    for name, _, _, default in rows:
        field = Costs.model_fields[name]
        assert default == ("none, declare it" if field.is_required() else f"{field.default:g}")


def test_what_is_compared_is_what_the_table_says():
    rows = dict(re.findall(r"^\| (`[a-z_`, ]+`) \| (yes|no|sensitive columns only) \|", PAGE, re.MULTILINE))
    told = {name: word for names, word in rows.items() for name in re.findall(r"`(\w+)`", names)}
    assert {name for name, word in told.items() if word == "yes"} == set(Binary.sliced.compared)
    sensitive = {name for name, word in told.items() if word == "sensitive columns only"}
    assert sensitive == set(Binary.sliced.compared_if_sensitive)


def test_what_other_tasks_measure_is_what_the_text_says():
    text = " ".join(PAGE.split())
    for task, said in ((Multiclass, "slices of several classes"), (Regression, "slices of a regression")):
        told = re.search(rf"{said} have ([^;.]+)", text)[1]
        own = task.sliced
        assert set(re.findall(r"`(\w+)`", told)) == {*own.shares, *own.means, *own.evaluated}
        assert set(re.findall(r"`(\w+)`", told.partition("compared")[0])) == set(own.compared)


def test_limits_are_those_of_the_code():
    text = " ".join(PAGE.split())
    assert (FEWEST_ROWS, FEWEST_CASES, LEVEL, MOST_VALUES) == (50, 10, 0.95, 8)
    assert "fewer than 50 rows or 10 of a class" in text
    assert "of more than eight values are divided into quarters" in text
