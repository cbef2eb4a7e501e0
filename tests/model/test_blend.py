import numpy as np
import pytest

from lepton_pipeline.model.blend import EQUAL, WEIGHTS, mix, weigh, weigh_by_time
from lepton_pipeline.statistics.losses import log_loss, sigmoid
from lepton_pipeline.tasks.binary import Binary

BINARY = Binary()


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
    assert weigh(BINARY, first, noise, labels) == min(WEIGHTS)
    assert weigh(BINARY, noise, first, labels) == max(WEIGHTS)


def test_parts_that_know_the_same_share_weigh_about_the_same(parts):
    assert weigh(BINARY, *parts) == pytest.approx(EQUAL, abs=0.1)


def test_no_other_weight_has_a_lower_log_loss(parts):
    first, second, labels = parts
    logits = {"network": first + 0.7 * second, "boosting": second}
    losses = {weight: log_loss(sigmoid(mix(logits, weight)), labels) for weight in WEIGHTS}
    assert losses[weigh(BINARY, logits["network"], logits["boosting"], labels)] == min(losses.values())


@pytest.fixture(scope="module")
def drift():
    """What the coefficients of the training rows and those of the later rows say of 2,000 later rows."""
    rng = np.random.default_rng(2)
    rows, early, late = rng.normal(size=(2000, 6)), *rng.normal(size=(2, 6))
    before, now = rows @ early, rows @ late
    return before, now, (rng.random(2000) < sigmoid(now)).astype(np.int8)


@pytest.mark.parametrize("follows", ["network", "boosting"])
def test_under_drift_by_time_the_part_that_follows_it_gets_the_weight(drift, follows):
    before, now, labels = drift
    stays = (before + now) / 2
    logits = (
        {"network": now, "boosting": stays} if follows == "network" else {"network": stays, "boosting": now}
    )
    validation, later = slice(0, 1000), slice(1000, None)
    weight = weigh_by_time(
        BINARY, logits["network"][validation], logits["boosting"][validation], labels[validation]
    )
    assert weight == pytest.approx(0.35 if follows == "network" else 0.65)
    of_later = {name: part[later] for name, part in logits.items()}
    losses = [log_loss(sigmoid(mix(of_later, each)), labels[later]) for each in (weight, EQUAL)]
    assert losses[0] < losses[1] - 0.02


def test_by_time_weights_stay_equal_where_rows_do_not_show_more(parts, drift):
    assert weigh_by_time(BINARY, *parts) == EQUAL
    before, now, labels = (part[:15] for part in drift)
    assert weigh_by_time(BINARY, now, now + 0.1 * before, labels) == EQUAL


def test_by_time_a_level_of_its_own_is_no_evidence_against_a_part(parts):
    network, boosting, labels = parts
    assert weigh(BINARY, network, boosting + 3, labels) < EQUAL
    assert weigh_by_time(BINARY, network, boosting + 3, labels) == EQUAL
    assert weigh_by_time(BINARY, network - 3, boosting, labels) == EQUAL
