import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.features import words as module
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.features.words import frequent_words, joined, quote_words, units

PLACES = 2**12


def column(*weights):
    """A column with an output for each mapping of words to weights; all words are equally rare."""
    made = TextColumn(
        "title",
        tuple("abc"[: len(weights)]),
        np.ones(2 * PLACES, np.float32),
        np.zeros((2 * PLACES, len(weights)), np.float32),
        np.zeros(len(weights), np.float32),
    )
    for output, own in enumerate(weights):
        for word, weight in own.items():
            place = made.terms([word]).indices.min()
            assert place < PLACES
            made.weights[place, output] = weight
    return made


def quoted(made, *texts, outputs=None, sign=1.0):
    rows = pd.Series(texts, dtype=object)
    chosen = np.zeros(len(rows), np.intp) if outputs is None else np.array(outputs)
    return quote_words(made, rows, chosen, np.full(len(rows), sign))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hot tub, near a creek!", ["hot", "tub", "near", "a", "creek"]),
        ("don't stay’s 'here'", ["don't", "stay’s", "here"]),
        ("6.4 crore 30-35 1,000.", ["6.4", "crore", "30", "35", "1,000"]),
        ("温泉あり 2 rooms", ["温", "泉", "あ", "り", "2", "rooms"]),
        ("ที่พัก", ["ที่", "พั", "ก"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("😀 !", []),
        ("", []),
    ],
)
def test_words_of_scripts_with_and_without_blanks(text, expected):
    found = units(text)
    assert [unit.text for unit in found] == expected
    assert [text[unit.start : unit.end] for unit in found] == expected


def test_words_that_move_the_score_are_quoted_the_strongest_first():
    made = column({"creek": 2.0, "tub": 1.0, "noise": -3.0})
    assert quoted(made, "Tub by a Creek, some noise") == [("creek", "tub")]
    assert quoted(made, "Tub by a Creek, some noise", sign=-1.0) == [("noise",)]
    assert quoted(made, "a plain room", "", None, "!") == [()] * 4


def test_a_word_counts_as_often_as_the_text_has_it():
    # Alone, each moves the score by its weight; the first stands three times, with a logarithmic count.
    made = column({"tub": 1.0, "creek": 1.5})
    assert quoted(made, "tub a tub b tub c creek")[0] == ("tub", "creek")
    assert quoted(made, "tub a b c creek")[0] == ("creek", "tub")


def test_neighbours_are_quoted_together_up_to_two_words_and_as_they_stand():
    made = column({"pet": 3.0, "friendly": 2.8, "home": 2.6, "creek": 2.4, "view": 2.2})
    assert quoted(made, "Pet-friendly  home, creek view") == [("pet-friendly", "home", "creek view")]
    # At most three are quoted.
    assert quoted(made, "pet a friendly b home c creek") == [("pet", "friendly", "home")]


def test_pieces_of_a_text_without_blanks():
    made = column({})
    # One character in the half of pieces: of "好" alone, those are the character with and without its edges.
    inside = made.terms(["好评"]).indices
    made.weights[inside[inside >= PLACES], 0] = 1.0
    assert quoted(made, "房间很大好评不断") == [("好评",)]


def test_the_output_that_is_explained_is_that_of_the_row():
    made = column({"profit": 1.0}, {"loss": 1.0})
    text = "profit up loss down"
    assert quoted(made, text, text, outputs=[0, 1]) == [("profit",), ("loss",)]


def test_of_long_texts_few_words_are_left_out_in_turn(monkeypatch):
    seen = []
    made = column({"creek": 2.0})
    scores = TextColumn.word_scores
    monkeypatch.setattr(
        TextColumn, "word_scores", lambda self, texts: seen.append(len(texts)) or scores(self, texts)
    )
    text = " ".join(f"word{place}" for place in range(100)) + " creek"
    assert quoted(made, text, text) == [("creek",)] * 2
    # Each word by itself, once; both texts whole; a dozen words left out of each.
    assert seen == [101, 2, 2 * module.MOST_LEFT_OUT]


def test_rows_in_parts_are_quoted_as_at_once(monkeypatch):
    made, texts = column({"creek": 2.0, "tub": 1.0}), ["a creek", "tub", "", "creek and tub", "none"]
    at_once = quoted(made, *texts)
    monkeypatch.setattr(module, "_CHARACTERS_AT_ONCE", 10)
    assert quoted(made, *texts) == at_once == [("creek",), ("tub",), (), ("creek", "tub"), ()]
    assert quoted(made) == []


def test_frequent_words_are_counted_by_texts_and_pairs_only_of_frequent_ones():
    texts = ["hot tub hot tub", "hot tub by the creek", "a hot day", "温泉 tub", "温泉"]
    words = {"hot": 3, "tub": 3, "hot tub": 2, "温": 2, "泉": 2, "温泉": 2}
    assert {joined(word): count for word, count in frequent_words(texts, 2).items()} == words
    assert frequent_words([], 1) == {}
