import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lepton_pipeline.errors import DataError
from lepton_pipeline.model import predictor as module
from lepton_pipeline.model.predictor import DESCRIPTION, Predictor, train_model
from lepton_pipeline.parameters import Training
from lepton_pipeline.statistics.losses import log_loss, sigmoid, to_logits
from lepton_pipeline.tasks.binary import Binary
from lepton_pipeline.tasks.calibration import Calibration
from lepton_pipeline.tasks.find import Target

pytestmark = pytest.mark.usefixtures("few_trees")
BINARY = Target(Binary())
SMALL = {"epochs": 3, "width": 16, "batch_size": 64, "learning_rate": 1e-2, "device": "cpu"}
PARTS = ["model", "uncalibrated", "network", "boosting"]


def make_rows(n=500, *, by_time=False, noise=False):
    """Rows in an order that their index does not tell, with one part in five for the test."""
    rng = np.random.default_rng(0)
    index = rng.permutation(10 * n)[:n]
    encoded = pd.DataFrame(
        {
            "b": rng.normal(size=n).astype(np.float32),
            "a": rng.normal(size=n).astype(np.float32),
            "c": rng.integers(0, 5, n).astype(np.int32),
        },
        index=index,
    )
    logit = 0 if noise else 2 * encoded["a"] * encoded["b"] + 2 * (encoded["c"] == 3) - 0.5
    label = (rng.random(n) < sigmoid(np.zeros(n) + logit)).astype(np.int8)
    order = np.arange(n) / n if by_time else rng.random(n)
    part = np.where(order < 0.6, "train", np.where(order < 0.8, "validation", "test"))
    fold = np.where((part == "test") | by_time, -1, rng.integers(0, 5, n)).astype(np.int8)
    return encoded, pd.DataFrame({"part": part, "label": label, "fold": fold}, index=index)


def train(encoded, split, on_epoch=None, **changes):
    return train_model(encoded, split, BINARY, Training(**SMALL | changes), on_epoch)


def auc(scores, labels):
    scores, labels = np.asarray(scores), np.asarray(labels)
    positive, negative = scores[labels == 1], scores[labels == 0]
    return ((positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)).mean()


@pytest.fixture(scope="module")
def rows():
    return make_rows()


@pytest.fixture(scope="module")
def in_time():
    return make_rows(by_time=True)


@pytest.fixture(scope="module")
def trained(rows):
    return train(*rows, epochs=12)


@pytest.fixture(scope="module")
def trained_in_time(in_time):
    return train(*in_time, networks=2)


def test_at_random_all_rows_but_the_test_rows_are_held_out_once(trained, rows):
    _, split = rows
    _, history, held_out = trained
    assert held_out.index.equals(split.index[split["part"] != "test"])
    assert list(held_out.columns) == PARTS
    assert all(str(dtype) == "float64" for dtype in held_out.dtypes)
    assert ((held_out >= 0) & (held_out <= 1)).all(axis=None)
    assert history["network"].unique().tolist() == [1, 2, 3, 4, 5]


def test_by_time_the_validation_rows_are_held_out(trained_in_time, in_time):
    _, split = in_time
    model, history, held_out = trained_in_time
    assert held_out.index.equals(split.index[split["part"] == "validation"])
    assert list(held_out.columns) == PARTS
    # One of two says for how many epochs.
    assert history["network"].unique().tolist() == [1]
    assert model.trained["refit"]


@pytest.mark.parametrize("part", PARTS)
def test_held_out_scores_belong_to_their_rows_and_tell_what_test_rows_will(trained, rows, part):
    encoded, split = rows
    model, _, held_out = trained
    test = split["part"] == "test"
    of_test = auc(model.scores(encoded[test])[part], split.loc[test, "label"])
    assert of_test > 0.7
    assert auc(held_out[part], split.loc[held_out.index, "label"]) == pytest.approx(of_test, abs=0.1)


def test_held_out_scores_of_pure_noise_promise_nothing():
    encoded, split = make_rows(noise=True)
    model, _, held_out = train(encoded, split, epochs=8, width=64)
    labels = split.loc[held_out.index, "label"]
    assert all(auc(held_out[part], labels) < 0.58 for part in PARTS)
    learnt = model.scores(encoded.loc[held_out.index])
    assert auc(learnt["uncalibrated"], labels) > 0.6, "the example must be one that is learnt by heart"


