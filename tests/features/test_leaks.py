import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.errors import DataError
from lepton_pipeline.features import leaks as module
from lepton_pipeline.features.leaks import check_features, enforce_report
from lepton_pipeline.features.report import FeatureReport
from lepton_pipeline.parameters import Dataset, Features, Leaks
from lepton_pipeline.system.records import from_json, to_json
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target

DATASET = Dataset(target="y", positive=1)


def table(rows=1000, seed=0):
    """Six honest features, of which none says much alone."""
    rng = np.random.default_rng(seed)
    y = (rng.random(rows) < 0.3).astype(int)
    honest = {f"x{number}": rng.normal(size=rows) + 0.4 * y for number in range(6)}
    return pd.DataFrame({"y": y, **honest}, index=np.arange(rows) * 3)


def split(rows, target="y"):
    part = np.array(["train", "train", "train", "validation", "test"])[np.arange(len(rows)) % 5]
    return pd.DataFrame({"part": part, "label": (rows[target] == 1).astype("int8")}, index=rows.index)


def check(rows, dataset=DATASET, **leaks):
    return check_features(rows, split(rows), Target(Binary()), dataset, Leaks(**leaks))


def found(report, severity="leak"):
    return {each.feature: each.finding for each in report.findings if each.severity == severity}


def noise(rows, seed=9):
    return np.random.default_rng(seed).normal(size=len(rows))


def test_honest_features_are_reported_and_raise_nothing():
    rows = table()
    report = check(rows)
    assert from_json(FeatureReport, to_json(report)) == report
    assert (report.rows, report.bound, report.on_leak, report.on_noise) == (600, 0.95, "stop", "warn")
    assert report.findings == []
    assert sorted(each.name for each in report.features) == [f"x{number}" for number in range(6)]
    aucs = [each.figure for each in report.features]
    assert aucs == sorted(aucs, reverse=True)
    assert all(0.5 < each.figure < 0.7 and each.low < each.figure < each.high for each in report.features)
    assert enforce_report(report, Leaks()) == []


def test_only_features_count():
    rows = table().assign(n=range(1000), copy=table()["y"], when=pd.Timestamp("2020-01-01"))
    dataset = Dataset(target="y", positive=1, id="n", exclude=["copy"])
    report = check(rows, dataset)
    assert {"n", "copy", "when", "y"}.isdisjoint(each.name for each in report.features)
    assert report.findings == []


def test_kinds_are_named_and_missing_values_counted():
    rows = table()
    rows = rows.assign(
        town=np.where(noise(rows) > 0, "Rome", "Oslo"), member=noise(rows) > 0, code=noise(rows) > 0
    )
    rows["code"] = rows["code"].astype(int)
    rows["x0"] = rows["x0"].mask(np.arange(1000) % 2 == 0)
    report = check(rows, Dataset(target="y", positive=1, categorical=["code"]))
    features = {each.name: each for each in report.features}
    kinds = {name: features[name].kind for name in ("x0", "town", "member", "code")}
    assert kinds == {"x0": "number", "town": "category", "member": "boolean", "code": "category"}
    assert features["x0"].missing == 0.5
    assert features["town"].missing == 0


@pytest.mark.parametrize(
    "copy",
    [
        lambda y: y,
        lambda y: y == 1,
        lambda y: y.map({0: "No Failure", 1: "Power Failure"}),
        lambda y: pd.Series(np.where(y == 1, 15, -40) + np.arange(len(y)) % 41, index=y.index),
        lambda y: y.where(y == 1).map({1.0: "2020-01-01"}),
        # Every 200th row contradicts.
        lambda y: y.where(np.arange(len(y)) % 200 != 0, 1 - y),
    ],
    ids=["number", "boolean", "text", "threshold", "only where positive", "but for a handful"],
)
def test_the_target_in_other_words_is_found(copy):
    rows = table()
    assert found(check(rows.assign(copy=copy(rows["y"])))) == {"copy": "duplicates the target"}


def test_trust_does_not_cover_a_copy_of_the_target_or_an_id():
    rows = table().assign(copy=table()["y"], serial=range(1000))
    report = check(rows, trusted=["copy", "serial"])
    assert found(report) == {"copy": "duplicates the target", "serial": "an id"}


def test_a_feature_beyond_the_default_bound_is_said_and_stops_no_run():
    rows = table()
    rows["strong"] = 3 * rows["y"] + noise(rows)
    report = check(rows)
    assert (found(report), found(report, "suspect")) == ({}, {"strong": "implausibly strong alone"})
    (finding,) = report.findings
    assert "above 0.95, few honest ones are" in finding.evidence
    assert all(word in finding.advice for word in ("dataset.exclude", "leaks.trusted", "leaks.max_auc"))
    assert enforce_report(report, Leaks(on_noise="drop")) == []
    assert found(check(rows, trusted=["strong"]), "suspect") == {}
    with pytest.raises(DataError, match=r"leaks\.max_auc is 0\.95"):
        enforce_report(check(rows, max_auc=0.95), Leaks(max_auc=0.95))


