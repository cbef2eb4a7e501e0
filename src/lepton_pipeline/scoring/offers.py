"""Offers to every customer: candidates of today, ranked by a registered model, with reasons."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.version import ModelVersion
from lepton_pipeline.parameters import Dataset, code_text
from lepton_pipeline.parameters.recommendation import Recommendation
from lepton_pipeline.recommendation.candidates import (
    CHUNK,
    CUSTOMER_AT,
    ITEM_AT,
    Weights,
    describe_pairs,
)
from lepton_pipeline.recommendation.cuts import in_days
from lepton_pipeline.recommendation.history import History
from lepton_pipeline.recommendation.interactions import DAY, day_dates
from lepton_pipeline.recommendation.reasons import give_reasons
from lepton_pipeline.scoring.result import ScoringRecord

# Columns of the offers after the customer's and before the item's.
RANK, SCORE, REASON = "rank", "score", "reason"


def offer_items(
    interactions: pd.DataFrame,
    model: Artefact,
    version: ModelVersion,
    recommendation: Recommendation,
    dataset: Dataset,
) -> tuple[pd.DataFrame, ScoringRecord]:
    """Rank the candidates of every known customer as of the day after the last interaction (see `read_interactions`).

    A customer is known that bought an item of `min_customers`; others have no history, and no row. What
    `recommendation.exclude` names is never offered; for discovery, nor is what the customer bought.

    Returns:
        Up to `top` rows a customer, by customer and `rank` (from 1): the customer, `rank`, the item, `score` (of a
        customer who comes back, the probability that it buys the item), `reason` and `model_version`. And its record.
    """
    started = perf_counter()
    cut = int(interactions[DAY].max()) + 1
    history = History.before(interactions, cut, in_days(dataset.label_delay), recommendation)
    weights = Weights.of(history, recommendation)
    names = np.array([code_text(value) for value in history.items.names.tolist()])
    excluded = excluded_items(recommendation)
    offered = ~np.isin(names, excluded)
    found = rank_items(history, weights, np.arange(len(history.customers)), model, recommendation, offered)
    customer, item = found[CUSTOMER_AT].to_numpy(), found[ITEM_AT].to_numpy()
    offers = pd.DataFrame(
        {
            recommendation.customer: history.customers.names.take(customer),
            RANK: found[RANK].to_numpy(),
            recommendation.item: history.items.names.take(item),
            SCORE: found[SCORE].to_numpy(),
            REASON: pd.array(give_reasons(history, weights.ease, customer, item), dtype="str"),
            "model_version": np.int64(version.version),
        }
    )
    unknown = sorted(set(excluded) - set(names))
    remark = f"offers to {len(history.customers):,} customers as of {day_dates(np.array([cut]))[0]:%Y-%m-%d}"
    if unknown:
        remark += f"; {len(unknown):,} items of recommendation.exclude are not known, such as {unknown[0]!r}"
    record = ScoringRecord(
        scored=len(offers),
        model=version,
        files=[],
        rows=len(interactions),
        quarantined=0,
        remark=remark,
        seconds=round(perf_counter() - started, 1),
    )
    return offers, record


def rank_items(
    history: History,
    weights: Weights,
    customers: np.ndarray,
    model: Artefact,
    recommendation: Recommendation,
    offered: np.ndarray | None = None,
) -> pd.DataFrame:
    """Rank the candidates of customers, by their places; `offered` tells which items may be, all if None.

    Returns up to `top` rows a customer, best first: `CUSTOMER_AT`, `ITEM_AT`, `score` and `rank`.
    """
    parts = []
    for start in range(0, len(customers), CHUNK):
        pairs = describe_pairs(history, weights, customers[start : start + CHUNK], recommendation, offered)
        parts.append(_first(pairs.assign(**{SCORE: model.scores(pairs)}), recommendation.top))
    return pd.concat(parts, ignore_index=True)


def excluded_items(recommendation: Recommendation) -> list[str]:
    """Items that are never offered, as texts: those listed, or the first column of the declared CSV file.

    Raises ConfigurationError if the file cannot be read.
    """
    declared = recommendation.exclude
    if not isinstance(declared, str):
        return list(declared)
    path = Path(declared).expanduser()
    try:
        column = pd.read_csv(path, dtype="str").iloc[:, 0]
    except (OSError, ValueError, IndexError) as error:
        raise ConfigurationError(
            f"recommendation.exclude: {declared} cannot be read ({error}); name a CSV file whose first column, below "
            "a header, has the items."
        ) from error
    return [str(item).strip() for item in column.dropna()]


def _first(pairs: pd.DataFrame, top: int) -> pd.DataFrame:
    """The best pairs of each customer; of equal ones, the first item."""
    ordered = pairs[[CUSTOMER_AT, ITEM_AT, SCORE]].sort_values(
        [CUSTOMER_AT, SCORE, ITEM_AT], ascending=[True, False, True], kind="stable"
    )
    rank = ordered.groupby(CUSTOMER_AT).cumcount() + 1
    return ordered.assign(**{RANK: rank})[rank <= top]
