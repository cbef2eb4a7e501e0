"""What a model of every task learns, and keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from lepton_pipeline.model.baseline import score_baselines
from lepton_pipeline.model.folds import Fold, Plan
from lepton_pipeline.model.networks.estimator import TorchNetworks
from lepton_pipeline.model.predictor import DESCRIPTION, Predictor, train_model
from lepton_pipeline.parameters import MODELS, Training
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.find import Target
from lepton_pipeline.tasks.multiclass import Multiclass
from lepton_pipeline.tasks.regression import Regression

pytestmark = pytest.mark.usefixtures("few_trees")
ROWS = 400
FORTY = Multiclass([f"class {place}" for place in range(40)])
TASKS = {
    "binary": Binary(),
    "three classes": Multiclass(["a", "b", "c"]),
    "number": Regression(),
    "logarithm": Regression("log"),
    "robust": Regression(robust=True),
    "quantiles": Regression(quantiles=True),
}
QUICK = {"epochs": 25, "width": 24, "batch_size": 64, "learning_rate": 1e-2, "device": "cpu"}
each_task = pytest.mark.parametrize("name", TASKS)
# The others differ from one of these by what is done to the target before and after.
FIRST = ("binary", "three classes", "quantiles")


def first(names):
    """Names of tasks as parameters; `make test-all` takes all of them."""
    return [name if name in FIRST else pytest.param(name, marks=pytest.mark.exhaustive) for name in names]


each_kind = pytest.mark.parametrize("name", first(TASKS))


def make_rows(task, rows=ROWS, seed=0, noise=0.3):
    """Encoded rows, and labels that follow two numbers and a category."""
    rng = np.random.default_rng(seed)
    encoded = pd.DataFrame(
        {
            "a": rng.normal(size=rows).astype(np.float32),
            "b": rng.normal(size=rows).astype(np.float32),
            "c": rng.integers(2, 5, rows).astype(np.int32),
        }
    )
    line = (encoded["a"] + 1.5 * (encoded["c"] == 3) + noise * rng.normal(size=rows)).to_numpy()
    if isinstance(task, Binary):
        return encoded, (line > 0.5).astype(np.int8)
    if isinstance(task, Multiclass):
        places = np.argsort(np.argsort(line)) * task.outputs // rows
        return encoded, places.astype(np.int16)
    return encoded, np.exp(3 + line / 2)


def parts_of(labels, *, by_time=False, seed=1):
    rng = np.random.default_rng(seed)
    part = rng.permutation(np.array(["train", "validation", "test"])[np.arange(len(labels)) % 5 // 2])
    fold = np.full(len(labels), -1, dtype=np.int8)
    if not by_time:
        fold[part != "test"] = rng.permutation(np.arange((part != "test").sum()) % 5)
    return pd.DataFrame({"part": part, "label": labels, "fold": fold})


def fit(task, by_time=True, **changes):
    encoded, labels = make_rows(task)
    split = parts_of(labels, by_time=by_time)
    changes = {"networks": 1, **changes} if by_time else changes
    return encoded, split, train_model(encoded, split, Target(task), Training(**QUICK | changes))


@cache
def trained(name):
    """The whole model of a task, with boosting."""
    return fit(TASKS[name])


def constant(task, train, rows):
    """Outputs of a model that knows the training labels alone."""
    if isinstance(task, Regression):
        middle = np.median if task.robust else np.mean
        mean = middle(task._standardised(train))
        return np.full((rows, 3), mean) if task.quantiles else np.full(rows, mean)
    shares = np.bincount(train, minlength=2) / len(train)
    return task.to_outputs(
        np.full(rows, shares[1]) if isinstance(task, Binary) else np.tile(shares, (rows, 1))
    )


@pytest.mark.parametrize("model", ["default", "mlp"])
@each_kind
def test_32_rows_are_learnt_by_heart(name, model):
    encoded, labels = make_rows(TASKS[name], 32, noise=1.0)
    task, everything = TASKS[name].fitted(labels), np.arange(32)
    changes = {
        "epochs": 250,
        "patience": 250,
        "dropout": 0.0,
        "weight_decay": 0.0,
        "width": 64,
        "batch_size": 32,
    }
    network = TorchNetworks(Training(**QUICK | changes, model=model), task)
    network.fit(encoded, labels, Plan([Fold(everything, everything)], refit=False))
    losses = task.row_losses(task.to_outputs(network.predict(encoded)), labels)
    assert losses.mean() < 0.06 * task.row_losses(constant(task, labels, 32), labels).mean()


@each_task
@pytest.mark.parametrize("part", ["model", "network", "boosting"])
def test_the_model_and_each_part_of_it_beat_a_constant(name, part):
    encoded, split, (model, _, held_out) = trained(name)
    task, test = model.task, split["part"] == "test"
    assert len(held_out) == (split["part"] == "validation").sum()
    labels = split.loc[test, "label"].to_numpy()
    outputs = model._outputs(encoded[test]) | {"model": model.outputs(encoded[test])}
    guess = constant(task, split.loc[~test, "label"].to_numpy(), len(labels))
    ours, theirs = (task.row_losses(each, labels).mean() for each in (outputs[part], guess))
    assert ours < 0.6 * theirs


def networks():
    """Every task with every model; `make test` takes the plainer models for the first tasks only."""
    for name in (*TASKS, "forty classes"):
        for model in MODELS:
            later = model != "default" and name not in FIRST
            yield pytest.param(name, model, marks=[pytest.mark.exhaustive] if later else [])


@pytest.mark.parametrize(("name", "model"), list(networks()))
def test_every_network_learns_every_task(name, model):
    task = TASKS.get(name, FORTY)
    encoded, labels = make_rows(task, 800)
    task = task.fitted(labels)
    plan = Plan([Fold(np.arange(600), np.arange(600, 800))], refit=False)
    network = TorchNetworks(Training(**QUICK | {"learning_rate": 3e-2}, model=model), task)
    scored = network.fit(encoded, labels, plan)
    later, truth = task.to_outputs(scored[600:]), labels[600:]
    guess = constant(task, labels[:600], 200)
    assert task.row_losses(later, truth).mean() < 0.8 * task.row_losses(guess, truth).mean()
    assert np.isnan(scored[:600]).all()
    assert scored.shape == ((800,) if task.outputs == 1 else (800, task.outputs))


@each_task
def test_the_linear_baseline_beats_a_constant(name):
    task = TASKS[name]
    encoded, labels = make_rows(task)
    split = parts_of(labels)
    scores = score_baselines(encoded, split, Target(task), Training())
    assert task.models(scores) == [task.linear]
    test = split.index[split["part"] == "test"]
    truth, found = split.loc[test, "label"].to_numpy(), task.scores(scores.loc[test], task.linear)
    known = task.fitted(labels[split["part"] != "test"])
    guess = known.from_outputs(constant(known, labels[split["part"] != "test"], len(test)))
    metric = task.shown[0]
    once = np.ones((1, len(test)))
    ours, theirs = (task.prepare(truth, each, 0.5).measure(once)[metric][0] for each in (found, guess))
    assert (ours > theirs + 0.2) if metric == "auc" else (ours < 0.75 * theirs)


@each_kind
def test_the_same_seed_gives_the_same_bits_and_another_seed_another_model(name):
    encoded, _, (one, _, held_out) = fit(TASKS[name], epochs=2, boosting=False)
    _, _, (again, _, same) = fit(TASKS[name], epochs=2, boosting=False)
    _, _, (other, _, _) = fit(TASKS[name], epochs=2, boosting=False, seed=8)
    assert one.weights_sha256 == again.weights_sha256 != other.weights_sha256
    pd.testing.assert_frame_equal(held_out, same, check_exact=True)
    pd.testing.assert_frame_equal(one.scores(encoded), again.scores(encoded), check_exact=True)


@each_task
@pytest.mark.parametrize("blended", [True, False])
def test_a_saved_model_predicts_the_same_bits(name, blended, tmp_path):
    encoded, _, (model, _, _) = trained(name)
    model = model if blended else replace(model, boosting=())
    model.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert loaded.task == model.task
    assert loaded.weights_sha256 == model.weights_sha256
    assert np.array_equal(loaded.predict(encoded), model.predict(encoded))
    pd.testing.assert_frame_equal(loaded.scores(encoded), model.scores(encoded), check_exact=True)
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again" / DESCRIPTION).read_bytes() == (tmp_path / DESCRIPTION).read_bytes()


@each_kind
def test_a_row_has_the_same_bits_alone_and_among_others(name):
    encoded, _, (model, _, _) = trained(name)
    together = model.predict(encoded[:70])
    alone = np.concatenate([model.predict(encoded[row : row + 1]) for row in range(70)])
    assert np.array_equal(alone, together)
    assert np.array_equal(model.predict(encoded[:70][::-1])[::-1], together)
    assert model.predict(encoded[:0]).shape == (0, *together.shape[1:])


@each_kind
def test_labels_of_test_rows_change_nothing(name):
    encoded, labels = make_rows(TASKS[name])
    split = parts_of(labels, by_time=True)
    test = split["part"] == "test"
    # Of another class, or far out.
    changed = split["label"].mask(test, 0 if TASKS[name].has_threshold else split["label"].max())
    short = Training(**QUICK | {"epochs": 2, "networks": 1, "boosting": False})
    one, other = (
        train_model(encoded, each, Target(TASKS[name]), short)[0]
        for each in (split, split.assign(label=changed.astype(split["label"].dtype)))
    )
    assert one.weights_sha256 == other.weights_sha256
    assert one.task == other.task


@pytest.mark.parametrize("name", ["three classes", "quantiles"])
def test_folds_hold_every_row_out_once(name):
    _, split, (model, history, held_out) = fit(TASKS[name], by_time=False, epochs=3)
    assert held_out.index.equals(split.index[split["part"] != "test"])
    assert model.trained["plan"] == "folds"
    assert history["network"].nunique() == 5
    assert list(history.columns[3:]) == [f"validation_{curve}" for curve in model.task.curves]
    assert np.isfinite(held_out).all(axis=None)


@pytest.mark.parametrize("name", ["number", "quantiles"])
def test_intervals_are_fitted_on_rows_that_were_held_out(name):
    encoded, split, (model, _, held_out) = trained(name)
    assert model.task.conformal is not None
    _, low, high = model.task.scores(held_out, "model").T
    labels = split.loc[held_out.index, "label"]
    # At least as declared, of the rows that they are from.
    assert 0.9 <= ((low <= labels) & (labels <= high)).mean() <= 0.95
    # Only the model itself has intervals.
    assert model.task.models(held_out) == ["model", "uncalibrated", "network", "boosting"]
    assert model.task.scores(held_out, "network").ndim == 1
    assert model.predict(encoded).shape == (ROWS, 3)


def test_a_robust_fit_is_less_moved_by_a_few_wild_targets():
    encoded, labels = make_rows(TASKS["number"])
    split = parts_of(labels, by_time=True)
    rows = split.index[split["part"] == "train"][:6]
    wild = split.assign(label=split["label"].mask(split.index.isin(rows), 3000.0))
    test = split["part"] == "test"
    errors = {}
    for robust in (False, True):
        target = Target(Regression(robust=robust))
        model, _, _ = train_model(encoded, wild, target, Training(**QUICK | {"networks": 1}))
        predicted = model.predict(encoded[test])[:, 0]
        errors[robust] = np.abs(predicted - split.loc[test, "label"]).mean()
    assert errors[True] < 0.5 * errors[False]


def test_many_classes_are_learnt_without_boosting():
    encoded, labels = make_rows(FORTY, 800)
    split = parts_of(labels, by_time=True)
    model, _, held_out = train_model(encoded, split, Target(FORTY), Training(**QUICK | {"networks": 1}))
    assert not model.boosting
    assert model.task.models(held_out) == ["model", "uncalibrated", "network"]
    test = split["part"] == "test"
    scores, truth = model.predict(encoded[test]), split.loc[test, "label"].to_numpy()
    assert scores.shape == (test.sum(), 40)
    near = np.abs(scores.argmax(axis=1) - truth) <= 5
    assert near.mean() > 0.5


def test_a_model_of_an_earlier_release_is_one_of_two_classes(tmp_path):
    """It says neither what it predicts nor how many outputs it has."""
    encoded, _, (model, _, _) = trained("binary")
    model.save(tmp_path)
    for path, keys in (
        (tmp_path / DESCRIPTION, ("target", "outputs")),
        (tmp_path / "network/networks.json", ()),
    ):
        description = json.loads(path.read_text())
        description.get("shape", {}).pop("outputs", None)
        path.write_text(json.dumps({key: value for key, value in description.items() if key not in keys}))
    loaded = Predictor.load(tmp_path)
    assert loaded.task == Binary()
    assert np.array_equal(loaded.predict(encoded), model.predict(encoded))
