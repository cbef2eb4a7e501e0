"""Texts of training rows that are most like a new one."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.features import nearest as module
from lepton_pipeline.features.nearest import Nearest
from lepton_pipeline.features.text import TextColumn

PLACES = 2**12
COLUMN = TextColumn(
    "text",
    ("a", "b"),
    np.ones(2 * PLACES, np.float32),
    np.zeros((2 * PLACES, 2), np.float32),
    np.zeros(2, np.float32),
)
TEXTS = ["Pay my bill", "block my card", None, "pay my BILL", "  ", "pay the bill by card", "weather in Rome"]
LABELS = ["bill", "card", "bill", "loan", "card", "bill", "weather"]


@pytest.fixture
def kept():
    return Nearest.of(COLUMN, pd.Series(TEXTS, dtype=object), LABELS)


def found(kept, *texts):
    return [json.loads(each) for each in kept.find(pd.Series(texts, dtype=object))]


def test_of_equal_texts_the_first_is_kept_and_no_empty_one(kept):
    assert list(kept.texts) == ["Pay my bill", "block my card", "pay the bill by card", "weather in Rome"]
    assert list(kept.labels) == ["bill", "card", "bill", "weather"]


def test_the_nearest_three_are_found_the_most_alike_first(kept):
    (of_bill,) = found(kept, "PAY my bill")
    assert [each["text"] for each in of_bill] == ["Pay my bill", "pay the bill by card", "block my card"]
    assert of_bill[0] == {"text": "Pay my bill", "label": "bill", "similarity": 1.0}
    similarities = [each["similarity"] for each in of_bill]
    assert similarities == sorted(similarities, reverse=True)


def test_the_similarity_is_the_cosine(kept):
    (told,) = found(kept, "pay a card")
    for each in told:
        one, other = (COLUMN.terms([text.lower()]).toarray()[0] for text in ("pay a card", each["text"]))
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert each["similarity"] == pytest.approx(cosine, abs=1e-4)


def test_an_empty_text_has_none(kept):
    assert found(kept, "", None) == [[], []]


def test_what_is_found_does_not_depend_on_the_rows_beside(kept, monkeypatch):
    asked = ["pay", "card", "rome", "", "the weather"] * 3
    together = found(kept, *asked)
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 2)
    assert found(kept, *asked) == together == [found(kept, text)[0] for text in asked]


def test_of_many_texts_a_sample_is_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST_TEXTS", 20)
    many = Nearest.of(COLUMN, pd.Series([f"text {row}" for row in range(100)]), list(range(100)))
    assert len(many.texts) == 20
    assert all(text == f"text {label}" for text, label in zip(many.texts, many.labels, strict=True))


def test_what_is_saved_finds_the_same(kept, tmp_path):
    kept.save(tmp_path / "nearest.json")
    again = Nearest.load(tmp_path / "nearest.json", [COLUMN])
    assert found(again, "pay a card") == found(kept, "pay a card")
