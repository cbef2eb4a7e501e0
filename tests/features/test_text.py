"""Columns of texts: right values on tiny frames, no label of its own in a row, and the same bits everywhere."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.features import text as module
from lepton_pipeline.features.encode import Encoder, encode_rows
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.features.text import LearntText, TextColumn, learn_text
from lepton_pipeline.parameters import Dataset, Evaluation, Leaks, Split, Training
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import find_target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.split import split_rows

GOOD, BAD = ["good", "fine", "splendid"], ["poor", "awful", "dreadful"]
ODD = {
    "emoji": "good 😀👍🏽",
    "empty": "",
    "blanks": " \t\n ",
    "half a character": "good \ud800",
    "control characters": "good\x00\x07\x1f\u202e",
    "no word": "!!! ...",
    "one long word": "good" * 250_000,
}


def reviews(rows: int = 60, seed: int = 0) -> tuple[pd.Series, np.ndarray]:
    """Texts whose one telling word gives the label."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(rows) % 2)
    told = [random.choice(GOOD if label else BAD) for label in labels]
    texts = [f"the room {number % 7} was {word} on day {number % 5}" for number, word in enumerate(told)]
    return pd.Series(texts, name="review", dtype=object), labels


def folds(rows: int, count: int = 5) -> np.ndarray:
    return np.arange(rows) % count


def learn(texts, labels, fold=None, task=None, weights=None) -> LearntText:
    texts = pd.Series(texts, name="review", dtype=object)
    fold = folds(len(texts)) if fold is None else fold
    learnt = learn_text(texts, np.asarray(labels), fold, task or Binary(), weights)
    assert isinstance(learnt, LearntText), learnt
    return learnt


@pytest.fixture(scope="module")
def learnt() -> LearntText:
    return learn(*reviews())


def scores_of(column: TextColumn, texts) -> np.ndarray:
    encoded = column.transform(pd.Series(texts, name="review", dtype=object))
    return np.column_stack(list(encoded.values()))


def test_a_telling_word_is_learnt_and_values_are_of_unit_spread(learnt):
    _, labels = reviews()
    (encoded,) = learnt.scores.T
    assert encoded[labels == 1].min() > encoded[labels == 0].max()
    assert encoded.mean() == pytest.approx(0, abs=1e-5)
    assert encoded.std() == pytest.approx(1, abs=1e-5)
    good, bad = scores_of(learnt.column, ["a splendid room", "an awful room"])[:, 0]
    assert good > 0 > bad


@pytest.mark.parametrize("task", [Binary(), Multiclass(classes=["a", "b", "c"]), Regression()])
def test_a_rows_own_label_changes_nothing_of_its_own_value(task, monkeypatch):
    # How strong the models are is chosen by all labels.
    monkeypatch.setattr(type(task), "text_strengths", (1.0,))
    texts, _ = reviews(90)
    labels = np.arange(90) * 7 % 3 if isinstance(task, Multiclass) else np.arange(90) * 7 % 2
    labels = labels.astype(float) if isinstance(task, Regression) else labels
    changed = labels.copy()
    changed[3] = 1 - changed[3] if changed[3] < 2 else 0
    # All values are shifted and scaled alike, so that their mean is 0 and their spread is 1.
    fold = folds(90)
    one, other = (
        (each.scores[fold == 3] - each.scores[fold == 3].mean(axis=0)) / each.scores[fold == 3].std(axis=0)
        for each in (learn(texts, of, fold, task) for of in (labels, changed))
    )
    np.testing.assert_allclose(one, other, atol=2e-3)


def test_noise_tells_nothing_out_of_fold():
    random = np.random.default_rng(1)
    texts = [" ".join(random.choice([f"w{number}" for number in range(50)], 8)) for _ in range(300)]
    labels = random.integers(0, 2, 300)
    (encoded,) = learn(texts, labels).scores.T
    assert abs(np.corrcoef(encoded, labels)[0, 1]) < 0.2


def test_rows_without_a_fold_are_scored_as_new_ones(learnt):
    texts, labels = reviews()
    fold = np.where(np.arange(60) < 40, folds(60), -1)
    some = learn(texts, labels, fold)
    assert some.rows.tolist() == list(range(40))
    whole = some.encode(pd.DataFrame({"review": texts}))["review: what its words say"]
    assert whole[40:].tolist() == scores_of(some.column, texts[40:])[:, 0].tolist()
    assert whole[:40].tolist() == some.scores[:, 0].tolist()
    # Labels of the others are not read.
    again = learn(texts, np.where(fold < 0, 1 - labels, labels), fold)
    assert (again.column.weights == some.column.weights).all()


