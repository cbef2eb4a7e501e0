"""How well a ranker's offers foresee what customers buy, beside plain opponents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lepton_pipeline.evaluation.resampling import CELLS, LEVEL
from lepton_pipeline.parameters import Dataset, Evaluation, code_text
from lepton_pipeline.parameters.recommendation import CUT, Recommendation
from lepton_pipeline.recommendation.candidates import Scores, Weights, best, score_all
from lepton_pipeline.recommendation.cuts import in_days
from lepton_pipeline.recommendation.history import History, later_pairs
from lepton_pipeline.recommendation.interactions import day_dates, day_number
from lepton_pipeline.recommendation.reasons import give_reasons
from lepton_pipeline.statistics.estimates import FEWEST_CASES, Estimate
from lepton_pipeline.statistics.intervals import percentile_interval
from lepton_pipeline.statistics.ranking_measures import hit_rate, ndcg, novelty, recall
from lepton_pipeline.system.records import Omitted

# Offers that are measured: recall looks at 20, all others at 10.
DEPTH, SHORT = 20, 10
MODEL, OWN = "model", "own_purchases"
MEASURES = ("ndcg", "recall", "hit_rate", "coverage", "novelty")
_NEVER = -np.inf
# Customers that the report shows, by their place among all in the order of NDCG.
_SHOWN = (0.9, 0.5, 0.25)
_SHOWN_HISTORY, _FEWEST_VISITS, _FEWEST_BOUGHT = 8, 3, 5


@dataclass(frozen=True)
class Reading:
    """Figures of every ranker over some customers.

    Attributes:
        customers: who bought one of the items that count.
        relevant: pairs of them and such an item.
        figures: by ranker ("model" and its opponents) and measure, see `measure_ranking`.
        best: the opponent with the highest NDCG.
        differences: of NDCG, recall and hit rate, the model less the best opponent, paired by customer.
    """

    customers: int
    relevant: int
    figures: Mapping[str, Mapping[str, Estimate]]
    best: str
    differences: Mapping[str, Estimate]


@dataclass(frozen=True)
class Owned:
    """An item in a customer's history."""

    item: str
    visits: int
    days: int  # since the last


@dataclass(frozen=True)
class Offer:
    """An item offered to a customer, and whether it was bought."""

    item: str
    reason: str
    hit: bool


@dataclass(frozen=True)
class Example:
    """A test customer without its name: what it had bought, what is offered, and what it bought then."""

    ndcg: float
    visits: int
    items: int
    history: Sequence[Owned]  # most often bought first
    offers: Sequence[Offer]
    bought: int  # known items in the label's time that count
    also_bought: Sequence[str]  # some that were not offered


@dataclass(frozen=True)
class Ranking:
    """What offers to the customers of a test cut would have hit.

    Attributes:
        cut, until: dates; purchases from the first on and before the second count.
        items: known at the cut.
        reached: share of the relevant pairs that are candidates; the others are misses of every list of the model.
        all_items: any item counts; None for discovery.
        new_items: only items count, and are offered, that the customer had not bought.
    """

    purpose: str
    cut: str
    until: str
    items: int
    reached: float
    new_items: Reading
    all_items: Omitted[Reading] = None
    examples: Sequence[Example] = field(default_factory=tuple)

    @property
    def reading(self) -> Reading:
        """The reading of the purpose."""
        return self.all_items or self.new_items

    def _value(self, measure: str) -> float:
        return self.reading.figures[MODEL][measure].value

    @property
    def ndcg(self) -> float:
        """NDCG@10 of the model."""
        return self._value("ndcg")

    @property
    def recall(self) -> float:
        """Recall@20 of the model."""
        return self._value("recall")

    @property
    def hit_rate(self) -> float:
        """Share of customers with a hit among ten offers."""
        return self._value("hit_rate")

    @property
    def coverage(self) -> float:
        """Share of items offered to anybody."""
        return self._value("coverage")

    @property
    def novelty(self) -> float:
        """Mean surprise of an offer, in bits."""
        return self._value("novelty")


def measure_ranking(
    interactions: pd.DataFrame,
    feature_table: pd.DataFrame,
    split: pd.DataFrame,
    scores: pd.DataFrame,
    recommendation: Recommendation,
    dataset: Dataset,
    evaluation: Evaluation,
) -> Ranking:
    """Measure the ranked offers of the latest cut of the test rows, from interactions and the scores of the pairs.

    - ndcg: NDCG@10, the ideal over min(10, n), n being all known items that the customer bought in the label's time,
      candidate or not.
    - recall: Recall@20, over min(20, n).
    - hit_rate: share of customers with a hit among ten.
    - coverage: share of the known items that are among anybody's ten. It has no interval: fewer customers are
      distinct in a resample, so that it would lie too low.
    - novelty: mean of -log2 of the share of customers who had bought an offer, over the ten.

    Opponents: popularity (customers who bought it), own purchases (days with one, ties to the popular; not for
    new items), item-kNN, EASE alone. They rank all items. Intervals are of the bootstrap by customer.
    """
    test = feature_table.loc[split.index[split["part"] == "test"]]
    cut = test[CUT].max()
    pairs = test[test[CUT] == cut]
    horizon = in_days(dataset.label_delay)
    history = History.before(interactions, day_number(cut), horizon, recommendation)
    weights = Weights.of(history, recommendation)
    size = len(history.items)
    keys = history.customers.of(pairs[recommendation.customer]) * size + history.items.of(
        pairs[recommendation.item]
    )
    ranked = Ranked(keys, scores.loc[pairs.index, MODEL].to_numpy())
    bought = later_pairs(interactions, history, horizon)
    return judge_ranking(history, weights, ranked, bought, horizon, recommendation, evaluation)


