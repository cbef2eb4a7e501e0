"""What of a job's outcome somebody is told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lepton_pipeline.errors import ConfigurationError, ContractError, DataError
from lepton_pipeline.operations.alerts.notify import alert_of_error, alerts_of
from lepton_pipeline.operations.retraining.job import Outcome, Request, Trained
from lepton_pipeline.operations.retraining.policy import decide
from lepton_pipeline.operations.retraining.state import Champion, QualityWindow, RetrainingState
from lepton_pipeline.parameters import Vertical

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHAMPION = Champion(3, "2026-09-01", "2026-10-01", 500, NOW, NOW, 400, None)
BAD, GOOD = (QualityWindow("a", "b", 0.7, 0.6, 0.8, below, "auc") for below in (True, False))


def told(policy=None, state=None, trained=None, error=None, as_of=None):
    bare = {"dataset": {"target": "y", "positive": 1}, "retraining": policy or {}}
    request = Request("shop", Vertical.model_validate(bare), as_of, NOW, False)
    decision = None if state is None else decide(request.declared.retraining, state)
    code = 0 if error is None else 1
    return alerts_of(request, Outcome("r", state, decision, trained, error, code), {"job": "run r"}, NOW)


def test_a_job_that_ended_well_tells_nothing():
    assert told(state=RetrainingState(NOW, CHAMPION, drifted=(), windows=(GOOD, GOOD, BAD))) == []
    assert told(state=RetrainingState(NOW, CHAMPION), trained=Trained("t", 4, True, "better")) == []
    (drift,) = told(
        state=RetrainingState(NOW, CHAMPION, drifted=("age",)),
        trained=Trained("t", 4, None, "the same model"),
    )
    assert (drift.text, drift.details["trained"]) == ("Drift of age.", "version 4, same as champion")


def test_drift_and_decay_are_told_though_nothing_is_due():
    state = RetrainingState(
        NOW, CHAMPION, drifted=("age", "scores"), domain_auc=0.71, domain_p=0.001, windows=(BAD, GOOD, BAD)
    )
    drift, decay = told(state=state, as_of="2026-11-01")
    assert (drift.cause, drift.text) == (
        "drift",
        "Drift of age, scores (domain classifier: AUC 0.710, p 0.001).",
    )
    assert decay.text.startswith(
        "Decay: 2 of the last 3 windows wholly below the champion's own estimate, needed 2; the latest"
    )
    assert drift.details == {
        "as of": "2026-11-01",
        "champion": "version 3",
        "decision": "not due: there is a champion, and no trigger is declared",
        "job": "run r",
    }


def test_an_index_that_turned_is_told_though_nothing_is_due():
    turned = "turned: -0.4600 [-0.5300, -0.3900], 0.5300 lower than 0.0700 before (p 1e-09)"
    (turn,) = told(state=RetrainingState(NOW, CHAMPION, drifted=(), turned=turned))
    assert (turn.cause, turn.text) == ("turn", f"The index has {turned}.")


def test_intervals_that_no_longer_hold_are_told_as_decay():
    holds = QualityWindow("a", "b", 5.0, 4.0, 6.0, False, "rmse")
    misses = QualityWindow("a", "b", 0.7, 0.6, 0.8, True, "coverage")
    (decay,) = told(state=RetrainingState(NOW, CHAMPION, windows=(holds,) * 2, coverage=(misses,) * 2))
    assert (decay.cause, decay.text) == (
        "decay",
        "Decay: coverage of intervals: 2 of the last 2 windows wholly below the champion's own estimate, "
        "needed 2; the latest at 70.00 %; rmse: 0 of the last 2 windows wholly above the champion's own estimate, "
        "needed 2; the latest at 5.0000.",
    )


def test_the_policy_says_what_decay_is():
    state = RetrainingState(NOW, CHAMPION, windows=(BAD, GOOD, BAD))
    assert told({"on_decay": {"windows": 3, "of": 3}}, state) == []


def test_a_refusal_and_what_led_to_it_are_told():
    state = RetrainingState(NOW, CHAMPION, drifted=("age",))
    refused, drift = told(state=state, trained=Trained("t", 4, False, "auc 0.7 is below 0.75"))
    assert (refused.cause, refused.text) == ("refused", "auc 0.7 is below 0.75")
    assert refused.details["trained"] == "version 4, refused"
    assert drift.text == "Drift of age."
    (drift,) = told(state=state, trained=Trained("t", 4, True, "better"))
    assert drift.text == "Drift of age. Version 4 is champion since."


def test_a_failure_after_drift_was_found_tells_both():
    assert [
        each.cause
        for each in told(state=RetrainingState(NOW, CHAMPION, drifted=("age",)), error=OSError("full"))
    ] == [
        "failed",
        "drift",
    ]


@pytest.mark.parametrize(
    ("error", "cause", "text"),
    [
        (ValueError("odd\nmore"), "failed", "ValueError: odd"),
        (ConfigurationError("shop.gate: wrong."), "failed", "shop.gate: wrong."),
        (DataError("no column 'age'"), "contract", "no column 'age'"),
        # Values of rows stay where they are.
        (
            ContractError(
                "The data breaks it:\n- age: 3 of 10 rows do not conform, e.g. 'Ada' (row 4).\nCorrect it."
            ),
            "contract",
            "The data breaks it:\n- age: 3 of 10 rows do not conform.\nCorrect it.",
        ),
    ],
)
def test_errors_are_told_by_what_is_to_be_mended(error, cause, text):
    alert = alert_of_error("shop", error, NOW, {})
    assert (alert.cause, alert.text) == (cause, text)
