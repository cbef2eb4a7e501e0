import numpy as np
import pytest
import torch

from lepton_pipeline.model.folds import Fold
from lepton_pipeline.model.networks import fit as module
from lepton_pipeline.model.networks.fit import Spec, network_steps, stack_states
from lepton_pipeline.model.networks.group import ALONE
from lepton_pipeline.model.networks.network import find_architecture
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.model.networks.step import Rows
from lepton_pipeline.parameters import MODELS, Training
from lepton_pipeline.system.workers import Pool, run_steps
from lepton_pipeline.tasks.binary import Binary


def fit_networks(shape, task, training, rows, folds, seen=lambda epoch: None):
    steps = network_steps(Spec(shape, task, training), rows, folds)
    (fitted,) = run_steps(Pool(1), steps, report=seen)
    assert fitted.ranks == 1
    return {name: torch.from_numpy(value) for name, value in fitted.state.items()}, fitted.epochs


SHAPE = Shape(numeric=2, category_levels=(4,), members=2, bins=4, embedding=2, layers=2, width=6, dropout=0.2)
BINARY = Binary()
FOLDS = [
    Fold(np.arange(0, 80), np.arange(80, 120)),
    Fold(np.arange(40, 120), np.arange(0, 40)),
    Fold(np.arange(20, 120), np.arange(0, 20)),
]


@pytest.fixture(scope="module")
def rows():
    generator = torch.Generator().manual_seed(0)
    numeric = torch.randn(120, 2, generator=generator)
    codes = torch.randint(0, 4, (120, 1), generator=generator, dtype=torch.int32)
    return Rows(numeric, codes, (numeric.sum(dim=1) + codes[:, 0] > 1.5).float())


def training(**changes):
    declared = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-2, "device": "cpu", "precision": "fp32"}
    return Training(**declared | changes)


def still(**changes):
    """Training that leaves the weights where they start."""
    return training(learning_rate=1e-30, weight_decay=0.0, epochs=1, **changes)


@pytest.mark.parametrize("model", MODELS)
def test_networks_lie_along_the_first_dimension_and_are_numbered(rows, model):
    seen = []
    state, epochs = fit_networks(SHAPE, BINARY, training(model=model), rows, FOLDS, seen.append)
    assert seen == epochs
    network = find_architecture(model)(SHAPE, 3)
    network.load_state_dict(state)
    assert [(epoch.network, epoch.number) for epoch in epochs] == [
        (n, e) for n in (1, 2, 3) for e in (1, 2, 3)
    ]
    for name, _ in network.named_parameters():
        assert not torch.equal(state[name][0], state[name][1]), f"{name} is the same in two networks"


def test_each_network_is_the_one_that_its_fold_alone_gives(rows):
    """On a CPU; the seed goes up by one a network."""
    state, _ = fit_networks(SHAPE, BINARY, training(), rows, FOLDS)
    last, _ = fit_networks(SHAPE, BINARY, training(seed=training().seed + 2), rows, FOLDS[2:])
    parameters = {name for name, _ in find_architecture("default")(SHAPE).named_parameters()}
    assert all(torch.equal(state[name][2], last[name][0]) for name in parameters)


@pytest.mark.parametrize("model", ["default", "mlp"])
def test_weights_start_from_the_same_values_one_after_the_other_and_side_by_side(rows, model):
    after, _ = fit_networks(SHAPE, BINARY, still(model=model), rows, FOLDS)
    network, epochs = module._fit_together(
        Spec(SHAPE, BINARY, still(model=model)), rows, FOLDS, 0, None, ALONE
    )
    beside = network.state_dict()
    parameters = {name for name, _ in find_architecture(model)(SHAPE).named_parameters()}
    assert [epoch.network for epoch in epochs] == [1, 2, 3]
    assert after.keys() == beside.keys()
    for name in parameters:
        torch.testing.assert_close(after[name], beside[name], rtol=0, atol=1e-20)


def test_side_by_side_learns_as_one_after_the_other_does(rows):
    longer = training(epochs=20, patience=20)
    _, after = fit_networks(SHAPE, BINARY, longer, rows, FOLDS)
    _, beside = module._fit_together(Spec(SHAPE, BINARY, longer), rows, FOLDS, 0, None, ALONE)
    for number in (1, 2, 3):
        for epochs in (after, beside):
            assert min(epoch.validation_loss for epoch in epochs if epoch.network == number) < 0.45


def test_knots_are_taken_from_training_rows_only(rows):
    far = Rows(rows.numeric.clone(), rows.codes, rows.targets)
    far.numeric[80:] = 1e6
    for given in (rows, far):
        state, _ = fit_networks(SHAPE, BINARY, still(), given, FOLDS[:1])
        assert state["numbers.lower"][:, 0, 0].tolist() == rows.numeric[:80].min(dim=0).values.tolist()
        assert state["numbers.lower"].max() < rows.numeric[:80].max()


def test_many_rows_are_not_all_looked_at(rows, monkeypatch):
    seen = []
    architecture = find_architecture("default")
    monkeypatch.setattr(architecture, "fit_inputs", lambda self, numeric: seen.append(len(numeric)))
    monkeypatch.setattr(module, "_ROWS_LOOKED_AT", 30)
    fit_networks(SHAPE, BINARY, still(), rows, FOLDS[:1])
    assert seen == [27]


def test_the_batch_is_the_declared_one_or_follows_the_rows(rows, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "fit", lambda *arguments: seen.append(arguments[3]) or [])
    monkeypatch.setattr(module.defaults, "batch_size", lambda n: 1000 + n)
    for declared in (None, 32):
        fit_networks(SHAPE, BINARY, training(batch_size=declared), rows, FOLDS)
    assert seen == [1080, 1080, 1100, 32, 32, 32]


def test_states_are_stacked_by_parameter():
    network = find_architecture("default")(SHAPE)
    states = [{name: value + number for name, value in network.state_dict().items()} for number in range(2)]
    stacked = stack_states(network, states)
    assert torch.equal(stacked["scales"], torch.cat([states[0]["scales"], states[1]["scales"]]))
    assert torch.equal(stacked["numbers.lower"], states[0]["numbers.lower"])
