"""The torch module: embeddings beside the numeric inputs, hidden layers, one logit."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from lepton_pipeline.features.column_encoders import FIRST_CATEGORY
from lepton_pipeline.model.architecture import Architecture

# Rows of a forward pass outside training, always: BLAS picks its kernel, and so the order of sums, by the shape.
BLOCK = {"cpu": 1024, "cuda": 65536}


class Network(nn.Module):
    """A multilayer perceptron over numbers and category codes.

    Args:
        architecture: its shape; weights are drawn from torch's global generator.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        pairs = zip(architecture.category_levels, architecture.embedding_sizes, strict=True)
        self.embeddings = nn.ModuleList(_embedding(levels, size) for levels, size in pairs)
        widths = [architecture.numeric + sum(architecture.embedding_sizes)] + [architecture.width] * architecture.layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.dropout = nn.Dropout(architecture.dropout)
        self.output = nn.Linear(widths[-1], 1)

    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """Compute logits [n] from numeric inputs [n, numeric] and category codes [n, categories]."""
        parts = [numeric, *(embed(codes[:, i]) for i, embed in enumerate(self.embeddings))]
        units = torch.cat(parts, dim=1)
        for layer in self.hidden:
            units = self.dropout(torch.relu(layer(units)))
        logits: Tensor = self.output(units).squeeze(1)
        return logits

    def parameter_groups(self, weight_decay: float) -> list[dict[str, object]]:
        """Split the parameters for AdamW: only weights of linear layers decay, biases and embeddings do not."""
        decaying = [layer.weight for layer in (*self.hidden, self.output)]
        others = [layer.bias for layer in (*self.hidden, self.output)] + [embed.weight for embed in self.embeddings]
        return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def block_logits(network: nn.Module, numeric: Tensor, codes: Tensor) -> Tensor:
    """Compute logits, float64 [n], outside training; the bits of a row do not depend on the other rows."""
    return torch.cat(_blocks(network, numeric, codes))[: len(numeric)]


def block_probabilities(network: nn.Module, numeric: Tensor, codes: Tensor) -> Tensor:
    """Compute probabilities of the positive class, float64 [n], in the same way."""
    # Block by block: the last few values of an odd length take the sigmoid's scalar path, which has other bits.
    return torch.cat([torch.sigmoid(block) for block in _blocks(network, numeric, codes)])[: len(numeric)]


@torch.no_grad()
def _blocks(network: nn.Module, numeric: Tensor, codes: Tensor) -> list[Tensor]:
    """Compute logits in blocks of one shape, the last one filled up with zeros."""
    network.eval()
    size = BLOCK[numeric.device.type]
    filling = -len(numeric) % size
    numeric = torch.cat([numeric, numeric.new_zeros(filling, numeric.shape[1])])
    codes = torch.cat([codes, codes.new_zeros(filling, codes.shape[1])])
    return [network(*pair).double() for pair in zip(torch.split(numeric, size), torch.split(codes, size), strict=True)]


def _embedding(levels: int, size: int) -> nn.Embedding:
    embedding = nn.Embedding(levels, size)
    nn.init.normal_(embedding.weight, std=size**-0.5)
    # Training may hold no missing or unseen value: they start, and then stay, at the middle of the categories.
    nn.init.zeros_(embedding.weight.data[:FIRST_CATEGORY])
    return embedding
