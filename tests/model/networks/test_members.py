from dataclasses import replace

import numpy as np
import pytest
import torch

from lepton_pipeline.model.networks.members import Members, PiecewiseLinear
from lepton_pipeline.model.networks.perceptron import Perceptron
from lepton_pipeline.model.networks.shape import Shape

SHAPE = Shape(
    numeric=3, category_levels=(4, 6), members=4, bins=6, embedding=5, layers=3, width=12, dropout=0.0
)


def rows(n, shape=SHAPE):
    codes = [torch.randint(0, size, (1, n), dtype=torch.int32) for size in shape.category_levels]
    return torch.randn(1, n, shape.numeric), torch.stack(codes, dim=2)


def embedding(values, bins, size=2):
    """The embedding of columns [n, columns], its knots taken from them."""
    torch.manual_seed(0)
    numbers = PiecewiseLinear(values.shape[1], bins, size, 1)
    numbers.fit_inputs(values)
    return numbers


def ramps(numbers, values):
    """Which share of each piece lies below each value, [n, columns, bins]: what the weights beyond the line see."""
    columns, bins = numbers.lower.shape[0], numbers.lower.shape[2]
    shown = PiecewiseLinear(columns, bins, bins, 1)
    shown.lower, shown.slopes = numbers.lower, numbers.slopes
    with torch.no_grad():
        shown.bias.zero_()
        shown.weight.zero_()
        shown.weight[:, :, 1:] = torch.eye(bins)
        return shown(values[None])[0].unflatten(1, (columns, bins))


def test_members_disagree_from_the_start():
    torch.manual_seed(0)
    with torch.no_grad():
        logits = Members(SHAPE)(*rows(50))[0]
    assert (logits.std(dim=1) > 1e-3).all()


def test_a_member_scales_the_whole_of_a_value_at_first():
    scales = Members(SHAPE).scales.detach().unflatten(1, (5, SHAPE.embedding))
    assert torch.equal(scales, scales[:, :, :1].expand_as(scales))
    assert len(scales.unique()) == 5 * SHAPE.members


def test_a_single_member_is_not_scaled():
    assert (Members(replace(SHAPE, members=1)).scales == 1).all()


@pytest.mark.parametrize("layers", [1, 3])
def test_one_member_with_lines_for_embeddings_is_a_plain_perceptron(layers):
    torch.manual_seed(0)
    shape = replace(SHAPE, members=1, layers=layers)
    members, plain = Members(shape), Perceptron(shape)
    numeric, codes = rows(64)
    members.fit_inputs(numeric[0])
    numbers = shape.numeric * shape.embedding
    with torch.no_grad():
        line, offset = members.numbers.weight[:, :, 0], members.numbers.bias[:, :, 0]
        first = members.first_weight[:, :numbers].unflatten(1, (shape.numeric, shape.embedding))
        of_numbers = torch.einsum("nce,ncew->ncw", line, first)
        of_offsets = torch.einsum("nce,ncew->nw", offset, first)
        plain.categories.weight.copy_(members.categories.weight)
        plain.weights[0].copy_(torch.cat([of_numbers, members.first_weight[:, numbers:]], dim=1))
        plain.biases[0].copy_(members.first_bias + of_offsets[:, None])
        for index in range(layers - 1):
            plain.weights[1 + index].copy_(members.weights[index])
            plain.biases[1 + index].copy_(members.biases[index])
        plain.weights[-1].copy_(members.output_weight.transpose(2, 3)[:, 0])
        plain.biases[-1].copy_(members.output_bias)
        assert plain(numeric, codes).std() > 1e-3
        torch.testing.assert_close(members(numeric, codes), plain(numeric, codes))