def test_strong_feature_is_a_leak_beyond_the_declared_auc_unless_trusted():
    rows = table()
    rows = rows.assign(**{f"x{number}": 1.3 * rows["y"] + noise(rows, number) for number in range(6)})
    rows["strong"] = 1.5 * rows["y"] + noise(rows)
    report = check(rows, max_auc=0.84)
    assert found(report) == {"strong": "implausibly strong alone"}
    (finding,) = report.findings
    assert "leaks.max_auc is 0.84" in finding.evidence
    assert "leaks.trusted" in finding.advice
    assert found(check(rows, max_auc=0.84, trusted=["strong"])) == {}
    assert found(check(rows, max_auc=0.9)) == {}


def test_feature_that_outshines_all_others_is_said_unless_trusted():
    rows = table(2000)
    weak = {f"x{number}": 0.1 * rows["y"] + noise(rows, number) for number in range(6)}
    rows = rows.assign(**weak, duration=1.6 * rows["y"] + noise(rows))
    report = check(rows)
    assert (found(report), found(report, "suspect")) == ({}, {"duration": "outshines all others"})
    assert enforce_report(report, Leaks()) == []
    assert "dataset.exclude" in report.findings[0].advice
    assert "other 6 features reaches 0." in report.findings[0].evidence
    assert found(check(rows, trusted=["duration"]), "suspect") == {}
    # Beside a handful of others it says little to be the best one.
    assert found(check(rows.drop(columns=["x0", "x1"])), "suspect") == {}
    # And in a small table, too little is learnt from the others.
    assert found(check(rows.head(600)), "suspect") == {}


