from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from shops import task_shop
from sklearn.datasets import load_wine

from lepton_pipeline.evaluation import explanation
from lepton_pipeline.evaluation.explanation import explain_model
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.features.column_encoders import NumericColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.attribution import Reason
from lepton_pipeline.parameters import Dataset, Evaluation, Training
from lepton_pipeline.statistics.losses import sigmoid
from lepton_pipeline.system.records import from_plain, to_plain
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression
from lepton_pipeline.tasks.task import Task

ONE = np.array([0.0])


def number(name):
    return NumericColumn(name, "number", ONE, ONE, False)


@dataclass
class Known:
    """Stands for an artefact whose score is known; `b` is derived from `a` as an artefact would do it."""

    task: Task = field(default_factory=Binary)
    threshold: float = 0.5
    reference: dict = field(default_factory=lambda: {"a": 0, "noise": 1.5, "city": "Oslo", "day": None})
    encoder: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(
            columns=[number("a"), number("noise")], inputs=dict.fromkeys(["a", "noise", "city"])
        )
    )
    inputs: dict = field(default_factory=lambda: dict.fromkeys(["noise", "a", "city", "day"], "any"))
    labels: dict = field(default_factory=dict)
    shown = Artefact.shown

    def scores(self, rows):
        assert list(rows.columns) == list(self.inputs)
        derived = 2 * rows["a"].fillna(0)
        return sigmoid((derived + (rows["city"] == "Rome") * 1.6 - 0.5).to_numpy())

    def explain(self, rows, count):
        return [[Reason("a", f"{value:.3f}", 0.5)][:count] for value in rows["a"]]


def sample(rows=600, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "a": rng.normal(size=rows),
            "noise": rng.integers(0, 5, rows),
            "city": pd.Series(rng.choice(["Rome", "Oslo", None], rows, p=[0.5, 0.4, 0.1]), dtype="str"),
            "day": pd.date_range("2024-01-01", periods=rows),
        }
    )
    truth = Known().scores(table[["noise", "a", "city", "day"]])
    label = (rng.random(rows) < truth).astype(int)
    part = np.where(np.arange(rows) % 3 == 0, "train", "test")
    return table, pd.DataFrame({"part": part, "label": label})


@pytest.fixture(scope="module")
def explained():
    return explain_model(Known(), *sample(), Evaluation())


def test_the_column_that_decides_is_first_and_one_without_use_falls_by_nothing(explained):
    figures = {each.column: each for each in explained.importance}
    assert next(iter(figures)) == "a"
    assert figures["a"].low > 0.15
    assert figures["city"].value > 0.02
    assert [getattr(figures["noise"], end) for end in ("low", "value", "high")] == pytest.approx(
        [0, 0, 0], abs=1e-12
    )
    values = [each.value for each in explained.importance]
    assert values == sorted(values, reverse=True)
    assert all(each.low <= each.value <= each.high for each in explained.importance)
    assert (explained.metric, explained.rows) == ("auc", 400)
    assert 0.75 < explained.figure < 0.9


def test_effects_are_mean_probabilities_if_all_rows_had_the_value(explained):
    effects = {each.column: each for each in explained.effects}
    assert {column: each.kind for column, each in effects.items()} == {
        "a": "number",
        "city": "category",
        "noise": "number",
    }
    table, split = sample()
    test = table.loc[split["part"] == "test", ["noise", "a", "city", "day"]]
    by_city = {point.value: point for point in effects["city"].points}
    assert set(by_city) == {"Rome", "Oslo", "missing"}
    expected = Known().scores(test.assign(city="Rome")).mean()
    assert by_city["Rome"].prediction == pytest.approx(expected)
    assert by_city["Rome"].share == pytest.approx((test["city"] == "Rome").mean())
    assert by_city["Oslo"].prediction == pytest.approx(by_city["missing"].prediction)
    points = effects["a"].points
    assert [point.value for point in points] == sorted(point.value for point in points)
    assert np.all(np.diff([point.prediction for point in points]) > 0)
    assert [point.value for point in effects["noise"].points] == [0, 1, 2, 3, 4]
    for each in effects.values():
        assert sum(point.share for point in each.points) == pytest.approx(1)
        assert all(point.low <= point.prediction <= point.high for point in each.points)


