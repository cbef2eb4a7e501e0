from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.evaluation.alert_budget import AlertFigures, measure_alerts
from lepton_pipeline.evaluation.gate_checks import check_alerts
from lepton_pipeline.evaluation.outcomes import price_outcomes
from lepton_pipeline.parameters import AlertBudget, Costs, Dataset, Evaluation, Gate
from lepton_pipeline.statistics.estimates import Estimate

DATASET = Dataset(target="fraud", positive=1, time="at")
BUDGET = AlertBudget(alerts=2)
EVALUATION = Evaluation(resamples=100, alert_budget=BUDGET)


def made(days, rows, label, model, **others):
    """Rows of whole days, half of which are test rows, each day alike but for what the functions say."""
    at = pd.Series(pd.date_range("2026-01-01", periods=days * rows, freq=f"{24 * 60 // rows}min"))
    day, place = np.arange(days * rows) // rows, np.arange(days * rows) % rows
    labels = np.asarray(label(day, place), dtype="int8")
    part = np.where(day < days // 2, "train", "test")
    split = pd.DataFrame({"part": part, "label": labels})
    columns = {name: np.asarray(of(day, place), dtype=float) for name, of in others.items()}
    scores = split.assign(model=np.asarray(model(day, place), dtype=float), **columns)
    return scores[split["part"] == "test"], pd.DataFrame({"at": at, "amount": 100.0 + place}), split


def first(day, place):
    return place == 0


def measure(scores, table, split, evaluation=EVALUATION, **more):
    priced = price_outcomes(table, split, evaluation)
    return measure_alerts(scores, table, split, priced, DATASET, evaluation, **more)


def test_a_case_worked_by_hand():
    # A day has ten cases, the first and the last of which are fraud; by its place, the model finds the first.
    scores, table, split = made(
        40, 10, lambda day, place: (place == 0) | (place == 9), lambda day, place: -place
    )
    found = measure(scores, table, split)
    assert (found.spans, found.rows, found.positives, found.acted, found.found) == (20, 200, 40, 40, 20)
    assert (found.precision.value, found.recall.value, found.rate.value) == (0.5, 0.5, 0.2)
    assert found.precision.low < 0.5 < found.precision.high
    assert found.drift.value == 0
    assert not found.drifted
    assert found.cost is None


def test_costs_of_a_day_are_those_of_its_amounts():
    evaluation = Evaluation(
        alert_budget=BUDGET, costs=Costs(false_negative="amount", false_positive=5, true_positive=5)
    )
    scores, table, split = made(
        40, 10, lambda day, place: (place == 0) | (place == 9), lambda day, place: -place
    )
    found = measure(scores, table, split, evaluation)
    # Two alerts cost 5 each; the fraud of 109 is left; without alerts that of 100 would be, too.
    assert found.cost.value == pytest.approx(119)
    assert found.saving.value == pytest.approx(90)
    assert found.saving.low == pytest.approx(found.saving.high)


def test_a_baseline_has_as_many_alerts():
    scores, table, split = made(
        40, 10, first, lambda day, place: -place, today=lambda day, place: place * (day % 2 * 2 - 1)
    )
    found = measure(scores, table, split)
    # Every other day the rule ranks the fraud last.
    assert found.ahead["today"].value == pytest.approx(0.5)
    assert found.ahead["today"].low > 0
    assert set(found.ahead) == {"today"}


def test_a_day_shared_with_earlier_rows_is_left_out():
    scores, table, split = made(40, 10, first, lambda day, place: -place)
    late = split.assign(part=split["part"].where(np.arange(400) != 205, "validation"))
    found = measure(scores.drop(205), table, late)
    assert (found.spans, found.rows) == (19, 190)
    with pytest.raises(DataError, match="no span of 52w holds test rows alone"):
        measure(scores, table, split, Evaluation(alert_budget=AlertBudget(alerts=2, every="52w")))


def test_a_rate_that_moved_is_told_from_chance():
    scores, table, split = made(
        40, 48, lambda day, place: place < np.where(day < 20, 1, 4), lambda day, place: -place
    )
    found = measure(scores, table, split)
    assert found.drift.value == pytest.approx(3 / 48)
    assert 0.03 < found.drift.low < found.drift.high < 0.1
    assert found.drifted


def test_few_frauds_have_no_interval():
    scores, table, split = made(
        40, 10, lambda day, place: (place == 0) & (day % 5 == 0), lambda day, place: -place
    )
    found = measure(scores, table, split)
    assert found.positives == 4
    assert found.precision.low is found.recall.low is found.drift.low is None
    assert not found.drifted
    assert measure(scores, table, split, Evaluation()) == AlertFigures()


def test_customers_are_drawn_as_a_whole():
    scores, table, split = made(40, 10, first, lambda day, place: -place)
    units = pd.DataFrame({"group": np.arange(400) // 100}, index=table.index)
    alone, grouped = measure(scores, table, split), measure(scores, table, split, units=units)
    assert grouped.precision.value == alone.precision.value
    assert grouped.precision.high - grouped.precision.low != alone.precision.high - alone.precision.low


def test_the_gate_holds_the_lower_end_of_the_precision():
    scores, table, split = made(40, 10, first, lambda day, place: -place)
    found = replace(measure(scores, table, split), precision=Estimate(0.5, 0.4, 0.6))
    (kept,) = check_alerts(found, Gate(alerts_at_least=0.4))
    (missed,) = check_alerts(found, Gate(alerts_at_least=0.41))
    assert (kept.passed, missed.passed, kept.limit) == (True, False, 0.4)
    assert "of 2 alerts every day, over 20 of them" in kept.text
    (unknown,) = check_alerts(replace(found, precision=Estimate(0.5)), Gate(alerts_at_least=0.1))
    assert not unknown.passed
    assert "cannot be judged" in unknown.text
    assert check_alerts(found, Gate()) == []
