"""How well the default model ranks what customers of a shop buy next, beside other recommenders; and what it costs.

    python benchmarks/recommendation.py [--python another/bin/python] [--write benchmarks/results/recommendation.md]

The set-up: lines of known customers, sales only; items that five customers bought before 2011-09-01; purchases until
2011-12-09 count. Settings were chosen on the cut 2011-06-01. Half-life 60d, penalty 300, 150 candidates.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from machine import describe
from overhead import table as markdown

from lepton_pipeline.evaluation.ranking import DEPTH, MEASURES, MODEL, Ranked, Ranking, Reading, judge_ranking
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.leaks import check_features
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import Dataset, Evaluation, Features, Leaks, Split, Training
from lepton_pipeline.parameters.recommendation import CUT, Recommendation
from lepton_pipeline.recommendation.candidates import Weights, best, describe_pairs
from lepton_pipeline.recommendation.cuts import Cuts
from lepton_pipeline.recommendation.ease import fit_ease
from lepton_pipeline.recommendation.history import History, later_pairs
from lepton_pipeline.recommendation.interactions import day_number, read_interactions
from lepton_pipeline.recommendation.pairs import pairs_of
from lepton_pipeline.statistics.ranking_measures import ndcg
from lepton_pipeline.tasks.find import find_target
from lepton_pipeline.tasks.split import split_rows
from lepton_pipeline.verticals.retail import drop_repeated_invoices, select_customer_lines
from lepton_pipeline.verticals.retail_recommendation import select_purchases

RAW = Path("data/01_raw/retail")
FILES = ("online_retail_2009-2010.csv.xz", "online_retail_2010-2011.csv.xz")
TEST, HORIZON, EARLIER = "2011-09-01", 100, "2011-06-01"
# Each label is known at the validation cut, and that one's at the test cut.
VALIDATION = "2011-05-20"
TRAIN = ("2010-08-01", "2010-09-01", "2010-10-01", "2010-11-01", "2010-12-01", "2011-01-01", "2011-02-01")
ROLES = {"customer": "customer", "item": "product", "time": "day", "quantity": "units", "price": "price"}
DATASET = Dataset(
    target="bought",
    positive=True,
    time=CUT,
    group="customer",
    weight="weight",
    exclude=["product"],
    label_delay=f"{HORIZON}d",
)
PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "pandas")
OPPONENTS = {"implicit_als": "implicit ALS", "lightgbm_lambdarank": "LightGBM lambdarank, same pairs"}
# What FACTS of others reached in this set-up.
ORIENTATION = {"repeat": (0.381, 0.349), "discovery": (0.097, 0.105)}


@dataclass(frozen=True)
class Spent:
    """CPU seconds by step, and the peak of resident memory in MiB."""

    seconds: Mapping[str, float]
    peak: float


def read_purchases() -> pd.DataFrame:
    """Purchases of known customers, as the verticals select them."""
    parts = [pd.read_csv(RAW / name, dtype={"Invoice": "str", "StockCode": "str"}) for name in FILES]
    lines = pd.concat(parts, ignore_index=True)
    lines = lines.assign(InvoiceDate=pd.to_datetime(lines["InvoiceDate"], format="%m/%d/%Y %H:%M"))
    return select_purchases(select_customer_lines(drop_repeated_invoices(lines)))


def rank(purchases: pd.DataFrame, purpose: str, python: str | None, threads: int) -> tuple[Ranking, Spent]:
    """Train the default model for a purpose, and measure its lists beside those of all opponents."""
    recommendation = Recommendation(**ROLES, purpose=purpose)  # type: ignore[arg-type]  # one of both
    seconds, began = {}, time.process_time()

    def note(step: str) -> None:
        nonlocal began
        seconds[step], began = time.process_time() - began, time.process_time()

    interactions = read_interactions(purchases, recommendation)
    cuts = Cuts(tuple(map(_day, TRAIN)), _day(VALIDATION), _day(TEST), HORIZON)
    pairs = pairs_of(interactions, cuts, recommendation)
    note("candidates and features of all cuts")
    sizes = pairs.groupby(CUT).size() / len(pairs)
    split = Split(strategy="time", test=float(sizes.iloc[-1]), validation=float(sizes.iloc[-2]))
    training, evaluation, leaks = Training(threads=threads, jobs=1), Evaluation(), Leaks(on_leak="warn")
    target = find_target(pairs, DATASET, training, evaluation)
    parts = split_rows(pairs, target, DATASET, split)
    report = check_features(pairs, parts, target, DATASET, leaks, Features())
    _, encoded = encode_rows(pairs, parts, target, DATASET, report, leaks, Features(), training)
    model, _, _ = train_model(encoded, parts, target, training)
    note("the default model, fitted twice")
    test = (parts["part"] == "test").to_numpy()
    history = History.before(interactions, _day(TEST), HORIZON, recommendation)
    tested, size = pairs[test], len(history.items)
    keys = history.customers.of(tested["customer"]) * size + history.items.of(tested["product"])
    scores = model.predict(encoded[test])
    note("scores of the test pairs")
    bought = later_pairs(interactions, history, HORIZON)
    customers = np.unique(bought // size)
    others: dict[str, np.ndarray] = {}
    if python is not None:
        names = [str(name) for name in encoded if name not in DATASET.exclude]
        learnt = parts["part"].isin(["train", "validation"]).to_numpy()
        others, their = _run_opponents(python, history, customers, purpose, pairs, names, learnt, test, keys)
        seconds |= their
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    weights = Weights.of(history, recommendation)
    ranked = Ranked(keys, scores, others)
    judged = judge_ranking(history, weights, ranked, bought, HORIZON, recommendation, evaluation)
    return judged, Spent(seconds, peak)


def _run_opponents(
    python: str,
    history: History,
    customers: np.ndarray,
    purpose: str,
    pairs: pd.DataFrame,
    names: list[str],
    learnt: np.ndarray,
    test: np.ndarray,
    keys: np.ndarray,
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    known = [name for name in names if name in pairs]
    train = pairs[learnt].sort_values([CUT, "customer"], kind="stable")
    with TemporaryDirectory() as made:
        folder, weighted = Path(made), history.bought(weighted=True)
        np.savez(
            folder / "interactions.npz",
            data=weighted.data,
            indices=weighted.indices,
            indptr=weighted.indptr,
            shape=weighted.shape,
            customers=customers,
            only_new=purpose == "discovery",
        )
        np.savez(
            folder / "pairs.npz",
            train=train[known].to_numpy(np.float64),
            label=train["bought"].to_numpy(np.int64),
            groups=train.groupby([CUT, "customer"], sort=False).size().to_numpy(),
            test=pairs.loc[test, known].to_numpy(np.float64),
            keys=keys,
            items=len(history.items),
        )
        script = Path(__file__).with_name("recommendation_opponents.py")
        subprocess.run([python, str(script), made], check=True)
        spent = json.loads((folder / "spent.json").read_text())["seconds"]
        lists = {name: np.load(folder / f"{name}.npy")[:, :DEPTH] for name in OPPONENTS}
    return lists, {OPPONENTS[name]: each for name, each in spent.items()}


def growth(purchases: pd.DataFrame) -> list[tuple[int, int, float, float]]:
    """CPU seconds of EASE by items, and of candidates with their features by customers: (items, customers, s, s)."""
    recommendation = Recommendation(**ROLES)  # type: ignore[arg-type]  # names of columns only
    interactions = read_interactions(purchases, recommendation)
    history = History.before(interactions, _day(TEST), HORIZON, recommendation)
    matrix, weights, found = history.bought(weighted=True), Weights.of(history, recommendation), []
    for share in (0.25, 0.5, 1.0):
        items, customers = int(share * len(history.items)), int(share * len(history.customers))
        began = time.process_time()
        fit_ease(matrix[:, :items], recommendation.l2)
        fitted = time.process_time()
        describe_pairs(history, weights, np.arange(customers), recommendation)
        found.append((items, customers, fitted - began, time.process_time() - fitted))
    return found


def settings(purchases: pd.DataFrame) -> str:
    """EASE alone on an earlier cut, by half-life and penalty, and how many new items candidates reach: a table."""
    rows = []
    for half_life, l2 in product(("60d", "120d", "180d", "365d"), (100.0, 300.0, 1000.0)):
        recommendation = Recommendation(**ROLES, half_life=half_life, l2=l2)  # type: ignore[arg-type]  # as above
        interactions = read_interactions(purchases, recommendation)
        history = History.before(interactions, _day(EARLIER), 90, recommendation)
        bought, size = later_pairs(interactions, history, 90), len(history.items)
        customers = np.unique(bought // size)
        ease = fit_ease(history.bought(weighted=True), l2)
        scores = np.asarray(history.bought(weighted=True)[customers] @ ease)
        owned = history.bought(weighted=False)[customers].toarray() > 0
        cells = []
        for only_new in (False, True):
            relevant = np.setdiff1d(bought, history.keys) if only_new else bought
            count = np.bincount(np.searchsorted(customers, relevant // size), minlength=len(customers))
            places = best(np.where(owned, -np.inf, scores) if only_new else scores, 500)
            hits = np.isin(customers[:, None] * size + places, relevant)[count > 0]
            cells.append(f"{ndcg(hits, count[count > 0]).mean():.3f}")
            if only_new:
                cells += [f"{hits[:, :among].sum() / len(relevant):.1%}" for among in (100, 150, 300, 500)]
        rows.append([half_life, f"{l2:.0f}", *cells])
    head = ["half-life", "l2", "NDCG@10", "new items", "of 100", "of 150", "of 300", "of 500"]
    return markdown(head, rows)


def _day(date: str) -> int:
    return day_number(pd.Timestamp(date))


def tell(reading: Reading) -> list[str]:
    """The table of a reading, and the paired difference to the best opponent."""
    rows = []
    for name, figures in reading.figures.items():
        cells = [_cell(figures[measure]) for measure in MEASURES]
        rows.append([OPPONENTS.get(name, "**model**" if name == MODEL else name.replace("_", " ")), *cells])
    best = OPPONENTS.get(reading.best, reading.best.replace("_", " "))
    lines = [markdown(["ranker", "NDCG@10", "Recall@20", "hit rate@10", "coverage@10", "novelty"], rows), ""]
    told = "; ".join(f"{measure} {_cell(each, signed=True)}" for measure, each in reading.differences.items())
    return [*lines, f"Model less {best}, the best by NDCG@10, paired by customer: {told}.", ""]


def _cell(found: object, *, signed: bool = False) -> str:
    value, low, high = (getattr(found, name) for name in ("value", "low", "high"))
    sign = "+" if signed else ""
    return f"{value:{sign}.3f}" + ("" if low is None else f" [{low:{sign}.3f}, {high:{sign}.3f}]")


def main() -> None:
    """Measure both purposes, and print or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", help="interpreter with numpy, scipy, implicit and lightgbm")
    parser.add_argument("--purpose", choices=("repeat", "discovery"), help="one of both only")
    parser.add_argument("--settings", action="store_true", help="only compare settings on an earlier cut")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    purchases = read_purchases()
    if given.settings:
        print(settings(purchases))
        return
    lines = ["# What customers buy next", "", describe(PACKAGES), "", *(__doc__ or "").splitlines()[4:6], ""]
    for purpose in (given.purpose,) if given.purpose else ("repeat", "discovery"):
        ranking, spent = rank(purchases, purpose, given.python, given.threads)
        title = "Any item (repeat)" if purpose == "repeat" else "New items only (discovery)"
        reading = ranking.reading
        lines += [f"## {title}", ""]
        lines += [
            f"{reading.customers:,} customers, {reading.relevant:,} pairs, {ranking.items:,} items; "
            f"{ranking.reached:.1%} of the pairs are candidates. Orientation: NDCG@10 {ORIENTATION[purpose][0]}, "
            f"Recall@20 {ORIENTATION[purpose][1]}.",
            "",
        ]
        lines += tell(reading)
        rows = [[step, f"{each:,.0f}"] for step, each in spent.seconds.items()]
        lines += [markdown(["step", "CPU seconds"], rows), "", f"Peak memory {spent.peak:,.0f} MiB.", ""]
        print("\n".join(lines), flush=True)
    measured = growth(purchases)
    rows = [
        [f"{items:,}", f"{fit:.1f}", f"{customers:,}", f"{made:.1f}"]
        for items, customers, fit, made in measured
    ]
    lines += ["## Growth", "", markdown(["items", "EASE, CPU s", "customers", "pairs, CPU s"], rows), ""]
    first, last = measured[0], measured[-1]
    exponents = [np.log(last[at + 2] / first[at + 2]) / np.log(last[at] / first[at]) for at in (0, 1)]
    lines += [f"Exponent of growth: {exponents[0]:.2f} in items, {exponents[1]:.2f} in customers.", ""]
    print("\n".join(lines))
    if given.write:
        given.write.write_text("\n".join(lines))


if __name__ == "__main__":
    main()
