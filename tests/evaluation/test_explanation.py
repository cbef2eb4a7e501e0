from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.evaluation import explanation
from lepton_pipeline.evaluation.explanation import explain_model
from lepton_pipeline.evaluation.resampling import Sample
from lepton_pipeline.features.column_encoders import NumericColumn
from lepton_pipeline.model.artefact import Artefact
from lepton_pipeline.model.attribution import Reason
from lepton_pipeline.parameters import Evaluation
from lepton_pipeline.statistics.losses import sigmoid

ONE = np.array([0.0])


def number(name):
    return NumericColumn(name, "number", ONE, ONE, False)


@dataclass
class Known:
    """Stands for an artefact whose score is known; `b` is derived from `a` as an artefact would do it."""

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

    def predict(self, rows):
        assert list(rows.columns) == list(self.inputs)
        derived = 2 * rows["a"].fillna(0)
        score = sigmoid((derived + (rows["city"] == "Rome") * 1.6 - 0.5).to_numpy())
        return pd.DataFrame({"probability": score, "decision": score >= self.threshold}, index=rows.index)

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
    truth = Known().predict(table[["noise", "a", "city", "day"]])["probability"]
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
    assert 0.75 < explained.auc < 0.9


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
    expected = Known().predict(test.assign(city="Rome"))["probability"].mean()
    assert by_city["Rome"].probability == pytest.approx(expected)
    assert by_city["Rome"].share == pytest.approx((test["city"] == "Rome").mean())
    assert by_city["Oslo"].probability == pytest.approx(by_city["missing"].probability)
    points = effects["a"].points
    assert [point.value for point in points] == sorted(point.value for point in points)
    assert np.all(np.diff([point.probability for point in points]) > 0)
    assert [point.value for point in effects["noise"].points] == [0, 1, 2, 3, 4]
    for each in effects.values():
        assert sum(point.share for point in each.points) == pytest.approx(1)
        assert all(point.low <= point.probability <= point.high for point in each.points)


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
    assert high.probability > above.probability >= 0.5 > below.probability > low.probability
    assert [each.decision for each in cases.values()] == [True, True, False, False]
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


def test_intervals_of_importance_hold_what_they_promise():
    """In samples of a known source, the interval covers the importance in the source in about 95 of 100."""

    def measure(rows, seed):
        table, split = sample(rows, seed)
        inputs = table[["noise", "a", "city", "day"]]
        scores = Known().predict(inputs)["probability"].to_numpy()
        known, generator = Sample.of(split["label"]), np.random.default_rng(seed)
        return next(
            each
            for each in explanation._importance(Known(), inputs, known, scores, generator)
            if each.column == "a"
        )

    truth = measure(60_000, seed=1).value
    samples = [measure(150, seed) for seed in range(2, 152)]
    covered = sum(each.low <= truth <= each.high for each in samples)
    assert 135 <= covered <= 149


def test_the_typical_row_is_shown_as_a_reader_knows_it(explained):
    assert explained.reference == {"a": "0", "noise": "1.5", "city": "Oslo", "day": "missing"}
