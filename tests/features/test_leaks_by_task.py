"""The guard finds the same leaks in every task."""

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.features.leaks import check_features, enforce_report
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import Dataset, Leaks
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.find import Target, find_task

NUMBER = Dataset(target="y", task="regression")
CLASSES = Dataset(target="y", classes=["low", "mid", "high"])
EACH = pytest.mark.parametrize("dataset", [NUMBER, CLASSES], ids=["number", "classes"])


def table(dataset, rows=3000, seed=0):
    """Seven honest features, two of them strong, and a column of noise."""
    rng = np.random.default_rng(seed)
    honest = {f"x{place}": rng.normal(size=rows) for place in range(7)}
    weights = [1.0, 0.9, 0.5, 0.5, 0.4, 0.4, 0.3]
    score = sum(weight * each for weight, each in zip(weights, honest.values(), strict=True))
    score = score + 0.5 * rng.normal(size=rows)
    y = np.exp(score) if dataset is NUMBER else np.array(dataset.classes)[np.digitize(score, [-1, 1])]
    return pd.DataFrame({"y": y, **honest, "noise": rng.normal(size=rows)})


def check(rows, dataset, **leaks):
    target = Target(find_task(rows, dataset))
    part = np.array(["train", "train", "train", "validation", "test"])[np.arange(len(rows)) % 5]
    parts = pd.DataFrame({"part": part, "label": target.task.read(rows, dataset)}, index=rows.index)
    return check_features(rows, parts, target, dataset, Leaks(**leaks))


def found(report, severity="leak"):
    return {each.feature: each.finding for each in report.findings if each.severity == severity}


@EACH
def test_honest_features_are_measured_and_only_noise_is_found(dataset):
    report = check(table(dataset), dataset)
    assert from_json(FeatureReport, to_json(report)) == report
    assert report.metric == ("r2" if dataset is NUMBER else "auc")
    assert [each.name for each in report.features][:2] == ["x0", "x1"]
    assert all(0 <= each.low <= each.figure <= each.high <= 1 for each in report.features)
    assert {each.feature: each.finding for each in report.findings} == {"noise": "pure noise"}
    words = "of variance that a boosted" if dataset is NUMBER else "log loss of a boosted"
    assert words in report.findings[0].evidence


def test_r2_alone_is_that_of_ranks():
    report = check(table(NUMBER, 20_000), NUMBER)
    strongest = report.features[0]
    # The variance of the score is 2.97, of which x0 has 1.
    expected = (6 / np.pi * np.arcsin(np.sqrt(1 / 2.97) / 2)) ** 2
    assert strongest.low < expected < strongest.high
    assert strongest.high - strongest.low < 0.05


@pytest.mark.parametrize(
    "copy",
    [
        lambda y: y,
        lambda y: -2 * y + 7,
        lambda y: y.round(2),
        lambda y: np.log(y).astype("float32"),
        lambda y: y.where(np.arange(len(y)) % 50 != 0),
    ],
    ids=["copy", "other unit", "rounded", "logarithm", "missing in a handful"],
)
def test_a_number_in_other_words_is_found(copy):
    rows = table(NUMBER)
    report = check(rows.assign(copy=copy(rows["y"])), NUMBER)
    assert found(report) == {"copy": "duplicates the target"}
    with pytest.raises(DataError, match="'copy', duplicates the target"):
        enforce_report(report, Leaks())


@pytest.mark.parametrize(
    "copy",
    [
        lambda y: y,
        lambda y: y.map({"low": 3, "mid": 1, "high": 2}),
        lambda y: y.map({"low": "a", "mid": "b", "high": "c"}).where(np.arange(len(y)) % 100 != 0),
        lambda y: y + pd.Series(np.arange(len(y)) % 7).astype("str"),
    ],
    ids=["copy", "code", "but for a handful", "finer categories"],
)
def test_classes_in_other_words_are_found(copy):
    rows = table(CLASSES)
    assert found(check(rows.assign(copy=copy(rows["y"])), CLASSES)) == {"copy": "duplicates the target"}


