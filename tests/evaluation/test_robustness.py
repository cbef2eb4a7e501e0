from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from shops import house_shop, request_shop, task_shop, wine_shop

from lepton_pipeline.evaluation.gate_checks import check_robustness
from lepton_pipeline.evaluation.robustness import MeasuredRobustness, Trial, measure_robustness
from lepton_pipeline.parameters import Dataset, Evaluation, Gate, Robustness, Training
from lepton_pipeline.statistics.estimates import Estimate
from lepton_pipeline.system.records import from_json, to_json

ASKED = Evaluation(resamples=100, robustness=Robustness(rows=100, columns=3))
AS_IS = Estimate(0.8, 0.75, 0.85)
WHOLE = [Trial("noise_10", "", Estimate(0.77), Estimate(0.03, 0.01, 0.05), Estimate(0.02))]
MEASURED = MeasuredRobustness("auc", 2000, 6000, 90, 4, AS_IS, WHOLE)


def explained(*columns):
    return SimpleNamespace(importance=[SimpleNamespace(column=column) for column in columns])


def measured(shop, metric, evaluation=ASKED, columns=()):
    gate, explanation = Gate(metric=metric), explained(*(columns or shop.artefact.inputs))
    return measure_robustness(shop.artefact, explanation, shop.table, shop.split, evaluation, gate)


@pytest.fixture(scope="module")
def shop():
    """700 rows that one column decides; another is noise, and a third, of letters, says a little."""
    random = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "noise": random.normal(size=700),
            "letter": random.choice(list("abc"), 700),
            "decides": random.normal(5, 3, 700),
            "known": random.random(700) < 0.5,
        }
    )
    odds = 2 * (table["decides"] - 5) / 3 + 0.5 * (table["letter"] == "a")
    table["y"] = (random.random(700) < 1 / (1 + np.exp(-odds))).astype(int)
    quick = {"model": "mlp", "networks": 1, "members": 1, "width": 16, "epochs": 30, "device": "cpu"}
    return task_shop(table, Dataset(target="y", positive=1), Training(learning_rate=0.02, **quick))


@pytest.fixture(scope="module")
def found(shop):
    return measured(shop, "auc", columns=["noise", "letter", "decides"])


def test_the_column_that_decides_is_the_most_fragile(found):
    assert found.fragile[0].column == "decides"
    assert found.fragile[0].loss.low > 0.05
    assert found.fragile[0].changed.low > 0.03
    losses = [trial.loss.value for trial in found.fragile]
    assert losses == sorted(losses, reverse=True)
    assert all(loss > 0 for loss in losses)
    assert not [
        trial for trial in found.fragile if trial.column == "noise" and trial.loss.value > losses[0] / 3
    ]


def test_losses_are_those_of_the_headline_metric_on_the_same_rows(found, shop):
    assert (found.metric, found.columns) == ("auc", 4)
    assert found.scored == 1 + len(found.trials) - 1 + 20
    for trial in found.trials:
        assert trial.loss.value == pytest.approx(found.figure.value - trial.figure.value)
        assert trial.loss.low <= trial.loss.value <= trial.loss.high
        assert 0 <= trial.changed.low <= trial.changed.value <= trial.changed.high <= 1
    # Paired: much narrower than the figure itself.
    little = found.of("noise_5").loss
    assert little.high - little.low < 0.3 * (found.figure.high - found.figure.low)


def test_more_of_a_perturbation_loses_more_and_the_worst_step_no_less_than_noise(found):
    for kind, shares in (("noise", (5, 20)), ("missing", (5, 20, 50))):
        losses = [found.of(f"{kind}_{share}").changed.value for share in shares]
        assert losses == sorted(losses)
    assert found.worst_step == found.of("worst_step").loss.value > 0
    assert found.missing_20 == found.of("missing_20").loss.value
    assert found.of("typos_5") is None


def test_the_same_seed_gives_the_same_bits_and_none_was_asked_for_gives_nothing(found, shop):
    again = measured(shop, "auc", columns=["noise", "letter", "decides"])
    assert to_json(again) == to_json(found)
    assert from_json(MeasuredRobustness, to_json(found)).fragile == found.fragile
    assert measured(shop, "auc", Evaluation()) == MeasuredRobustness()


def test_groups_are_drawn_as_a_whole(found, shop):
    units = pd.DataFrame({"group": np.arange(len(shop.table)) // 50}, index=shop.table.index)
    grouped = measure_robustness(
        shop.artefact, explained("decides"), shop.table, shop.split, ASKED, Gate(), units
    )
    loss, alone = grouped.of("missing_50").loss, found.of("missing_50").loss
    assert loss.value == pytest.approx(alone.value)
    assert (loss.low, loss.high) != (alone.low, alone.high)


def test_more_rows_are_taken_where_cases_are_too_few(shop):
    test = shop.split["part"] == "test"
    rare = shop.split["label"].where(~test | (np.arange(len(test)) % 10 == 0), 0)
    split = shop.split.assign(label=rare.astype("int8"))
    asked = Evaluation(resamples=100, robustness=Robustness(rows=100, columns=0))
    found = measure_robustness(shop.artefact, explained(), shop.table, split, asked, Gate())
    assert found.rows == test.sum() == found.test_rows
    assert 0 < rare[test].sum() < 20


def test_classes_and_numbers_are_measured_by_their_own_metric_and_decision():
    classes = measured(wine_shop(), "log_loss")
    hardly = classes.of("missing_50")
    assert hardly.loss.value == pytest.approx(hardly.figure.value - classes.figure.value)
    assert hardly.loss.value > 0
    numbers = measured(house_shop(), "rmse")
    assert numbers.of("shift_up").changed.value >= numbers.of("noise_5").changed.value
    assert numbers.of("shift_up").figure.value > 0
    texts = measured(request_shop(), "log_loss")
    assert texts.of("typos_10").loss.value > texts.of("typos_2").loss.value


@pytest.mark.parametrize(("margin", "passed"), [(0.05, True), (0.049, False)])
def test_the_gate_holds_the_worse_end_of_the_loss_to_the_margin(margin, passed):
    (check,) = check_robustness(MEASURED, Gate(robustness={"noise_10": margin}))
    assert (check.name, check.passed) == ("robustness noise_10", passed)
    assert (check.value, check.low, check.high, check.limit) == (-0.03, -0.05, -0.01, -margin)
    assert "rows, is 0.0300 [0.0100, 0.0500] below that of the rows as they are" in check.text
    assert (check.next is None) == passed


def test_of_a_metric_that_is_better_if_lower_the_margin_is_a_share_of_its_figure():
    rmse = replace(MEASURED, metric="rmse", figure=Estimate(10.0, 9.0, 11.0))
    worse = replace(WHOLE[0], loss=Estimate(0.4, 0.3, 0.5))
    for margin, passed in ((0.05, True), (0.049, False)):
        gate = Gate(metric="rmse", at_least=None, robustness={"noise_10": margin})
        (check,) = check_robustness(replace(rmse, trials=[worse]), gate)
        assert check.passed == passed
        assert "0.4 [0.3, 0.5] above" in check.text


def test_the_gate_refuses_what_was_not_measured_or_has_no_interval():
    typos, noise = check_robustness(
        replace(MEASURED, trials=[replace(WHOLE[0], loss=Estimate(0.0))]),
        Gate(robustness={"typos_5": 0.5, "noise_10": 0.5}),
    )
    assert (typos.passed, noise.passed) == (False, False)
    assert "reads no column that can be perturbed so" in typos.text
    assert "cannot be judged" in noise.text
    assert check_robustness(MEASURED, Gate()) == []
