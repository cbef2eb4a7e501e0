"""The sentence beside its words: the better part wins, both add up to a column's score, and files keep both."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from tiny_encoder import BAD, GOOD, save_encoder

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.evaluation.texts import describe_texts
from lepton_pipeline.features import sentence_part, sentences
from lepton_pipeline.features.encode import Encoder, encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.features.sentence_part import learn_sentences
from lepton_pipeline.features.sentences import SentenceEncoder, open_encoder
from lepton_pipeline.features.text import LearntText, learn_text
from lepton_pipeline.features.text_folds import TextRows
from lepton_pipeline.features.words import WHOLE, quote_words
from lepton_pipeline.parameters import Dataset, Evaluation, Features, Leaks, Split, Text, Training
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target, find_target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.split import split_rows


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> SentenceEncoder:
    return open_encoder(str(save_encoder(tmp_path_factory.mktemp("tiny") / "encoder")))


def reviews(rows: int = 200, words: int = 100) -> tuple[pd.Series, np.ndarray]:
    """Texts whose label is told by one of the first `words` synonyms, at most a few rows each."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(rows) % 2)
    told = [(GOOD if label else BAD)[row % words] for row, label in enumerate(labels)]
    texts = [f"the room was {word} on day {random.integers(10)}" for word in told]
    return pd.Series(texts, name="review", dtype=object), labels


def learn(texts, labels, encoder, task=None, weights=None) -> LearntText:
    learnt = learn_text(texts, labels, np.arange(len(texts)) % 5, task or Binary(), weights, encoder)
    assert isinstance(learnt, LearntText)
    return learnt


@pytest.fixture(scope="module")
def synonyms(encoder) -> LearntText:
    """Most words of a fold are in no other one, but their synonyms are."""
    return learn(*reviews(), encoder)


def test_the_sentence_tells_what_new_words_do_not(synonyms):
    _, labels = reviews()
    assert synonyms.column.share > 0.5
    assert ((synonyms.scores[:, 0] > 0) == (labels == 1)).all()
    assert synonyms.column.encoded_names == ["review: what its words say"]
    assert synonyms.scores.mean() == pytest.approx(0, abs=1e-5)
    assert synonyms.scores.std() == pytest.approx(1, abs=1e-5)


def test_an_encoder_that_tells_nothing_gets_no_weight_and_is_not_needed(encoder):
    texts, labels = reviews(200, 1)
    # What it does not know tells all.
    texts = texts.str.replace(GOOD[0], "kind").str.replace(BAD[0], "rude")
    learnt = learn(texts, labels, encoder)
    assert learnt.column.share == 0
    assert learnt.column.sentences is None
    alone = learn(texts, labels, None)
    np.testing.assert_allclose(learnt.scores, alone.scores, rtol=1e-5)
    assert alone.column.share is None


def test_without_an_encoder_nothing_is_encoded(monkeypatch):
    monkeypatch.setattr(sentences, "_engines", None)
    assert learn(*reviews(60, 2), None).column.sentences is None


TASKS = [Binary(), Multiclass(classes=["a", "b"]), Multiclass(classes=["a", "b", "c"]), Regression()]


@pytest.mark.parametrize("task", TASKS, ids=["binary", "two", "three", "number"])
def test_both_parts_add_up_to_the_score(encoder, task):
    texts, labels = reviews()
    labels = labels.astype(float) * 3 if isinstance(task, Regression) else labels
    column = learn(texts, labels, encoder, task).column
    new = pd.Series(
        [f"a {GOOD[7]} room", f"{BAD[3]} and odd", "", None, "half \ud800", "x" * 30_000], dtype=object
    )
    words, whole = column.word_scores(new), column.sentence_scores(new)
    assert np.abs(whole).sum() > 0
    assert (column.scores(new) == words + whole).all()
    assert (
        np.concatenate([column.scores(new[[row]]) for row in new.index]).tobytes()
        == column.scores(new).tobytes()
    )
    assert column.scores(pd.Series([], dtype=object)).shape == (0, len(task.text_outputs))


def test_a_rows_own_label_changes_nothing_of_its_own_value(encoder, monkeypatch):
    monkeypatch.setattr(sentence_part, "STRENGTHS", (1.0,))
    texts, labels = reviews()
    turned = np.where(np.arange(200) == 3, 1 - labels, labels)
    fold = np.arange(200) % 5
    one, other = (
        learn_sentences(
            encoder,
            list(texts),
            TextRows(np.arange(200), fold, of, np.ones(200)),
            np.ones((200, 1), np.float32),
            Binary(),
        ).sentences
        for of in (labels, turned)
    )
    same = (one == other).all(axis=1)
    assert same[fold == 3].all()
    assert not same[fold != 3].any()


