import re

from made_up import make_decision, make_evidence

from lepton_pipeline.evaluation.decision import Check
from lepton_pipeline.evaluation.robustness import MeasuredRobustness, Trial
from lepton_pipeline.reporting.report.write import render_report
from lepton_pipeline.statistics.estimates import Estimate

SURE, UNSURE = Estimate(0.03, 0.01, 0.05), Estimate(0.01, -0.01, 0.03)
CHANGED = Estimate(0.123, 0.1, 0.15)


def trial(name, column="", loss=SURE):
    return Trial(name, column, Estimate(0.8 - loss.value, 0.7, 0.85), loss, CHANGED)


TRIALS = [
    trial("noise_5"),
    trial("noise_20"),
    trial("typos_5", loss=UNSURE),
    trial("worst_step"),
    *(trial("missing_50", f"<b>{place}", Estimate(0.01 * place, 0.001, 0.1)) for place in range(5)),
]
MEASURED = MeasuredRobustness("auc", 2000, 6000, 90, 7, Estimate(0.8, 0.75, 0.85), TRIALS)


def section(evidence):
    return render_report(evidence).partition('<section id="robustness">')[2].partition("</section>")[0]


def test_the_section_is_there_only_if_something_was_perturbed():
    assert not section(make_evidence())
    assert section(make_evidence(robustness=MEASURED))


def test_losses_fragile_columns_and_the_rest_are_told():
    html = section(make_evidence(robustness=MEASURED))
    assert "2,000 of 6,000 test rows were scored again with perturbed columns, 90 times in all" in html
    assert re.findall(r"<h3>([^<]*)</h3>", html) == ["Most fragile columns"]
    fragile = html.partition("<h3>Most fragile columns</h3>")[2].partition("<details>")[0]
    assert re.findall(r"&lt;b&gt;(\d)", fragile) == ["4", "3", "2"]
    assert "<b>" not in html
    assert html.count("bar unsure") == 1
    assert "12.3\N{NO-BREAK SPACE}%" in html
    assert "All 5 columns that were perturbed alone" in html
    # A line of each kind that has levels.
    assert [each in html for each in (">noise<", ">mistyped<", ">unseen<")] == [True, True, False]


def test_a_check_of_the_gate_is_named_by_its_perturbation():
    decision = make_decision()
    decision.checks.append(Check("robustness noise_10", True, "auc is ahead"))
    assert "Robustness: noise of 10 % of a deviation" in render_report(make_evidence(decision=decision))