def test_the_target_with_an_error_is_suspicious():
    rows = table(NUMBER)
    noise = np.random.default_rng(5).normal(size=len(rows))
    report = check(rows.assign(close=rows["y"] * np.exp(0.1 * noise)), NUMBER)
    assert (found(report), found(report, "suspect")) == ({}, {"close": "implausibly strong alone"})
    (finding,) = [each for each in report.findings if each.feature == "close"]
    assert "of the variance of the target's ranks in training rows; above 0.98, few" in finding.evidence
    assert "declare a higher leaks.max_r2" in finding.advice
    rough = rows[["y", *[f"x{place}" for place in range(2, 7)]]].assign(
        rough=np.log(rows["y"]) + 0.5 * noise, more=noise
    )
    report = check(rough, NUMBER)
    assert found(report, "suspect") == {"rough": "outshines all others"}
    assert "a boosted model of the other 6 features explains " in report.findings[0].evidence
    assert found(check(rough, NUMBER, trusted=["rough"]), "suspect") == {}
    assert found(check(rough.head(1500), NUMBER), "suspect") == {}, "too few rows to learn from the others"


def test_a_feature_that_gives_one_class_away_is_suspicious():
    rows = table(CLASSES)
    weak = rows.drop(columns=["x0", "x1"]).assign(w=rows["noise"] ** 2)
    weak["left_on"] = np.where(rows["y"] == "high", np.arange(3000) % 90, np.nan)
    report = check(weak, CLASSES)
    assert (found(report), found(report, "suspect")) == ({}, {"left_on": "outshines all others"})
    (finding,) = [each for each in report.findings if each.severity == "suspect"]
    assert "reaches AUC 1.000 (1.000 to 1.000) for 'high' against all other classes" in finding.evidence
    (left_on,) = [each for each in report.features if each.name == "left_on"]
    # Of the other two classes it tells no more than that they are not this one.
    assert 0.7 < left_on.figure < 0.9


def test_a_declared_bound_stops_a_run():
    rows = table(NUMBER)
    report = check(rows, NUMBER, max_r2=0.25)
    assert found(report) == {"x0": "implausibly strong alone", "x1": "implausibly strong alone"}
    assert "leaks.max_r2 is 0.25" in report.findings[0].evidence
    assert report.bound == 0.25
    assert found(check(rows, NUMBER, max_r2=0.4)) == {}
    rows = table(CLASSES)
    report = check(rows, CLASSES, max_auc=0.6)
    assert "a mean one-vs-rest AUC of 0." in report.findings[0].evidence
    assert set(found(report)) == {each.name for each in report.features if each.figure > 0.6} > {"x0", "x1"}


def test_a_table_too_small_to_judge_raises_nothing():
    rows = table(NUMBER, 45)
    assert check(rows.assign(copy=rows["y"]), NUMBER).findings == []


@pytest.mark.parametrize(("every", "finding"), [(7, {"copy": "duplicates the target"}), (200, {})])
def test_a_number_that_is_mostly_0_is_judged_by_its_other_rows(every, finding):
    rows = table(NUMBER)
    rows["y"] = np.where(np.arange(3000) % every == 0, rows["y"], 0.0)
    assert found(check(rows.assign(copy=-rows["y"]), NUMBER)) == finding


def test_classes_too_many_to_boost_have_no_noise():
    rng = np.random.default_rng(0)
    names = [f"c{place}" for place in range(40)]
    place = rng.integers(0, 40, 2000)
    rows = pd.DataFrame(
        {"y": np.array(names)[place], "x": place + rng.normal(size=2000), "n": rng.normal(size=2000)}
    )
    report = check(rows, Dataset(target="y", classes=names))
    assert found(report, "noise") == {}
    assert [each.name for each in report.features] == ["x", "n"]
