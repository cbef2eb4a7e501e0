"""What a backfill takes as the comparison of a date."""

import pytest

from lepton_pipeline.operations.backfill.steps import BackfillSteps


@pytest.mark.parametrize("name", ["monitoring_result", "monitoring_compared"])
def test_the_comparison_counts_whatever_is_told_beside_it(monkeypatch, name):
    steps = BackfillSteps.__new__(BackfillSteps)
    steps._vertical, steps._monitor, steps._dated = "shop", None, None
    monkeypatch.setattr(steps, "_rows", lambda: [])
    monkeypatch.setattr(steps, "_make", lambda pipeline, made, dataset: {**made, f"shop.{name}": "compared"})
    assert steps.monitor() == "compared"
    assert steps.last_monitoring() == "compared"
