from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_search import QUICK, TASKS, made_rows

from lepton_pipeline.operations.tuning import gain as module
from lepton_pipeline.operations.tuning.gain import compare_losses, measure_gain
from lepton_pipeline.operations.tuning.rows import divide_rows
from lepton_pipeline.parameters import Training


@pytest.fixture(scope="module")
def rows():
    return divide_rows(*made_rows(n=1000))


@pytest.mark.parametrize("task", TASKS)
def test_the_whole_model_is_compared_on_rows_that_are_judged(task):
    rows, told = divide_rows(*made_rows(task, strategy="time")), []
    quick = Training(**QUICK, networks=1, boosting=False)
    found = measure_gain(rows, quick, {"width": 16}, 2, lambda *pair: told.append(pair))
    assert [number for number, *_ in told] == [1, 2]
    assert found.declared == pytest.approx(np.mean([declared for _, declared, _ in told]))
    assert found.difference.value == pytest.approx(found.declared - found.chosen)
    assert found.difference.low < found.difference.value < found.difference.high
    assert found.seeds == 2


def test_fresh_seeds_are_the_same_for_both_and_none_is_that_of_the_search(rows, monkeypatch):
    seen = []

    def losses(rows, training):
        seen.append(training.seed)
        return np.arange(rows.judged.sum()) + float(training.width == 16)

    monkeypatch.setattr(module, "_losses", losses)
    found = measure_gain(rows, Training(seed=7, width=8), {"width": 16}, 3, lambda *pair: None)
    assert seen[::2] == seen[1::2]
    assert len({7, *seen}) == 4
    assert (found.difference.value, found.difference.low, found.difference.high) == (-1, -1, -1)
    assert not found.certain


def test_an_interval_covers_what_rows_and_seeds_leave_open(rows):
    """95 % of intervals hold the true gain, where both the rows and the seeds are drawn."""
    generator, number = np.random.default_rng(1), int(rows.judged.sum())
    held = []
    for _ in range(400):
        draws = 0.1 + generator.normal(0, 1, number) + generator.normal(0, 0.05, (3, 1))
        found = compare_losses(draws, rows)
        held.append(found.low <= 0.1 <= found.high)
    assert 0.93 < np.mean(held) < 0.99


def test_seeds_that_disagree_widen_it_and_few_rows_have_none(rows):
    number = int(rows.judged.sum())
    by_row = np.random.default_rng(2).normal(0.2, 1, number)
    alike = compare_losses(np.stack([by_row] * 3), rows)
    apart = compare_losses(np.stack([by_row - 0.3, by_row, by_row + 0.3]), rows)
    assert apart.value == pytest.approx(alike.value)
    assert apart.high - apart.low > 2 * (alike.high - alike.low)
    split = rows.split.assign(part=np.where(np.cumsum(rows.judged) <= 8, rows.split["part"], "gap"))
    few = type(rows)(rows.encoded, split, rows.target, pd.DataFrame(index=rows.units.index))
    assert compare_losses(np.ones((2, 8)), few).low is None
