"""What the report shows of ranked offers."""

from __future__ import annotations

from lepton_pipeline.evaluation.interval_text import bracket
from lepton_pipeline.evaluation.ranking import MODEL, Ranking, Reading
from lepton_pipeline.reporting.report.evidence import Context, Evidence

_RANKERS = {
    MODEL: ("model", ""),
    "own_purchases": ("own purchases", "what the customer bought most often, ties to the popular"),
    "popularity": ("popularity", "what most customers bought"),
    "item_knn": ("item-kNN", "cosine of the 100 nearest items"),
    "ease": ("EASE alone", "the model of the candidates"),
}
MEASURES = {
    "ndcg": "NDCG@10",
    "recall": "Recall@20",
    "hit_rate": "Hit rate@10",
    "coverage": "Coverage@10",
    "novelty": "Novelty",
}


def describe_ranking(evidence: Evidence) -> Context:
    """Figures by reading and ranker, and customers with their offers."""
    ranking = evidence.ranking
    if ranking is None:
        return {"absent": "No pairs were ranked in this run."}
    return {
        "measures": MEASURES,
        "readings": _readings(ranking),
        "rankers": _RANKERS,
        "verdicts": _verdicts(ranking),
    }


def summarise_ranking(ranking: Ranking) -> str:
    """The two figures that people compare, and the lead over the best opponent, in one line."""
    figures = ranking.reading.figures[MODEL]
    told = [
        f"{MEASURES[name]} {figures[name].value:.3f} {bracket(figures[name], '{:.3f}'.format)}"
        for name in ("ndcg", "recall")
    ]
    return f"{', '.join(told)}. {_verdicts(ranking)[0]}"


def _readings(ranking: Ranking) -> list[tuple[str, Reading]]:
    new = "Only items that the customer had not bought"
    several = [] if ranking.all_items is None else [("All items", ranking.all_items)]
    return [*several, (new, ranking.new_items)]


def _verdicts(ranking: Ranking) -> list[str]:
    """How far the model is from the best opponent, one sentence a reading."""
    said = []
    for _, reading in _readings(ranking):
        difference = reading.differences["ndcg"]
        named = _RANKERS[reading.best][0]
        if difference.low is None or difference.high is None:
            said.append(f"The best opponent is {named}; there are too few customers to tell the difference.")
            continue
        told = "as good as" if difference.low <= 0 <= difference.high else "better than"
        told = "worse than" if difference.high < 0 else told
        said.append(
            f"NDCG@10 is {told} that of the best opponent, {named}: {difference.value:+.3f} "
            f"[{difference.low:+.3f}, {difference.high:+.3f}], paired by customer."
        )
    return said