@pytest.mark.parametrize("levels", [(4, 6), ()])
def test_computes_what_the_package_of_its_authors_computes(levels):
    """TabM-mini over piecewise-linear embeddings, and its one-hot categories as embeddings before the first layer."""
    tabm = pytest.importorskip("tabm")
    packaged_numbers = pytest.importorskip("rtdl_num_embeddings").PiecewiseLinearEmbeddings
    torch.manual_seed(0)
    shape = replace(SHAPE, category_levels=levels)
    numeric, codes = rows(200, replace(SHAPE, category_levels=levels or (1,)))
    codes = codes[:, :, : len(levels)]
    ours = Members(shape).eval()
    ours.fit_inputs(numeric[0])
    steps = np.linspace(0, 1, shape.bins + 1)
    bins = [torch.from_numpy(np.quantile(column.double().numpy(), steps)).float() for column in numeric[0].T]
    theirs = tabm.TabM(
        n_num_features=shape.numeric,
        cat_cardinalities=list(levels),
        d_out=1,
        num_embeddings=packaged_numbers(bins, shape.embedding, activation=False, version="B"),
        k=shape.members,
        n_blocks=shape.layers,
        d_block=shape.width,
        dropout=0.0,
        arch_type="tabm-mini",
        start_scaling_init="normal",
    ).eval()
    numbers, size = shape.numeric * shape.embedding, shape.embedding
    with torch.no_grad():
        # As after training: the knots have weights, and members scale each part of an embedded number on its own.
        ours.numbers.weight[:, :, 1:].normal_()
        ours.scales[:, :numbers].normal_()
        for weight in (*ours.weights, ours.output_weight):
            weight.normal_()
        theirs.num_module.linear0.weight.copy_(ours.numbers.weight[0, :, 0])
        theirs.num_module.linear0.bias.copy_(ours.numbers.bias[0, :, 0])
        theirs.num_module.linear.weight.copy_(ours.numbers.weight[0, :, 1:])
        blocks = [block[0] for block in theirs.backbone.blocks]
        first, scales = [ours.first_weight[0, :numbers]], [ours.scales[0, :numbers]]
        tables = ours.categories.weight[0].split(list(levels)) if levels else []
        for column, table in enumerate(tables):
            own = slice(numbers + column * size, numbers + (column + 1) * size)
            first.append(table @ ours.first_weight[0, own])
            scales.append(ours.scales[0, own][:1].expand(len(table), -1))
        theirs.backbone.affine.weight.copy_(torch.cat(scales).T)
        blocks[0].weight.copy_(torch.cat(first).T)
        blocks[0].bias.copy_(ours.first_bias[0, 0])
        for block, weight, bias in zip(blocks[1:], ours.weights, ours.biases, strict=True):
            block.weight.copy_(weight[0].T)
            block.bias.copy_(bias[0, 0])
        theirs.output.weight.copy_(ours.output_weight[0, 0, :, :, None])
        theirs.output.bias.copy_(ours.output_bias[0, 0, :, None])
        logits = ours(numeric, codes)[0, :, :, 0]
        expected = theirs(numeric[0], codes[0].long() if levels else None)[:, :, 0]
    assert logits.std(dim=0).min() > 0.1
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("members", [1, 4])
def test_several_outputs_are_what_a_network_of_each_would_give(members):
    torch.manual_seed(0)
    several = Members(replace(SHAPE, members=members, outputs=3), networks=2).eval()
    numeric, codes = (each.expand(2, -1, -1) for each in rows(40))
    several.fit_inputs(numeric[0])
    with torch.no_grad():
        outputs = several(numeric, codes)
        for output in range(3):
            single = Members(replace(SHAPE, members=members), networks=2).eval()
            state = dict(several.state_dict())
            for name in ("output_weight", "output_bias"):
                state[name] = state[name][:, output : output + 1]
            single.load_state_dict(state)
            torch.testing.assert_close(outputs[..., output], single(numeric, codes)[..., 0])
    assert outputs.std(dim=(0, 1, 2)).min() > 1e-3


def test_knots_are_quantiles_of_the_rows():
    values = torch.tensor([[0.0], [1.0], [2.0], [4.0], [8.0]])
    numbers = embedding(values, bins=4)
    seen = ramps(numbers, torch.tensor([[-1.0], [0.5], [3.0], [8.0], [9.0]]))[:, 0]
    expected = [[0, 0, 0, 0], [0.5, 0, 0, 0], [1, 1, 0.5, 0], [1, 1, 1, 1], [1, 1, 1, 1]]
    torch.testing.assert_close(seen, torch.tensor(expected))


def test_equal_quantiles_are_one_knot_and_columns_do_not_mix():
    flag = torch.tensor([0.0] * 90 + [1.0] * 10)
    values = torch.stack([torch.linspace(-1, 1, 100), flag, torch.full((100,), 2.0)], dim=1)
    seen = ramps(embedding(values, bins=4), values)
    assert torch.equal(seen[:, 1], torch.cat([flag[:, None], torch.zeros(100, 3)], dim=1))
    assert (seen[:, 2] == 0).all(), "a column with one value has no piece"
    torch.testing.assert_close(seen[:, 0].sum(dim=1), torch.linspace(0, 4, 100))


def test_an_embedded_number_starts_as_a_line():
    values = torch.randn(100, 2)
    numbers = embedding(values, bins=8)
    line, offset = numbers.weight[0, :, 0], numbers.bias[0, :, 0]
    embedded = numbers(values[None])[0].unflatten(1, (2, 2))
    torch.testing.assert_close(embedded, values[:, :, None] * line + offset)


def test_an_embedded_number_is_continuous_and_linear_between_knots():
    values = torch.randn(300, 1)
    numbers = embedding(values, bins=5)
    with torch.no_grad():
        numbers.weight.normal_()
        at = torch.linspace(-4, 4, 8001)[:, None]
        embedded = numbers(at[None])[0].double()
    knots = torch.from_numpy(np.quantile(values.double().numpy(), np.linspace(0, 1, 6)))
    bends = embedded.diff(dim=0).diff(dim=0).abs().amax(dim=1)
    assert embedded.diff(dim=0).abs().max() < 0.1
    bent = at[1:-1][bends > 1e-4].double().flatten()
    assert all((knots - place).abs().min() < 2e-3 for place in bent)
    assert all((bent - knot).abs().min() < 2e-3 for knot in knots)


def test_values_that_differ_by_the_last_bit_give_numbers():
    tiny = torch.tensor([0.0, 1e-45, 2e-45, 3e-38, 1.0, 1.0 + 2**-23])
    values = tiny.repeat(20)[:, None]
    numbers = embedding(values, bins=16)
    assert ramps(numbers, values).isfinite().all()


def test_bits_of_an_embedding_do_not_depend_on_the_columns_embedded_at_once(monkeypatch):
    values = torch.randn(64, 7)
    numbers, three = embedding(values, 4).eval(), values[None].expand(3, -1, -1)
    whole = numbers(three)
    monkeypatch.setattr("lepton_pipeline.model.networks.members.CELLS", 3 * 64 * 5 * 2)
    assert torch.equal(numbers(three), whole)
