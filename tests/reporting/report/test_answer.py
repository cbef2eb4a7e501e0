"""The answer at the top of a report: how good the model is beside what there was, and what to do next."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up import make_decision, make_evidence

from lepton_pipeline.evaluation.decision import Check
from lepton_pipeline.reporting.report.answer import describe_quality_briefly, next_steps
from lepton_pipeline.reporting.report.write import render_report


def evidence(*checks, **changes):
    return make_evidence(decision=replace(make_decision(), checks=list(checks), **changes))


def baseline(low, high):
    text = "auc is 0.01 above baseline hist_gradient_boosting on 300 rows"
    return Check("baseline", True, text, value=0.01, low=low, high=high)


def champion(low, high):
    return Check("champion", True, "auc is above champion version 2", value=0.01, low=low, high=high)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.001, 0.02, "better than"),
        (-0.001, 0.02, "level with"),
        (-0.02, -0.001, "worse than"),
        (None, None, "not comparable with"),
    ],
)
def test_the_interval_of_a_lead_says_whether_it_is_one(low, high, said):
    made = evidence(baseline(low, high))
    figures = made.metrics.test
    auc, boosting = figures["model"]["auc"], figures["hist_gradient_boosting"]["auc"]
    rows = made.metrics.rows["test"].rows
    assert describe_quality_briefly(made) == (
        f"AUC on {rows} test rows: {auc.value:.3f} [{auc.low:.3f} to {auc.high:.3f}], {said} gradient boosting "
        f"({boosting.value:.3f})."
    )


def test_the_champion_is_compared_where_it_can_be():
    both = describe_quality_briefly(evidence(baseline(-0.01, 0.01), champion(0.001, 0.02)))
    assert both.endswith(") and better than champion version 2.")
    assert "champion" not in describe_quality_briefly(evidence(champion(None, None)))


def test_without_comparisons_the_metric_stands_alone():
    assert describe_quality_briefly(evidence()).endswith("].")


def test_the_metric_is_that_of_the_gate():
    made = evidence()
    lineage = replace(made.lineage, parameters={"gate": {"metric": "average_precision"}})
    assert describe_quality_briefly(replace(made, lineage=lineage)).startswith("Average precision on ")
    unknown = replace(made.lineage, parameters={})
    assert describe_quality_briefly(replace(made, lineage=unknown)).startswith("AUC on ")


def test_a_promoted_model_is_to_be_used_and_watched():
    assert [command for _, command in next_steps(evidence())] == [
        "kedro run --pipelines finance_scoring",
        "kedro run --pipelines finance_monitoring",
    ]
    same = evidence(promoted=None)
    assert next_steps(same) == next_steps(evidence())


def test_a_refused_model_is_to_be_compared_or_promoted_by_hand():
    assert [command for _, command in next_steps(evidence(promoted=False))] == [
        "kedro compare finance",
        "kedro champion promote finance 3 --force --reason WHY",
    ]


def test_the_page_begins_with_it():
    page = render_report(evidence(baseline(0.001, 0.02)))
    top = page[: page.index('<dl class="tiles">')]
    for said in (
        "Promoted",
        "better than gradient boosting",
        "<code>kedro run --pipelines finance_scoring</code>",
    ):
        assert said in top
    # A promoted model's reason repeats its figures.
    assert "is at least 0.75" not in top
    assert page.index("Intended use.") < page.index(">What was found<")
