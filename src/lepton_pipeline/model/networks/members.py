"""The default network: piecewise-linear embeddings, and members that share weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from lepton_pipeline.model.networks.network import CategoryTable, Network, linear, shared_dropout
from lepton_pipeline.model.networks.shape import Shape

# Numbers of an embedding held at once when rows are scored: they fit a processor's cache.
CELLS = 1 << 18


class Members(Network):
    """Members with their own input scales and output layer, and shared layers between.

    "TabM-mini" of Gorishniy, Kotelnikov and Babenko, "TabM: Advancing tabular deep learning with
    parameter-efficient ensembling", ICLR 2025. The members' mean probability is better than any of them.
    """

    def __init__(self, shape: Shape, networks: int = 1) -> None:
        super().__init__(shape, networks)
        columns = shape.numeric + len(shape.category_levels)
        inputs, members, width = columns * shape.embedding, shape.members, shape.width
        self.numbers = PiecewiseLinear(shape.numeric, shape.bins, shape.embedding, networks)
        self.categories = CategoryTable(shape.category_levels, shape.embedding, networks)
        # One scale a column, not one an input: a member sees a whole value, scaled or mirrored.
        draw = torch.randn if members > 1 else torch.ones
        scales = draw(networks, columns, members)
        self.scales = nn.Parameter(scales.repeat_interleave(shape.embedding, dim=1))
        self.first_weight, self.first_bias = linear(networks, inputs, width)
        hidden = [linear(networks, width, width) for _ in range(shape.layers - 1)]
        self.weights = nn.ParameterList(weight for weight, _ in hidden)
        self.biases = nn.ParameterList(bias for _, bias in hidden)
        bound = width**-0.5
        outputs = shape.outputs
        weight = torch.empty(networks, outputs, members, width).uniform_(-bound, bound)
        self.output_weight = nn.Parameter(weight)
        self.output_bias = nn.Parameter(torch.empty(networks, outputs, members).uniform_(-bound, bound))
        if shape.margins:
            self.margins: Tensor
            self.register_buffer("margins", torch.tensor(shape.margins), persistent=False)
            self.gains = nn.Parameter(torch.ones(networks, len(shape.margins) // outputs))

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """See `Network.forward`."""
        networks, n, _ = numeric.shape
        members, width = self.shape.members, self.shape.width
        inputs = torch.cat([self.numbers(numeric), self.categories(codes)], dim=2)
        # Scaling the weights rather than the inputs makes the first layers of all members one product.
        scaled = (self.scales[:, :, :, None] * self.first_weight[:, :, None, :]).flatten(2)
        units = (inputs @ scaled).view(networks, n, members, width) + self.first_bias[:, :, None]
        units = shared_dropout(torch.relu(units), self.shape.dropout, self.training)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            units = torch.baddbmm(bias, units.view(networks, n * members, width), weight)
            units = units.view(networks, n, members, width)
            units = shared_dropout(torch.relu(units), self.shape.dropout, self.training)
        if self.shape.outputs == 1:
            return ((units * self.output_weight).sum(dim=3) + self.output_bias).unsqueeze(3)
        # A product for each network and member.
        each = units.transpose(1, 2) @ self.output_weight.permute(0, 2, 3, 1)
        outputs = each.transpose(1, 2) + self.output_bias.transpose(1, 2).unsqueeze(1)
        if not self.shape.margins:
            return outputs
        # What is learnt is added to the margins: with few rows of many classes, a network that starts from
        # nothing does not find out what each of them means.
        given = numeric[:, :, self.margins].view(networks, n, -1, self.shape.outputs)
        return outputs + (given * self.gains[:, None, :, None]).sum(dim=2, keepdim=True)

    def decaying(self) -> Iterator[nn.Parameter]:
        """See `Network.decaying`."""
        yield from (self.scales, self.first_weight, *self.weights, self.output_weight)

    def fit_inputs(self, numeric: Tensor) -> None:
        """Set the knots by training rows."""
        self.numbers.fit_inputs(numeric)


class PiecewiseLinear(nn.Module):
    """Embed a number as a line plus a piecewise-linear function of it, with training quantiles as knots.

    Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep learning", NeurIPS
    2022; the line and the start at zero are "version B" of `rtdl_num_embeddings`, from the TabM paper. The
    knots are the same for all networks.
    """

    def __init__(self, columns: int, bins: int, size: int, networks: int) -> None:
        super().__init__()
        self.lower: Tensor
        self.slopes: Tensor
        self.register_buffer("lower", torch.zeros(columns, 1, bins))
        # 0 where a column has fewer pieces: a ramp that never rises.
        self.register_buffer("slopes", torch.zeros(columns, 1, bins))
        weight = torch.zeros(networks, columns, 1 + bins, size)
        bound = size**-0.5
        weight[:, :, 0] = torch.empty(networks, columns, size).uniform_(-bound, bound)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.empty(networks, columns, 1, size).uniform_(-bound, bound))

    def fit_inputs(self, numeric: Tensor) -> None:
        """Place the knots at quantiles of training rows [n, columns]; equal quantiles are one knot."""
        bins = self.lower.shape[2]
        steps = np.linspace(0, 1, bins + 1)
        for column, values in enumerate(numeric.cpu().numpy().T.astype(np.float64)):
            # Told apart as float32, as values are: knots that differ by less would be a step.
            knots = np.unique(np.quantile(values, steps).astype(np.float32))
            widths = np.maximum(np.diff(knots), np.finfo(np.float32).tiny)
            self.lower[column, 0, : len(widths)] = torch.from_numpy(knots[:-1])
            self.slopes[column, 0, : len(widths)] = torch.from_numpy(1 / widths)

    def forward(self, numeric: Tensor) -> Tensor:
        """Embed numbers [networks, n, columns] as [networks, n, columns * size]."""
        value = numeric.transpose(1, 2).unsqueeze(3)
        pieces = self.weight.shape[2]
        if self.training or value.numel() * pieces <= CELLS:
            return self._embed(value, slice(None)).transpose(1, 2).flatten(2)
        # Column by column bits stay, and what is between is not written to memory and read again.
        step = max(1, CELLS // (len(value) * value.shape[2] * pieces))
        starts = range(0, value.shape[1], step)
        parts = [self._embed(value, slice(start, start + step)) for start in starts]
        return torch.cat(parts, dim=1).transpose(1, 2).flatten(2)

    def _embed(self, value: Tensor, columns: slice) -> Tensor:
        """Embed some columns of [networks, columns, n, 1]."""
        some = value[:, columns]
        ramps = ((some - self.lower[columns]) * self.slopes[columns]).clamp(0, 1)
        return torch.cat([some, ramps], dim=3) @ self.weight[:, columns] + self.bias[:, columns]