@pytest.mark.parametrize(
    ("values", "found_as"),
    [
        (lambda rows: np.arange(rows) * 7, "an id"),
        (lambda rows: np.random.default_rng(0).permutation(rows) + 10_000, "an id"),
        (lambda rows: [f"M{number}" for number in range(rows)], "an id"),
        (lambda rows: np.where(np.arange(rows) % 500 == 0, np.nan, np.arange(rows)), "an id"),
        (lambda rows: np.arange(rows) + 0.5, None),
        (lambda rows: np.random.default_rng(0).permutation(rows) // 2, None),
        (lambda rows: np.exp(np.random.default_rng(0).normal(13, 1, rows)).astype(int), None),
        (lambda rows: np.where(np.arange(rows) % 10 == 0, np.arange(rows), np.nan), None),
    ],
    ids=["rising", "shuffled", "text", "few missing", "measurement", "pairs", "amounts", "mostly missing"],
)
def test_what_names_rows_is_an_id(values, found_as):
    report = check(table().assign(code=values(1000)))
    assert found(report).get("code") == found_as


def test_a_rising_id_says_so_and_small_tables_have_none():
    assert "rises from row to row" in check(table().assign(code=range(1000))).findings[0].evidence
    rows = table(160)
    assert "code" not in found(check(rows.assign(code=range(160))))


def test_test_rows_are_not_looked_at():
    rows = table().assign(x9=noise(table()))
    tested = split(rows)["part"] == "test"
    changed = rows.assign(x9=rows["x9"].mask(tested, rows["y"] * 100.0))
    assert check(changed) == check(rows)


def test_leaks_are_measured_on_training_rows_only():
    rows = table().assign(x9=noise(table()))
    judged = split(rows)["part"] == "validation"
    changed = check(rows.assign(x9=rows["x9"].mask(judged, rows["y"] * 100.0)))
    assert changed.features == check(rows).features


def test_features_that_add_nothing_are_noise():
    rows = table(6000)
    rv = noise(rows)
    rows = rows.assign(one=1, empty=np.nan, rv1=rv, again=rows["x0"], rv2=rv, town="Rome")
    rows["city"] = np.where(rows["x1"] > 0, "Rome", "Oslo")
    rows["code"] = np.where(rows["x1"] > 0, "RM", "OS")
    report = check(rows)
    assert found(report) == {}
    assert found(report, "noise") == {
        "one": "constant",
        "empty": "constant",
        "town": "constant",
        "again": "duplicate of x0",
        "rv2": "duplicate of rv1",
        "code": "duplicate of city",
        "rv1": "pure noise",
    }
    assert check(rows) == report
    assert enforce_report(report, Leaks()) == []
    assert sorted(enforce_report(report, Leaks(on_noise="drop"))) == sorted(found(report, "noise"))


def test_rare_values_and_missing_values_are_not_called_noise():
    rows = table(3000)
    rows = rows.assign(rare=np.arange(3000) % 50 == 0, sometimes=np.where(noise(rows) > 0, 1.0, np.nan))
    rows["sometimes"] = rows["sometimes"].where(rows["y"] == 0)
    assert found(check(rows), "noise") == {}


def test_error_names_every_leak_with_evidence_and_remedy():
    rows = table()
    rows = rows.assign(serial=range(1000), copy=rows["y"])
    report = check(rows)
    with pytest.raises(DataError) as caught:
        enforce_report(report, Leaks())
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert (
        "'copy', duplicates the target: its values settle the target of 600 of 600 training rows" in lines[1]
    )
    assert "'serial', an id: 600 of 600 training rows have a value of their own" in lines[2]
    assert all("dataset.exclude" in line for line in lines[1:3])
    assert "leaks.on_leak: warn" in lines[3]
    assert enforce_report(report, Leaks(on_leak="warn")) == []


def test_tables_too_small_to_judge_raise_nothing():
    rows = table(30)
    rows["copy"] = rows["y"]
    report = check(rows)
    assert found(report) == {}
    assert found(report, "noise") == {}
    assert enforce_report(report, Leaks(on_noise="drop")) == []


def test_table_without_features_gives_an_empty_report():
    rows = table()[["y"]]
    report = check(rows)
    assert (report.features, report.findings) == ([], [])


def test_declared_numbers_must_be_numbers():
    rows = table().assign(x0="much")
    with pytest.raises(DataError, match="'x0' must hold numbers"):
        check(rows, Dataset(target="y", positive=1, numeric=["x0"]))


def test_arguments_are_not_changed():
    rows = table()
    parts, before = split(rows), rows.copy()
    check_features(rows, parts, Target(Binary()), DATASET, Leaks())
    pd.testing.assert_frame_equal(rows, before)
    pd.testing.assert_frame_equal(parts, split(rows))


def test_what_is_computed_from_the_time_alone_is_no_leak():
    rows = table(2000)
    weak = {f"x{number}": 0.1 * rows["y"] + noise(rows, number) for number in range(6)}
    hour = np.where(rows["y"] == 1, 9, 20) + np.arange(2000) % 3
    rows = rows.assign(**weak, hour=hour, at=pd.Timestamp("2024-01-01"), shift=hour // 6, mixed=hour)
    made = Features(derive={"hour": "hour(at)", "shift": "floor(hour / 6)", "mixed": "hour(at) + 0 * x1"})
    dataset = Dataset(target="y", positive=1, time="at")
    report = check_features(rows, split(rows), Target(Binary()), dataset, Leaks(), made)
    assert found(report) == {"mixed": "duplicates the target"}
    assert {"hour", "shift"} <= {each.name for each in report.features}
    assert set(found(check(rows, dataset))) == {"hour", "shift", "mixed"}


def texts(labels, truth, noise=0.0, seed=5):
    random = np.random.default_rng(seed)
    said = np.where(random.random(len(labels)) < noise, random.integers(0, 2, len(labels)), labels)
    return [f"the room {row % 7} was {truth[label]}" for row, label in enumerate(said)]


def test_texts_that_settle_the_target_are_a_leak_and_others_are_reported():
    rows = table()
    told = rows.assign(review=texts(rows["y"], ["bad", "good"]), note=texts(rows["y"], ["bad", "good"], 0.6))
    dataset = DATASET.model_copy(update={"text": ["review", "note"]})
    report = check(told, dataset)
    assert [(each.feature, each.finding) for each in report.findings if each.severity == "leak"] == [
        ("review", "duplicates the target")
    ]
    kinds = {each.name: each.kind for each in report.features}
    assert (kinds["review"], kinds["note"]) == ("text", "text")
    figures = {each.name: each.figure for each in report.features}
    assert figures["review"] > 0.99 > figures["note"] > 0.6
    with pytest.raises(DataError, match="'review', duplicates the target"):
        enforce_report(report, Leaks())


def test_texts_beside_nothing_else_and_texts_of_no_use_are_no_error():
    rows = table()[["y"]].assign(review="same", note=None)
    report = check(rows, Dataset(target="y", positive=1, text=["review", "note"]))
    assert not report.findings
    assert not report.features


def test_of_many_rows_a_sample_is_checked_and_what_holds_for_every_row_is_confirmed_on_all(
    monkeypatch, caplog
):
    rows = table(3000)
    random = np.random.default_rng(1)
    nearly = np.zeros(3000)
    nearly[[0, 5]] = 1.0  # training rows
    rows = rows.assign(
        number=random.permutation(3000) + 10**6,
        # Most are distinct in a sample, not in all rows.
        drawn=random.integers(0, 6000, 3000),
        constant=1.0,
        nearly=nearly,
        same=rows["x1"],
        nearly_same=rows["x2"] + nearly,
    )
    whole = check(rows)
    assert whole.of_rows is None
    assert "of_rows" not in to_json(whole)
    monkeypatch.setattr(module, "MOST_ROWS", 150)
    monkeypatch.setattr(module, "DISTINCT", 0.95)
    with caplog.at_level("INFO"):
        report = check(rows)
    assert "features are checked on a sample of 150 of 2,400 rows" in caplog.text
    assert report.of_rows == 1800
    assert 100 < report.rows < 130
    assert found(report) == {"number": "an id"}
    noisy = found(report, "noise")
    assert noisy["constant"] == "constant"
    assert noisy["same"] == "duplicate of x1"
    assert noisy.get("nearly") != "constant"
    assert not noisy.get("nearly_same", "").startswith("duplicate")
