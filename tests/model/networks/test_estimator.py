import json
import math
import pickle
import subprocess
import sys
from statistics import median_high

import numpy as np
import pandas as pd
import pytest
import torch

from lepton_pipeline.errors import DataError, LeptonError
from lepton_pipeline.features.encode import Encoder
from lepton_pipeline.model.folds import Fold, Plan
from lepton_pipeline.model.networks import defaults
from lepton_pipeline.model.networks.estimator import DESCRIPTION, WEIGHTS, TorchNetworks
from lepton_pipeline.parameters import MODELS, Dataset, Training
from lepton_pipeline.tasks.binary import Binary

SMALL = {"epochs": 12, "width": 24, "batch_size": 32, "learning_rate": 1e-2, "device": "cpu"}
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA card")


def make_rows(n=600, seed=0):
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
    return encoded, (rng.random(n) < 1 / (1 + np.exp(-logit))).to_numpy(np.int8)


def holdout(n, *, refit=False):
    """Three of five rows to learn from, one of five to stop by, and test rows."""
    fifth = n // 5
    return Plan([Fold(np.arange(3 * fifth), np.arange(3 * fifth, 4 * fifth))], refit)


def five_folds(n):
    """The rows but the last fifth, in folds."""
    rows = np.arange(4 * n // 5)
    return Plan([Fold(rows[rows % 5 != fold], rows[rows % 5 == fold]) for fold in range(5)], refit=False)


def fit(encoded, labels, plan, on_epoch=None, **changes):
    model = TorchNetworks(Training(**SMALL | changes), Binary())
    return model, model.fit(encoded, labels, plan, on_epoch)


def log_loss(scores, labels):
    return -np.log(np.where(labels == 1, scores, 1 - scores)).mean()


def auc(scores, labels):
    positive, negative = scores[labels == 1], scores[labels == 0]
    return ((positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)).mean()


@pytest.fixture(scope="module")
def rows():
    return make_rows()


@pytest.fixture(scope="module")
def trained(rows):
    return fit(*rows, holdout(600))


@pytest.fixture(scope="module")
def folded(rows):
    return fit(*rows, five_folds(600), epochs=2)


@pytest.mark.parametrize("model", ["default", "mlp"])
def test_overfits_32_rows(model):
    encoded, labels = make_rows(32)
    everything = np.arange(32)
    changes = {"epochs": 200, "patience": 200, "dropout": 0.0, "weight_decay": 0.0, "width": 64}
    fitted, _ = fit(
        encoded, labels, Plan([Fold(everything, everything)], refit=False), model=model, **changes
    )
    assert log_loss(fitted.predict(encoded), labels) < 0.02


@pytest.mark.parametrize("model", MODELS)
def test_a_signal_without_noise_is_found(model):
    encoded, _ = make_rows()
    labels = (encoded["a"] + 2 * (encoded["c"] == 3) > 0.3).to_numpy(np.int8)
    fitted, _ = fit(encoded, labels, holdout(600), model=model, learning_rate=3e-2)
    test = slice(480, 600)
    scores, base_rate = fitted.predict(encoded[test]), labels[:480].mean()
    assert log_loss(scores, labels[test]) < 0.4 * log_loss(np.full(120, base_rate), labels[test])
    assert auc(scores, labels[test]) > 0.97


def test_what_no_single_column_shows_is_found(trained, rows):
    encoded, labels = rows
    assert auc(trained[0].predict(encoded[480:]), labels[480:]) > 0.75


def test_labels_without_any_signal_leave_little_more_than_the_base_rate():
    """Early stopping on the log loss keeps it from believing noise."""
    encoded, _ = make_rows()
    labels = np.random.default_rng(1).integers(0, 2, 600).astype(np.int8)
    fitted, _ = fit(encoded, labels, holdout(600), epochs=6)
    assert log_loss(fitted.predict(encoded[480:]), labels[480:]) < 0.8


def test_the_best_epoch_is_restored_and_the_history_is_true(trained, rows):
    model, scores = trained
    encoded, labels = rows
    held_out = slice(360, 480)
    assert list(model.history.columns) == [
        "network",
        "epoch",
        "train_loss",
        "validation_log_loss",
        "validation_auc",
    ]
    best = model.history.loc[model.history["validation_log_loss"].idxmin()]
    assert best["epoch"] < len(model.history), "the example must have an epoch after its best one"
    assert model.trained["best_epochs"] == [best["epoch"]]
    task = Binary()
    levelled = task.levelled(task.to_outputs(scores[held_out]), labels[held_out])
    assert log_loss(task.from_outputs(levelled), labels[held_out]) == pytest.approx(
        best["validation_log_loss"], rel=1e-6
    )
    assert auc(scores[held_out], labels[held_out]) == pytest.approx(best["validation_auc"], rel=1e-9)
    assert np.array_equal(model.predict(encoded[held_out]), scores[held_out])


def test_it_stops_when_patience_is_spent(rows):
    model, _ = fit(*rows, holdout(600), epochs=200, patience=3, learning_rate=3e-2)
    assert len(model.history) == model.history["validation_log_loss"].idxmin() + 1 + 3 < 200


def test_only_held_out_rows_are_scored_while_fitting(trained, folded):
    assert np.isfinite(trained[1]).nonzero()[0].tolist() == list(range(360, 480))
    assert np.isfinite(folded[1]).nonzero()[0].tolist() == list(range(480))


def test_the_model_is_the_mean_of_its_networks(folded, rows):
    model, scores = folded
    encoded, _ = rows
    assert model.trained["networks"] == 5
    assert model.history["network"].unique().tolist() == [1, 2, 3, 4, 5]
    parts = [model._build(slice(index, index + 1)) for index in range(5)]
    each = np.stack([model._combined(encoded, part)[0] for part in parts])
    assert np.allclose(model.predict(encoded), each.mean(axis=0))
    for index, fold in enumerate(five_folds(600).folds):
        assert np.array_equal(scores[fold.held_out], each[index, fold.held_out])


def test_a_row_is_scored_by_a_network_that_knows_nothing_of_it(folded, rows):
    """Neither its own label nor those of test rows change its score; with one epoch, they stop nothing either."""
    encoded, labels = rows
    plan = five_folds(600)
    _, scores = fit(encoded, labels, plan, epochs=1)
    changed = labels.copy()
    changed[[5, 480, 599]] = 1 - changed[[5, 480, 599]]
    model, others = fit(encoded, changed, plan, epochs=1)
    fold = plan.folds[0].held_out
    assert np.array_equal(scores[fold], others[fold])
    assert not np.array_equal(scores[plan.folds[1].held_out], others[plan.folds[1].held_out])
    changed[5] = labels[5]
    again, _ = fit(encoded, changed, plan, epochs=1)
    assert (
        again.weights_sha256 == fit(encoded, labels, plan, epochs=1)[0].weights_sha256 != model.weights_sha256
    )


def test_a_row_that_is_not_planned_for_changes_nothing(rows):
    """Not even with balanced classes, and not by values that no other row has."""
    encoded, labels = rows
    plan = holdout(600)
    changed = encoded.copy()
    changed.loc[480:, ["a", "b"]] = 3.0
    changed.loc[480:, "c"] = np.int32(40)
    one, scores = fit(encoded, labels, plan, epochs=2, class_weight="balanced")
    other, others = fit(
        changed, np.where(np.arange(600) < 480, labels, 1), plan, epochs=2, class_weight="balanced"
    )
    assert one.weights_sha256 == other.weights_sha256
    assert np.array_equal(scores, others, equal_nan=True)
    assert one.shape == other.shape


def test_balanced_classes_raise_the_rarer_one(rows):
    encoded, _ = rows
    labels = (np.random.default_rng(0).random(600) < 0.1 + 0.1 * (encoded["a"] > 0)).to_numpy(np.int8)
    means = {
        balance: np.nanmean(fit(encoded, labels, holdout(600), class_weight=balance)[1])
        for balance in ("none", "balanced")
    }
    assert means["none"] == pytest.approx(labels.mean(), abs=0.06)
    assert means["balanced"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("networks", [1, 3])
def test_by_time_it_is_fitted_again_on_everything_for_the_median_of_the_best_epochs(rows, networks):
    encoded, labels = rows
    seen = []
    model, scores = fit(encoded, labels, holdout(600, refit=True), seen.append, networks=networks, patience=3)
    best = model.trained["best_epochs"]
    again = [epoch for epoch in seen if math.isnan(epoch.validation_loss)]
    assert (len(best), model.trained["networks"]) == ((networks + 1) // 2, networks)
    assert model.trained["refit"]
    assert [(epoch.network, epoch.number) for epoch in again] == [
        (network, number) for network in range(1, networks + 1) for number in range(1, median_high(best) + 1)
    ]
    assert len(model.history) == len(seen) - len(again)
    assert model.history["validation_log_loss"].notna().all()
    assert model.trained["rows"] == 480
    # What is scored while fitting has not learnt from the row; what is kept has.
    if networks == 1:
        assert np.array_equal(scores, fit(encoded, labels, holdout(600), patience=3)[1], equal_nan=True)
    kept = model.predict(encoded[360:480])
    assert log_loss(kept, labels[360:480]) < log_loss(scores[360:480], labels[360:480])


def test_the_refit_learns_from_the_held_out_rows(rows):
    encoded, labels = rows
    plan, changed = holdout(600, refit=True), labels.copy()
    changed[470] = 1 - changed[470]
    one, other = (fit(encoded, each, plan, networks=1, epochs=1)[0] for each in (labels, changed))
    assert one.weights_sha256 != other.weights_sha256


def test_how_many_networks_share_one_fold_follows_the_rows(rows, monkeypatch):
    monkeypatch.setattr(defaults, "networks_by_time", lambda n: 2 if n == 480 else 1)
    assert fit(*rows, holdout(600, refit=True), epochs=1)[0].trained["networks"] == 2
    assert fit(*rows, holdout(600), epochs=1)[0].trained["networks"] == 1


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_gives_the_same_bits_and_another_seed_another_model(rows, model):
    encoded, _ = rows
    one, scores = fit(*rows, five_folds(600), model=model, epochs=1)
    again, same = fit(*rows, five_folds(600), model=model, epochs=1)
    assert again.weights_sha256 == one.weights_sha256
    assert np.array_equal(same, scores, equal_nan=True)
    assert np.array_equal(again.predict(encoded), one.predict(encoded))
    other, _ = fit(*rows, five_folds(600), model=model, epochs=1, seed=8)
    assert other.weights_sha256 != one.weights_sha256


def test_what_torch_drew_before_changes_nothing(rows):
    one, _ = fit(*rows, holdout(600), epochs=1)
    torch.manual_seed(12345)
    assert fit(*rows, holdout(600), epochs=1)[0].weights_sha256 == one.weights_sha256


def test_the_order_of_columns_changes_nothing(rows):
    encoded, labels = rows
    one, scores = fit(encoded, labels, holdout(600), epochs=2)
    other, others = fit(encoded[["c", "b", "a"]], labels, holdout(600), epochs=2)
    assert other.weights_sha256 == one.weights_sha256
    assert np.array_equal(others, scores, equal_nan=True)


@pytest.mark.parametrize("which", ["trained", "folded"])
def test_it_loads_without_pickle_and_predicts_the_same_bits(which, rows, request, tmp_path, monkeypatch):
    model, _ = request.getfixturevalue(which)
    encoded, _ = rows

    def refuse(*args, **kwargs):
        raise AssertionError("pickle was used")

    model.save(tmp_path)
    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (torch, "load")):
        monkeypatch.setattr(module, name, refuse)
    loaded = TorchNetworks.load(tmp_path, Binary())
    assert np.array_equal(loaded.predict(encoded), model.predict(encoded))
    assert loaded.weights_sha256 == model.weights_sha256
    assert (loaded.training, loaded.trained, loaded.shape) == (model.training, model.trained, model.shape)
    pd.testing.assert_frame_equal(loaded.history, model.history)


def test_it_saves_the_same_bytes_again(trained, tmp_path):
    trained[0].save(tmp_path / "a")
    TorchNetworks.load(tmp_path / "a", Binary()).save(tmp_path / "b")
    for name in (DESCRIPTION, WEIGHTS):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_weights_of_another_model_are_refused(trained, rows, tmp_path):
    other, _ = fit(*rows, holdout(600), epochs=1)
    trained[0].save(tmp_path / "a")
    other.save(tmp_path / "b")
    (tmp_path / "b" / WEIGHTS).replace(tmp_path / "a" / WEIGHTS)
    with pytest.raises(DataError, match="not of one model"):
        TorchNetworks.load(tmp_path / "a", Binary())


def test_files_of_another_format_are_refused(trained, tmp_path):
    trained[0].save(tmp_path)
    description = json.loads((tmp_path / DESCRIPTION).read_text())
    (tmp_path / DESCRIPTION).write_text(json.dumps(description | {"format": 99}))
    with pytest.raises(DataError, match="has format 99, this version reads"):
        TorchNetworks.load(tmp_path, Binary())


@pytest.mark.parametrize("which", ["trained", "folded"])
def test_a_row_has_the_same_bits_alone_and_among_others(which, rows, request):
    model, _ = request.getfixturevalue(which)
    encoded, _ = rows
    together = model.predict(encoded)
    assert np.array_equal(
        np.concatenate([model.predict(encoded.iloc[[i]]) for i in range(80)]), together[:80]
    )
    assert np.array_equal(model.predict(encoded.iloc[::-1])[::-1], together)
    assert np.array_equal(model.predict(encoded[["c", "b", "a"]]), together)
    assert model.predict(encoded.iloc[:0]).shape == (0,)
    assert together.dtype == np.float64
    assert ((together > 0) & (together < 1)).all()


def test_codes_beyond_training_count_as_unseen(trained, rows):
    model, few = trained[0], rows[0].head(5)
    unseen = model.predict(few.assign(c=np.int32(1)))
    assert np.array_equal(model.predict(few.assign(c=np.int32(99))), unseen)
    assert not np.array_equal(model.predict(few.assign(c=np.int32(3))), unseen)
    assert np.isfinite(model.predict(few.assign(c=np.int32(0)))).all()


def test_codes_that_only_held_out_rows_have_are_known_after_the_refit(rows):
    encoded, labels = rows
    late = encoded.assign(c=encoded["c"].where(encoded.index < 400, 7).astype(np.int32))
    assert fit(late, labels, holdout(600, refit=True), epochs=1)[0].shape.category_levels == (8,)


def test_other_columns_are_refused_by_name(trained, rows):
    with pytest.raises(DataError, match=r"missing \['b'\], unknown \['d'\]"):
        trained[0].predict(rows[0].rename(columns={"b": "d"}))


def test_an_unfitted_classifier_says_so(tmp_path):
    with pytest.raises(DataError, match="call fit or load first"):
        TorchNetworks(Training(), Binary()).save(tmp_path)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("columns", [["a", "b"], ["c"]])
def test_numbers_alone_and_categories_alone_are_enough(rows, columns, model):
    encoded, labels = rows
    fitted, _ = fit(encoded[columns], labels, holdout(600), model=model, epochs=2)
    assert np.isfinite(fitted.predict(encoded[columns])).all()


def test_a_last_batch_of_one_row_is_used(rows):
    encoded, labels = rows
    model, _ = fit(
        encoded[:66], labels[:66], Plan([Fold(np.arange(33), np.arange(33, 66))], refit=False), epochs=2
    )
    assert model.trained["rows"] == 66
    assert model.history["train_loss"].between(0.1, 2).all()


def test_every_epoch_is_reported(rows):
    seen = []
    model, _ = fit(*rows, holdout(600), seen.append, epochs=3)
    assert [epoch.number for epoch in seen] == [1, 2, 3]
    assert [epoch.validation_figure for epoch in seen] == model.history["validation_auc"].tolist()
    assert seen[0].best


def test_divergence_is_an_error_with_the_remedy(rows):
    with pytest.raises(
        LeptonError, match=r"training diverged: in epoch \d+ .* Lower training.learning_rate \(now 1e\+30\)"
    ):
        fit(*rows, holdout(600), learning_rate=1e30)


def test_fitting_leaves_its_arguments_and_torch_as_they_were(rows):
    encoded, labels = (each.copy() for each in rows)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    model, _ = fit(encoded, labels, holdout(600, refit=True), epochs=1)
    model.predict(encoded)
    pd.testing.assert_frame_equal(encoded, rows[0])
    assert np.array_equal(labels, rows[1])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_cpu_says_that_it_computed_in_fp32(rows):
    trained = fit(*rows, holdout(600), epochs=1, precision="bf16")[0].trained
    assert (trained["device"], trained["precision"]) == ("cpu", "fp32")
    assert trained["torch"] == torch.__version__


def test_importing_the_estimator_and_the_baselines_is_light():
    code = (
        "import sys, lepton_pipeline.model.networks.estimator, lepton_pipeline.model.baseline; "
        "import lepton_pipeline.features.encode; "
        "print({'torch', 'sklearn', 'scipy', 'safetensors'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_100_000_categories_are_fitted_and_scored():
    rng = np.random.default_rng(0)
    encoded = pd.DataFrame({"many": rng.integers(0, 100_000, 300).astype(np.int32)})
    encoded.loc[0, "many"] = 99_999
    model, scores = fit(
        encoded, (encoded["many"] % 2).to_numpy(np.int8), holdout(300), epochs=1, batch_size=None
    )
    assert model.shape.category_levels == (100_000,)
    assert np.isfinite(scores[180:240]).all()


def test_2_000_columns_are_fitted_and_scored():
    rng = np.random.default_rng(0)
    names = [f"n{number}" for number in range(2000)]
    encoded = pd.DataFrame(rng.normal(size=(120, 2000)).astype(np.float32), columns=names)
    labels = (encoded["n7"] > 0).to_numpy(np.int8)
    model, scores = fit(encoded, labels, holdout(120), epochs=1, batch_size=None)
    assert np.isfinite(scores[72:96]).all()
    assert model.shape.embedding == defaults.embedding(2000)


@pytest.fixture(scope="module")
def raw():
    """A raw table with every kind of column that is hard on a network, and labels that follow `x` and `city`."""
    rng = np.random.default_rng(3)
    n = 600
    x = rng.normal(size=n)
    city = rng.choice(["Oslo", "Rome", "Lima"], n)
    table = pd.DataFrame(
        {
            "x": x,
            "huge": x * 1e200,
            "tiny": x * 1e-200,
            "infinite": np.where(rng.random(n) < 0.1, np.inf, np.where(rng.random(n) < 0.1, -np.inf, x)),
            "gaps": np.where(rng.random(n) < 0.3, np.nan, x),
            "constant": 5.0,
            "constant or missing": np.where(rng.random(n) < 0.5, np.nan, 1.0),
            "missing": np.nan,
            "outlier": np.where(np.arange(n) == 4, 1e300, rng.normal(size=n)),
            "city": city,
            "city or none": np.where(rng.random(n) < 0.5, None, city),
            "same": "same",
        }
    )
    return table, ((x + (city == "Rome") + 0.3 * rng.normal(size=n)) > 0.4).astype(np.int8)


DATASET = Dataset(target="label", positive="1")


def test_hard_columns_give_numbers(raw):
    table, labels = raw
    encoder = Encoder.fit(table[:360], DATASET)
    model, scores = fit(encoder.transform(table), labels, holdout(600))
    assert auc(scores[360:480], labels[360:480]) > 0.9
    for value in (np.nan, np.inf, -np.inf, 1.7e308, 5e-324):
        worst = table[480:500].assign(**dict.fromkeys(table.columns[:9], value))
        probabilities = model.predict(encoder.transform(worst))
        assert np.isfinite(probabilities).all()
        assert ((probabilities >= 0) & (probabilities <= 1)).all()
    unknown = table[480:500].assign(city=None, same="other", **{"city or none": "Paris"})
    assert np.isfinite(model.predict(encoder.transform(unknown))).all()


def test_a_city_never_seen_is_scored_as_unseen_and_every_such_city_the_same(raw):
    table, labels = raw
    encoder = Encoder.fit(table[["x", "city"]][:360], DATASET)
    model, _ = fit(encoder.transform(table), labels, holdout(600), epochs=4)

    def score(city):
        return model.predict(encoder.transform(table[480:].assign(city=city)))

    assert np.array_equal(score("Paris"), score("Tokyo"))
    assert score("Lima").mean() < score("Paris").mean() < score("Rome").mean()


@pytest.mark.parametrize("transform", [lambda x: np.exp(3 * x), lambda x: x**3, lambda x: 1e6 + 1e3 * x])
def test_a_rising_function_of_a_column_changes_little(raw, transform):
    table, labels = raw
    scores = []
    for x in (table["x"], transform(table["x"])):
        given = table[["city"]].assign(x=x)
        encoder = Encoder.fit(given[:360], DATASET)
        model, _ = fit(encoder.transform(given), labels, holdout(600))
        scores.append(model.predict(encoder.transform(given[480:])))
    assert np.abs(scores[0] - scores[1]).mean() < 0.01
    assert abs(auc(scores[0], labels[480:]) - auc(scores[1], labels[480:])) < 0.01


@pytest.fixture(scope="module")
def many():
    return make_rows(4000)


def on(device, many, **changes):
    settings = {"device": device, "width": 64, "epochs": 20, "learning_rate": 5e-3, "batch_size": 128}
    return fit(*many, five_folds(4000), **settings | changes)


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_a_card_trains_what_a_cpu_trains(many, precision):
    encoded, labels = many
    test = slice(3200, 4000)
    on_cpu, _ = on("cpu", many)
    on_cuda, scores = on("cuda", many, precision=precision)
    assert (on_cuda.trained["device"], on_cuda.trained["precision"]) == ("cuda", precision)
    assert auc(on_cuda.predict(encoded[test]), labels[test]) == pytest.approx(
        auc(on_cpu.predict(encoded[test]), labels[test]), abs=0.01
    )
    assert np.isfinite(scores[:3200]).all()


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("cuda_graph", [True, False])
def test_a_card_gives_the_same_bits_again(many, cuda_graph):
    one, scores = on("cuda", many, epochs=4, cuda_graph=cuda_graph)
    again, same = on("cuda", many, epochs=4, cuda_graph=cuda_graph)
    assert one.weights_sha256 == again.weights_sha256
    assert np.array_equal(scores, same, equal_nan=True)


@pytest.mark.gpu
@gpu
def test_a_card_leaves_its_generator_and_the_settings_as_they_were(many):
    state, products = torch.cuda.get_rng_state(), torch.get_float32_matmul_precision()
    on("cuda", many, epochs=1, precision="tf32")
    assert torch.equal(torch.cuda.get_rng_state(), state)
    assert torch.get_float32_matmul_precision() == products
