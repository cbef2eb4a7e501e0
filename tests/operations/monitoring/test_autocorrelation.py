import numpy as np
import pytest

from lepton_pipeline.operations.monitoring.reference import design_effect


def chain(rows, seed, stays):
    """Cells that are kept from row to row with a probability, else drawn anew: a share's variance is known exactly."""
    random = np.random.default_rng(seed)
    fresh = random.random(rows) >= stays
    fresh[0] = True
    drawn = random.integers(0, 10, rows)
    return drawn[np.maximum.accumulate(np.where(fresh, np.arange(rows), 0))]


@pytest.mark.parametrize("stays", [0.0, 0.5, 0.9])
def test_it_is_the_known_factor_of_a_markov_chain(stays):
    found = [design_effect(chain(9000, seed, stays)) for seed in range(20)]
    assert np.mean(found) == pytest.approx((1 + stays) / (1 - stays), rel=0.15)


def test_nothing_is_said_of_few_rows_or_of_one_cell():
    assert design_effect(chain(49, 1, 0.9)) == 1.0
    assert design_effect(np.zeros(5000, dtype=np.int64)) == 1.0
    assert design_effect(np.zeros(0, dtype=np.int64)) == 1.0


def test_rows_in_no_cell_are_left_out():
    cells = chain(3000, 1, 0.5)
    assert design_effect(np.insert(cells, range(0, 3000, 7), -1)) == design_effect(cells)
