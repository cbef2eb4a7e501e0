from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load, save
from sklearn.ensemble import HistGradientBoostingClassifier

from lepton_pipeline.model.boosting.fit import folded
from lepton_pipeline.model.boosting.trees import Trees, _Lookup


def table(n=900, seed=0):
    """Rows of numbers and codes, some codes beyond 255, with a label that follows several of them."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            "a": rng.normal(size=n).astype(np.float32),
            "few": rng.integers(0, 5, n).astype(np.int32),
            "b": rng.normal(size=n).astype(np.float32).round(1),
            "same": np.zeros(n, dtype=np.float32),
            "many": rng.integers(0, 400, n).astype(np.int32),
            "is missing": (rng.random(n) < 0.2).astype(np.float32),
        }
    )
    score = (
        2 * rows["a"] * (rows["few"] == 2) + rows["b"] - rows["is missing"] + (rows["many"] % 3 == 0) - 0.5
    )
    return rows, (rng.random(n) < 1 / (1 + np.exp(-2 * score))).astype(np.int8).to_numpy()


def boosted(rows, labels, trees=40, **options):
    codes = [name for name in rows if rows[name].dtype.kind != "f"]
    settings = {"min_samples_leaf": 5, "max_leaf_nodes": 15, "max_features": 0.5, "random_state": 0} | options
    model = HistGradientBoostingClassifier(
        max_iter=trees, categorical_features=codes, early_stopping=False, **settings
    )
    return model.fit(folded(rows), labels)


@pytest.fixture(scope="module")
def fitted():
    rows, labels = table()
    return [boosted(rows.iloc[part], labels[part]) for part in (slice(0, 300), slice(300, 600))]


def theirs(model, rows, trees=None):
    raw = list(model._staged_raw_predict(folded(rows)))
    return raw[-1 if trees is None else trees - 1][:, 0]


def test_logits_are_those_of_the_model_for_codes_seen_unseen_and_beyond(fitted):
    rows, _ = table(seed=1)
    unseen = rows.assign(few=np.int32(77), many=np.arange(len(rows), dtype=np.int32))
    for each in (rows, unseen):
        np.testing.assert_allclose(
            Trees.average([(fitted[0], 40)]).outputs(each), theirs(fitted[0], each), atol=1e-12
        )


def test_the_trees_that_count_are_the_first(fitted):
    rows, _ = table(seed=1)
    np.testing.assert_allclose(
        Trees.average([(fitted[0], 7)]).outputs(rows), theirs(fitted[0], rows, trees=7), rtol=0, atol=1e-12
    )


def test_models_are_averaged_in_logits(fitted):
    rows, _ = table(seed=1)
    mean = (theirs(fitted[0], rows, trees=31) + theirs(fitted[1], rows)) / 2
    np.testing.assert_allclose(
        Trees.average([(fitted[0], 31), (fitted[1], 40)]).outputs(rows), mean, rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("leaves", [2, 16, 31, 64])
def test_trees_of_any_size_up_to_the_largest(leaves):
    rows, labels = table(n=2000)
    model = boosted(rows, labels, trees=10, max_leaf_nodes=leaves, min_samples_leaf=2)
    trees = Trees.average([(model, 10)])
    assert trees.leaves.max() == leaves
    np.testing.assert_allclose(trees.outputs(rows), theirs(model, rows), rtol=0, atol=1e-12)


def test_larger_trees_are_refused():
    rows, labels = table(n=2000)
    model = boosted(rows, labels, trees=1, max_leaf_nodes=65, min_samples_leaf=2)
    with pytest.raises(ValueError, match="a tree has 65 leaves; at most 64"):
        Trees.average([(model, 1)]).outputs(rows)


@pytest.mark.parametrize("columns", [["a", "b"], ["few", "many"], ["same"]])
def test_columns_of_one_kind_and_columns_that_tell_nothing(columns):
    rows, labels = table()
    model = boosted(rows[columns], labels)
    np.testing.assert_allclose(
        Trees.average([(model, 40)]).outputs(rows), theirs(model, rows[columns]), rtol=0, atol=1e-12
    )


def test_numbers_at_a_threshold_infinite_and_missing_ones_go_where_the_model_sends_them():
    rows, labels = table()
    rows.loc[::7, "a"] = np.nan
    model = boosted(rows, labels)
    trees = Trees.average([(model, 40)])
    number = (trees.codes < 0) & (trees.column == 0)
    edges = trees.threshold[number]
    values = np.concatenate(
        [edges, np.nextafter(edges, np.float32(np.inf)), np.float32([np.inf, -np.inf, np.nan, 1e30])]
    )
    probed = pd.concat([rows.iloc[[0]]] * len(values), ignore_index=True).assign(a=values)
    np.testing.assert_allclose(trees.outputs(probed), theirs(model, probed), rtol=0, atol=1e-12)


def test_a_row_has_the_same_bits_alone_and_among_others(fitted):
    rows, _ = table(seed=1)
    trees = Trees.average([(fitted[0], 40), (fitted[1], 40)])
    together = trees.outputs(rows)
    for size in (1, 2, 3, 17):
        apart = [trees.outputs(rows.iloc[start : start + size]) for start in range(0, 102, size)]
        np.testing.assert_array_equal(np.concatenate(apart)[:102], together[:102])


def test_a_row_has_the_same_bits_in_chunks(fitted, monkeypatch):
    rows, _ = table(seed=1)
    trees = Trees.average([(fitted[0], 40)])
    together = trees.outputs(rows)
    monkeypatch.setattr("lepton_pipeline.model.boosting.trees.CELLS", 64)
    monkeypatch.setattr("lepton_pipeline.model.boosting.trees.STEP_BYTES", 1)
    np.testing.assert_array_equal(trees.outputs(rows), together)


def test_blocks_of_any_size_find_the_same_leaves(fitted):
    rows, _ = table(seed=1)
    trees = Trees.average([(fitted[0], 40), (fitted[1], 40)])
    cells = rows.to_numpy(np.float32)
    for block in (1, 16, 256):
        np.testing.assert_allclose(
            _Lookup(trees, block).sums(cells) + trees.baseline, trees.outputs(rows), rtol=0, atol=1e-12
        )


def test_columns_are_taken_by_name(fitted):
    rows, _ = table(seed=1)
    trees = Trees.average([(fitted[0], 40)])
    mixed = rows[rows.columns[::-1]].assign(more=1.0)
    before = mixed.copy(deep=True)
    np.testing.assert_array_equal(trees.outputs(mixed), trees.outputs(rows))
    pd.testing.assert_frame_equal(mixed, before)


def test_no_rows_have_no_logits(fitted):
    rows, _ = table()
    logits = Trees.average([(fitted[0], 40)]).outputs(rows.iloc[:0])
    assert logits.shape == (0,)
    assert logits.dtype == np.float64


@pytest.mark.parametrize("columns", [["a", "few", "b", "many"], ["a", "b"], ["same"]])
def test_arrays_are_written_without_pickle_and_give_the_same_bits(columns):
    rows, labels = table()
    trees = Trees.average([(boosted(rows[columns], labels, trees=5), 5)])
    restored = Trees.from_arrays(load(save(trees.arrays())), trees.columns)
    np.testing.assert_array_equal(restored.outputs(rows), trees.outputs(rows))
    assert restored.columns == trees.columns
    for field in fields(Trees):
        if field.name not in ("columns", "baseline"):
            assert getattr(restored, field.name).dtype == getattr(trees, field.name).dtype