@dataclass(frozen=True)
class Ranked:
    """What is to be measured.

    Attributes:
        keys: pairs that the model has scored, as in `History`, each once.
        scores: of the model.
        others: lists of further rankers in the reading of the purpose: places of items, best first, -1 where a list
            ends, [customers who bought anything, ascending, 20].
    """

    keys: np.ndarray
    scores: np.ndarray
    others: Mapping[str, np.ndarray] = field(default_factory=dict)


def judge_ranking(
    history: History,
    weights: Weights,
    ranked: Ranked,
    bought: np.ndarray,
    horizon: int,
    recommendation: Recommendation,
    evaluation: Evaluation,
) -> Ranking:
    """Measure as `measure_ranking` does; `bought` are keys of what was bought in the `horizon` days from the cut."""
    size = len(history.items)
    customers = np.unique(bought // size)
    lists = _lists(history, weights, customers, ranked)
    shares = history.of_items["item_customers"].to_numpy() / len(history.customers)
    new = np.setdiff1d(bought, history.keys, assume_unique=True)
    repeats = recommendation.purpose == "repeat"
    readings: dict[bool, Reading] = {}
    for only_new in (False, True) if repeats else (True,):
        offered = {name: each for (name, of_new), each in lists.items() if of_new == only_new}
        offered |= ranked.others if only_new != repeats else {}
        relevant = new if only_new else bought
        readings[only_new] = _read(offered, customers, relevant, size, shares, evaluation)
    counted = bought if repeats else new
    own = lists[MODEL, not repeats]
    start, end = (f"{date:%Y-%m-%d}" for date in day_dates(np.array([history.cut, history.cut + horizon])))
    return Ranking(
        purpose=recommendation.purpose,
        cut=start,
        until=end,
        items=size,
        reached=float(np.isin(counted, ranked.keys).mean()),
        new_items=readings[True],
        all_items=readings.get(False),
        examples=_examples(history, weights, customers, own, counted, recommendation),
    )


def _lists(
    history: History, weights: Weights, customers: np.ndarray, ranked: Ranked
) -> dict[tuple[str, bool], np.ndarray]:
    """Places of the first items of each ranker, [customers, DEPTH], -1 where a list ends; also of new items only."""
    parts: dict[tuple[str, bool], list[np.ndarray]] = {}
    for scores in score_all(history, weights, customers):
        for name, values in _opponents(history, scores, ranked):
            for only_new in (False, True):
                if only_new and name == OWN:
                    continue
                masked = np.where(scores.owned, _NEVER, values) if only_new else values
                places = best(masked, DEPTH)
                places[np.take_along_axis(masked, places, axis=1) == _NEVER] = -1
                short = np.full((len(places), DEPTH - places.shape[1]), -1)
                parts.setdefault((name, only_new), []).append(np.hstack([places, short]))
    return {key: np.vstack(each) for key, each in parts.items()}


def _opponents(history: History, scores: Scores, ranked: Ranked) -> Iterator[tuple[str, np.ndarray]]:
    """Scores of all items by each ranker, [customers, items]."""
    shape, size = scores.ease.shape, len(history.items)
    inside = np.isin(ranked.keys // size, scores.customers)
    own = np.full(shape, _NEVER)
    rows = np.searchsorted(scores.customers, ranked.keys[inside] // size)
    own[rows, ranked.keys[inside] % size] = ranked.scores[inside]
    yield MODEL, own
    popularity = history.of_items["item_customers"].to_numpy(np.float64)
    popularity /= popularity.max() + 1
    yield "popularity", np.tile(popularity, (shape[0], 1))
    bought = np.flatnonzero(np.isin(history.keys // size, scores.customers))
    repeated = np.zeros(shape)
    rows = np.searchsorted(scores.customers, history.keys[bought] // size)
    repeated[rows, history.keys[bought] % size] = history.own["visits"].to_numpy()[bought]
    repeated += popularity
    yield OWN, repeated
    yield "item_knn", scores.neighbours.astype(np.float64)
    yield "ease", scores.ease.astype(np.float64)


def _read(
    lists: Mapping[str, np.ndarray],
    customers: np.ndarray,
    relevant: np.ndarray,
    size: int,
    shares: np.ndarray,
    evaluation: Evaluation,
) -> Reading:
    count = np.bincount(np.searchsorted(customers, relevant // size), minlength=len(customers))
    counted = count > 0
    values: dict[str, dict[str, np.ndarray]] = {}
    for name, places in lists.items():
        offered = places[counted]
        hits = _hits(offered, customers[counted], relevant, size)
        values[name] = {
            "ndcg": ndcg(hits, count[counted], SHORT),
            "recall": recall(hits, count[counted], DEPTH),
            "hit_rate": hit_rate(hits, SHORT),
            "novelty": novelty(offered, shares, SHORT),
        }
    drawn = _draw(int(counted.sum()), evaluation)
    figures = {}
    for name, by_measure in values.items():
        found = {measure: _estimate(each, drawn) for measure, each in by_measure.items()}
        first = lists[name][counted][:, :SHORT]
        found["coverage"] = Estimate(len(np.unique(first[first >= 0])) / size)
        figures[name] = {measure: found[measure] for measure in MEASURES}
    best_other = max(
        (name for name in figures if name != MODEL), key=lambda name: figures[name]["ndcg"].value
    )
    differences = {
        measure: _estimate(values[MODEL][measure] - values[best_other][measure], drawn)
        for measure in ("ndcg", "recall", "hit_rate")
    }
    return Reading(int(counted.sum()), len(relevant), figures, best_other, differences)


def _hits(places: np.ndarray, customers: np.ndarray, relevant: np.ndarray, size: int) -> np.ndarray:
    keys = customers[:, None] * size + places
    found: np.ndarray = np.isin(keys, relevant) & (places >= 0)
    return found


def _draw(customers: int, evaluation: Evaluation) -> np.ndarray:
    """How often each customer is drawn in each resample, [resamples, customers]."""
    generator = np.random.default_rng(evaluation.seed)
    most, drawn = max(1, CELLS // max(customers, 1)), []
    for start in range(0, evaluation.resamples, most):
        rows = min(most, evaluation.resamples - start)
        drawn.append(
            generator.multinomial(customers, np.full(customers, 1 / customers), rows).astype(np.int16)
        )
    return np.vstack(drawn)


def _estimate(values: np.ndarray, drawn: np.ndarray) -> Estimate:
    """Mean over customers, with the percentile interval of the resamples."""
    mean = float(values.mean())
    if len(values) < FEWEST_CASES:
        return Estimate(mean)
    return Estimate(mean, *percentile_interval(drawn @ values / len(values), LEVEL))


def _examples(
    history: History,
    weights: Weights,
    customers: np.ndarray,
    lists: np.ndarray,
    relevant: np.ndarray,
    recommendation: Recommendation,
) -> tuple[Example, ...]:
    """Three customers, one whose offers hit much, one in the middle and one below, without their names."""
    size, top = len(history.items), recommendation.top
    count = np.bincount(np.searchsorted(customers, relevant // size), minlength=len(customers))
    visits = history.of_customers["customer_visits"].to_numpy()[customers]
    usable = np.flatnonzero((count >= _FEWEST_BOUGHT) & (visits >= _FEWEST_VISITS))
    if len(usable) < len(_SHOWN):
        return ()
    gains = ndcg(_hits(lists[usable], customers[usable], relevant, size), count[usable], SHORT)
    order = np.argsort(gains, kind="stable")
    names = [code_text(value) for value in history.items.names.tolist()]
    found = []
    for share in _SHOWN:
        at = order[int(share * (len(order) - 1))]
        row = usable[at]
        customer, places = customers[row], lists[row][lists[row] >= 0][:top]
        bought = relevant[relevant // size == customer] % size
        reasons = give_reasons(history, weights.ease, np.full(len(places), customer), places)
        others = np.setdiff1d(bought, places)[:_SHOWN_HISTORY]
        found.append(
            Example(
                float(gains[at]),
                int(visits[row]),
                int(history.of_customers["customer_items"].to_numpy()[customer]),
                _owned(history, customer, names),
                [
                    Offer(names[place], reason, bool(place in bought))
                    for place, reason in zip(places, reasons, strict=True)
                ],
                len(bought),
                [names[place] for place in others],
            )
        )
    return tuple(found)


def _owned(history: History, customer: int, names: list[str]) -> list[Owned]:
    rows = np.flatnonzero(history.keys // len(history.items) == customer)
    own = history.own.iloc[rows]
    order = np.lexsort((-own["last"].to_numpy(), -own["visits"].to_numpy()))[:_SHOWN_HISTORY]
    return [
        Owned(
            names[history.keys[rows[at]] % len(history.items)],
            int(own["visits"].iloc[at]),
            int(history.cut - own["last"].iloc[at]),
        )
        for at in order
    ]