def test_rows_that_stand_twice_in_a_group_tell_nothing_more_of_importance():
    table, split = (pd.concat([each] * 2, ignore_index=True) for each in sample())
    units = pd.DataFrame({"group": np.arange(len(table)) % (len(table) // 2)})
    widths = [
        {each.column: each.high - each.low for each in found.importance}
        for found in (explain_model(Known(), table, split, Evaluation(), drawn) for drawn in (None, units))
    ]
    for column in ("a", "city"):
        assert widths[1][column] > 1.15 * widths[0][column]


def test_missing_numbers_are_a_value_of_their_own():
    table, split = sample()
    table.loc[::4, "a"] = np.nan
    effect = explain_model(Known(), table, split, Evaluation()).effects[0]
    assert effect.column == "a"
    *_, last = effect.points
    assert last.value == "missing"
    assert last.share == pytest.approx(table.loc[split["part"] == "test", "a"].isna().mean())


def test_examples_are_the_ends_and_both_sides_of_the_threshold(explained):
    cases = {each.case: each for each in explained.examples}
    assert list(cases) == [
        "highest probability",
        "just above the threshold",
        "just below the threshold",
        "lowest probability",
    ]
    high, above, below, low = cases.values()
    probabilities = [each.prediction["probability"] for each in (high, above, below, low)]
    assert probabilities == sorted(probabilities, reverse=True)
    assert above.prediction["probability"] >= 0.5 > below.prediction["probability"]
    assert [each.prediction["decision"] for each in cases.values()] == [True, True, False, False]
    assert high.reasons[0] == Reason("a", high.reasons[0].value, 0.5)
    assert float(high.reasons[0].value) > float(low.reasons[0].value)


def test_rows_are_capped_keep_the_base_rate_and_follow_the_seed():
    table, split = sample()
    capped = explain_model(Known(), table, split, Evaluation(explained_rows=100))
    assert capped.rows == 100
    assert capped == explain_model(Known(), table, split, Evaluation(explained_rows=100))
    assert capped != explain_model(Known(), table, split, Evaluation(explained_rows=100, seed=8))


@pytest.mark.parametrize("positives", [1, 2])
def test_hardly_any_positives_give_figures_that_say_so(positives):
    table, split = sample()
    split["label"] = 0
    split.loc[split.index[split["part"] == "test"][:positives], "label"] = 1
    importance = explain_model(Known(), table, split, Evaluation(explained_rows=50)).importance
    assert all(np.isfinite([each.low, each.high]).all() for each in importance)
    assert importance[0].high - importance[0].low > 0.05


def test_intervals_of_importance_hold_what_they_promise(exhaustive):
    """In samples of a known source, the interval covers the importance in the source in about 95 of 100."""

    def measure(rows, seed):
        table, split = sample(rows, seed)
        inputs = table[["noise", "a", "city", "day"]]
        scores = Known().scores(inputs)
        known, generator = Sample.of(split["label"]), np.random.default_rng(seed)
        return next(
            each
            for each in explanation._importance(Known(), inputs, known, scores, generator, inputs)
            if each.column == "a"
        )

    assert_about_95_of_100(measure, 150, exhaustive)


def assert_about_95_of_100(measure, rows, exhaustive):
    """Of intervals of as many samples of `rows` rows, about 95 of 100 hold what a large sample shows."""
    truth, samples = measure(60_000, seed=1).value, 150 if exhaustive else 50
    found = [measure(rows, seed) for seed in range(2, 2 + samples)]
    covered = sum(each.low <= truth <= each.high for each in found)
    low, high = (135, 149) if exhaustive else (44, 49)
    assert low <= covered <= high


def test_the_typical_row_is_shown_as_a_reader_knows_it(explained):
    assert explained.reference == {"a": "0", "noise": "1.5", "city": "Oslo", "day": "missing"}


@dataclass
class KnownClasses(Known):
    """Three classes: `a` decides between the first two, the third is always as likely."""

    def scores(self, rows):
        first = 0.9 * super().scores(rows)
        return np.column_stack([first, 0.9 - first, np.full(len(rows), 0.1)])


@dataclass
class KnownNumber(Known):
    """A number with an interval that is wide in Rome."""

    def scores(self, rows):
        predicted = 100 * rows["a"].fillna(0).to_numpy()
        reach = np.where(rows["city"] == "Rome", 80, 40)
        return np.column_stack([predicted, predicted - reach, predicted + reach])


CLASSES = Multiclass(["x", "y", "z"])


def labelled(known, rows, seed):
    """Rows, and labels drawn from what is known of them."""
    table, _ = sample(rows, seed)
    scores, random = known.scores(table[list(known.inputs)]), np.random.default_rng(seed + 1)
    if known.task == CLASSES:
        labels = (random.random(rows)[:, None] > scores.cumsum(axis=1)).sum(axis=1)
    else:
        labels = scores[:, 0] + random.normal(0, 50, rows)
    return table, pd.Series(labels)


def explain_other(known, units=None, **declared):
    (table, labels), (_, split) = labelled(known, 600, 0), sample()
    split["label"], scores = labels, known.scores(table[list(known.inputs)])
    test = split["part"] == "test"
    found = explain_model(known, table, split, Evaluation(**declared), units)
    assert from_plain(explanation.Explanation, to_plain(found)) == found
    return found, scores[test], split.loc[test, "label"].to_numpy(), table[test]


def test_importance_of_classes_is_what_the_log_loss_rises_by():
    found, scores, labels, rows = explain_other(KnownClasses(CLASSES))
    figures = {each.column: each for each in found.importance}
    assert found.metric == "log_loss"
    assert found.figure == pytest.approx(-np.log(scores[np.arange(400), labels]).mean())
    assert next(iter(figures)) == "a"
    assert figures["a"].low > 0.1
    noise = figures["noise"]
    assert (noise.low, noise.value, noise.high) == pytest.approx((0, 0, 0), abs=1e-12)
    # All pairs of a row with another row's value are what permutations are drawn from.
    places = np.repeat(np.arange(400), 400)
    pairs = rows.iloc[places].assign(a=np.tile(rows["a"], 400))
    moved = KnownClasses(CLASSES).scores(pairs[["noise", "a", "city", "day"]])
    rise = -np.log(moved[np.arange(len(places)), labels[places]]).mean() - found.figure
    assert figures["a"].low < rise < figures["a"].high


def test_importance_of_numbers_is_what_the_mean_absolute_error_rises_by():
    found, scores, labels, _ = explain_other(KnownNumber(Regression()))
    figures = {each.column: each for each in found.importance}
    assert (found.metric, found.figure) == ("mae", pytest.approx(np.abs(scores[:, 0] - labels).mean()))
    assert next(iter(figures)) == "a"
    # Two normal values differ by 2 / sqrt(pi) standard deviations on average; with noise, both spreads count.
    known = np.sqrt(2 / np.pi) * (np.hypot(100 * np.sqrt(2), 50) - 50)
    assert figures["a"].low < known < figures["a"].high
    city = figures["city"]
    assert (city.low, city.value, city.high) == pytest.approx((0, 0, 0), abs=1e-12)


def test_a_single_group_leaves_the_importance_of_numbers_open():
    one = pd.DataFrame({"group": np.zeros(600, dtype=int)})
    found, *_ = explain_other(KnownNumber(Regression()), units=one)
    assert found.importance[0].low < 0 < found.importance[0].value < found.importance[0].high


def test_effects_of_classes_are_of_the_one_that_varies_most():
    found, *_, rows = explain_other(KnownClasses(CLASSES))
    effects = {each.column: each for each in found.effects}
    assert effects["a"].of in ("x", "y")
    probabilities = KnownClasses(CLASSES).scores(rows.assign(city="Oslo")[["noise", "a", "city", "day"]])
    place = CLASSES.classes.index(effects["city"].of)
    oslo = next(point for point in effects["city"].points if point.value == "Oslo")
    assert oslo.prediction == pytest.approx(probabilities[:, place].mean())
    assert 0 <= oslo.low < oslo.prediction < oslo.high <= 1


def test_effects_of_numbers_are_not_cut_at_0_and_1():
    found, *_ = explain_other(KnownNumber(Regression()))
    effect = next(each for each in found.effects if each.column == "a")
    assert effect.of == ""
    assert all(point.prediction == pytest.approx(100 * point.value) for point in effect.points)
    assert effect.points[0].low < -100
    assert effect.points[-1].high > 100


def test_examples_of_classes_are_certain_uncertain_and_wrong():
    found, scores, labels, _ = explain_other(KnownClasses(CLASSES))
    cases = {each.case: each.prediction for each in found.examples}
    certain, wrong = scores.max(axis=1), scores.argmax(axis=1) != labels
    for case, probability in (
        ("most certain", certain.max()),
        ("least certain", certain.min()),
        ("most certain wrong decision", certain[wrong].max()),
    ):
        assert cases[case]["probability"] == pytest.approx(probability)
        assert set(cases[case]) == {"decision", "probability"}
        assert cases[case]["decision"] in ("x", "y")


def test_a_wrong_decision_is_shown_as_wrong_and_a_right_model_has_none():
    scores = np.array([[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.1, 0.2, 0.7]])
    assert CLASSES.examples(np.array([0, 1, 2]), scores, None) == {"most certain": 0, "least certain": 1}
    assert CLASSES.examples(np.array([1, 1, 2]), scores, None) == {
        "least certain": 1,
        "most certain wrong decision": 0,
    }


def test_examples_of_numbers_are_ends_wide_intervals_and_errors():
    found, scores, labels, _ = explain_other(KnownNumber(Regression()))
    cases = {each.case: each.prediction for each in found.examples}
    errors = np.abs(scores[:, 0] - labels)
    assert list(cases) == ["highest prediction", "lowest prediction", "widest interval", "largest error"]
    assert cases["highest prediction"]["prediction"] == scores[:, 0].max()
    assert cases["lowest prediction"]["prediction"] == scores[:, 0].min()
    assert cases["widest interval"]["high"] - cases["widest interval"]["low"] == pytest.approx(160)
    assert cases["largest error"] == dict(
        zip(("prediction", "low", "high"), scores[errors.argmax()], strict=True)
    )
    even = np.column_stack([scores[:, 0], scores[:, 0] - 0.1, scores[:, 0] + 0.1])
    assert "widest interval" not in Regression().examples(labels, even, None)


def test_rows_of_other_tasks_are_drawn_as_they_come():
    found, *_ = explain_other(KnownNumber(Regression()), explained_rows=100)
    again, *_ = explain_other(KnownNumber(Regression()), explained_rows=100)
    assert found.rows == 100
    assert found == again


def test_small_effects_are_a_thousandth_of_the_spread_in_the_unit_of_the_target():
    linear = Regression(centre=200_000.0, spread=50_000.0)
    assert linear.smallest_effect == pytest.approx(50)
    log = Regression(transform="log", centre=np.log(200_000), spread=0.5)
    assert log.smallest_effect == pytest.approx(200_000 * (np.exp(0.0005) - 1))
    assert Binary().smallest_effect == CLASSES.smallest_effect == 0.005
    assert [linear.effect_text(effect) for effect in (12345.6, -0.012341)] == ["+12,350", "-0.01234"]
    assert [Binary().effect_text(effect) for effect in (0.914, -0.1)] == ["+0.91", "-0.10"]


def wines():
    columns = ["flavanoids", "color_intensity", "alcohol", "target"]
    table = load_wine(as_frame=True).frame[columns].rename(columns={"target": "kind"})
    return table, Dataset(target="kind", classes="all")


def houses():
    """The price follows size and age."""
    rng = np.random.default_rng(7)
    table = pd.DataFrame({"size": rng.uniform(30, 200, 600), "age": rng.uniform(0, 100, 600)})
    table["price"] = 2000 * table["size"] - 300 * table["age"] + rng.normal(0, 10_000, 600)
    return table, Dataset(target="price", task="regression")


@pytest.mark.parametrize(("made", "decisive"), [(wines, "flavanoids"), (houses, "size")])
def test_a_model_is_explained_by_the_columns_that_it_uses(made, decisive):
    table, dataset = made()
    noise = np.random.default_rng(8).normal(size=len(table))
    # Steps so large that a few seconds suffice.
    quick = Training(
        model="mlp", networks=1, members=1, width=16, epochs=30, learning_rate=0.02, device="cpu"
    )
    shop = task_shop(table.assign(noise=noise), dataset, quick)
    found = explain_model(shop.artefact, shop.table, shop.split, Evaluation())
    figures = {each.column: each for each in found.importance}
    assert next(iter(figures)) == decisive
    assert figures[decisive].low > 0
    assert figures["noise"].low < 0 < figures["noise"].high
    assert abs(figures["noise"].value) < figures[decisive].value / 10
    rows = shop.table.head(5)
    effects = shop.artefact.effects(rows)
    said = shop.artefact.reasons(rows, 9)
    smallest = shop.artefact.task.smallest_effect
    for text, of_row in zip(said, effects.to_numpy(), strict=True):
        assert len(text.split("; ")) == (np.abs(of_row) >= smallest).sum()
    if made is houses:
        largest = effects.iloc[0].abs().idxmax()
        assert f"({Regression().effect_text(effects.loc[0, largest])})" in said[0]


@pytest.mark.parametrize("known", [KnownClasses(CLASSES), KnownNumber(Regression())])
def test_intervals_of_rises_hold_what_they_promise(known, exhaustive):
    """As for the AUC: rows count by the values that they lend, too, or some 85 of 100 would."""

    def measure(rows, seed):
        table, labels = labelled(known, rows, seed)
        inputs, drawn = table[list(known.inputs)], Sample.of(labels, None, known.task)
        scores, generator = known.scores(inputs), np.random.default_rng(seed)
        found = explanation._importance(known, inputs, drawn, scores, generator, inputs)
        return next(each for each in found if each.column == "a")

    assert_about_95_of_100(measure, 100, exhaustive)


def test_of_many_columns_those_are_measured_that_move_the_scores_of_a_few_rows_most(
    monkeypatch, caplog, explained
):
    assert explained.screen is None
    assert "screen" not in to_plain(explained)
    for name, value in (("WIDE", 3), ("MEASURED", 2), ("SCREENED_ROWS", 200), ("_AT_ONCE", 120)):
        monkeypatch.setattr(explanation, name, value)
    with caplog.at_level("INFO"):
        found = explain_model(Known(), *sample(), Evaluation())
    assert {each.column for each in found.importance} == {"a", "city"}
    assert found.screen == explanation.Screen(columns=4, rows=50)
    assert "2 of 4 columns: those that move the scores of 50 test rows most" in caplog.text
    # The same permutations as without a choice, but of other columns before.
    assert found.importance[0].value == pytest.approx(explained.importance[0].value, abs=0.05)
