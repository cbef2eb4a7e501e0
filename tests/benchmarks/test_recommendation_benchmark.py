"""The set-up of the benchmark of recommenders; nothing is fitted."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from lepton_pipeline.evaluation.ranking import MEASURES, Reading
from lepton_pipeline.statistics.estimates import Estimate

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def recommendation(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("recommendation")


def test_every_label_is_known_before_the_next_part_begins(recommendation):
    day, horizon = recommendation._day, recommendation.HORIZON
    assert day(recommendation.VALIDATION) + horizon <= day(recommendation.TEST)
    assert max(map(day, recommendation.TRAIN)) + horizon <= day(recommendation.VALIDATION)
    # The last day of the records counts.
    assert day(recommendation.TEST) + horizon == day("2011-12-09") + 1


def test_a_reading_is_told_with_the_difference_to_the_best_opponent(recommendation):
    figures = {
        name: {measure: Estimate(0.5, 0.4, 0.6) for measure in MEASURES} for name in ("model", "implicit_als")
    }
    reading = Reading(10, 20, figures, "implicit_als", {"ndcg": Estimate(0.1, 0.05, 0.15)})
    table, _, told, _ = recommendation.tell(reading)
    assert "| implicit ALS | 0.500 [0.400, 0.600] |" in table
    assert (
        told
        == "Model less implicit ALS, the best by NDCG@10, paired by customer: ndcg +0.100 [+0.050, +0.150]."
    )