def test_rows_without_weight_are_not_learnt_from(encoder):
    texts, labels = reviews()
    weights = np.where(np.arange(200) < 150, 2.0, 0.0)
    one, other = (
        learn(texts, np.where(weights > 0, labels, of), encoder, weights=weights).column
        for of in (labels, 1 - labels)
    )
    assert one.share == other.share
    np.testing.assert_array_equal(one.sentences.weights, other.sentences.weights)


def test_the_strength_is_the_first_that_the_next_does_not_better(encoder, monkeypatch):
    tried = []
    fit = sentence_part._fit
    monkeypatch.setattr(
        sentence_part,
        "_fit",
        lambda task, strength, *rest: tried.append(strength) or fit(task, strength, *rest),
    )
    random = np.random.default_rng(1)
    texts, _ = reviews()
    learn(texts, random.integers(0, 2, 200), encoder)
    # Noise is learnt best by the weakest fit.
    assert tried == list(sentence_part.STRENGTHS[:2])


def test_the_sentence_is_one_more_quoted_part(synonyms):
    texts = pd.Series([f"the room was {GOOD[9]}", "", None, "unknown"], dtype=object)
    first, *others = quote_words(synonyms.column, texts, np.zeros(4, np.intp), np.ones(4))
    assert WHOLE in first
    assert others[:2] == [(), ()]
    (against,) = quote_words(synonyms.column, texts[:1], np.zeros(1, np.intp), -np.ones(1))
    assert WHOLE not in against


def test_the_report_says_the_weight_and_words_are_of_the_words_alone(synonyms):
    texts, labels = reviews()
    split = pd.DataFrame({"part": ["train"] * 200, "label": labels})
    texts = pd.Series([*texts[:-20], *["a fine day"] * 20], name="review", dtype=object)
    column = synonyms.column
    (told,) = describe_texts(texts.to_frame(), split, Encoder([column], {}), Target(Binary())).columns
    assert (told.share, told.encoder) == (column.share, column.sentences.encoder.name)
    words = {word.text: word.weight for each in told.tendencies for word in each.words}
    for word, weight in words.items():
        empty, alone = column.word_scores(pd.Series(["", word], dtype=object))[:, 0]
        assert weight == pytest.approx(float(alone - empty), abs=1e-5)
    assert words


def trained(features: Features) -> tuple[Encoder, pd.DataFrame, pd.DataFrame]:
    texts, labels = reviews()
    table = pd.DataFrame({"review": texts, "kind": np.array(["bad", "good"])[labels]})
    dataset = Dataset(target="kind", positive="good", text=["review"])
    target = find_target(table, dataset, Training(), Evaluation())
    split = split_rows(table, target, dataset, Split())
    report = FeatureReport(0, 0.95, "stop", "warn", [], [])
    return (
        *encode_rows(table, split, target, dataset, report, Leaks(), features, Training(device="cpu")),
        table,
    )


@pytest.mark.parametrize("carry", [False, True])
def test_what_is_saved_is_loaded_and_equal_encoders_give_equal_bytes(encoder, tmp_path, carry):
    declared = Text(encoder=encoder.name, carry=carry)
    fitted, encoded, table = trained(Features(text=declared))
    assert list(encoded) == ["review: what its words say"]
    fitted.save(tmp_path / "one")
    loaded = Encoder.load(tmp_path / "one")
    loaded.save(tmp_path / "two")
    for file in ("encoder.json", "encoder.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    pd.testing.assert_frame_equal(loaded.transform(table), fitted.transform(table), check_exact=True)
    described = json.loads((tmp_path / "one/encoder.json").read_text())["sentence_encoder"]
    assert described == {"name": encoder.name, "sha256": encoder.sha256, "carry": carry}
    carried = tmp_path / "one/sentence_encoder/model.safetensors"
    assert carried.is_file() == carry


def test_a_version_whose_encoder_is_gone_or_another_one_is_refused(encoder, tmp_path, monkeypatch):
    folder = shutil.copytree(encoder.folder, tmp_path / "own")
    fitted, _, _ = trained(Features(text=Text(encoder=str(folder))))
    fitted.save(tmp_path / "version")
    monkeypatch.setattr(sentences, "_engines", {})
    (folder / "more.json").write_text("{}")
    with pytest.raises(
        ConfigurationError, match=f"not {encoder.sha256} as declared or trained with; restore these"
    ):
        Encoder.load(tmp_path / "version")
    shutil.rmtree(folder)
    with pytest.raises(ConfigurationError, match="is neither a folder nor an installed package"):
        Encoder.load(tmp_path / "version")


def test_columns_without_an_encoder_are_saved_as_before(tmp_path):
    fitted, _, _ = trained(Features())
    fitted.save(tmp_path)
    described = json.loads((tmp_path / "encoder.json").read_text())
    assert set(described) == {"format", "columns", "dropped"}
    assert set(described["columns"][0]) == {"name", "kind", "input", "outputs", "known"}
    assert Encoder.load(tmp_path).columns[0].share is None
