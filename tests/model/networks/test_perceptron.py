from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lepton_pipeline.model.folds import Fold, Plan
from lepton_pipeline.model.networks.estimator import TorchNetworks
from lepton_pipeline.model.networks.perceptron import Linear, Perceptron
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.parameters import Training
from lepton_pipeline.tasks.binary import Binary

SHAPE = Shape(
    numeric=2, category_levels=(4, 6), members=3, bins=5, embedding=3, layers=2, width=8, dropout=0.0
)


def rows(n):
    codes = torch.stack([torch.randint(0, size, (1, n)) for size in SHAPE.category_levels], dim=2)
    return torch.randn(1, n, SHAPE.numeric), codes.int()


def test_a_perceptron_is_what_torch_builds_of_layers():
    torch.manual_seed(0)
    ours = Perceptron(SHAPE)
    tables = [nn.Embedding(size, 3) for size in SHAPE.category_levels]
    layers = [nn.Linear(2 + 2 * 3, 8), nn.Linear(8, 8), nn.Linear(8, 1)]
    with torch.no_grad():
        ours.categories.weight.copy_(torch.cat([table.weight for table in tables])[None])
        for index, layer in enumerate(layers):
            ours.weights[index].copy_(layer.weight.T[None])
            ours.biases[index].copy_(layer.bias[None, None])
    numeric, codes = rows(30)
    looked_up = [table(codes[0, :, column]) for column, table in enumerate(tables)]
    theirs = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    torch.testing.assert_close(
        ours(numeric, codes)[0, :, 0], theirs(torch.cat([numeric[0], *looked_up], dim=1))
    )


def test_a_linear_model_adds_up_a_weight_a_number_and_one_a_category():
    network = Linear(SHAPE)
    numeric, codes = rows(30)
    assert (network(numeric, codes) == 0).all(), "it starts without an opinion"
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
    weights = network.categories.weight[0, :, 0]
    expected = numeric[0] @ network.weight[0, :, 0] + network.bias[0, 0, 0]
    expected = expected + weights[:4][codes[0, :, 0]] + weights[4:][codes[0, :, 1]]
    torch.testing.assert_close(network(numeric, codes)[0, :, 0, 0], expected)


@pytest.mark.parametrize("architecture", [Perceptron, Linear])
def test_several_outputs_are_what_a_network_of_each_would_give(architecture):
    several = architecture(replace(SHAPE, outputs=3))
    numeric, codes = rows(30)
    with torch.no_grad():
        for parameter in several.parameters():
            parameter.normal_()
        outputs = several(numeric, codes)
        assert outputs.shape == (1, 30, 1, 3)
        for output in range(3):
            single = architecture(SHAPE)
            # The last dimension of the last layer, and of what a linear model has of a category.
            own = single.state_dict()
            state = {
                name: value if value.shape == own[name].shape else value[..., output : output + 1]
                for name, value in several.state_dict().items()
            }
            single.load_state_dict(state)
            torch.testing.assert_close(outputs[..., output], single(numeric, codes)[..., 0])


@pytest.fixture(scope="module")
def chessboard():
    """Labels that follow the product of two numbers, neither of which tells anything alone."""
    rng = np.random.default_rng(0)
    encoded = pd.DataFrame(rng.normal(size=(1200, 2)).astype(np.float32), columns=["a", "b"])
    labels = (encoded["a"] * encoded["b"] > 0).to_numpy(np.int8)
    return encoded, labels, Plan([Fold(np.arange(800), np.arange(800, 1200))], refit=False)


@pytest.mark.parametrize(("model", "lowest", "highest"), [("mlp", 0.9, 1.0), ("linear", 0.3, 0.65)])
def test_what_each_can_and_cannot_learn(chessboard, model, lowest, highest):
    encoded, labels, plan = chessboard
    training = Training(
        model=model, epochs=15, width=32, batch_size=64, learning_rate=1e-2, dropout=0.0, device="cpu"
    )
    scores = TorchNetworks(training, Binary()).fit(encoded, labels, plan)[800:]
    assert lowest <= ((scores > 0.5) == labels[800:]).mean() <= highest


def test_a_linear_model_finds_the_coefficients_of_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    encoded = pd.DataFrame(rng.normal(size=(1000, 2)).astype(np.float32), columns=["a", "b"])
    chance = 1 / (1 + np.exp(-(1.5 * encoded["a"] - encoded["b"] + 0.5)))
    labels = (rng.random(1000) < chance).to_numpy(np.int8)
    plan = Plan([Fold(np.arange(1000), np.arange(1000))], refit=False)
    training = Training(
        model="linear", epochs=80, batch_size=250, learning_rate=3e-2, weight_decay=0.0, device="cpu"
    )
    scores = TorchNetworks(training, Binary()).fit(encoded, labels, plan)
    theirs = LogisticRegression(C=np.inf).fit(encoded, labels).predict_proba(encoded)[:, 1]
    assert np.abs(scores - theirs).max() < 0.01
