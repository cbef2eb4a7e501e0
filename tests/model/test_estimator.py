import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from lepton_pipeline.errors import DataError, LeptonError
from lepton_pipeline.model.estimator import TorchClassifier, train_model
from lepton_pipeline.model.fit import default_batch_size
from lepton_pipeline.parameters import Training

SMALL = {"epochs": 12, "width": 32, "device": "cpu"}


def rows(n=600, seed=0):
    """Rows whose label depends on two numbers together and on a category."""
    rng = np.random.default_rng(seed)
    encoded = pd.DataFrame(
        {
            "a": rng.normal(size=n).astype(np.float32),
            "c": rng.integers(0, 5, n).astype(np.int32),
            "b": rng.normal(size=n).astype(np.float32),
        }
    )
    logit = 3 * encoded["a"] * encoded["b"] + 2 * (encoded["c"] == 3) - 0.5
    part = rng.choice(["train", "validation", "test"], n, p=[0.6, 0.2, 0.2])
    labels = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int8)
    return encoded, pd.DataFrame({"part": part, "label": labels})


def log_loss(probabilities, labels):
    return -np.log(probabilities[np.arange(len(labels)), labels]).mean()


def auc(scores, labels):
    positive, negative = scores[labels == 1], scores[labels == 0]
    return ((positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)).mean()


def part_of(encoded, split, name):
    chosen = split["part"] == name
    return encoded[chosen], split.loc[chosen, "label"].to_numpy()


@pytest.fixture(scope="module")
def trained():
    encoded, split = rows()
    model, history = train_model(encoded, split, Training(**SMALL, batch_size=32, learning_rate=1e-2))
    return model, history, encoded, split


def test_overfits_32_rows():
    encoded, split = rows(32)
    labels = split["label"].to_numpy()
    training = Training(
        epochs=300, patience=300, dropout=0.0, weight_decay=0.0, learning_rate=1e-2, width=64, device="cpu"
    )
    model = TorchClassifier(training).fit(encoded, labels, encoded, labels)
    assert log_loss(model.predict_proba(encoded), labels) < 0.01


def test_beats_a_constant_on_test_rows(trained):
    model, _, encoded, split = trained
    features, labels = part_of(encoded, split, "test")
    probabilities = model.predict_proba(features)
    assert log_loss(probabilities, labels) < 0.85 * log_loss(
        np.full((len(labels), 2), [1 - labels.mean(), labels.mean()]), labels
    )
    assert auc(probabilities[:, 1], labels) > 0.75


def test_best_epoch_is_restored_and_history_is_true(trained):
    model, history, encoded, split = trained
    features, labels = part_of(encoded, split, "validation")
    probabilities = model.predict_proba(features)
    assert list(history.columns) == ["epoch", "train_loss", "validation_log_loss", "validation_auc"]
    best = history["validation_log_loss"].idxmin()
    assert best < len(history) - 1, "the example must have an epoch after its best one"
    assert model.trained["best_epoch"] == history.loc[best, "epoch"]
    assert log_loss(probabilities, labels) == pytest.approx(history.loc[best, "validation_log_loss"], rel=1e-9)
    assert auc(probabilities[:, 1], labels) == pytest.approx(history.loc[best, "validation_auc"], rel=1e-12)


def test_stops_when_patience_is_spent():
    encoded, split = rows(200)
    _, history = train_model(encoded, split, Training(**SMALL | {"epochs": 200}, patience=3, learning_rate=3e-2))
    assert len(history) == history["validation_log_loss"].idxmin() + 1 + 3 < 200


def test_same_seed_same_bits_and_another_seed_another_model(trained):
    model, _, encoded, split = trained
    again, _ = train_model(encoded, split, model.training)
    assert again.weights_sha256 == model.weights_sha256
    assert np.array_equal(again.predict_proba(encoded), model.predict_proba(encoded))
    other, _ = train_model(encoded, split, model.training.model_copy(update={"seed": 8}))
    assert other.weights_sha256 != model.weights_sha256


def test_loads_without_pickle_and_predicts_the_same_bits(trained, tmp_path, monkeypatch):
    model, history, encoded, _ = trained

    def refuse(*args, **kwargs):
        raise AssertionError("pickle was used")

    model.save(tmp_path)
    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    loaded = TorchClassifier.load(tmp_path)
    assert np.array_equal(loaded.predict_proba(encoded), model.predict_proba(encoded))
    assert loaded.weights_sha256 == model.weights_sha256
    assert (loaded.training, loaded.trained, loaded.architecture) == (model.training, model.trained, model.architecture)
    pd.testing.assert_frame_equal(loaded.history, history)


