"""Words and pieces of words: the right weights, each known by its own hash."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from math import log

import numpy as np
import pandas as pd
import pytest
from sklearn.utils import murmurhash3_32

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.features.grams import HASHES, learn_terms, terms_of
from lepton_pipeline.features.text import TextColumn, learn_text
from lepton_pipeline.features.text_folds import TextRows, fit_best, held_out
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

TEXTS = ["a cosy loft loft", "cosy house by the sea", "sea"]
ROWS = np.array([1, 1, 2])


def grams_of(text: str, shortest: int = 2) -> tuple[Counter[str], Counter[str]]:
    """Words and pairs of words, and pieces of padded words."""
    words = re.findall(r"\w+", text)
    pieces = [
        padded[start : start + length]
        for padded in (f" {word} " for word in text.split())
        for length in range(shortest, 6)
        for start in range(len(padded) - length + 1)
    ]
    return Counter(words + [" ".join(pair) for pair in pairwise(words)]), Counter(pieces)


def place_of(gram: str, places: int) -> int:
    return abs(murmurhash3_32(gram, seed=0)) % places


def expected(
    text: str, kind: int, rarity: dict[int, float], places: int, shortest: int = 2
) -> dict[int, float]:
    """TF-IDF by hash, of length 1."""
    counts = Counter[int]()
    for gram, count in grams_of(text, shortest)[kind].items():
        counts[place_of(gram, places)] += count
    weights = {place: (1 + log(times)) * rarity[place] for place, times in counts.items() if place in rarity}
    length = sum(weight**2 for weight in weights.values()) ** 0.5
    return {place: weight / length for place, weight in weights.items()}


def rarities(kind: int) -> dict[int, float]:
    seen = Counter[int]()
    for text, rows in zip(TEXTS, ROWS, strict=True):
        for gram in grams_of(text)[kind]:
            seen[place_of(gram, HASHES)] += int(rows)
    return {place: log((1 + ROWS.sum()) / (1 + count)) + 1 for place, count in seen.items()}


@pytest.mark.parametrize("chunks", [[slice(0, 3)], [slice(0, 1), slice(1, 3)]])
def test_terms_are_tf_idf_of_words_and_pieces(chunks):
    matrix, known, rarity = learn_terms(TEXTS, chunks, ROWS, 1000)
    assert [np.all(np.diff(codes) > 0) for codes in known] == [True, True]
    codes, words = np.concatenate(known), len(known[0])
    assert matrix.shape == (3, len(codes)) == (3, len(rarity))
    for row, text in enumerate(TEXTS):
        for kind, own in enumerate((slice(None, words), slice(words, None))):
            wanted = expected(text, kind, rarities(kind), HASHES)
            found = dict(zip(codes[own].tolist(), matrix.toarray()[row, own], strict=True))
            assert {code: weight for code, weight in found.items() if weight} == pytest.approx(
                wanted, rel=1e-5
            )


def test_of_a_new_text_what_is_not_known_counts_as_the_rarest():
    _, known, rarity = learn_terms(TEXTS, [slice(0, 3)], ROWS, 1000)
    found = terms_of(["sea view view", "ξξ"], rarity, known).toarray()
    words = len(known[0])
    # Words and pairs beside "sea": view (twice), sea view, view view.
    own, rarest = rarities(0)[place_of("sea", HASHES)], log(5 / 2) + 1
    length = (own**2 + rarest**2 * ((1 + log(2)) ** 2 + 2)) ** 0.5
    assert found[0, :words].sum() == pytest.approx(own / length)
    assert found[0, np.searchsorted(known[0], place_of("sea", HASHES))] == pytest.approx(own / length)
    assert not found[1, :words].any()
    assert 0 < (found[0, words:] ** 2).sum() < 1


def test_of_too_many_those_of_most_rows_are_known():
    _, known, rarity = learn_terms(TEXTS, [slice(0, 3)], ROWS, 2)
    assert [len(codes) for codes in known] == [2, 2]
    assert set(known[0].tolist()) == {place_of("sea", HASHES), place_of("cosy", HASHES)}
    # Three and two of four rows.
    assert sorted(rarity[:2].tolist()) == pytest.approx([log(5 / 4) + 1, log(5 / 3) + 1])


def test_a_model_of_an_earlier_release_scores_as_it_did(tmp_path):
    places, random = 2**12, np.random.default_rng(0)
    rarity, weights = (random.random(size).astype(np.float32) for size in (2 * places, (2 * places, 1)))
    earlier = TextColumn("text", ("",), rarity, weights, np.full(1, 0.5, np.float32))
    Encoder([earlier], {}).save(tmp_path)
    file = tmp_path / "encoder.json"
    stored = json.loads(file.read_text()) | {"format": 1}
    assert "known" not in stored["columns"][0]
    file.write_text(json.dumps(stored))
    texts = pd.Series(TEXTS, name="text")
    found = Encoder.load(tmp_path).columns[0].scores(texts)
    for row, text in enumerate(TEXTS):
        score = 0.5
        for kind in (0, 1):
            of_kind = dict(enumerate(rarity[kind * places : (kind + 1) * places].tolist()))
            own = expected(text, kind, of_kind, places, shortest=1)
            score += sum(weight * weights[kind * places + place, 0] for place, weight in own.items())
        assert found[row, 0] == pytest.approx(score, rel=1e-4)


def test_what_is_known_is_kept(tmp_path):
    texts = pd.Series(
        [f"room {number % 5} was {word}" for number, word in enumerate(["good", "bad"] * 20)], name="t"
    )
    learnt = learn_text(texts, np.arange(40) % 2, np.arange(40) // 2 % 5, Binary())
    Encoder([learnt.column], {}).save(tmp_path)
    again = Encoder.load(tmp_path).columns[0]
    assert json.loads((tmp_path / "encoder.json").read_text())["format"] == 2
    np.testing.assert_array_equal(again.scores(texts), learnt.column.scores(texts))
    (tmp_path / "encoder.json").write_text('{"format": 3}')
    with pytest.raises(DataError, match="has format 3, this version reads 1 and 2"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("task", [Binary(), Multiclass(classes=["a", "b", "c"]), Regression()])
def test_the_strength_is_that_of_the_better_scores_of_held_out_rows(task, monkeypatch):
    from scipy.sparse import csr_matrix

    random = np.random.default_rng(0)
    matrix = csr_matrix(random.normal(size=(300, 20)).astype(np.float32))
    scores = matrix @ random.normal(size=20)
    labels = {"binary": scores > 0, "multiclass": np.digitize(scores, [-2, 2]), "regression": scores}[
        task.task
    ]
    rows = TextRows(np.arange(300), np.arange(300) % 5, labels.astype(float), np.ones(300))
    monkeypatch.setattr(type(task), "text_strengths", (1e-7, 3.0))
    models = fit_best(task, matrix, rows)
    monkeypatch.setattr(type(task), "text_strengths", (3.0,))
    same = fit_best(task, matrix, rows)
    assert len(models) == 5
    np.testing.assert_array_equal(*(held_out(matrix, rows.place, rows.fold, each) for each in (models, same)))
