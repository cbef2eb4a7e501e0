"""Ranked offers in the report."""

from __future__ import annotations

from dataclasses import replace

from made_up import make_evidence

from lepton_pipeline.evaluation.ranking import MEASURES, Example, Offer, Owned, Ranking, Reading
from lepton_pipeline.reporting.report.ranking import summarise_ranking
from lepton_pipeline.reporting.report.write import render_report
from lepton_pipeline.statistics.estimates import Estimate


def reading(low: float) -> Reading:
    figures = {
        name: {measure: Estimate(0.25, 0.2, 0.3) for measure in MEASURES}
        for name in ("model", "own_purchases")
    }
    return Reading(2336, 95209, figures, "own_purchases", {"ndcg": Estimate(low + 0.01, low, low + 0.02)})


RANKING = Ranking(
    purpose="repeat",
    cut="2011-09-01",
    until="2011-11-30",
    items=3939,
    reached=0.61,
    new_items=reading(-0.03),
    all_items=reading(0.004),
    examples=(
        Example(
            ndcg=0.4,
            visits=12,
            items=30,
            history=[Owned("85123A", 6, 40)],
            offers=[
                Offer("85123A", "bought 6 times, last 40 days ago", hit=True),
                Offer("22423", "because of 85123A, 20725", hit=False),
            ],
            bought=5,
            also_bought=["21790"],
        ),
    ),
)


def test_figures_and_customers_are_shown():
    html = render_report(replace(make_evidence(), ranking=RANKING))
    assert "<h2>Offers</h2>" in html
    assert "NDCG@10 is better than that of the best opponent, own purchases: +0.014 [+0.004, +0.024]" in html
    assert "NDCG@10 is worse than that of the best opponent, own purchases: -0.020 [-0.030, -0.010]" in html
    assert html.count("because of 85123A, 20725") == 1
    assert "Then also bought: 21790, .." in html
    assert "2,336 customers, who bought 95,209 items that count" in html


def test_a_line_has_figures_and_the_lead():
    assert summarise_ranking(RANKING) == (
        "NDCG@10 0.250 [0.200, 0.300], Recall@20 0.250 [0.200, 0.300]. NDCG@10 is better than that of the best "
        "opponent, own purchases: +0.014 [+0.004, +0.024], paired by customer."
    )


def test_reports_of_others_have_no_such_section():
    assert "Offers" not in render_report(make_evidence())
