import pytest
import torch

from lepton_pipeline.model.networks.network import (
    BLOCK,
    CategoryTable,
    combine_blocks,
    find_architecture,
    shared_dropout,
)
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.parameters import MODELS
from lepton_pipeline.tasks.binary import Binary

LEVELS = (4, 50)
BINARY = Binary()


def shape(numeric=3, levels=LEVELS, members=3, layers=2, dropout=0.0, outputs=1):
    return Shape(numeric, levels, members, 5, 4, layers, width=16, dropout=dropout, outputs=outputs)


def rows(n, numeric=3, levels=LEVELS, networks=1):
    codes = [torch.randint(0, size, (networks, n), dtype=torch.int32) for size in levels]
    empty = torch.empty(networks, n, 0, dtype=torch.int32)
    return torch.randn(networks, n, numeric), torch.stack(codes, dim=2) if codes else empty


def build(architecture, networks=1, **changes):
    """Networks whose parameters are all random, as the ones that start at zero would hide what they do."""
    torch.manual_seed(0)
    network = find_architecture(architecture)(shape(**changes), networks)
    network.fit_inputs(torch.randn(200, network.shape.numeric))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
    return network


each_architecture = pytest.mark.parametrize("architecture", MODELS)


@each_architecture
@pytest.mark.parametrize(("numeric", "levels"), [(3, LEVELS), (3, ()), (0, (4,))])
@pytest.mark.parametrize("n", [1, 5])
@pytest.mark.parametrize("outputs", [1, 4])
def test_outputs_are_by_network_row_and_member(architecture, numeric, levels, n, outputs):
    network = build(architecture, networks=2, numeric=numeric, levels=levels, outputs=outputs)
    members = 3 if architecture == "default" else 1
    assert network(*rows(n, numeric, levels, networks=2)).shape == (2, n, members, outputs)


@each_architecture
@pytest.mark.parametrize("layers", [1, 2, 4])
def test_every_input_and_every_parameter_takes_part(architecture, layers):
    network = build(architecture, layers=layers)
    numeric, codes = rows(256)
    numeric.requires_grad_()
    network(numeric, codes).sum().backward()
    assert (numeric.grad.abs().sum((0, 1)) > 0).all()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())
    for column, level in enumerate(LEVELS):
        changed = codes.clone()
        changed[:, :, column] = (changed[:, :, column] + 1) % level
        assert (network(numeric, changed) != network(numeric, codes)).any(dim=(2, 3)).float().mean() > 0.9


@each_architecture
def test_networks_side_by_side_compute_what_each_computes_alone(architecture):
    networks = build(architecture, networks=3)
    numeric, codes = rows(40, networks=3)
    together = networks(numeric, codes)
    parameters = {name for name, _ in networks.named_parameters()}
    for number in range(3):
        alone = find_architecture(architecture)(networks.shape)
        state = networks.state_dict().items()
        alone.load_state_dict(
            {name: value[number : number + 1] if name in parameters else value for name, value in state}
        )
        each = alone(numeric[number : number + 1], codes[number : number + 1])
        torch.testing.assert_close(each[0], together[number])


@each_architecture
def test_no_network_sees_another(architecture):
    networks = build(architecture, networks=3)
    arguments = rows(40, networks=3)
    before = networks(*arguments)
    before[1].sum().backward()
    for parameter in networks.parameters():
        assert parameter.shape[0] == 3
        assert parameter.grad[1].abs().sum() > 0
        assert (parameter.grad[[0, 2]] == 0).all()
    with torch.no_grad():
        for parameter in networks.parameters():
            parameter[1] += 1
    after = networks(*arguments)
    assert torch.equal(after[[0, 2]], before[[0, 2]])
    assert not torch.equal(after[1], before[1])


