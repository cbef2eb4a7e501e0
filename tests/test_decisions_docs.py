"""What `docs/decisions.md` says is what can be declared and what is measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lepton_pipeline.evaluation.outcomes import OUTCOMES
from lepton_pipeline.evaluation.slices import (
    COMPARED,
    COMPARED_IF_SENSITIVE,
    FEWEST_OF_A_CLASS,
    FEWEST_ROWS,
    LEVEL,
    MOST_VALUES,
)
from lepton_pipeline.parameters import Costs
from lepton_pipeline.project.declaration import read_vertical

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
    assert {name for name, word in told.items() if word == "yes"} == set(COMPARED)
    assert {name for name, word in told.items() if word == "sensitive columns only"} == {
        COMPARED_IF_SENSITIVE
    }


def test_limits_are_those_of_the_code():
    text = " ".join(PAGE.split())
    assert (FEWEST_ROWS, FEWEST_OF_A_CLASS, LEVEL, MOST_VALUES) == (50, 10, 0.95, 8)
    assert "fewer than 50 rows or 10 of a class" in text
    assert "of more than eight values are divided into quarters" in text
