"""Drift of texts by the distance of their embeddings: few false alarms, and no text in the reference."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.sentence_part import SentencePart
from lepton_pipeline.features.text import TextColumn
from lepton_pipeline.operations.monitoring.drift import _with_distances, adjusted, compare, compare_words
from lepton_pipeline.operations.monitoring.reference import (
    Categories,
    Reference,
    Words,
    count_distances,
    count_words,
)
from lepton_pipeline.parameters import Monitoring

LEVEL = Monitoring().level


class Encoding:
    """Texts are numbers of vectors that are drawn around the place of their topic."""

    def embed(self, texts):
        drawn = [np.random.default_rng(int(text.split()[1])).normal(size=16) for text in texts]
        topics = [np.eye(16)[3] * 4 * (text[0] == "b") for text in texts]
        vectors = np.array(drawn) + np.eye(16)[0] * 4 + topics
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def column() -> TextColumn:
    nothing = np.zeros(1, np.float32)
    part = SentencePart(Encoding(), np.zeros((16, 1), np.float32), nothing)  # type: ignore[arg-type]
    return TextColumn("text", ("",), nothing, nothing, nothing, part, 0.5)


def texts(rows: int, first: int, topic: str = "a") -> pd.Series:
    return pd.Series([f"{topic} {first + row}" for row in range(rows)], dtype=object)


@pytest.mark.parametrize(("rows", "new"), [(1000, 300), (100, 2000), (1500, 60)])
def test_false_alarms_are_no_more_frequent_than_declared(rows, new, exhaustive):
    tables = 1000 if exhaustive else 60
    alarms = 0
    words = compare_words(count_words("text", texts(100, 0)), texts(100, 0))
    for seed in range(tables):
        drawn = np.random.default_rng(seed).normal(size=(rows + new, 32)) + np.eye(32)[0]
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        kept = count_distances(drawn[:rows].astype(np.float16))
        drift = _with_distances(words, kept, drawn[rows:].astype(np.float16))
        alarms += drift.p_value <= LEVEL
    assert alarms <= binom.isf(0.001, tables, LEVEL)


def compared(now: pd.Series):
    made, before = column(), texts(600, 0)
    kept = count_words("text", before)
    kept = Words(**{**vars(kept), "distances": count_distances(made.sentence_vectors(before))})
    reference = Reference(600, [kept], Categories("x", 0, {}, 0, []), None, None)
    reference = Reference.from_dict(json.loads(json.dumps(reference.to_dict())))
    (drift,) = adjusted(compare(pd.DataFrame({"text": now}), Encoder([made], {}), reference), Monitoring())
    return drift


def test_other_sentences_are_flagged_and_told():
    drift = compared(texts(200, 5000, "b"))
    assert drift.flagged
    drift = compared(pd.Series([*texts(150, 0), None, ""], dtype=object))
    assert not drift.flagged
    assert drift.missing_new == pytest.approx(2 / 152)


def test_the_test_of_distances_is_named():
    kept = count_distances(column().sentence_vectors(texts(600, 0)))
    words = compare_words(count_words("text", texts(100, 0)), texts(100, 0))
    drift = _with_distances(words, kept, column().sentence_vectors(texts(300, 5000, "b")))
    assert drift.test.endswith("of distances")
    assert drift.change.startswith("distance of sentences from the mean: median ")
    assert drift.psi > 0.1


def test_texts_that_are_all_empty_are_compared_by_words_alone():
    drift = compared(pd.Series([None] * 100, dtype=object))
    assert drift.test == "missing values"
    assert drift.flagged
    assert count_distances(column().sentence_vectors(pd.Series([None, ""], dtype=object))) is None


def test_rows_of_one_text_are_counted_each():
    vectors = column().sentence_vectors(pd.Series(["a 1", None, "a 2", "a 1", ""], dtype=object))
    assert vectors.shape == (3, 16)
    assert (vectors[0] == vectors[2]).all()