def test_a_new_row_has_the_same_bits_alone_and_in_any_batch(learnt, monkeypatch):
    texts = [*reviews(50, seed=2)[0], *ODD.values(), None, "the room was fine"]
    batch = scores_of(learnt.column, texts)
    alone = np.concatenate([scores_of(learnt.column, [text]) for text in texts])
    assert batch.tobytes() == alone.tobytes()
    assert scores_of(learnt.column, texts[::-1])[::-1].tobytes() == batch.tobytes()
    monkeypatch.setattr(module, "_CHARACTERS_AT_ONCE", 200)
    assert scores_of(learnt.column, texts).tobytes() == batch.tobytes()


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_texts_have_finite_values(learnt, text):
    assert np.isfinite(scores_of(learnt.column, [text])).all()
    odd, labels = reviews()
    assert np.isfinite(learn([*odd[:-1], text], labels).scores).all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Zürich ist SCHÖN", "zu\u0308rich ist scho\u0308n"),
        ("", None),
        ("", float("nan")),
        (" fine ", "fine"),
        ("good \ud800", "good \udfff"),
        (7, "7"),
        (7.0, "7"),
        (True, "true"),
        ("x" * 20_000 + "good", "x" * 20_000),
    ],
)
def test_two_ways_of_writing_a_text_are_one(learnt, one, other):
    assert scores_of(learnt.column, [one]).tobytes() == scores_of(learnt.column, [other]).tobytes()


def test_the_beginning_of_a_long_text_is_the_same_composed_or_not(learnt):
    long = "ü" * 15_000 + " good"
    apart = unicodedata.normalize("NFD", long)
    assert scores_of(learnt.column, [long]).tobytes() == scores_of(learnt.column, [apart]).tobytes()


