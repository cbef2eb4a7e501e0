import numpy as np
import pytest

from lepton_pipeline.model.blend import EQUAL, WEIGHTS, mix, weigh
from lepton_pipeline.model.calibration import log_loss, sigmoid


@pytest.fixture(scope="module")
def parts():
    """What two models know of the truth, each half of it, and the labels."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 1.5, (2, 5000))
    return first, second, (rng.random(5000) < sigmoid(first + second)).astype(np.int8)


def test_the_mean_of_logits_is_weighted_and_one_part_is_itself():
    network, boosting = np.array([1.0, -2.0]), np.array([3.0, 2.0])
    assert mix({"network": network, "boosting": boosting}, 0.25).tolist() == [1.5, -1.0]
    assert mix({"network": network}, 0.25).tolist() == network.tolist()


def test_the_part_that_knows_more_weighs_more(parts):
    first, _, labels = parts
    noise = np.random.default_rng(1).normal(0, 1, 5000)
    assert weigh(first, noise, labels) == min(WEIGHTS)
    assert weigh(noise, first, labels) == max(WEIGHTS)


def test_parts_that_know_the_same_share_weigh_about_the_same(parts):
    assert weigh(*parts) == pytest.approx(EQUAL, abs=0.1)


def test_no_other_weight_has_a_lower_log_loss(parts):
    first, second, labels = parts
    logits = {"network": first + 0.7 * second, "boosting": second}
    losses = {weight: log_loss(sigmoid(mix(logits, weight)), labels) for weight in WEIGHTS}
    assert losses[weigh(logits["network"], logits["boosting"], labels)] == min(losses.values())
