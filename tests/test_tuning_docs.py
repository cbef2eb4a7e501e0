"""docs/tuning.md says what the code does."""

from __future__ import annotations

import re

import pytest
from conftest import REPOSITORY

from lepton_pipeline.cli.tune import tune
from lepton_pipeline.operations.tuning.space import OTHERS, USUAL, Choice, Range, make_space
from lepton_pipeline.operations.tuning.study import _WARMUP
from lepton_pipeline.parameters import Training
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.forecast import Forecast
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

PAGE = (REPOSITORY / "docs/tuning.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in row.split("|")[1:-1]] for row in PAGE.splitlines() if row.startswith("| `")]
KEYS = {cells[0].strip("`"): cells[1:] for cells in ROWS if not cells[0].startswith("`--")}
SPACE = make_space(Training(), (*USUAL, *OTHERS), columns=10, rows=1000)


def test_every_option_is_listed_with_its_default():
    listed = {re.match(r"`(--\w+)", cells[0])[1]: cells[1] for cells in ROWS if cells[0].startswith("`--")}
    shared = {"--params", "--env", "--debug"}
    options = {each.opts[0]: each.default for each in tune.params if each.opts[0].startswith("--")}
    assert set(listed) | shared == set(options)
    assert all(f"`{name}`" in PAGE for name in shared)
    for name, default in options.items():
        if isinstance(default, int) and not isinstance(default, bool):
            assert listed[name] == str(default)


def test_every_key_is_listed():
    assert {key: cells[1] for key, cells in KEYS.items()} == {
        **dict.fromkeys(USUAL, "usually"),
        **dict.fromkeys(OTHERS, "with `--keys`"),
    }


@pytest.mark.parametrize("key", [key for key, each in SPACE.bounds.items() if isinstance(each, Range)])
def test_bounds_are_those_of_the_page(key):
    bounds = SPACE.bounds[key]
    if key == "embedding":
        assert (bounds.low, bounds.high) == (1, 4 * SPACE.declared[key])
        return
    low, high = (f"{end:f}".rstrip("0").rstrip(".") for end in (bounds.low, bounds.high))
    ending = ", by its logarithm" if bounds.log else f", by {bounds.step}" if (bounds.step or 1) > 1 else ""
    assert KEYS[key][0] == f"{low} to {high}{ending}"


def test_choices_are_those_of_the_page():
    batch = SPACE.declared["batch_size"]
    assert SPACE.bounds["batch_size"] == Choice((batch // 2, batch, 2 * batch))


@pytest.mark.parametrize("task", [Binary(), Multiclass(("a", "b", "c")), Regression(), Forecast()])
def test_the_loss_of_every_task_is_named(task):
    assert f"| {task.row_loss}" in PAGE
    assert f"From epoch {_WARMUP} on" in PAGE
