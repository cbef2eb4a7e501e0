import pytest
import torch

from lepton_pipeline.model.architecture import Architecture
from lepton_pipeline.model.network import Network, block_logits, block_probabilities


def network(numeric=3, levels=(4, 50), dropout=0.5):
    torch.manual_seed(0)
    return Network(Architecture(numeric, levels, layers=2, width=16, dropout=dropout))


def rows(n, numeric=3, levels=(4, 50)):
    codes = [torch.randint(0, size, (n,), dtype=torch.int32) for size in levels]
    return torch.randn(n, numeric), torch.stack(codes, dim=1) if codes else torch.empty(n, 0, dtype=torch.int32)


def test_small_category_tables_are_as_wide_as_one_hot_and_large_ones_narrower():
    assert Architecture(0, (2, 32, 50, 1000), 1, 1, 0.0).embedding_sizes == (2, 32, 20, 89)


@pytest.mark.parametrize(("numeric", "levels"), [(3, (4, 50)), (3, ()), (0, (4,))])
@pytest.mark.parametrize("n", [1, 5])
def test_one_logit_a_row(numeric, levels, n):
    assert network(numeric, levels)(*rows(n, numeric, levels)).shape == (n,)


def test_every_input_and_every_parameter_takes_part():
    net = network(dropout=0.0)
    numeric, codes = rows(64)
    numeric.requires_grad_()
    net(numeric, codes).sum().backward()
    assert (numeric.grad.abs().sum(0) > 0).all()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_missing_and_unseen_start_as_no_category():
    assert all((table.weight[:2] == 0).all() and (table.weight[2:] != 0).all() for table in network().embeddings)


def test_only_weights_of_linear_layers_decay():
    net = network()
    decaying, others = net.parameter_groups(0.1)
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    assert [names[id(parameter)] for parameter in decaying["params"]] == [
        "hidden.0.weight",
        "hidden.1.weight",
        "output.weight",
    ]
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert len(decaying["params"]) + len(others["params"]) == len(names)


@pytest.mark.parametrize("compute", [block_logits, block_probabilities])
def test_outside_training_a_row_has_the_same_bits_in_any_company(compute):
    net = network()
    numeric, codes = rows(2500)
    together = compute(net, numeric, codes)
    assert torch.equal(together, compute(net, numeric, codes)), "dropout must be off"
    for size in (1, 3, 7, 1024):
        for start in range(0, 2490, 83):
            part = slice(start, start + size)
            assert torch.equal(compute(net, numeric[part], codes[part]), together[part])


def test_probabilities_are_those_of_the_logits():
    net = network()
    arguments = rows(5)
    logits = block_logits(net, *arguments)
    assert torch.allclose(block_probabilities(net, *arguments), 1 / (1 + torch.exp(-logits)))