@pytest.mark.parametrize(
    ("good", "bad", "rest"),
    [
        ("很好", "很差", "这家酒店的房间{}我们住了三天"),
        ("最高です", "最悪です", "駅前のホテルは{}また行きます"),
        ("ดีมาก", "แย่มาก", "โรงแรมนี้{}พนักงานทักทายเรา"),
    ],
)
def test_a_script_without_blanks_is_learnt(good, bad, rest):
    labels = np.arange(60) % 2
    texts = [f"{number % 11}" + rest.format(good if label else bad) for number, label in enumerate(labels)]
    (encoded,) = learn(texts, labels, np.arange(60) // 2 % 5).scores.T
    assert encoded[labels == 1].min() > encoded[labels == 0].max()


def test_a_class_that_a_fold_lacks_is_learnt_from_the_others():
    words = ["red", "green", "blue"]
    labels = np.repeat([0, 1, 2], 20)
    texts = [f"a {words[label]} coat {number % 4}" for number, label in enumerate(labels)]
    task = Multiclass(classes=words)
    # Without fold 0, no row is blue.
    fold = np.where(labels == 2, 0, 1 + np.arange(60) % 4)
    learnt = learn(texts, labels, fold, task)
    assert np.isfinite(learnt.scores).all()
    assert learnt.column.encoded_names == ["review: red", "review: green", "review: blue"]
    assert scores_of(learnt.column, [f"a {word} coat" for word in words]).argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("task", [Binary(), Multiclass(classes=["a", "b", "c"]), Regression()])
def test_folds_of_one_class_and_few_texts_are_no_error(task):
    texts = ["one good", "two good", "one bad", "two bad"]
    labels = np.array([1.0, 1.0, 0.0, 0.0]) if isinstance(task, Regression) else np.array([1, 1, 0, 0])
    # Without either fold, all rows have one class.
    learnt = learn(texts, labels, np.array([0, 0, 1, 1]), task)
    assert np.isfinite(learnt.scores).all()
    # A model of one class has its margin, whatever the text; each row is scored by that of the other class.
    if isinstance(task, Binary):
        assert learnt.scores[:, 0].tolist() == [-1, -1, 1, 1]


def test_rows_without_weight_are_not_learnt_from_and_the_unit_of_weights_is_nothing():
    texts, labels = reviews(80)
    weights = np.where(np.arange(80) < 60, 1.0, 0.0)
    turned = np.where(weights > 0, labels, 1 - labels)
    one, other = learn(texts, labels, weights=weights), learn(texts, turned, weights=weights)
    np.testing.assert_array_equal(one.column.weights, other.column.weights)
    many = learn(texts, labels, weights=1e6 * weights)
    np.testing.assert_allclose(one.column.weights, many.column.weights, atol=1e-4)
    even = learn(texts, labels, weights=np.ones(80))
    np.testing.assert_allclose(even.column.weights, learn(texts, labels).column.weights, atol=1e-6)
    nothing = np.where(folds(80) == 0, 1.0, 0.0)
    assert np.isfinite(learn(texts, labels, weights=nothing).scores).all()


def test_of_many_rows_a_sample_is_learnt_from_and_every_row_is_scored_out_of_fold(monkeypatch):
    texts, labels = reviews(300)
    whole = learn(texts, labels)
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    monkeypatch.setattr(module, "_CHARACTERS_AT_ONCE", 500)
    some = learn(texts, labels)
    assert some.rows.tolist() == whole.rows.tolist()
    assert ((some.scores[:, 0] > 0) == (labels == 1)).all()
    # Half of the rows have a text of their own fold only, which they are not scored by.
    own = [f"u{fold} {text}" for fold, text in zip(folds(300), texts, strict=True)]
    assert np.isfinite(learn(own, labels).scores).all()
    monkeypatch.setattr(module, "_MOST_LEARNT", 100)
    assert len(learn(texts, labels).scores) == 300


def test_a_thousand_classes_have_bounded_weights():
    assert (module._most_known(1), module._most_known(30)) == (module.MOST_KNOWN, 83_333)
    assert 2 * module._most_known(1000) * 1000 * 4 < 40e6


@pytest.mark.exhaustive
def test_a_thousand_classes_are_learnt():
    names = [f"c{number}" for number in range(1000)]
    labels = np.repeat(np.arange(1000), 3)
    texts = [f"word{label} and more" for label in labels]
    learnt = learn(texts, labels, np.arange(3000) % 3, Multiclass(classes=names))
    assert (learnt.scores.argmax(axis=1) == labels).mean() > 0.9


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["same"] * 20, "every text is the same"),
        (["Same", "same "] * 10, "every text is the same"),
        ([None] * 20, "every text is empty"),
        (["", None] * 10, "every text is empty"),
        ([float("nan")] * 20, "every text is empty"),
    ],
)
def test_columns_of_no_use_are_named(texts, why):
    column = pd.Series(texts, name="review")
    assert learn_text(column, np.arange(20) % 2, folds(20), Binary()) == why


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (range(20), "holds int64 values, first 0; leave it out there, it is a feature as it is."),
        ([True, False] * 10, "holds bool values, first True; leave it out there"),
        (pd.date_range("2024-01-01", periods=20), "holds dates or durations"),
        (
            [f"{number}-17" for number in range(20)],
            "holds no letter, first '0-17'; declare it in dataset.cat",
        ),
    ],
)
def test_what_is_no_text_is_refused(values, said):
    column = pd.Series(values, name="review")
    with pytest.raises(DataError, match=r"column 'review' is declared in dataset\.text, but") as caught:
        learn_text(column, np.arange(20) % 2, folds(20), Binary())
    assert said in str(caught.value)


def test_texts_that_begin_with_many_numbers_are_texts():
    column = pd.Series([*map(str, range(2000)), "good", "bad"], name="review", dtype=object)
    labels = np.arange(2002) % 2
    assert isinstance(learn_text(column, labels, folds(2002), Binary()), LearntText)