def test_what_is_served_is_the_calibrated_mean_of_logits(trained, rows):
    encoded, _ = rows
    model = trained[0]
    scores = model.scores(encoded)
    assert scores.index.equals(encoded.index)
    assert list(scores.columns) == PARTS
    network = model.network.predict(encoded)
    boosting = sigmoid(model.boosting[0].outputs(encoded))
    np.testing.assert_allclose(scores["network"], network, atol=1e-7)
    np.testing.assert_allclose(scores["boosting"], boosting, atol=1e-12)
    weight = model.boosting_weight
    mean = (1 - weight) * to_logits(network) + weight * to_logits(boosting)
    np.testing.assert_allclose(scores["uncalibrated"], sigmoid(mean), atol=1e-7)
    calibration = model.calibration
    np.testing.assert_allclose(
        scores["model"], sigmoid(calibration.slope * mean + calibration.intercept), atol=1e-7
    )
    assert np.array_equal(model.predict(encoded), scores["model"])


def test_held_out_rows_are_blended_as_served_ones(trained):
    model, _, held_out = trained
    weight = model.boosting_weight
    network, boosting = (to_logits(held_out[part].to_numpy()) for part in ("network", "boosting"))
    mean = (1 - weight) * network + weight * boosting
    np.testing.assert_allclose(held_out["uncalibrated"], sigmoid(mean), atol=1e-9)
    np.testing.assert_allclose(held_out["model"], sigmoid(model.calibration.correct(mean)), atol=1e-9)


@pytest.mark.parametrize(("data", "rule"), [("rows", "weigh"), ("in_time", "weigh_by_time")])
def test_boosting_weighs_what_held_out_rows_say(data, rule, monkeypatch, request):
    seen = []

    def spy(task, network, boosting, labels, weights):
        seen.append((sigmoid(network), sigmoid(boosting), labels))
        return 0.3

    monkeypatch.setattr(module, rule, spy)
    encoded, split = request.getfixturevalue(data)
    model, _, held_out = train(encoded, split, epochs=1, networks=1)
    ((network, boosting, labels),) = seen
    assert model.boosting_weight == 0.3
    assert np.array_equal(labels, split.loc[held_out.index, "label"])
    np.testing.assert_allclose(held_out["network"], network, atol=1e-12)
    np.testing.assert_allclose(held_out["boosting"], boosting, atol=1e-12)


def test_boosting_weighs_half_where_rows_of_a_random_split_stopped_all_fits(rows, monkeypatch):
    monkeypatch.setattr("lepton_pipeline.model.folds.MOST_ROWS_OF_FOLDS", 10)
    assert train(*rows, epochs=1)[0].boosting_weight == 0.5


def test_the_blend_is_no_worse_than_chance_of_picking_a_part(trained, rows):
    encoded, split = rows
    test = split["part"] == "test"
    scores, labels = trained[0].scores(encoded[test]), split.loc[test, "label"].to_numpy()
    losses = {part: log_loss(scores[part].to_numpy(), labels) for part in PARTS}
    weight = trained[0].boosting_weight
    assert losses["uncalibrated"] <= (1 - weight) * losses["network"] + weight * losses["boosting"]


def test_the_calibration_is_fitted_to_the_blend_of_held_out_rows(rows, monkeypatch):
    """And is what it finds, for the rows in their order."""
    seen = []

    def spy(task, logits, labels, weights):
        seen.append((logits, labels))
        return Calibration(0.5, 0.25)

    monkeypatch.setattr(Binary, "calibrate", spy)
    _, split = rows
    model, _, held_out = train(*rows, epochs=1)
    ((logits, labels),) = seen
    assert np.array_equal(labels, split.loc[held_out.index, "label"])
    np.testing.assert_allclose(held_out["uncalibrated"], sigmoid(logits), atol=1e-12)
    np.testing.assert_allclose(held_out["model"], sigmoid(0.5 * logits + 0.25), atol=1e-12)
    assert model.calibration == Calibration(0.5, 0.25)


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_a_calibration_lowers_the_log_loss_or_is_none(rows, class_weight):
    """Where both classes weigh the same, probabilities of the rarer one are too high before it."""
    encoded, split = rows
    rare = split.assign(label=(split["label"] & (encoded["a"] > 0.5)).astype(np.int8))
    model, _, held_out = train(encoded, rare, boosting=False, class_weight=class_weight)
    labels = rare.loc[held_out.index, "label"].to_numpy()
    before, after = (log_loss(held_out[part].to_numpy(), labels) for part in ("uncalibrated", "model"))
    assert after < before or (model.calibration == Calibration() and after == before)
    if class_weight == "balanced":
        excess = held_out[["uncalibrated", "model"]].mean() - labels.mean()
        assert excess["uncalibrated"] > 0.05
        assert abs(excess["model"]) < excess["uncalibrated"] / 2


