"""Drift of texts by their words, and a reference that holds no text."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from topics import draw_texts

from lepton_pipeline.evaluation.drift import compare_rows
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.text import TextColumn, learn_text
from lepton_pipeline.operations.monitoring.drift import adjusted, compare, compare_words
from lepton_pipeline.operations.monitoring.reference import (
    Categories,
    Reference,
    Words,
    count_words,
    describe_reference,
)
from lepton_pipeline.parameters import Dataset, Monitoring
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

MONITORING = Monitoring()


def encoder_of(texts: pd.Series) -> Encoder:
    labels = np.arange(len(texts)) % 2
    learnt = learn_text(texts, labels, np.arange(len(texts)) // 2 % 5, Binary())
    assert not isinstance(learnt, str)
    return Encoder([learnt.column], {})


@pytest.mark.parametrize(("rows", "new"), [(1000, 300), (400, 400), (1500, 60)])
def test_false_alarms_are_no_more_frequent_than_declared(rows, new, exhaustive):
    tables = 120 if exhaustive else 12
    monitored, evaluated, indices = 0, 0, []
    for seed in range(tables):
        texts, others = draw_texts(rows, 2 * seed), draw_texts(new, 2 * seed + 1)
        drift = compare_words(count_words("text", texts), others)
        monitored += drift.p_value <= MONITORING.level
        indices.append(drift.psi)
        if not exhaustive and seed % 4:
            continue
        column = Encoder([TextColumn("text", ("",), *(np.zeros(1, np.float32),) * 3)], {})
        (compared,) = compare_rows(pd.DataFrame({"text": texts}), pd.DataFrame({"text": others}), column)
        evaluated += compared.p_value <= MONITORING.level
    # A share of 60 rows is noise of its own: a flag needs the test as well.
    assert np.median(indices) < 0.1
    assert max(monitored, evaluated) <= binom.isf(0.001, tables, MONITORING.level)


@pytest.mark.parametrize(
    ("topics", "said"),
    [
        ((0,), "'topic0word0' in"),
        ((7,), "words that were rare or unknown: "),
    ],
)
def test_another_topic_is_flagged_and_told(topics, said):
    texts, others = draw_texts(1500, 1), draw_texts(200, 2, topics)
    encoder = encoder_of(texts)
    before, now = pd.DataFrame({"text": texts}), pd.DataFrame({"text": others})
    reference = Reference(1500, [count_words("text", texts)], count_words("x", texts), None, None)
    (drift,) = adjusted(compare(now, encoder, reference), MONITORING)
    assert drift.flagged
    assert drift.change.startswith(said)
    (compared,) = compare_rows(before, now, encoder)
    assert (compared.flagged, compared.kind) == (True, "text")
    new = {"topic7word0", "topic7word1"}
    assert bool(new & set(drift.new_levels)) == bool(new & set(compared.new_levels)) == (topics == (7,))


def test_shares_are_of_rows():
    texts = pd.Series(["sea sea sea view"] * 60 + ["hill"] * 30 + [None] * 10, dtype=object)
    kept = count_words("text", texts)
    assert (kept.rows, kept.missing, kept.levels) == (90, 10, {"sea": 60, "view": 60, "hill": 30})
    drift = compare_words(kept, pd.Series(["hill"] * 50 + [None] * 150, dtype=object))
    assert drift.missing_reference == 0.1
    assert drift.missing_new == 0.75
    assert drift.change == "missing in 10.0 % of the rows before, 75.0 % now"
    drift = compare_words(kept, pd.Series(["hill"] * 90 + [None] * 10, dtype=object))
    assert drift.change == "'hill' in 33.3 % of the rows before, 100.0 % now"
    assert drift.test == "chi-square of words"


def test_texts_that_are_all_gone_or_all_empty_are_compared():
    kept = count_words("text", draw_texts(300, 1))
    gone = compare_words(kept, pd.Series([None] * 100, dtype=object))
    assert gone.p_value < 1e-9
    assert gone.psi > 0.1
    empty = count_words("text", pd.Series([None] * 100, dtype=object))
    assert (empty.rows, empty.levels, empty.rare) == (0, {}, 0)
    assert compare_words(empty, draw_texts(100, 2)).p_value < 1e-9
    assert compare_words(empty, pd.Series([None] * 60, dtype=object)).p_value == 1.0


def test_only_words_of_twenty_rows_are_kept_or_named():
    secret = "Ann Lee of 5 Elm Street"
    texts = pd.Series(
        ["the sea " + "smith " * 30] + ["the sea"] * 99 + [secret] * 19 + ["beach"] * 20, dtype=object
    )
    kept = count_words("text", texts)
    assert kept.levels == {"the": 100, "sea": 100, "beach": 20}
    new = pd.Series(["the sea"] * 200 + ["jones " * 40] + ["harbour"] * 19 + ["fog"] * 20, dtype=object)
    drift = compare_words(kept, new)
    assert drift.new_levels == ["fog"]
    assert drift.rows_of_new_levels == 40
    (compared,) = compare_rows(
        pd.DataFrame({"t": texts}),
        pd.DataFrame({"t": new}),
        Encoder([TextColumn("t", ("",), *(np.zeros(1, np.float32),) * 3)], {}),
    )
    assert compared.new_levels == ["fog"]


def test_the_stored_reference_holds_no_text_and_is_read_back():
    texts = draw_texts(600, 1)
    table = pd.DataFrame({"text": texts, "y": np.arange(600) % 2, "day": pd.date_range("2026", periods=600)})
    split = pd.DataFrame({"part": "train"}, index=table.index)
    scores = pd.DataFrame({"part": "test", "label": 0, "model": np.linspace(0, 1, 100)})
    dataset = Dataset(target="y", positive=1, text=["text"], time="day")
    encoder = encoder_of(texts)
    stored = describe_reference(table, split, scores, Target(Binary()), encoder, dataset)
    content = json.dumps(stored)
    assert not [text for text in texts.dropna() if text in content]
    held = Counter(word for text in texts.dropna() for word in set(text.split()))
    shown = [word for word in held if f'"{word}"' in content]
    assert min(held[word] for word in shown) >= 20
    (words,) = Reference.from_dict(json.loads(content)).columns
    assert type(words) is Words
    assert words == count_words("text", texts, ordered=True)
    assert stored["columns"][0]["kind"] == "text"


def test_categories_are_read_back_as_categories():
    kept = Categories("city", 1, {"Oslo": 40}, 2, [])
    reference = Reference(43, [kept], kept, None, None)
    assert type(Reference.from_dict(json.loads(json.dumps(reference.to_dict()))).columns[0]) is Categories


def test_words_that_go_together_in_time_are_minded():
    # The same text ten days in a row.
    texts = pd.Series(np.repeat(draw_texts(100, 3, gaps=0).to_numpy(), 10), dtype=object)
    assert count_words("text", texts, ordered=True).dependence > 3
    assert count_words("text", texts).dependence < 2