@pytest.mark.parametrize(
    ("architecture", "names"),
    [
        ("default", {"scales", "first_weight", "weights.0", "output_weight"}),
        ("mlp", {"weights.0", "weights.1", "weights.2"}),
        ("linear", {"weight"}),
    ],
)
def test_neither_biases_nor_embeddings_decay(architecture, names):
    network = build(architecture)
    decaying, others = network.parameter_groups(0.1)
    name_of = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {name_of[id(parameter)] for parameter in decaying["params"]} == names
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)
    assert sorted(name_of[id(each)] for group in (decaying, others) for each in group["params"]) == sorted(
        name_of.values()
    )


def test_missing_and_unseen_start_as_no_category():
    table = CategoryTable((4, 2, 3), 5, networks=2)
    rest = [0, 1, 4, 5, 6, 7]
    assert (table.weight[:, rest] == 0).all()
    assert (table.weight[:, [2, 3, 8]] != 0).all()


def test_a_code_is_looked_up_in_the_rows_of_its_column_and_network():
    table = CategoryTable((4, 3), 2, networks=2)
    with torch.no_grad():
        table.weight.copy_(torch.arange(28).view(2, 7, 2))
    codes = torch.tensor([[[3, 0]], [[0, 2]]], dtype=torch.int32)
    assert table(codes).tolist() == [[[6, 7, 8, 9]], [[14, 15, 26, 27]]]


def test_many_levels_cost_memory_in_proportion():
    table = CategoryTable((100_000, 3), 4, networks=2)
    assert sum(parameter.numel() for parameter in table.parameters()) == 2 * 100_003 * 4
    assert table(torch.tensor([[[99_999, 2]]]).expand(2, 7, 2)).shape == (2, 7, 8)


def test_all_members_drop_the_same_units_and_the_mean_stays():
    torch.manual_seed(0)
    units = torch.ones(2, 500, 3, 16)
    dropped = shared_dropout(units, 0.25, training=True)
    assert torch.equal(dropped, dropped[:, :, :1].expand_as(dropped))
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert not torch.equal(dropped[0], dropped[1]), "networks must drop units of their own"
    assert shared_dropout(units, 0.25, training=False) is units
    assert shared_dropout(units, 0.0, training=True) is units


@pytest.mark.parametrize("architecture", ["default", "mlp"])
def test_dropout_is_on_in_training_and_off_otherwise(architecture):
    network = build(architecture, dropout=0.5)
    arguments = rows(20)
    assert not torch.equal(network.train()(*arguments), network(*arguments))
    assert torch.equal(network.eval()(*arguments), network(*arguments))


@each_architecture
def test_outside_training_a_row_has_the_same_bits_in_any_company(architecture):
    network = build(architecture, networks=2, dropout=0.5)
    n = 10 * BLOCK + 3
    numeric, codes = rows(n)
    together = combine_blocks(network, numeric, codes, BINARY.combine)
    assert torch.equal(together, combine_blocks(network, numeric, codes, BINARY.combine)), (
        "dropout must be off"
    )
    for size in (1, 3, BLOCK - 1, BLOCK, BLOCK + 1):
        for start in range(0, n - size, 83):
            part = slice(start, start + size)
            assert torch.equal(
                combine_blocks(network, numeric[:, part], codes[:, part], BINARY.combine), together[:, part]
            )


@each_architecture
def test_the_mean_of_the_members_probabilities_is_what_counts(architecture):
    network = build(architecture, networks=2)
    numeric, codes = rows(5, networks=2)
    probabilities = combine_blocks(network, numeric, codes, BINARY.combine)
    expected = (1 / (1 + torch.exp(-network(numeric, codes).squeeze(3).double()))).mean(dim=2)
    assert probabilities.dtype == torch.float64
    torch.testing.assert_close(probabilities, expected, rtol=1e-4, atol=1e-7)


@each_architecture
def test_rows_given_once_go_to_every_network(architecture):
    network = build(architecture, networks=3)
    numeric, codes = rows(70)
    assert torch.equal(
        combine_blocks(network, numeric, codes, BINARY.combine),
        combine_blocks(
            network, numeric.expand(3, -1, -1).clone(), codes.expand(3, -1, -1).clone(), BINARY.combine
        ),
    )
