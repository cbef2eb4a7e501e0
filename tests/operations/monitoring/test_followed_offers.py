from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from other_tasks import CLASSES, draw, make_champion
from shop_interactions import DATASET, declared, shop, visits

from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.monitoring.offers import follow_offers, with_offers
from lepton_pipeline.operations.monitoring.page import render_page
from lepton_pipeline.operations.monitoring.summary import offers_text
from lepton_pipeline.parameters import About, Gate
from lepton_pipeline.recommendation.interactions import read_interactions
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.terminal.monitoring import monitoring_markdown

JUNE = pd.Timestamp("2020-06-01").timestamp()


@dataclass(frozen=True)
class OfVisits:
    """A model that offers what a customer has bought on most days."""

    def scores(self, pairs: pd.DataFrame) -> np.ndarray:
        return pairs["own_visits"].fillna(0).to_numpy()


def follow(table, since=JUNE, **changes):
    recommendation = declared(**changes)
    return follow_offers(read_interactions(table, recommendation), OfVisits(), recommendation, DATASET, since)


def test_the_share_of_offers_that_were_bought_counts_who_does_not_come_back():
    before = [
        (who, what, day) for day in ("2020-04-01", "2020-04-20") for who in "abcd" for what in ("x", "y")
    ]
    # Of two offers each, a buys both, b one, c something else, and d does not come back.
    after = [("a", "x"), ("a", "y"), ("b", "x"), ("c", "other")]
    late = [("d", "x", "2020-07-02"), ("e", "x", "2020-07-09")]
    table = visits([*before, *((who, what, "2020-06-10") for who, what in after), *late])
    (found,) = follow(table, top=2)
    assert (found.since, found.until) == ("2020-06-01", "2020-07-01")
    assert (found.customers, found.returned, found.offers) == (4, 2, 8)
    assert found.bought.value == pytest.approx(3 / 8)
    assert found.of_returned.value == pytest.approx(3 / 4)
    assert found.bought.approximate


def test_every_cut_whose_time_has_ended_is_followed_the_twelve_latest():
    found = follow(shop(days=330))
    # The records end on 25 November; what is bought in 30 days from 1 November on is not known.
    assert [each.since[5:7] for each in found] == ["06", "07", "08", "09", "10"]
    for each in found:
        assert each.bought.low < each.bought.value < each.bought.high
        assert each.bought.value <= each.of_returned.value
        assert each.customers == 40
        assert each.offers == 200
    many = follow(shop(days=330), since=0.0, every="week")
    assert len(many) == 12
    assert many[-1].since > "2020-10-20"


def test_nobody_coming_back_has_no_share_of_its_own():
    early = [(who, what, "2020-04-01") for who in "ab" for what in ("x", "y")]
    (found,) = follow(visits([*early, ("new", "x", "2020-06-20"), ("new", "x", "2020-07-05")]))
    assert (found.returned, found.of_returned) == (0, None)
    assert found.bought.value == 0
    assert found.bought.high > 0


def test_offers_stand_in_the_result_the_summary_and_the_page():
    found = make_champion(CLASSES).watch(draw(300, seed=2, first=600), Gate(metric="log_loss"))
    assert found.offers is None
    assert "offers" not in monitoring_markdown({"monitoring_result": found})
    followed = with_offers(found, follow(shop(days=330)))
    assert from_json(MonitoringResult, to_json(followed)) == followed
    assert followed.series[0]["offers.bought"] == followed.offers[0].bought.value
    assert len(followed.series) == max(5, len(found.windows))
    last = followed.offers[-1].bought
    text = (
        f"{100 * last.value:.2f} % [{100 * last.low:.2f} %, {100 * last.high:.2f} %] bought from 2020-10-01"
    )
    assert offers_text(followed.offers).startswith(text)
    assert "**offers**" in monitoring_markdown({"monitoring_result": followed})
    page = render_page(followed, About())
    assert "Bought of what was offered" in page
    assert page.count('<th scope="row" class="when">2020-') == 5
    single = with_offers(found, follow(shop(days=330))[:1])
    assert "Bought of what was offered" not in render_page(single, About())
    assert "the latest cut of the training" in offers_text(single.offers)
    assert offers_text([]) == "not known yet"
