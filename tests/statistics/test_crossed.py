"""The bootstrap of rows that two factors cross."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from lepton_pipeline.statistics.crossed import Cells, resample_both

FIRST, SECOND = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 0, 1])
VALUES = np.array([[1.0, 2.0], [3.0, 1.0], [5.0, 1.0], [7.0, 1.0], [9.0, 4.0]])


def mean_of(cells):
    def measure(first, second):
        sums = cells.weigh(first, second)
        return {"mean": sums[:, 0] / sums[:, 1], "ratios": cells.mean_of_ratios(first, second)}

    return measure


def test_cells_are_sums_of_their_rows():
    cells = Cells.of(FIRST, SECOND, VALUES)
    assert cells.sums.tolist() == [[[1, 2], [3, 1]], [[12, 2], [9, 4]]]
    assert cells.weigh(None, None).tolist() == [[25, 9]]
    assert cells.mean_of_ratios(None, None).tolist() == [(4 / 3 + 21 / 6) / 2]


def test_a_row_counts_as_often_as_both_of_its_units():
    cells = Cells.of(FIRST, SECOND, VALUES)
    first, second = np.array([[2.0, 0.0], [1.0, 3.0]]), np.array([[1.0, 1.0], [0.0, 2.0]])
    assert cells.weigh(first, second).tolist() == [[8, 6], [2 * 3 + 6 * 9, 2 * 1 + 6 * 4]]
    assert cells.weigh(first, None).tolist() == [[8, 6], [4 + 3 * 21, 3 + 3 * 6]]
    assert cells.weigh(None, second)[1].tolist() == [24, 10]
    assert cells.mean_of_ratios(first, second) == pytest.approx([4 / 3, (3 + 3 * 9 / 4) / 4])


def test_a_unit_without_weight_is_left_out_of_a_mean_of_ratios():
    lacking = Cells(Cells.of(FIRST, SECOND, VALUES).sums * np.array([[[1, 1]], [[1, 0]]]))
    assert lacking.mean_of_ratios(None, None).tolist() == [4 / 3]


def test_draws_are_the_same_again_and_do_not_depend_on_their_number():
    cells = Cells.of(FIRST, SECOND, VALUES)
    one, again, more = (resample_both(mean_of(cells), cells.sizes, size, 3) for size in (50, 50, 200))
    for name in ("mean", "ratios"):
        assert one[name].both.tolist() == again[name].both.tolist() == more[name].both[:50].tolist()
    other = resample_both(mean_of(cells), cells.sizes, 50, 4)
    assert one["mean"].both.tolist() != other["mean"].both.tolist()


def test_a_difference_is_taken_draw_by_draw():
    cells = Cells.of(FIRST, SECOND, VALUES)
    mean = resample_both(mean_of(cells), cells.sizes, 50, 3)["mean"]
    difference = mean.combine(mean, np.subtract)
    assert difference.value == 0
    assert difference.interval(0.95) == (0, 0)


def test_one_unit_has_no_interval():
    cells = Cells(np.ones((1, 1, 2)))
    assert resample_both(mean_of(cells), cells.sizes, 20, 0)["mean"].interval(0.95) is None


@pytest.mark.parametrize(("of_first", "of_second"), [(1.0, 0.0), (0.3, 1.0)])
def test_intervals_of_few_origins_cover_the_truth(of_first, of_second):
    random, covered, repetitions = np.random.default_rng(5), 0, 150
    for repetition in range(repetitions):
        effects = of_first * random.normal(size=(40, 1)) + of_second * random.normal(size=(1, 6))
        cells = Cells(np.stack([effects + random.normal(size=(40, 6)), np.ones((40, 6))], axis=-1))
        low, high = resample_both(mean_of(cells), cells.sizes, 150, repetition)["mean"].interval(0.95)
        covered += low <= 0 <= high
    assert covered / repetitions >= 0.92


def test_memory_stays_small():
    cells = Cells(np.random.default_rng(0).random((3000, 6, 2)))
    tracemalloc.start()
    resample_both(mean_of(cells), cells.sizes, 300, 0)
    assert tracemalloc.get_traced_memory()[1] < 60e6
    tracemalloc.stop()
