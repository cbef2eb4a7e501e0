"""The index of new rows: by period or batch, and whether it turns."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from other_tasks import CLASSES, NUMBER, ROWS, draw, make_champion

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.monitoring.index import take_index
from lepton_pipeline.operations.monitoring.page import render_page
from lepton_pipeline.operations.monitoring.reference import Categories, Reference
from lepton_pipeline.operations.monitoring.summary import index_text
from lepton_pipeline.operations.retraining.state import Champion, read_monitoring
from lepton_pipeline.parameters import About, Dataset, Gate, Monitoring
from lepton_pipeline.statistics.prediction_powered import Judged
from lepton_pipeline.system.records import from_json, to_plain
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass

BY_LOSS = Gate(metric="log_loss", at_least=None)
BY_ERROR = Gate(metric="rmse", at_least=None)
VALUES = {"villa": 1.0, "cottage": -1.0}
QUARTERLY = {"values": VALUES, "every": "quarter"}


@pytest.fixture(scope="module")
def classes():
    return make_champion(CLASSES)


@pytest.fixture(scope="module")
def number():
    return make_champion(NUMBER)


def smaller_from_july(rows):
    """Later rows that are smaller from the third quarter of 2028 on."""
    later = draw(rows, seed=2, first=ROWS)
    return later.assign(size=later["size"].where(later["day"] < "2028-07-01", later["size"] - 1.5))


def check(result):
    """It is JSON without NaN, from which it can be read again, and a page."""
    plain = json.dumps(to_plain(result), allow_nan=False)
    assert from_json(MonitoringResult, plain) == result
    return render_page(result, About())


def test_the_index_of_a_quarter_is_the_mean_prediction_and_the_mean_error_of_the_test(classes):
    result = classes.watch(draw(400, seed=2, first=ROWS), BY_LOSS, index=QUARTERLY)
    found = result.index
    assert [(each.since[:10], each.until[:10]) for each in found.periods][:2] == [
        ("2027-07-01", "2027-10-01"),
        ("2027-10-01", "2028-01-01"),
    ]
    assert sum(each.rows for each in found.periods) == result.rows_new == 400
    assert [each.rows for each in found.periods] == [38, 92, 91, 91, 88]
    # Too few rows to say.
    assert (found.periods[0].index, found.periods[0].flagged) == (None, False)
    assert (found.turned, result.turned, result.figures["index.turned"]) == (False, False, 0.0)
    last, judged = found.last, classes.champion.reference.judged
    weights = np.array([-1.0, 0.0, 1.0])
    assert judged.rows == 120
    assert found.before.value == pytest.approx(judged.observed(weights).value)
    assert last.index.value - last.change.value == pytest.approx(found.before.value)
    assert last.index.low < last.index.value < last.index.high
    assert result.series[-1]["index.value"] == last.index.value
    page = check(result)
    assert "The index has not turned" in page
    assert ">lower</span>" not in page
    assert '>–</td><td class="n">38</td>' in page


def test_it_turns_where_new_rows_are_others_and_somebody_is_told(classes):
    result = classes.watch(smaller_from_july(450), BY_LOSS, index=QUARTERLY)
    # The last quarter has too few rows yet.
    assert [each.flagged for each in result.index.periods] == [False] * 4 + [True, False]
    assert result.turned
    assert result.index.last.change.high < -result.index.smallest
    page = check(result)
    assert "The index has turned" in page
    assert page.count('<span class="flag">lower</span>') == 1
    state = read_monitoring(result, replace(CHAMPION, version=1))
    assert state["turned"] == index_text(result.index)
    assert state["turned"].startswith("turned: -")
    assert " lower than " in state["turned"]


CHAMPION = Champion(1, None, None, None, pd.Timestamp("2027-01-01", tz="UTC"), None, None, None)


def test_of_a_number_it_is_the_mean_prediction(number):
    later = draw(400, seed=3, first=ROWS)
    result = number.watch(later, BY_ERROR, index={"every": "batch"})
    (period,) = result.index.periods
    assert (period.since, period.rows, result.turned) == (None, 400, False)
    truth = later["price"].mean()
    assert period.index.low < truth < period.index.high
    assert "all new rows" in check(result)
    higher = number.watch(later.assign(size=later["size"] + 1), BY_ERROR, index={"every": "batch"})
    assert higher.turned
    assert higher.index.last.change.value == pytest.approx(20, abs=4)
    assert "higher than the" in check(higher)


def test_without_an_index_nothing_of_it_is_written(classes):
    result = classes.watch(draw(400, seed=2, first=ROWS), BY_LOSS)
    assert result.index is None
    assert not result.turned
    assert "index" not in to_plain(result)
    assert "Index" not in check(result)


def test_an_earlier_champion_says_that_it_keeps_no_errors(classes):
    stored = classes.champion.reference.to_dict()
    del stored["judged"]
    earlier = replace(classes.champion, reference=Reference.from_dict(stored))
    result = replace(classes, champion=earlier).watch(draw(400, seed=2, first=ROWS), BY_LOSS, index=QUARTERLY)
    assert result.index is None
    assert result.notes == [
        "The index is not known: the champion keeps no errors of 50 test rows or more. Train again: kedro run "
        "--pipelines shop."
    ]
    assert result.drifted is False


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (
            {"values": {"vila": 1}},
            r"monitoring\.index\.values: 'vila' is no class; did you mean 'villa'\? there are cottage, house, villa",
        ),
        (
            {"values": VALUES, "time": "dya"},
            r"monitoring\.index\.time: there is no column 'dya' in the table; did you mean 'day'\?",
        ),
        (
            {"values": VALUES, "time": "place"},
            r"monitoring\.index\.time: 'place' holds no dates, but '(hill|shore)'.*ingestion\.dates",
        ),
    ],
)
def test_what_does_not_fit_the_champion_or_the_columns_is_refused(classes, index, said):
    with pytest.raises(ConfigurationError, match=said):
        classes.watch(draw(60, seed=2, first=ROWS), BY_LOSS, index=index)


def judged_opinions(draw, rows, shares):
    """Probabilities of negative, neutral and positive that are right three times of four, and the labels."""
    labels = draw.choice(3, rows, p=shares)
    probabilities = draw.dirichlet([0.4, 0.4, 0.4], rows)
    own = probabilities.argmax(axis=1)
    right = np.where(draw.random(rows) < 0.75, labels, own)
    swap = probabilities[np.arange(rows), own].copy()
    probabilities[np.arange(rows), own] = probabilities[np.arange(rows), right]
    probabilities[np.arange(rows), right] = swap
    return probabilities, labels


OPINION = Multiclass(("negative", "neutral", "positive"))
USUAL, BAD = (0.29, 0.36, 0.35), (0.8, 0.1, 0.1)


def index_of(probabilities, judged, dataset=None, shift="inputs", **table):
    reference = Reference(0, [], Categories("decision", 0, {}, 0, []), None, None, judged=judged)
    declared = Monitoring.model_validate(
        {
            "index": {
                "values": {"positive": 1, "neutral": 0, "negative": -1},
                "time": "at" if "at" in table else None,
                "shift": shift,
            }
        }
    )
    rows = pd.DataFrame({"title": "x", **table}, index=range(len(probabilities)))
    plain = dataset or Dataset(target="opinion", classes="all")
    found = take_index(rows, probabilities, OPINION, reference, plain, declared)
    assert found is not None
    return found


def test_a_batch_of_bad_news_turns_the_index_and_batches_of_the_same_rows_at_most_at_the_level():
    random, turned, bad = np.random.default_rng(5), 0, []
    for _ in range(400):
        probabilities, labels = judged_opinions(random, 500, USUAL)
        judged = Judged.of(probabilities, OPINION.parts_of(labels), None, 1.0)
        months = pd.to_datetime(np.repeat([f"2026-{month:02}-03" for month in range(1, 7)], 80))
        same = index_of(judged_opinions(random, 480, USUAL)[0], judged, at=months)
        turned += any(each.flagged for each in same.periods)
        bad.append(index_of(judged_opinions(random, 200, BAD)[0], judged))
    assert 0 < turned / 400 <= 0.07
    assert all(each.turned and each.last.change.high < 0 for each in bad)


def test_a_change_of_labels_is_shown_whole_where_that_is_declared():
    random = np.random.default_rng(9)
    probabilities, labels = judged_opinions(random, 2000, USUAL)
    judged = Judged.of(probabilities, OPINION.parts_of(labels), None, 1.0)
    bad, truth = judged_opinions(random, 1000, BAD)
    short, whole = (index_of(bad, judged, shift=shift).last.index for shift in ("inputs", "labels"))
    assert whole.low < (truth - 1).mean() < whole.high < short.low


def test_a_change_that_is_certain_but_small_is_no_turn():
    random = np.random.default_rng(6)
    probabilities, labels = judged_opinions(random, 40_000, USUAL)
    judged = Judged.of(probabilities, OPINION.parts_of(labels), None, 1.0)
    found = index_of(judged_opinions(random, 40_000, (0.31, 0.36, 0.33))[0], judged)
    assert found.last.p_adjusted < 0.001
    assert abs(found.last.change.value) < found.smallest
    assert not found.turned


def test_rows_of_one_group_are_one_and_rows_without_a_date_are_counted():
    random = np.random.default_rng(7)
    probabilities, labels = judged_opinions(random, 500, USUAL)
    judged = Judged.of(probabilities, OPINION.parts_of(labels), np.arange(500) // 5, 1.0)
    new = np.repeat(judged_opinions(random, 60, USUAL)[0], 5, axis=0)
    grouped = Dataset(target="opinion", classes="all", group="company")
    alone = index_of(new, judged).last.change
    found = index_of(new, judged, grouped, company=np.arange(300) // 5)
    assert found.last.change.high - found.last.change.low > 1.5 * (alone.high - alone.low)
    assert index_of(new, judged, grouped, company=1).turned is None
    at = pd.Series(pd.Timestamp("2026-03-05"), range(300)).where(lambda each: each.index >= 40)
    dated = index_of(new, judged, at=at)
    assert (dated.undated, [each.rows for each in dated.periods]) == (40, [260])


def test_months_without_rows_are_shown_and_the_latest_36_at_most():
    random = np.random.default_rng(8)
    probabilities, labels = judged_opinions(random, 200, USUAL)
    judged = Judged.of(probabilities, OPINION.parts_of(labels), None, 1.0)
    at = pd.to_datetime(["2020-01-31"] * 60 + ["2026-01-01"] * 60 + ["2026-03-31"] * 80)
    found = index_of(probabilities, judged, at=at)
    assert len(found.periods) == 36
    assert [each.rows for each in found.periods[-3:]] == [60, 0, 80]
    assert found.periods[-1].until == "2026-04-01T00:00:00"
    assert index_of(probabilities, judged, at=pd.Series(pd.NaT, range(200))).turned is None


def test_of_two_classes_it_is_the_probability_of_the_positive_one():
    parts = Binary().parts(np.array([0.25, 0.75]))
    assert parts.tolist() == [[0.25], [0.75]]
    assert Binary().parts_of(np.array([0, 1])).tolist() == [[0.0], [1.0]]


def test_more_than_fifty_classes_are_refused():
    many = Multiclass([f"c{number}" for number in range(51)])
    declared = Monitoring.model_validate({"index": {"values": {"c1": 1}}})
    with pytest.raises(ConfigurationError, match="there are 51 classes, and it takes 50 at most"):
        many.weights(declared.index)
