from made_up import make_evidence

from lepton_pipeline.evaluation.alert_budget import AlertFigures
from lepton_pipeline.reporting.report.write import render_report
from lepton_pipeline.statistics.estimates import Estimate

FOUND = AlertFigures(
    alerts=50,
    every="1d",
    spans=30,
    rows=9000,
    positives=60,
    acted=1500,
    found=45,
    precision=Estimate(0.03, 0.022, 0.04),
    recall=Estimate(0.75, 0.63, 0.84, approximate=True),
    rate=Estimate(0.0067, 0.005, 0.009),
    drift=Estimate(0.002, -0.001, 0.005),
    ahead={"today": Estimate(0.4, 0.2, 0.6)},
)
HEAD = "<h3>With a budget of alerts</h3>"


def test_alerts_are_told_beside_decisions_and_costs():
    html = render_report(make_evidence(alert_figures=FOUND)).partition(HEAD)[2].partition("</section>")[0]
    assert "The 50 likeliest cases of every day are alerted" in html
    assert "45 of 1,500 alerts are positive" in html
    assert "3.0\N{NO-BREAK SPACE}%" in html
    assert "0.67\N{NO-BREAK SPACE}%" in html
    assert "more than by today" in html
    # Neither costs nor a drift beyond chance.
    assert "Saved against no alert" not in html
    assert "The rate of positive cases moved" not in html
    assert HEAD not in render_report(make_evidence())
