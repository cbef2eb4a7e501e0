"""What customers bought of what a champion would have offered them."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest

import numpy as np
import pandas as pd

from lepton_pipeline.data.time_axis import axis
from lepton_pipeline.evaluation.resampling import LEVEL
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.operations.monitoring.findings import MonitoringResult, OfferedCut
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.parameters.recommendation import Recommendation
from lepton_pipeline.recommendation.candidates import CUSTOMER_AT, ITEM_AT, Weights
from lepton_pipeline.recommendation.cuts import ended_cuts, in_days
from lepton_pipeline.recommendation.history import History, later_pairs
from lepton_pipeline.recommendation.interactions import DAY, day_dates
from lepton_pipeline.recommendation.pairs import draw_customers
from lepton_pipeline.scoring.offers import rank_items
from lepton_pipeline.statistics.estimates import FEWEST_CASES, Estimate
from lepton_pipeline.statistics.intervals import normal_deviate, share_interval

# Of each cut; the customers are drawn.
_CUSTOMERS, _MOST_CUTS = 2000, 12


def follow_offers(
    interactions: pd.DataFrame,
    model: Artefact,
    recommendation: Recommendation,
    dataset: Dataset,
    since: float,
) -> list[OfferedCut]:
    """Follow what a model would have offered at the cuts from `since` on, on the time axis, whose label is known.

    Unlike pairs to learn from, offers go to every customer with a history, whether it comes back or not: at most
    2,000 of them, drawn by their names, at the twelve latest cuts. What is out of stock today
    (`recommendation.exclude`) may have been offered then. Interactions are those of `read_interactions`.
    """
    cuts = ended_cuts(interactions[DAY], recommendation, dataset)
    dates = axis(day_dates(np.array(cuts, np.int64)).to_series())
    first = [cut for cut, date in zip(cuts, dates, strict=True) if date >= since]
    horizon = in_days(dataset.label_delay)
    return [_at(interactions, cut, horizon, model, recommendation) for cut in first[-_MOST_CUTS:]]


def with_offers(found: MonitoringResult, offers: list[OfferedCut]) -> MonitoringResult:
    """A monitoring result with what was bought of offers, also among its figures by step."""
    none: dict[str, float] = {}
    steps = zip_longest(found.series, (each.figures for each in offers), fillvalue=none)
    return replace(found, offers=offers, series=[one | other for one, other in steps])


def _at(
    interactions: pd.DataFrame, cut: int, horizon: int, model: Artefact, recommendation: Recommendation
) -> OfferedCut:
    history = History.before(interactions, cut, horizon, recommendation)
    weights, size = Weights.of(history, recommendation), len(history.items)
    customers = draw_customers(history, np.arange(len(history.customers)), _CUSTOMERS)
    offers = rank_items(history, weights, customers, model, recommendation)
    bought = later_pairs(interactions, history, horizon)
    hits = np.isin(offers[CUSTOMER_AT] * size + offers[ITEM_AT], bought)
    codes = pd.factorize(offers[CUSTOMER_AT])[0]
    came_back = np.isin(offers[CUSTOMER_AT], bought // size)
    start, end = (f"{date:%Y-%m-%d}" for date in day_dates(np.array([cut, cut + horizon])))
    return OfferedCut(
        since=start,
        until=end,
        customers=len(customers),
        returned=len(np.unique(codes[came_back])),
        offers=len(offers),
        bought=_share(hits, codes),
        of_returned=_share(hits[came_back], codes[came_back]) if came_back.any() else None,
    )


def _share(hits: np.ndarray, customers: np.ndarray) -> Estimate:
    found = share_interval(hits, normal_deviate(LEVEL), customers)
    return Estimate(found.value, found.low, found.high, approximate=int(hits.sum()) < FEWEST_CASES)
