"""The policy as a table of cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lepton_pipeline.operations.monitoring.findings import MetricEstimate
from lepton_pipeline.operations.retraining.policy import decide
from lepton_pipeline.operations.retraining.state import Champion, QualityWindow, RetrainingState
from lepton_pipeline.parameters import Decay, Retraining
from lepton_pipeline.statistics.metric_table import wholly_worse

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def champion(age: float = 10, training_rows: int | None = 1000) -> Champion:
    estimate = MetricEstimate("auc", 0.8, 0.78, 0.82)
    return Champion(
        3, "2026-05-01", "2026-05-10", 1500, days_ago(age), days_ago(age), training_rows, estimate
    )


def windows(*values: float, bound: float = 0.8, metric: str = "auc") -> tuple[QualityWindow, ...]:
    return tuple(
        QualityWindow("a", "b", value, *ends, wholly_worse(metric, ends, bound), metric)
        for value in values
        for ends in [(value - 0.02, value + 0.02)]
    )


@pytest.mark.parametrize(
    ("policy", "state", "trigger", "holds", "why"),
    [
        ({}, {"champion": None}, "champion", True, "none yet"),
        ({}, {}, "champion", False, "version 3"),
        ({"max_age": "10d"}, {}, "max_age", True, "age 10 days, reached: 10d"),
        ({"max_age": "11d"}, {}, "max_age", False, "age 10 days, not reached: 11d"),
        (
            {"max_age": "1h"},
            {"champion": champion(0.5 / 24)},
            "max_age",
            False,
            "age 30 min, not reached: 1h",
        ),
        (
            {"max_age": "1d"},
            {"champion": champion(-5)},
            "max_age",
            None,
            "trained on 2026-06-06, after this date",
        ),
        ({"max_age": "1d"}, {"champion": None}, "max_age", None, "no champion"),
        (
            {"on_new_rows": 100},
            {"new_mature_rows": 100},
            "on_new_rows",
            True,
            "100 rows with known labels since, of 100",
        ),
        ({"on_new_rows": 100}, {"new_mature_rows": 99}, "on_new_rows", False, "99 rows"),
        (
            {"on_new_rows": 0.1},
            {"new_mature_rows": 100},
            "on_new_rows",
            True,
            "10.0% of 1,000 training rows; wanted 0.1",
        ),
        ({"on_new_rows": 0.1}, {"new_mature_rows": 99}, "on_new_rows", False, "9.9%"),
        ({"on_new_rows": 1}, {"new_mature_rows": 1}, "on_new_rows", True, "1 row "),
        ({"on_new_rows": 0.1}, {}, "on_new_rows", None, "not known"),
        (
            {"on_new_rows": 0.1},
            {"champion": champion(training_rows=None), "new_mature_rows": 5},
            "on_new_rows",
            None,
            "version 3",
        ),
        ({}, {"new_mature_rows": 10**6}, "on_new_rows", False, "not declared; 1,000,000 rows"),
        ({"on_drift": True}, {"drifted": ("a", "b", "c", "d")}, "on_drift", True, "of a, b, c and 1 more"),
        (
            {"on_drift": True},
            {"drifted": (), "domain_auc": 0.51, "domain_p": 0.4},
            "on_drift",
            False,
            "none (domain classifier: AUC 0.510, p 0.4)",
        ),
        ({"on_drift": True}, {}, "on_drift", None, "not compared"),
        ({}, {"drifted": ("a",)}, "on_drift", False, "not declared"),
        (
            {"on_decay": Decay()},
            {"windows": windows(0.7, 0.8, 0.75)},
            "on_decay",
            True,
            "2 of the last 3 windows",
        ),
        (
            {"on_decay": Decay()},
            {"windows": windows(0.7, 0.7, 0.8, 0.8, 0.7)},
            "on_decay",
            False,
            "1 of the last 3",
        ),
        (
            {"on_decay": Decay()},
            {"windows": windows(0.7)},
            "on_decay",
            None,
            "needs 2 windows with known labels, there are 1",
        ),
        (
            {"on_decay": Decay(at_least=0.72, windows=1, of=2)},
            {"windows": windows(0.75, 0.75)},
            "on_decay",
            False,
            "0 of the last 2 windows wholly below 0.72",
        ),
        (
            {"on_decay": Decay(at_least=0.9, windows=1, of=1)},
            {"windows": windows(0.84)},
            "on_decay",
            True,
            "below 0.9, needed 1; the latest at 0.8400",
        ),
        (
            {"on_decay": Decay(at_least=0.9, windows=1, of=1)},
            {"windows": windows(0.89)},
            "on_decay",
            False,
            "0 of the last 1 windows wholly below 0.9",
        ),
        ({"on_decay": Decay()}, {"windows": ()}, "on_decay", None, "no window has known labels"),
        (
            {"on_decay": Decay()},
            {"windows": windows(1.0, 0.7, 0.9, metric="rmse")},
            "on_decay",
            True,
            "2 of the last 3 windows wholly above the champion's own estimate",
        ),
        (
            {"on_decay": Decay(at_most=1500.0, windows=1, of=1)},
            {"windows": windows(1400.0, metric="rmse", bound=1000.0)},
            "on_decay",
            False,
            "0 of the last 1 windows wholly above 1500, needed 1; the latest at 1,400.00",
        ),
        (
            {"on_decay": Decay()},
            {"windows": windows(0.5, 0.5, metric="mae"), "coverage": windows(0.7, 0.7, metric="coverage")},
            "on_decay",
            True,
            "coverage of intervals: 2 of the last 2 windows wholly below the champion's own estimate",
        ),
        (
            {"on_decay": Decay()},
            {"windows": windows(0.5, 0.5, metric="mae"), "coverage": windows(0.9, metric="coverage")},
            "on_decay",
            False,
            "coverage of intervals: needs 2 windows",
        ),
    ],
)
def test_a_trigger_holds_or_says_why_not(policy, state, trigger, holds, why):
    decision = decide(Retraining(**policy), RetrainingState(now=NOW, **{"champion": champion(), **state}))
    found = {each.name: each for each in decision.triggers}[trigger]
    assert (found.holds, decision.due) == (holds, bool(holds) or state.get("champion", 1) is None)
    assert why in found.why


@pytest.mark.parametrize(
    ("since_training", "force", "due"),
    [(None, False, True), (6.9, False, False), (7, False, True), (1, True, True), (-3, False, True)],
)
def test_no_trigger_counts_in_the_cool_down(since_training, force, due):
    last = None if since_training is None else days_ago(since_training)
    policy = Retraining(max_age="1d", cool_down="7d")
    decision = decide(
        policy, RetrainingState(now=NOW, champion=champion(), last_training_at=last), force=force
    )
    assert decision.due is due
    assert "max_age" in decision.holding
    if not due:
        assert decision.cooling == last + timedelta(days=7)
        assert "no trigger counts until" in decision.why


def test_a_refused_first_model_cools_down_too():
    policy = Retraining(cool_down="2d")
    assert not decide(policy, RetrainingState(now=NOW, last_training_at=days_ago(1))).due
    assert decide(policy, RetrainingState(now=NOW, last_training_at=days_ago(2))).due


def test_what_is_forced_says_so():
    decision = decide(Retraining(), RetrainingState(now=NOW, champion=champion()), force=True)
    assert decision.due
    assert decision.holding == ("force",)
    assert decision.why == "due: force: asked for"


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        ({}, "not due: there is a champion, and no trigger is declared"),
        ({"on_drift": True}, "not due: no trigger holds; not known: on_drift"),
        ({"max_age": "90d"}, "not due: no trigger holds"),
    ],
)
def test_nothing_due_is_said_in_a_sentence(policy, why):
    assert decide(Retraining(**policy), RetrainingState(now=NOW, champion=champion())).why == why
