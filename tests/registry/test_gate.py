import pytest

from lepton_pipeline.parameters import Gate
from lepton_pipeline.registry.gate import Rival, decide


def measured(model, baseline=0.7):
    return {"test": {"model": {"auc": {"value": model}}, "hist_gradient_boosting": {"auc": {"value": baseline}}}}


def test_the_first_model_above_the_bound_is_promoted():
    assert decide(measured(0.8), Gate(at_least=0.75), None) == (True, "auc 0.8000 is at least 0.75, the first champion")


def test_a_model_below_the_bound_is_refused():
    promoted, reason = decide(measured(0.7), Gate(at_least=0.75), None)
    assert not promoted
    assert reason == "auc 0.7000 is below the declared 0.75"


@pytest.mark.parametrize(("champion", "expected"), [(0.79, True), (0.80, False), (0.81, False)])
def test_the_champion_must_be_beaten(champion, expected):
    promoted, reason = decide(measured(0.8), Gate(), Rival(3, champion))
    assert promoted is expected
    assert f"{champion:.4f} of champion version 3" in reason


def test_a_champion_that_may_know_the_test_rows_is_doubted():
    _, reason = decide(measured(0.8), Gate(), Rival(3, 0.9, unseen=False))
    assert reason.endswith(
        "on the same test rows, though it may have been trained on some of them (data or split differ)"
    )


def test_a_champion_that_cannot_be_scored_is_not_replaced():
    promoted, reason = decide(measured(0.9), Gate(), Rival(3, None, "column 'age' is missing"))
    assert not promoted
    assert reason == "auc 0.9000 cannot be compared with champion version 3: column 'age' is missing"


def test_a_model_behind_its_baseline_is_not_promoted_silently():
    promoted, reason = decide(measured(0.8, baseline=0.85), Gate(), None)
    assert promoted
    assert "note that baseline hist_gradient_boosting reaches 0.8500" in reason


def test_the_torch_part_of_the_model_is_no_baseline():
    metrics = measured(0.8)
    metrics["test"]["network"] = {"auc": {"value": 0.9}}
    promoted, reason = decide(metrics, Gate(), None)
    assert promoted
    assert "network" not in reason