def test_no_calibration_by_time_where_the_fits_that_it_would_be_taken_from_are_not_kept(in_time, monkeypatch):
    monkeypatch.setattr(Binary, "calibrate", lambda *given: Calibration(0.5, 0.25))
    assert train(*in_time, epochs=1, networks=1)[0].calibration == Calibration()
    assert train(*in_time, epochs=1, model="mlp")[0].calibration == Calibration(0.5, 0.25)


def test_no_calibration_where_none_is_wanted(rows):
    model, _, held_out = train(*rows, epochs=1, boosting=False, calibrate=False)
    assert model.calibration == Calibration()
    assert held_out["model"].equals(held_out["uncalibrated"].rename("model"))


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
@pytest.mark.parametrize(("fixture", "boosting"), [("rows", False), ("in_time", True)])
def test_labels_of_test_rows_change_nothing(fixture, boosting, class_weight, request):
    encoded, split = request.getfixturevalue(fixture)
    flipped = split.assign(label=split["label"].where(split["part"] != "test", 1).astype(np.int8))
    one, other = (
        train(encoded, each, epochs=1, networks=1, class_weight=class_weight, boosting=boosting)
        for each in (split, flipped)
    )
    assert one[0].weights_sha256 == other[0].weights_sha256
    pd.testing.assert_frame_equal(one[2], other[2], check_exact=True)


def test_a_rows_own_label_does_not_change_its_held_out_score(rows):
    """With one epoch, by the network: labels of held-out rows do decide when networks and boosting stop."""
    encoded, split = rows
    row = split.index[split["fold"] == 2][0]
    flipped = split.assign(label=split["label"].where(split.index != row, 1 - split["label"]))
    one, other = (train(encoded, each, epochs=1, boosting=False)[2]["network"] for each in (split, flipped))
    same = split.loc[one.index, "fold"] == 2
    assert one[row] == other[row]
    assert one[same].equals(other[same])
    assert (one[~same] != other[~same]).any()


@pytest.mark.parametrize("model", ["mlp", "linear"])
def test_plain_models_are_one_network_without_boosting(rows, model):
    _, split = rows
    fitted, history, held_out = train(*rows, model=model)
    assert fitted.trained["networks"] == 1
    assert fitted.boosting == ()
    assert history["network"].unique().tolist() == [1]
    assert held_out.index.equals(split.index[split["part"] == "validation"])
    assert list(held_out.columns) == ["model", "uncalibrated", "network"]


@pytest.mark.parametrize(("model", "boosting"), [("default", False), ("mlp", True)])
def test_boosting_is_as_declared(in_time, model, boosting):
    encoded, _ = in_time
    fitted, _, held_out = train(*in_time, model=model, boosting=boosting, networks=1, epochs=1)
    assert bool(fitted.boosting) == boosting
    for scores in (held_out, fitted.scores(encoded)):
        assert ("boosting" in scores) == boosting
        assert np.isfinite(scores).all(axis=None)
    if not boosting:
        np.testing.assert_allclose(held_out["uncalibrated"], held_out["network"])


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_model(in_time):
    encoded, _ = in_time
    one, again, other = (train(*in_time, networks=1, epochs=1, seed=seed) for seed in (7, 7, 8))
    assert one[0].weights_sha256 == again[0].weights_sha256 != other[0].weights_sha256
    pd.testing.assert_frame_equal(one[2], again[2], check_exact=True)
    pd.testing.assert_frame_equal(one[0].scores(encoded), again[0].scores(encoded), check_exact=True)


def test_the_order_of_columns_in_training_changes_nothing(in_time):
    encoded, split = in_time
    one, other = (
        train(encoded[names], split, networks=1, epochs=1) for names in (["a", "b", "c"], ["c", "b", "a"])
    )
    assert one[0].weights_sha256 == other[0].weights_sha256
    pd.testing.assert_frame_equal(one[2], other[2], check_exact=True)


def test_the_order_of_columns_and_rows_changes_no_score(trained, rows):
    encoded, _ = rows
    model, few = trained[0], encoded[:60]
    together = model.scores(few)
    pd.testing.assert_frame_equal(model.scores(few[["c", "a", "b"]]), together, check_exact=True)
    pd.testing.assert_frame_equal(model.scores(few[::-1])[::-1], together, check_exact=True)
    alone = pd.concat([model.scores(few[row : row + 1]) for row in range(60)])
    pd.testing.assert_frame_equal(alone, together, check_exact=True)


def test_values_that_training_did_not_have_are_scored(trained, rows):
    encoded, _ = rows
    model, few = trained[0], encoded[:5]
    unseen = model.scores(few.assign(c=np.int32(1)))
    pd.testing.assert_frame_equal(model.scores(few.assign(c=np.int32(400))), unseen, check_exact=True)
    assert np.isfinite(model.scores(few.assign(c=np.int32(0), a=np.float32(3.1)))).all(axis=None)
    assert model.scores(encoded[:0]).shape == (0, 4)


