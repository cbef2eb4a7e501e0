from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.model.attribution import shapley_effects

REFERENCE = pd.DataFrame([{"a": 0.0, "b": 1.0, "c": "x", "d": 2.0}])


def rows(count=40):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "d": rng.integers(0, 4, count).astype(float),
            "c": rng.choice(["x", "y", "z"], count),
            "b": pd.Series(rng.normal(size=count)).mask(rng.random(count) < 0.2),
            "a": rng.normal(size=count),
            "no input": "?",
        }
    ).set_axis(range(100, 100 + count))


def score(frame):
    """Columns that add up, and some that only matter together."""
    a, b, d = frame["a"].to_numpy(), frame["b"].fillna(-3).to_numpy(), frame["d"].to_numpy()
    return 2 * a + (frame["c"] == "y").to_numpy() * np.sin(b) * (1 + d) + a * b * d


def by_definition(row):
    """Mean over all orders of what a column adds (Shapley, 1953)."""
    effects = dict.fromkeys(REFERENCE.columns, 0.0)
    orders = list(permutations(REFERENCE.columns))
    for order in orders:
        mixed = REFERENCE.copy()
        before = score(mixed)[0]
        for column in order:
            mixed[column] = [row[column]]
            now = score(mixed)[0]
            effects[column] += (now - before) / len(orders)
            before = now
    return list(effects.values())


@pytest.mark.parametrize("pairs", [1, 2, 7])
def test_effects_add_up_to_the_difference_for_any_number_of_permutations(pairs):
    table = rows()
    effects = shapley_effects(score, table, REFERENCE, pairs)
    assert effects.shape == (40, 4)
    np.testing.assert_allclose(effects.sum(axis=1), score(table) - score(REFERENCE)[0], atol=1e-9)


def test_many_permutations_come_near_the_definition():
    table = rows(6)
    effects = shapley_effects(score, table, REFERENCE, pairs=400)
    expected = [by_definition(row) for _, row in table.iterrows()]
    assert np.abs(effects - expected).max() < 0.15
    assert np.corrcoef(effects.ravel(), np.ravel(expected))[0, 1] > 0.999


def test_what_adds_up_has_its_exact_effect_and_what_is_as_in_the_reference_none():
    table = rows()
    effects = shapley_effects(
        lambda frame: 3 * frame["a"].to_numpy() - frame["d"].to_numpy(), table, REFERENCE, pairs=1
    )
    np.testing.assert_allclose(effects[:, 0], 3 * table["a"], atol=1e-12)
    np.testing.assert_allclose(effects[:, 3], 2 - table["d"], atol=1e-12)
    assert (effects[:, 1:3] == 0).all()
    same = shapley_effects(score, table.assign(c="x", d=2.0), REFERENCE)
    assert (same[:, 2:] == 0).all()
    assert (np.abs(same[:, :2]) > 0.1).any(axis=0).all()


def test_two_columns_that_only_matter_together_share_the_effect():
    table = pd.DataFrame({"a": [1.0], "b": [2.0], "c": ["x"], "d": [2.0]})
    effects = shapley_effects(
        lambda frame: frame["a"].to_numpy() * (frame["b"].to_numpy() - 1), table, REFERENCE
    )
    np.testing.assert_allclose(effects, [[0.5, 0.5, 0, 0]])


def test_the_effects_of_a_row_are_the_same_bits_in_any_company(monkeypatch):
    table = rows()
    together = shapley_effects(score, table, REFERENCE)
    backwards = shapley_effects(score, table.iloc[::-1], REFERENCE)
    assert np.array_equal(together, backwards[::-1])
    assert np.array_equal(together[3:4], shapley_effects(score, table.iloc[3:4], REFERENCE))
    for limit, small in (("ROWS", 100), ("VALUES", 8)):
        monkeypatch.setattr(f"lepton_pipeline.model.attribution.{limit}", small)
        assert np.array_equal(together, shapley_effects(score, table, REFERENCE))


def test_no_rows_have_no_effects():
    assert shapley_effects(score, rows(0), REFERENCE).shape == (0, 4)


def test_a_missing_value_has_an_effect_unless_the_reference_lacks_it_too():
    missing = rows().assign(b=np.nan)
    assert (shapley_effects(score, missing.assign(c="y"), REFERENCE)[:, 1] != 0).all()
    assert (shapley_effects(score, missing, REFERENCE.assign(b=np.nan))[:, 1] == 0).all()


def test_values_that_are_equal_only_as_objects_are_told_apart():
    reference = pd.DataFrame({"a": pd.Series([1], dtype=object)})
    table = pd.DataFrame({"a": pd.Series([True, 1], dtype=object)})
    effects = shapley_effects(
        lambda frame: np.array([type(value) is bool for value in frame["a"]]) * 1.0, table, reference
    )
    assert effects.tolist() == [[1.0], [0.0]]
