import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.features.strength import features_alone, joint_strength, useless_features
from lepton_pipeline.statistics.strengths import AUC
from lepton_pipeline.tasks.binary import Binary


def frame(**columns):
    return pd.DataFrame(columns)


def labels(rows=2000, rate=0.3, seed=0):
    return (np.random.default_rng(seed).random(rows) < rate).astype(np.intp)


def alone(values, truth):
    return features_alone(frame(x=values), truth, Binary())["x"]


def noise(rows=2000, seed=1):
    return np.random.default_rng(seed).normal(size=rows)


def test_auc_of_a_shifted_normal_is_the_textbook_value():
    truth = labels(20_000)
    # Phi(1 / sqrt 2) for two normals one standard deviation apart.
    measured = alone(noise(20_000) + truth, truth)
    assert measured.figure == pytest.approx(0.7602, abs=0.01)
    low, high = measured.interval
    assert low < 0.7602 < high
    assert 0.01 < high - low < 0.03


def test_relation_need_not_be_monotone():
    truth = labels()
    values = np.where(truth == 1, 0.0, 5.0) + noise() * np.where(truth == 1, 0.1, 3.0)
    values = np.where(truth == 1, values, np.where(noise(seed=2) > 0, values, -values))
    assert alone(values, truth).figure > 0.9


def test_missing_values_have_a_bin_of_their_own():
    truth = labels()
    measured = alone(np.where(truth == 1, np.nan, noise()), truth)
    assert measured.figure == 1
    assert measured.missing == pytest.approx(truth.mean())
    assert measured.contradicted == 0


def test_infinite_values_are_numbers():
    truth = labels()
    assert alone(np.where(truth == 1, np.inf, -np.inf), truth).contradicted == 0


def test_many_categories_do_not_look_strong_by_chance():
    truth = labels()
    codes = np.random.default_rng(3).integers(0, 700, len(truth)).astype(np.int32)
    measured = alone(codes, truth)
    assert measured.figure < 0.54
    # In the rows they were learnt from, the same categories would settle most labels.
    assert measured.contradicted > 500
    assert alone(np.arange(len(truth), dtype=np.int32), truth).figure == 0.5


def test_intervals_of_noise_hold_one_half_as_often_as_they_should():
    truth = labels(1000)
    rng = np.random.default_rng(4)
    features = pd.DataFrame(rng.normal(size=(1000, 400)), columns=[f"x{number}" for number in range(400)])
    measured = features_alone(features, truth, Binary()).values()
    above = np.mean([each.interval[0] > 0.5 for each in measured])
    assert above <= 0.05


def test_threshold_of_a_number_and_values_of_a_category_settle_the_target():
    truth = labels()
    delay = np.where(truth == 1, 15, -30) + np.random.default_rng(5).integers(0, 40, len(truth))
    wrong = delay.astype(float)
    wrong[:3] = np.where(truth[:3] == 1, -99, 99)
    assert alone(delay.astype(float), truth).contradicted == 0
    assert alone(-delay.astype(float), truth).contradicted == 0
    assert alone(wrong, truth).contradicted == 3
    assert alone((truth * 3 + np.arange(len(truth)) % 3).astype(np.int32), truth).contradicted == 0


def test_features_come_strongest_first():
    truth = labels()
    rows = frame(weak=noise() + 0.3 * truth, noise=noise(seed=2), strong=noise() + 2 * truth)
    assert list(features_alone(rows, truth, Binary())) == ["strong", "weak", "noise"]


def test_too_few_rows_of_a_class_say_nothing():
    truth = np.array([1] * 7 + [0] * 500, dtype=np.intp)
    measured = alone(truth.astype(float), truth)
    assert measured.figure == 0.5
    assert measured.interval[0] < 0.05
    assert measured.contradicted == len(truth)


def test_a_joint_model_sees_what_only_two_features_together_say():
    rows = frame(a=noise(), b=noise(seed=2))
    truth = ((rows["a"] > 0) ^ (rows["b"] > 0)).to_numpy(np.intp)
    assert all(each.figure < 0.56 for each in features_alone(rows, truth, Binary()).values())
    auc, error = joint_strength(rows, truth, AUC)
    assert auc > 0.95
    assert 0 < error < 0.02


def test_two_positive_rows_are_too_few_for_a_model():
    truth = np.zeros(2000, np.intp)
    truth[:2] = 1
    assert joint_strength(frame(a=noise(), b=noise(seed=2)), truth, AUC) == (0.5, 0.25)
    assert judge(frame(n0=noise(3000), a=noise(3000)), np.append(truth, truth[:1000]), ["n0"]) == {}


def interaction(rows=3000, noises=2):
    """A label that depends on a and b only where both are known, and columns of noise."""
    table = frame(a=noise(rows), b=noise(rows, seed=2))
    for number in range(noises):
        table[f"n{number}"] = noise(rows, seed=10 + number)
    truth = (((table["a"] > 0) ^ (table["b"] > 0)) ^ (noise(rows, seed=3) > 1.3)).to_numpy(np.intp)
    return table, truth


def judge(table, truth, candidates):
    train = np.arange(len(table)) < 2000
    return useless_features(table[train], truth[train], table[~train], truth[~train], candidates, Binary())


def test_only_noise_is_useless_though_no_feature_says_anything_alone():
    table, truth = interaction()
    useless = judge(table, truth, ["n0", "a", "n1", "b"])
    assert list(useless) == ["n0", "n1"]
    assert all(rise <= 2 * error for rise, error in useless.values())
    assert judge(table, truth, ["n0", "a", "n1", "b"]) == useless


def test_groups_of_many_candidates_are_divided_where_they_are_of_use():
    table, truth = interaction(noises=70)
    useless = judge(table, truth, list(table))
    assert {"a", "b"}.isdisjoint(useless)
    assert len(useless) > 60


def test_rare_and_new_categories_are_understood():
    truth = labels(3000)
    city = np.where(truth == 1, np.arange(3000) % 400, 400 + np.arange(3000) % 400).astype(np.int32)
    city[2000:2100] = 900
    city[5:50] = -1
    useless = judge(frame(city=city, n=noise(3000)), truth, ["city", "n"])
    assert list(useless) == ["n"]


def test_nothing_is_judged_without_candidates_or_rows():
    table, truth = interaction(100)
    assert judge(table, truth, []) == {}
    assert useless_features(table, truth, table.iloc[:0], truth[:0], ["n0"], Binary()) == {}