def test_other_columns_are_refused_by_name(trained, rows):
    with pytest.raises(DataError, match=r"missing \['b'\], unknown \['d'\]"):
        trained[0].predict(rows[0].rename(columns={"b": "d"}))


@pytest.mark.parametrize("boosting", [True, False])
def test_it_loads_without_pickle_and_predicts_the_same_bits(trained, rows, boosting, tmp_path, monkeypatch):
    encoded, _ = rows
    model = trained[0] if boosting else replace(trained[0], boosting=())

    def refuse(*args, **kwargs):
        raise AssertionError("pickle was used")

    model.save(tmp_path)
    for library, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(library, name, refuse)
    loaded = Predictor.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.scores(encoded), model.scores(encoded), check_exact=True)
    assert loaded.weights_sha256 == model.weights_sha256
    for name in ("trained", "boosting_weight", "calibration"):
        assert getattr(loaded, name) == getattr(model, name)
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json", ".safetensors"}


def test_it_saves_the_same_bytes_again(trained, tmp_path):
    trained[0].save(tmp_path / "a")
    Predictor.load(tmp_path / "a").save(tmp_path / "b")
    saved = [
        {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "a", tmp_path / "b")
    ]
    assert saved[0] == saved[1]
    assert len(saved[0]) == 4


def test_a_loaded_model_needs_neither_scikit_learn_nor_what_trains(trained, tmp_path):
    trained[0].save(tmp_path)
    code = (
        "import sys; from pathlib import Path; import numpy as np, pandas as pd\n"
        "from lepton_pipeline.model.predictor import Predictor\n"
        "print({'torch', 'sklearn', 'scipy', 'safetensors'} & set(sys.modules))\n"
        f"model = Predictor.load(Path({str(tmp_path)!r}))\n"
        "row = {'a': np.float32([0]), 'b': np.float32([1]), 'c': np.int32([3])}\n"
        "model.predict(pd.DataFrame(row))\n"
        "print('sklearn' in sys.modules, 'lepton_pipeline.model.networks.fit' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["set()", "False False"]


def test_files_of_another_format_are_refused(trained, tmp_path):
    trained[0].save(tmp_path)
    description = json.loads((tmp_path / DESCRIPTION).read_text())
    (tmp_path / DESCRIPTION).write_text(json.dumps(description | {"format": 99}))
    with pytest.raises(DataError, match="has format 99, this version reads"):
        Predictor.load(tmp_path)


@pytest.mark.parametrize("file", ["boosting.safetensors", "network"])
def test_parts_of_another_model_are_refused(trained, trained_in_time, tmp_path, file):
    for folder, (model, _, _) in (("a", trained), ("b", trained_in_time)):
        model.save(tmp_path / folder)
    (tmp_path / "a" / file).rename(tmp_path / "aside")
    (tmp_path / "b" / file).rename(tmp_path / "a" / file)
    with pytest.raises(DataError, match="not of one model"):
        Predictor.load(tmp_path / "a")


def test_the_hash_is_of_every_part(trained, trained_in_time):
    model, other = trained[0], trained_in_time[0]
    (trees,) = model.boosting
    changed = [
        model,
        replace(model, network=other.network),
        replace(model, boosting=other.boosting),
        replace(model, boosting=()),
        replace(model, boosting=[replace(trees, baseline=trees.baseline + 1)]),
        replace(model, boosting_weight=model.boosting_weight + 0.1),
        replace(model, calibration=replace(model.calibration, slope=model.calibration.slope + 1)),
        replace(model, calibration=replace(model.calibration, intercept=model.calibration.intercept + 1)),
    ]
    assert len({each.weights_sha256 for each in changed}) == len(changed)


def test_training_reports_every_epoch_and_leaves_its_arguments_as_they_were(rows):
    encoded, split = (each.copy(deep=True) for each in rows)
    seen = []
    state = torch.get_rng_state()
    _, history, _ = train(encoded, split, seen.append, epochs=2, boosting=False)
    assert [(epoch.network, epoch.number) for epoch in seen] == list(
        history[["network", "epoch"]].itertuples(index=False, name=None)
    )
    pd.testing.assert_frame_equal(encoded, rows[0])
    pd.testing.assert_frame_equal(split, rows[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_small_table_needs_no_setting():
    encoded, split = make_rows(60)
    model, _, held_out = train_model(encoded, split, BINARY, Training(device="cpu"))
    assert np.isfinite(held_out).all(axis=None)
    assert np.isfinite(model.predict(encoded)).all()