def test_saves_the_same_bytes_again(trained, tmp_path):
    model = trained[0]
    for name in ("a", "b"):
        model.save(tmp_path / name)
    for name in ("model.json", "weights.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_weights_of_another_model_are_refused(trained, tmp_path):
    model, _, encoded, split = trained
    other, _ = train_model(encoded, split, Training(**SMALL | {"epochs": 1}))
    model.save(tmp_path / "a")
    other.save(tmp_path / "b")
    (tmp_path / "b" / "weights.safetensors").replace(tmp_path / "a" / "weights.safetensors")
    with pytest.raises(DataError, match="not of one model"):
        TorchClassifier.load(tmp_path / "a")


def test_a_row_has_the_same_bits_alone_and_among_others(trained):
    model, _, encoded, _ = trained
    together = model.predict_proba(encoded)
    assert np.array_equal(np.vstack([model.predict_proba(encoded.iloc[[i]]) for i in range(150)]), together[:150])
    assert np.array_equal(model.predict_proba(encoded.iloc[::-1])[::-1], together)
    assert np.array_equal(model.predict_proba(encoded[["c", "b", "a"]]), together)
    assert model.predict_proba(encoded.iloc[:0]).shape == (0, 2)
    assert together.dtype == np.float64
    assert np.allclose(together.sum(axis=1), 1)


def test_codes_beyond_training_count_as_unseen(trained):
    model, _, encoded, _ = trained
    few = encoded.head(5)
    assert np.array_equal(
        model.predict_proba(few.assign(c=np.int32(99))), model.predict_proba(few.assign(c=np.int32(1)))
    )
    assert np.isfinite(model.predict_proba(few.assign(c=np.int32(0)))).all()


def test_other_columns_are_refused_by_name(trained):
    model, _, encoded, _ = trained
    with pytest.raises(DataError, match=r"missing \['b'\], unknown \['d'\]"):
        model.predict_proba(encoded.rename(columns={"b": "d"}))


def test_an_unfitted_classifier_says_so(tmp_path):
    with pytest.raises(DataError, match="call fit or load first"):
        TorchClassifier(Training()).save(tmp_path)


@pytest.mark.parametrize("columns", [["a", "b"], ["c"]])
def test_numbers_alone_and_categories_alone_are_enough(columns):
    encoded, split = rows(200)
    model, _ = train_model(encoded[columns], split, Training(**SMALL | {"epochs": 2}))
    assert np.isfinite(model.predict_proba(encoded[columns])).all()


def test_a_last_batch_of_one_row_is_used():
    encoded, split = rows(66)
    split["part"] = ["train"] * 33 + ["validation"] * 33
    model, _ = train_model(encoded, split, Training(**SMALL, batch_size=32))
    assert model.trained["rows"] == 33


def test_batches_grow_with_the_table():
    assert [default_batch_size(n) for n in (31_999, 32_000, 108_000, 108_001)] == [256, 512, 512, 1024]


def test_every_epoch_is_reported():
    encoded, split = rows(200)
    seen = []
    _, history = train_model(encoded, split, Training(**SMALL | {"epochs": 3}), seen.append)
    assert [epoch.number for epoch in seen] == [1, 2, 3]
    assert [epoch.validation_auc for epoch in seen] == history["validation_auc"].tolist()
    assert seen[0].best
    assert all(epoch.seconds > 0 for epoch in seen)


def test_divergence_is_an_error_with_the_remedy():
    encoded, split = rows(200)
    with pytest.raises(
        LeptonError, match=r"training diverged: in epoch \d+ .* Lower training.learning_rate \(now 1e\+30\)"
    ):
        train_model(encoded, split, Training(**SMALL, learning_rate=1e30))


def test_training_leaves_its_arguments_and_torch_as_they_were():
    encoded, split = rows(200)
    before, state, threads = encoded.copy(deep=True), torch.get_rng_state(), torch.get_num_threads()
    model, _ = train_model(encoded, split, Training(**SMALL | {"epochs": 2}))
    model.predict_proba(encoded)
    pd.testing.assert_frame_equal(encoded, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_importing_the_estimator_and_the_baselines_is_light():
    code = (
        "import lepton_pipeline.model.estimator, lepton_pipeline.model.baseline, lepton_pipeline.features.encode, sys; "
        "print({'torch', 'sklearn', 'scipy', 'safetensors'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card")
def test_cuda_trains_the_same_quality_and_repeats_itself():
    encoded, split = rows(4000)
    features, labels = part_of(encoded, split, "test")

    def train(device):
        model, _ = train_model(encoded, split, Training(epochs=20, learning_rate=5e-3, device=device))
        return model

    on_cpu, on_cuda = train("cpu"), train("cuda")
    assert on_cuda.trained["device"] == "cuda"
    scores = [model.predict_proba(features)[:, 1] for model in (on_cpu, on_cuda)]
    assert auc(scores[0], labels) == pytest.approx(auc(scores[1], labels), abs=0.01)
    assert np.allclose(on_cuda.predict_proba(features, "cuda")[:, 1], scores[1], atol=1e-4)
    assert train("cuda").weights_sha256 == on_cuda.weights_sha256
