from dataclasses import replace

import pytest

from lepton_pipeline.evaluation.interval_text import bracket, quality_warnings
from lepton_pipeline.reporting.report.formats import amounts, interval
from lepton_pipeline.statistics.estimates import Estimate, Evidence, Metrics, Rows


def warnings(evidence=None, positives=100):
    rows = {"validation": Rows(900, positives)}
    return quality_warnings(Metrics(0.5, {}, rows, 100, {}, evidence=evidence))


def test_an_interval_is_marked_where_it_is_approximate_and_named_where_it_is_missing():
    figure = Estimate(0.5, -0.25, 0.75)
    assert bracket(figure) == "[-0.2500, 0.7500]"
    assert bracket(replace(figure, approximate=True), "{:+.1f}".format) == "≈[-0.2, +0.8]"
    assert bracket(Estimate(0.5)) == "[cannot be judged]"
    assert interval("auc", Estimate(0.6, 0.5, 0.75, True)) == "≈ 0.500 to 0.750"
    assert interval("recall", Estimate(0.5)) == amounts(Estimate(3.0), "EUR") == "cannot be judged"
    assert amounts(Estimate(500.0, 100.0, 2000.0), "EUR") == "100 to 2,000 EUR"


@pytest.mark.parametrize(
    ("cases", "units", "unit", "said"),
    [
        (9, 500, "row", "no intervals: 9 test rows of the rarer class, and it takes 10 to judge a model"),
        (80, 1, "group", "no intervals: the test rows are of one group"),
        (80, 1, "block", "declare dataset.group"),
        (49, 500, "row", "intervals are approximate (≈): 49 test rows of the rarer class, below 50"),
        (20, 12, "group", "below 50 and 12 groups of test rows, below 30"),
        (80, 12, "block", "intervals are approximate (≈): 12 blocks of test rows, below 30"),
    ],
)
def test_thin_evidence_is_said(cases, units, unit, said):
    (warning,) = warnings(Evidence(cases, units, unit))
    assert said in warning


@pytest.mark.parametrize("evidence", [None, Evidence(50, 30, "group")])
def test_enough_evidence_and_that_of_an_earlier_release_are_not(evidence):
    assert warnings(evidence) == []


def test_a_threshold_of_few_positives_is_warned_of():
    (warning,) = warnings(positives=99)
    assert warning.startswith("the threshold was chosen on 99 held-out positive rows, below 100")
