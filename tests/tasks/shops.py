"""Small trained models of several classes and of a number, that tests of many rooms share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, load_wine

from lepton_pipeline.evaluation.metrics import evaluate, score_outside, score_rows
from lepton_pipeline.features.encode import encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.model.artefact import Artefact, assemble_artefact
from lepton_pipeline.model.predictor import train_model
from lepton_pipeline.parameters import (
    ClassCosts,
    Dataset,
    Evaluation,
    Features,
    Ingestion,
    Leaks,
    Split,
    Text,
    Training,
)
from lepton_pipeline.statistics.estimates import Metrics
from lepton_pipeline.tasks.find import Target, find_target
from lepton_pipeline.tasks.split import split_rows

EVALUATION = Evaluation(resamples=100)
# Names differ by case alone, and hold what separates names elsewhere.
CLASSES = ["a", "A", 'x: y, "z"']


@dataclass(frozen=True)
class TaskShop:
    """A table and all that is made of it.

    Attributes:
        table: one row per example, with the target.
        split: `part` and `label` of every row.
        scores: of validation and test rows, of the model and its parts.
        outside: scores of the test rows that are of no class.
    """

    table: pd.DataFrame
    dataset: Dataset
    target: Target
    split: pd.DataFrame
    scores: pd.DataFrame
    metrics: Metrics
    artefact: Artefact
    outside: pd.DataFrame


@cache
def wine_shop() -> TaskShop:
    """178 wines of three classes, with a category and a missing value in one of nine rows."""
    wine = load_wine(as_frame=True)
    table = wine.data[["alcohol", "ash", "flavanoids", "proline"]].copy()
    table["origin"] = np.where(wine.data["hue"] < 1, "hill", "coast, south")
    table.loc[::9, "ash"] = np.nan
    table["cultivar"] = wine.target.map(dict(enumerate(CLASSES)))
    return task_shop(table, Dataset(target="cultivar", classes=CLASSES), Training(boosting=True, **_QUICK))


@cache
def house_shop() -> TaskShop:
    """442 rows with a number to predict, its logarithm learnt, and intervals of quantiles."""
    rows = load_diabetes(as_frame=True, scaled=False)
    table = rows.data[["age", "bmi", "bp", "s5"]].copy()
    table["sex"] = rows.data["sex"].map({1.0: "f", 2.0: "m"})
    table["progression"] = rows.target
    dataset = Dataset(target="progression", task="regression", transform="log")
    return task_shop(table, dataset, Training(quantiles=True, boosting=True, **_QUICK))


@cache
def review_shop() -> TaskShop:
    """240 reviews of three opinions, told by one word of each, beside a number."""
    random = np.random.default_rng(3)
    opinion = random.choice(["bad", "fair", "good"], 240)
    told = {"bad": ["awful", "pénible"], "fair": ["plain", "normal"], "good": ["splendid", "schön 😀"]}
    table = pd.DataFrame(
        {
            "review": [
                f"the room {row % 9}, it was {random.choice(told[of])}" for row, of in enumerate(opinion)
            ],
            "nights": random.integers(1, 9, 240),
            "opinion": opinion,
        }
    )
    table.loc[::17, "review"] = None
    return task_shop(table, Dataset(target="opinion", classes="all", text=["review"]), Training(**_LONGER))


@cache
def loft_shop() -> TaskShop:
    """300 prices, of which a word of the title tells most; logarithms and intervals of quantiles are learnt."""
    random = np.random.default_rng(4)
    word = random.choice(["tent", "room", "house", "villa"], 300)
    level = pd.Series(word).map({"tent": 3.0, "room": 4.0, "house": 5.0, "villa": 6.0})
    table = pd.DataFrame(
        {
            "title": [f"A {each} by lake {row % 6}" for row, each in enumerate(word)],
            "beds": random.integers(1, 5, 300),
            "price": np.exp(level + random.normal(scale=0.1, size=300)),
        }
    )
    dataset = Dataset(target="price", task="regression", transform="log", text=["title"])
    return task_shop(table, dataset, Training(quantiles=True, boosting=True, **_LONGER))


@cache
def request_shop() -> TaskShop:
    """300 requests of three intents, told by one word of each, and 60 of none; some are handed over."""
    random = np.random.default_rng(5)
    told = {"bill": ["invoice", "rechnung"], "card": ["card", "karte"], "loan": ["loan", "kredit"]}
    told["oos"] = ["weather", "football", "singing", "hotel", "recipe", "taxi"]
    intents = np.append(random.choice(["bill", "card", "loan"], 300), np.full(60, "oos"))
    ways = ["my {} please {}", "i ask for the {} number {}", "{} {}", "what about a {} of day {}"]
    texts = [
        ways[row % 4].format(random.choice(told[intent]), row % 50) for row, intent in enumerate(intents)
    ]
    table = pd.DataFrame({"text": texts, "hour": random.integers(0, 24, 360), "intent": intents})
    table.loc[::19, "text"] = None
    table = table.sample(frac=1, random_state=6).reset_index(drop=True)
    dataset = Dataset(
        target="intent",
        classes="all",
        out_of_scope=["oos"],
        text=["text"],
        replies={"bill": "It is due.", "card": "Ihre Karte gilt."},
    )
    costs = Evaluation(resamples=100, class_costs=ClassCosts(hand_over=0.3))
    return task_shop(table, dataset, Training(**_LONGER), costs, Features(text=Text(retrieval="text")))


_QUICK = {"model": "mlp", "networks": 1, "members": 1, "width": 16, "epochs": 3, "device": "cpu"}
_LONGER = {**_QUICK, "epochs": 40, "learning_rate": 0.02, "batch_size": 32}


def task_shop(
    table: pd.DataFrame,
    dataset: Dataset,
    training: Training,
    evaluation: Evaluation = EVALUATION,
    features: Features | None = None,
) -> TaskShop:
    """Train a model of the table."""
    target = find_target(table, dataset, training, evaluation)
    split = split_rows(table, target, dataset, Split(test=0.3))
    report = FeatureReport(0, 0.95, "stop", "warn", [], [])
    encoder, encoded = encode_rows(table, split, target, dataset, report, Leaks())
    model, _, held_out = train_model(encoded, split, target, training)
    nothing = pd.DataFrame(index=held_out.index)
    scores = score_rows(model, encoded, split, held_out, nothing, nothing)
    metrics = evaluate(scores, target, evaluation)
    features, outside = features or Features(), score_outside(model, encoded, split)
    artefact = assemble_artefact(encoder, model, metrics, table, split, features, Ingestion(), dataset)
    return TaskShop(table, dataset, target, split, scores, metrics, artefact, outside)