@pytest.mark.parametrize(
    "text",
    [
        "/srv/data/a1/{}.txt",
        "<p class='x'>{}</p>",
        "{}",
        "https://example.org/{}?q=1",
    ],
)
def test_paths_mark_up_and_single_words_are_texts(text):
    labels = np.arange(40) % 2
    texts = [text.format("good" if label else "bad") for label in labels]
    (encoded,) = learn(texts, labels, np.arange(40) // 2 % 5).scores.T
    assert encoded[labels == 1].min() > encoded[labels == 0].max()


def shop(rows: int = 120) -> pd.DataFrame:
    texts, labels = reviews(rows)
    return pd.DataFrame(
        {
            "review": texts,
            "stars": np.random.default_rng(5).normal(size=rows),
            "kind": np.array(["bad", "good"])[labels],
            "price": np.exp(labels + np.random.default_rng(6).normal(scale=0.1, size=rows)),
            "shop": np.arange(rows) // 4 % 15,
            "day": pd.date_range("2026-01-01", periods=rows),
        }
    )


def encoded_shop(dataset: Dataset, split: Split, training: Training | None = None, table=None):
    table = shop() if table is None else table
    target = find_target(table, dataset, training or Training(), Evaluation())
    divided = split_rows(table, target, dataset, split)
    report = FeatureReport(0, 0.95, "stop", "warn", [], [])
    return (*encode_rows(table, divided, target, dataset, report, Leaks()), divided, table)


CLASSES = Dataset(target="kind", positive="good", text=["review"], exclude=["price", "shop", "day"])
NUMBER = Dataset(target="price", task="regression", text=["review"], exclude=["kind", "shop", "day"])


def test_an_encoder_of_texts_saves_and_loads_the_same_bits(tmp_path):
    encoder, _, _, table = encoded_shop(CLASSES, Split())
    encoder.save(tmp_path / "one")
    loaded = Encoder.load(tmp_path / "one")
    odd = pd.DataFrame({"review": pd.Series([*ODD.values(), None], dtype=object), "stars": 0.5})
    for rows in (table, odd):
        pd.testing.assert_frame_equal(loaded.transform(rows), encoder.transform(rows), check_exact=True)
    loaded.save(tmp_path / "two")
    for name in ("encoder.json", "encoder.safetensors"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    again = encoded_shop(CLASSES, Split())[0]
    pd.testing.assert_frame_equal(again.transform(table), encoder.transform(table), check_exact=True)


def test_encoded_rows_are_out_of_fold_and_test_rows_as_new_ones():
    encoder, encoded, split, table = encoded_shop(CLASSES, Split())
    new, name = encoder.transform(table), "review: what its words say"
    test = (split["part"] == "test").to_numpy()
    assert (encoded[name][test] == new[name][test]).all()
    assert not (encoded[name][~test] == new[name][~test]).any()
    assert (encoded["stars"] == new["stars"]).all()
    assert list(encoded) == list(new)


def test_labels_of_test_rows_change_no_encoded_value():
    by_part = Split(strategy="column", column="part", test=["t"], validation=["v"])
    parted = shop().assign(part=(["a"] * 8 + ["v", "t"]) * 12)
    dataset = NUMBER.model_copy(update={"exclude": [*NUMBER.exclude, "part"]})
    _, encoded, split, table = encoded_shop(dataset, by_part, table=parted)
    changed = table.assign(
        price=table["price"].where((split["part"] != "test").to_numpy(), table["price"] ** -2)
    )
    _, other, _, _ = encoded_shop(dataset, by_part, table=changed)
    pd.testing.assert_frame_equal(encoded, other, check_exact=True)


def test_by_time_no_group_is_on_two_sides(monkeypatch):
    dataset = Dataset(
        target="kind", positive="good", text=["review"], exclude=["price"], time="day", group="shop"
    )
    given = []

    def watch(column, labels, fold, *rest):
        given.append(fold)
        return learn_text(column, labels, fold, *rest)

    monkeypatch.setattr("lepton_pipeline.features.encode.learn_text", watch)
    _, _, split, table = encoded_shop(dataset, Split(strategy="time"))
    (fold,) = given
    assert ((fold >= 0) == (split["part"] == "train")).all()
    by_group = pd.DataFrame({"group": table["shop"], "fold": fold})[fold >= 0].groupby("group")["fold"]
    assert by_group.agg(set).map(len).max() == 1
    assert len(set(fold)) == 6
    given.clear()
    encoded_shop(dataset, Split(strategy="time"), table=shop().assign(shop=1))
    assert len(set(given[0])) == 6


@pytest.mark.parametrize("changes", [{}, {"transform": "log"}])
@pytest.mark.parametrize("quantiles", [False, True])
def test_a_number_is_learnt(changes, quantiles):
    dataset = NUMBER.model_copy(update=changes)
    encoder, encoded, _, table = encoded_shop(dataset, Split(), Training(quantiles=quantiles))
    assert [column.name for column in encoder.columns] == ["review", "stars"]
    told = np.corrcoef(encoded["review: what its words say"], np.log(table["price"]))[0, 1]
    assert told > 0.9


def test_a_name_that_encoding_adds_is_refused():
    table = shop().rename(columns={"stars": "review: what its words say"})
    with pytest.raises(DataError, match="column 'review: what its words say' has the name of a column"):
        encoded_shop(CLASSES, Split(), table=table)
