"""Reference networks: a multilayer perceptron, and a linear model."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from lepton_pipeline.model.networks.network import CategoryTable, Network, linear, shared_dropout
from lepton_pipeline.model.networks.shape import Shape


class Perceptron(Network):
    """A multilayer perceptron over numbers and embedded categories; one member, no bins."""

    def __init__(self, shape: Shape, networks: int = 1) -> None:
        super().__init__(shape, networks)
        self.categories = CategoryTable(shape.category_levels, shape.embedding, networks)
        inputs = shape.numeric + len(shape.category_levels) * shape.embedding
        widths = [inputs, *[shape.width] * shape.layers, shape.outputs]
        layers = [linear(networks, *pair) for pair in pairwise(widths)]
        self.weights = nn.ParameterList(weight for weight, _ in layers)
        self.biases = nn.ParameterList(bias for _, bias in layers)

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """See `Network.forward`."""
        units = numeric
        if self.shape.category_levels:
            units = torch.cat([numeric, self.categories(codes)], dim=2)
        *hidden, (weight_out, bias_out) = zip(self.weights, self.biases, strict=True)
        for weight, bias in hidden:
            units = torch.relu_(torch.baddbmm(bias, units, weight)).unsqueeze(2)
            units = shared_dropout(units, self.shape.dropout, self.training).squeeze(2)
        return torch.baddbmm(bias_out, units, weight_out).unsqueeze(2)

    def decaying(self) -> Iterator[nn.Parameter]:
        """See `Network.decaying`."""
        yield from self.weights


class Linear(Network):
    """Logistic or linear regression by gradient descent, one weight a number and one a category; one member."""

    def __init__(self, shape: Shape, networks: int = 1) -> None:
        super().__init__(shape, networks)
        self.categories = CategoryTable(shape.category_levels, shape.outputs, networks)
        nn.init.zeros_(self.categories.weight)
        self.weight = nn.Parameter(torch.zeros(networks, shape.numeric, shape.outputs))
        self.bias = nn.Parameter(torch.zeros(networks, 1, shape.outputs))

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """See `Network.forward`."""
        networks, n, _ = numeric.shape
        of_categories: Tensor = self.categories(codes).view(networks, n, -1, self.shape.outputs).sum(dim=2)
        return (torch.baddbmm(self.bias, numeric, self.weight) + of_categories).unsqueeze(2)

    def decaying(self) -> Iterator[nn.Parameter]:
        """See `Network.decaying`."""
        yield self.weight
