"""New rows beside training rows of the same months."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.data.time_axis import months
from lepton_pipeline.data.training_rows import TrainingRows
from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.operations.monitoring.findings import MonitoringResult
from lepton_pipeline.operations.monitoring.new_rows import Champion, NewRows, score_new_rows
from lepton_pipeline.operations.monitoring.reference import Reference, describe_reference
from lepton_pipeline.operations.monitoring.result import compare_new_rows
from lepton_pipeline.parameters import Dataset, Evaluation, Gate, Monitoring, Retraining, Vertical
from lepton_pipeline.registry.fetch import fetch_champion

A_DAY, WINTER = 10, 90


def customers(start: str, days: int, seed: int, older: float = 0.0) -> pd.DataFrame:
    """Ten customers a day, who are older in winter than in summer, and twice as many then."""
    random = np.random.default_rng(seed)
    day = pd.Series(np.repeat(pd.date_range(start, periods=days).to_numpy(), A_DAY))
    warm = -np.cos(2 * np.pi * day.dt.day_of_year / 365.25)
    table = pd.DataFrame(
        {
            "age": 40 - 8 * warm + older + random.normal(0, 10, len(day)),
            "city": random.choice(["Oslo", "Rome"], len(day)),
            "day": day,
            "bought": random.choice(["yes", "no"], len(day)),
        }
    )
    rare = (warm > 0).to_numpy() & (np.arange(len(day)) % 2 > 0)
    return table[~rare].reset_index(drop=True)


@dataclass
class Watched:
    """A champion of a table, and what it makes of later rows."""

    table: pd.DataFrame
    dataset: Dataset
    champion: Champion
    seen: TrainingRows

    def watch(self, later: pd.DataFrame, *, seasonal: bool, lost: int = 0) -> MonitoringResult:
        table = pd.concat([self.table.iloc[lost:], later], ignore_index=True)
        table.insert(0, "id", np.arange(lost, lost + len(table)))
        reference = self.champion.reference
        assert reference is not None
        new = score_new_rows(table, self.champion.model, self.seen, reference.span, self.dataset)
        today = NewRows(table, new, self.dataset)
        declared, evaluation = Monitoring(seasonal=seasonal), Evaluation(resamples=100)
        return compare_new_rows(today, self.champion, Gate(), evaluation, Retraining(), declared)


@pytest.fixture
def trained(shop):
    """Make a champion of the shop's model and of rows of so many days, the last quarter of which is tested."""
    registration = shop.version("seasonal")
    shop.client.set_registered_model_alias("seasonal", "champion", str(registration.version))
    model, version, *_ = fetch_champion("seasonal")
    dataset = shop.dataset.model_copy(update={"present": "2040-01-01"})

    def train(start: str, days: int) -> Watched:
        table = customers(start, days, seed=1)
        named = table.assign(id=np.arange(len(table)))
        late = table["day"] > table["day"].max() - pd.Timedelta(days=days // 4)
        split = pd.DataFrame(
            {"part": np.where(late, "test", "train"), "label": (table["bought"] == "yes") * 1}
        )
        scores = split.assign(model=model.scores(named))
        reference = Reference.from_dict(
            describe_reference(named, split, scores, model, model.encoder, dataset)
        )
        learnt, seen = (
            TrainingRows.of(named, each, model.inputs, dataset)
            for each in (split, split.assign(part="train"))
        )
        return Watched(table, dataset, Champion(model, version, reference, learnt), seen)

    return train


def test_a_winter_is_like_the_winters_before_and_not_like_a_year(trained):
    watched, winter = trained("2027-12-01", 1095), customers("2030-12-01", WINTER, seed=2)
    year, season = (watched.watch(winter, seasonal=each) for each in (False, True))
    assert season.columns[0].psi < 0.1 < year.columns[0].psi
    assert season.drifted is False
    assert season.flagged == []
    rows = int(watched.table["day"].dt.month.isin([12, 1, 2]).sum())
    told = f"Compared with the {rows:,} training rows of the same months (December, January, February)."
    assert season.notes[0] == told
    assert not season.volume.flagged
    assert season.volume.reference > year.volume.reference
    assert season.columns[0].shares.before != year.columns[0].shares.before


def test_a_mild_winter_is_like_the_year_and_unlike_the_winters_before(trained):
    watched, mild = trained("2027-12-01", 1095), customers("2030-12-01", WINTER, seed=2, older=-7.0)
    year, season = (watched.watch(mild, seasonal=each) for each in (False, True))
    assert year.flagged == []
    assert [each.column for each in season.flagged] == ["age"]


def test_scores_are_compared_with_those_of_the_same_months_that_were_not_learnt_from(trained):
    # The test rows are of March to November.
    season = trained("2027-12-01", 1095).watch(customers("2030-12-01", WINTER, seed=2), seasonal=True)
    assert season.scores is None
    assert "Scores are not compared: only 0 rows of these months were not learnt from" in season.notes[1]
    # Here they reach over a winter.
    season = trained("2028-09-01", 1095).watch(customers("2031-12-01", WINTER, seed=2), seasonal=True)
    assert season.scores is not None
    assert not season.scores.flagged


def test_months_that_were_not_learnt_from_cannot_be_compared(trained):
    season = trained("2030-03-01", 270).watch(customers("2030-12-01", WINTER, seed=2), seasonal=True)
    assert (
        "monitoring.seasonal has no effect: the champion has learnt from no row of December, January, February, so a "
        "season may look like drift."
    ) in season.notes
    assert season.columns[0].psi > 0.1


def test_rows_that_are_gone_cannot_be_counted_again(trained):
    watched, winter = trained("2027-12-01", 1095), customers("2030-12-01", WINTER, seed=2)
    season = watched.watch(winter, seasonal=True, lost=3000)
    assert season.notes[1].startswith("monitoring.seasonal has no effect: of the ")
    assert season.columns[0].shares is not None


def test_numbers_have_no_months():
    with pytest.raises(ConfigurationError, match=r"monitoring.seasonal: column 'step' .* holds no dates"):
        months(pd.Series([1, 2], name="step"), "monitoring.seasonal")
    with pytest.raises(ValueError, match=r"monitoring.seasonal: months need a column of dates"):
        Vertical.model_validate({"dataset": {"target": "y", "positive": 1}, "monitoring": {"seasonal": True}})
    assert "seasonal" not in Monitoring().model_dump()
