from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation import texts as module
from lepton_pipeline.evaluation.texts import Spread, Texts, describe_texts
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.text import learn_text
from lepton_pipeline.parameters import Dataset
from lepton_pipeline.system.records import from_plain, to_plain
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

SENTENCES = ["a hot tub", "hot Tub near creek", "a shared room", "room one two three", None, "  "]


def described(task, labels, sentences=SENTENCES, times=10):
    """Describe texts of `times` rows each, learnt with labels that go with them, and a test row of other words."""
    table = pd.DataFrame({"title": [*sentences * times, "unknown"], "y": [*labels * times, labels[0]]})
    split = pd.DataFrame({"part": ["train"] * (len(table) - 1) + ["test"], "label": table["y"]})
    folds = np.append(np.arange(len(table) - 1) // len(sentences) % 5, -1)
    learnt = learn_text(table["title"], split["label"].to_numpy(), folds, task)
    encoder = Encoder([learnt.column], {})
    return describe_texts(table, split, encoder, Target(task))


@pytest.fixture(scope="module")
def price():
    """Rooms cost 1, lodgings with a tub 9."""
    (text,) = described(Regression(), [9.0, 9.0, 1.0, 1.0, 5.0, 5.0]).columns
    return text


def test_rows_lengths_and_scripts_are_those_of_training_rows(price):
    assert (price.column, price.rows, price.read, price.missing, price.empty) == ("title", 60, 60, 10, 10)
    # Of words 3, 4, 3 and 4; of characters 9, 18, 13 and 18.
    assert price.words == Spread(3.0, 3.5, 4.0)
    assert price.characters == Spread(9.0, 15.5, 18.0)
    assert price.scripts == {"Latin": 1.0}
    assert price.fewest == 10


def test_telling_words_are_those_of_at_least_ten_rows_by_their_own_score(price):
    higher, lower = price.tendencies
    assert (higher.towards, lower.towards) == ("a higher number", "a lower number")
    rows = {word.text: word.rows for word in higher.words}
    assert rows["tub"] == 20
    assert rows["near"] == 10
    assert "unknown" not in rows
    assert {word.text for word in lower.words} >= {"shared", "room"}
    for each, sign in ((higher, 1), (lower, -1)):
        weights = [sign * word.weight for word in each.words]
        assert weights == sorted(weights, reverse=True)
        assert min(weights) > 0
        assert len(weights) <= 10
    (rare,) = described(Regression(), [9.0, 9.0, 1.0, 1.0, 5.0, 5.0], times=5).columns
    # "hot", "tub", "room" and "a" stand in two of six sentences.
    assert {word.text for each in rare.tendencies for word in each.words} <= {
        "hot",
        "tub",
        "room",
        "a",
        "hot tub",
    }


def test_the_weight_is_the_score_of_the_word_less_that_of_the_empty_text(price):
    table = pd.Series(SENTENCES * 10, name="title")
    labels, folds = np.array([9.0, 9.0, 1.0, 1.0, 5.0, 5.0] * 10), np.arange(60) // 6 % 5
    column = learn_text(table, labels, folds, Regression()).column
    alone, empty = column.scores(pd.Series(["tub", ""]))[:, 0]
    (tub,) = (word for word in price.tendencies[0].words if word.text == "tub")
    assert tub.weight == pytest.approx(float(alone) - float(empty), abs=1e-6)


def test_two_classes_have_one_list_and_several_one_each():
    (text,) = described(Binary(), [1, 1, 0, 0, 0, 1]).columns
    (positive,) = text.tendencies
    assert positive.towards == "positive"
    assert {"tub", "hot"} <= {word.text for word in positive.words}
    (text,) = described(Multiclass(("tub", "room", "none")), [0, 0, 1, 1, 2, 2]).columns
    assert [each.towards for each in text.tendencies] == ["tub", "room", "none"]
    assert "room" in {word.text for word in text.tendencies[1].words}


def test_of_many_classes_the_frequent_ones_are_listed(monkeypatch):
    monkeypatch.setattr(module, "_MOST_CLASSES", 2)
    (text,) = described(Multiclass(("tub", "room", "none")), [0, 0, 1, 2, 2, 2]).columns
    assert [each.towards for each in text.tendencies] == ["tub", "none"]
    assert text.more_classes == 1


def test_of_many_rows_a_sample_is_read(monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 40)
    (text,) = described(Regression(), [9.0, 9.0, 1.0, 1.0, 5.0, 5.0]).columns
    assert (text.rows, text.missing, text.read) == (60, 10, 40)


def test_scripts_are_shares_of_letters_of_any_width():
    sentences = ["Ab Ｃd", "мир", "温泉", "カー", "12 + 3"]
    (text,) = described(Regression(), [1.0, 2.0, 3.0, 4.0, 5.0], sentences).columns
    assert text.scripts == {
        "Latin": pytest.approx(4 / 11),
        "Cyrillic": pytest.approx(3 / 11),
        "Chinese": pytest.approx(2 / 11),
        "Katakana": pytest.approx(2 / 11),
    }


def test_without_texts_nothing_is_described_and_all_can_be_read_again(price):
    encoder = Encoder.fit(pd.DataFrame({"a": [1, 2], "y": [0, 1]}), Dataset(target="y", positive=1))
    split = pd.DataFrame({"part": ["train"] * 2, "label": [0, 1]})
    none = describe_texts(pd.DataFrame({"a": [1, 2]}), split, encoder, Target(Binary()))
    assert none == Texts()
    for found in (none, Texts([price, replace(price, more_classes=3)])):
        assert from_plain(Texts, to_plain(found), "texts.json") == found
