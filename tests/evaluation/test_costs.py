import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from lepton_pipeline.evaluation import costs as module
from lepton_pipeline.evaluation.costs import measure_costs
from lepton_pipeline.evaluation.metrics import evaluate
from lepton_pipeline.evaluation.outcomes import price_outcomes
from lepton_pipeline.parameters import About, Costs, Evaluation
from lepton_pipeline.reporting.pictures.quality import draw_decision_figures
from lepton_pipeline.system.records import to_plain
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

BINARY = Target(Binary())
# A missed case costs its amount, a false alarm 10; acting on a positive costs nothing.
AMOUNT = Costs(false_negative="amount", false_positive=10, unit="EUR")


def make_scores(rows=400, seed=0):
    random = np.random.default_rng(seed)
    labels = (np.arange(rows) % 5 == 0).astype(np.int8)
    frame = pd.DataFrame(
        {"part": np.where(np.arange(rows) < rows // 2, "validation", "test"), "label": labels}
    )
    names = ("model", "network", "logistic_regression")
    return frame.assign(
        **{name: 1 / (1 + np.exp(1 - 2 * labels - random.normal(size=rows))) for name in names}
    )


def measure(scores, evaluation, amounts=None):
    table = pd.DataFrame({"amount": 40.0 if amounts is None else amounts}, index=scores.index)
    priced = price_outcomes(table, scores[["part", "label"]], evaluation)
    metrics = evaluate(scores, BINARY, evaluation, priced)
    return metrics, to_plain(measure_costs(scores, Target(Binary()), metrics, priced, evaluation))


def by_hand():
    """Four validation and four test rows with amounts of their own."""
    scores = pd.DataFrame(
        {
            "part": ["validation"] * 4 + ["test"] * 4,
            "label": [1, 0, 1, 0, 1, 0, 1, 0],
            "model": [0.9, 0.7, 0.5, 0.1, 0.8, 0.75, 0.3, 0.2],
            "logistic_regression": [0.9, 0.8, 0.7, 0.6, 0.9, 0.8, 0.7, 0.6],
        },
        index=range(10, 18),
    )
    return scores, np.array([100.0, 0, 6, 0, 50, 0, 20, 0])


def test_cost_of_a_case_worked_by_hand():
    scores, amounts = by_hand()
    metrics, found = measure(scores, Evaluation(resamples=100, costs=AMOUNT), amounts)
    # To act on the first row saves 100; on the second costs 10, which the 6 of the third does not make up for.
    assert metrics.threshold_rule == "cost"
    assert metrics.threshold == found["threshold"] == pytest.approx(0.8)
    assert metrics.thresholds["logistic_regression"] == pytest.approx(0.85)
    values = {policy: figure["value"] for policy, figure in found["policies"].items()}
    # Of four test rows the model acts on the first: 20 for the third are lost. All: two false alarms. None: 50 + 20.
    assert values == pytest.approx({"model": 5000, "all": 5000, "none": 17500, "logistic_regression": 5000})
    saving = {policy: figure["value"] for policy, figure in found["saving"].items()}
    assert saving == pytest.approx({"all": 0, "none": 12500, "logistic_regression": 0})
    assert found["unit"] == "EUR"
    assert found["note"] == ""


def test_what_if_of_a_case_worked_by_hand():
    scores, amounts = by_hand()
    _, found = measure(scores, Evaluation(resamples=100, costs=AMOUNT), amounts)
    rows = {row["threshold"]: row for row in found["what_if"]}
    # At 0.6, which parts the validation rows in halves, the second test row is a false alarm and the third is missed.
    assert list(rows) == pytest.approx([0.95, 0.8, 0.6])
    assert (rows[0.6]["acted"], rows[0.6]["precision"], rows[0.6]["recall"]) == (500, 0.5, 0.5)
    assert rows[0.6]["cost"]["value"] == pytest.approx(7500)
    assert (rows[0.95]["acted"], rows[0.95]["precision"], rows[0.95]["recall"]) == (0, None, 0)
    assert [row["threshold"] for row in found["what_if"] if row["chosen"]] == [found["threshold"]]


def test_capacity_of_a_case_worked_by_hand():
    scores, amounts = by_hand()
    _, found = measure(scores, Evaluation(resamples=100, costs=AMOUNT, capacity=600), amounts)
    capacity = found["capacity"]
    # 600 of 1,000 are two of four rows: one positive, one false alarm, and the 20 of the third is lost.
    assert capacity["per_1000"] == 600
    assert capacity["acted"] == 500
    assert (capacity["precision"], capacity["recall"], capacity["lift"]) == (0.5, 0.5, 1)
    assert capacity["cost"]["value"] == pytest.approx(7500)
    assert capacity["threshold"] == pytest.approx((0.75 + 0.3) / 2)


def test_the_threshold_has_the_least_cost_of_all_cuts_of_the_validation_rows():
    scores = make_scores(seed=4)
    amounts = np.random.default_rng(4).lognormal(3, 1, len(scores))
    metrics, _ = measure(scores, Evaluation(resamples=100, costs=AMOUNT), amounts)
    rows = scores["part"] == "validation"
    own, labels, lost = scores.loc[rows, "model"], scores.loc[rows, "label"], amounts[rows]

    def cost(threshold):
        acted = own >= threshold
        return np.where(acted, np.where(labels == 1, 0, 10), np.where(labels == 1, lost, 0)).sum()

    assert cost(metrics.threshold) == pytest.approx(min(cost(cut) for cut in [*own, 0, 2]))


def test_without_costs_the_best_f1_decides_and_nothing_has_a_price():
    scores = make_scores()
    metrics, found = measure(scores, Evaluation(resamples=100, capacity=100))
    assert metrics == evaluate(scores, BINARY, Evaluation(resamples=100))
    assert metrics.threshold_rule == "f1"
    assert not found["declared"]
    assert found["policies"] == found["saving"] == found["curve"] == {}
    assert {row["cost"] for row in found["what_if"]} == {None}
    assert 8 <= len(found["what_if"]) <= 10
    assert found["capacity"]["acted"] == 100
    assert found["capacity"]["cost"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_intervals_are_those_of_resampled_rows():
    scores = make_scores()
    evaluation = Evaluation(resamples=2000, costs=AMOUNT)
    metrics, found = measure(scores, evaluation)
    test = scores[scores["part"] == "test"]
    acted, positive = test["model"] >= metrics.threshold, test["label"] == 1
    costs = np.where(acted, np.where(positive, 0, 10), np.where(positive, 40, 0))
    random = np.random.default_rng(5)
    draws = 1000 * np.mean([random.choice(costs, len(costs)) for _ in range(2000)], axis=1)
    # 40 positive rows decide, so ends lie as much further out as Student's factor says.
    factor = student.ppf(0.975, 39) / norm.ppf(0.975) * np.sqrt(40 / 39)
    expected = 1000 * costs.mean() + factor * (np.quantile(draws, (0.025, 0.975)) - 1000 * costs.mean())
    model = found["policies"]["model"]
    assert model["value"] == pytest.approx(1000 * costs.mean())
    assert (model["low"], model["high"]) == pytest.approx(tuple(expected), rel=0.05)
    # Deciding without a model costs more where more cases are positive, and their number varies, too.
    without = found["policies"]["none"]
    assert without["low"] < without["value"] == 8000 < without["high"]


@pytest.mark.parametrize(
    ("task", "columns"),
    [
        (Multiclass(["a", "b", "c"]), {"model: a": 0.2, "model: b": 0.5, "model: c": 0.3}),
        (Regression(), {"model": 0.5, "model: low": 0.0, "model: high": 2.0}),
    ],
)
def test_without_a_threshold_and_costs_there_is_nothing_to_price(task, columns):
    scores, evaluation = make_scores()[["part", "label"]].assign(**columns), Evaluation(resamples=100)
    priced = price_outcomes(pd.DataFrame(index=scores.index), scores, evaluation)
    metrics = evaluate(scores, Target(task), evaluation, priced)
    assert metrics.threshold is None
    assert set(metrics.thresholds.values()) == {None}
    found = measure_costs(scores, Target(task), metrics, priced, evaluation)
    assert found == module.Costs()
    assert (found.declared, found.threshold, list(found.what_if)) == (False, None, [])


def test_savings_are_paired():
    scores = make_scores().assign(logistic_regression=lambda rows: rows["model"])
    _, found = measure(scores, Evaluation(resamples=100, costs=AMOUNT))
    assert found["policies"]["logistic_regression"] == found["policies"]["model"]
    assert found["saving"]["logistic_regression"] == {"value": 0, "low": 0, "high": 0, "approximate": True}
    assert "network" not in found["policies"]


def test_the_curve_runs_from_acting_on_all_to_acting_on_none():
    scores = make_scores()
    _, found = measure(scores, Evaluation(resamples=100, costs=AMOUNT))
    curve = pd.DataFrame(found["curve"])
    assert curve["threshold"].is_monotonic_increasing
    assert curve["cost"].iloc[0] == pytest.approx(found["policies"]["all"]["value"])
    assert curve["cost"].iloc[-1] == pytest.approx(found["policies"]["none"]["value"])
    chosen = curve[curve["threshold"] == found["threshold"]].iloc[0]
    assert chosen["cost"] == pytest.approx(found["policies"]["model"]["value"])
    assert (curve["low"] <= curve["cost"]).all()
    assert (curve["cost"] <= curve["high"]).all()


@pytest.mark.parametrize(("amount", "acted", "decision"), [(1e6, 1, "every case"), (1e-3, 0, "no case")])
def test_costs_that_make_the_model_idle_are_told_and_break_nothing(amount, acted, decision):
    scores = make_scores()
    # A score of 1 leaves no room for a threshold above it but just above 1, one of 0 none below.
    scores = scores.assign(
        model=scores["model"].where(scores.index % 50 != 1, 1.0).where(scores.index % 50 != 2, 0.0)
    )
    scores = scores.assign(model=scores["model"].where(scores["label"] == 0, 0.5))
    scores.loc[scores.index % 50 == 5, "model"] = 0.0
    metrics, found = measure(scores, Evaluation(resamples=100, costs=AMOUNT), np.full(len(scores), amount))
    test = scores[scores["part"] == "test"]
    assert (test["model"] >= metrics.threshold).mean() == acted
    assert decision in found["note"]
    assert metrics.model["f1"].value == pytest.approx(2 * acted * 0.2 / 1.2)
    assert set(draw_decision_figures(scores, metrics, About())) >= {"roc.svg", "score_histogram.svg"}
    chosen = next(row for row in found["what_if"] if row["chosen"])
    assert chosen["precision"] == (pytest.approx(0.2) if acted else None)
    json.dumps(found, allow_nan=False)


def test_row_order_and_chunks_do_not_matter(monkeypatch):
    scores = make_scores()
    evaluation = Evaluation(resamples=100, costs=AMOUNT, capacity=50)
    _, found = measure(scores, evaluation)
    monkeypatch.setattr("lepton_pipeline.evaluation.resampling.CELLS", 700)
    _, chunked = measure(scores, evaluation)
    assert chunked["curve"]["low"] == pytest.approx(found["curve"]["low"], rel=1e-12)
    _, shuffled = measure(scores.sample(frac=1, random_state=1), evaluation)
    assert shuffled["policies"]["model"] == pytest.approx(found["policies"]["model"], rel=1e-12)


def test_memory_does_not_grow_with_the_resamples():
    scores = make_scores(rows=40_000)
    evaluation = Evaluation(resamples=400, costs=AMOUNT)
    priced = price_outcomes(pd.DataFrame({"amount": 40.0}, index=scores.index), scores, evaluation)
    metrics = evaluate(scores, BINARY, Evaluation(resamples=100), priced)
    tracemalloc.start()
    measure_costs(scores, Target(Binary()), metrics, priced, evaluation)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All weights at once would take 64 MB in one array.
    assert peak < 40e6
