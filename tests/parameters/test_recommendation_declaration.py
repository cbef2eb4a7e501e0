"""What may be declared under `recommendation`, and what is said of the rest."""

from __future__ import annotations

import pytest

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.parameters import Vertical
from lepton_pipeline.project.declaration import read_vertical

ROLES = {"customer": "who", "item": "what", "time": "when"}
DATASET = {
    "target": "bought",
    "positive": True,
    "time": "cut",
    "group": "who",
    "weight": "weight",
    "exclude": ["what"],
    "label_delay": "90d",
}
SHOP = {
    "dataset": DATASET,
    "tables": {"sales": {}},
    "split": {"strategy": "time", "test": 0.01, "validation": 0.01},
    "recommendation": ROLES,
}


def test_three_columns_are_enough():
    found = read_vertical("shop", SHOP).recommendation
    assert (found.purpose, found.candidates, found.half_life, found.l2, found.min_customers, found.top) == (
        "repeat",
        150,
        "60d",
        300.0,
        5,
        10,
    )


def test_verticals_without_it_are_recorded_as_before():
    assert (
        "recommendation"
        not in Vertical.model_validate({"dataset": {"target": "t", "positive": 1}}).model_dump()
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"purpose": "again"}, "recommendation.purpose: 'again' must be 'repeat' or 'discovery'"),
        ({"half_life": "12h"}, "recommendation.half_life: '12h' is no number of days; write 180d or 26w"),
        ({"half_life": "0d"}, "recommendation.half_life: '0d' is no number of days"),
        ({"every": "year"}, "recommendation.every: 'year' is no period; write month, week, or whole days"),
        ({"top": 90, "candidates": 50}, "recommendation: top: 90 exceeds candidates: 50"),
        ({"item": "who"}, "recommendation: column 'who' is declared twice"),
        ({"l2": 0.0}, "recommendation.l2: 0.0 must be greater than 0"),
        ({"cuts": 2}, "recommendation.cuts: 2 must be greater than or equal to 3"),
        ({"price_of": "p"}, "recommendation.price_of: unknown key; did you mean 'price'"),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(change, told):
    with pytest.raises(ConfigurationError, match=f"shop.{told}"):
        read_vertical("shop", {**SHOP, "recommendation": {**ROLES, **change}})


@pytest.mark.parametrize(
    ("part", "change", "told"),
    [
        ("dataset", {"target": "sold"}, "dataset.target: 'sold' does not fit the pairs .* declare bought"),
        ("dataset", {"group": None}, "dataset.group: None does not fit the pairs .* declare who"),
        ("dataset", {"weight": None}, "dataset.weight: None does not fit the pairs .* declare weight"),
        ("dataset", {"exclude": []}, "dataset.exclude: name 'what' there"),
        ("dataset", {"label_delay": "12h"}, "dataset.label_delay: '12h' must be whole days after a cut"),
        ("split", {"test": 0.2}, r"split.test: 0.2 may take several cuts; declare 0.01"),
        ("tables", None, "declare the raw table of the interactions under tables"),
    ],
)
def test_the_rest_must_fit_the_pairs(part, change, told):
    changed = {} if change is None else {**SHOP[part], **change}
    with pytest.raises(ConfigurationError, match=told):
        read_vertical("shop", {**SHOP, part: changed})


def test_other_splits_do_not_fit():
    dataset = {**DATASET, "label_delay": 0}
    with pytest.raises(
        ConfigurationError, match=r"split.strategy: 'group' does not fit recommendation; declare time"
    ):
        read_vertical("shop", {**SHOP, "dataset": dataset, "split": {"strategy": "group"}})
