"""The least time that a card needs for an epoch, from what it must compute and what it must move.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore architectures",
Communications of the ACM 52 (2009): no program is faster than its operations over the rate of operations, nor than its
bytes over the bandwidth of memory.

A row of the table passes these operations, for tables of numbers without categories:

- Every matrix product from i to o numbers costs 2 i o operations forwards, as many for the gradient of its weights, and
  as many for the gradient of its inputs, unless these are the data. Each of the three reads or writes the i and the o
  numbers of the row once. A perceptron has `layers` products and one for the output. The default model has a product
  for each column's embedding, one for the first layers of all members together, and one a member for each layer behind.
- A hidden unit is activated: two passes over it forwards and three backwards (`relu` reads and writes; its gradient
  reads two and writes one). Dropout adds two and two, and three over the mask that members share. The pieces of the
  embedded numbers are written once. Where these passes are fused into the products, they cost nothing: that is the
  fused bound, which no epoch of separate layers can pass; the roofline counts them, as torch runs them one by one.
- The row is gathered: its numbers and its label, four bytes each, are read and written, its place in the order three
  times.

A step moves for every parameter what AdamW does (weight, gradient and two averages read, all but the gradient written:
28 bytes), the weight read twice and its gradient written by the products, and the gradient read for its norm (4 bytes).
Not fused, the gradient is read and written once more to be clipped (8 bytes), and where products are in bf16 the weight
and its gradient are converted (6 bytes each).
"""

from __future__ import annotations

from dataclasses import dataclass

from lepton_pipeline.model.networks.shape import Shape

_ACTIVATION_PASSES, _DROPOUT_PASSES, _MASK_PASSES = 5, 4, 3


@dataclass(frozen=True)
class Product:
    """Matrix products that every row passes.

    Attributes:
        inputs: numbers of a row that go in.
        outputs: numbers that come out.
        count: how many such products.
        of_data: whether the inputs are data, which need no gradient.
    """

    inputs: int
    outputs: int
    count: int = 1
    of_data: bool = False

    @property
    def times(self) -> int:
        """How often it is computed in a step: forwards, and for its gradients."""
        return self.count * (2 if self.of_data else 3)


@dataclass(frozen=True)
class Work:
    """What an epoch must do.

    Attributes:
        operations: multiplications and additions of matrix products.
        moved: bytes read from and written to memory, operation by operation.
        moved_fused: the same with everything between products fused into them.
    """

    operations: float
    moved: float
    moved_fused: float


@dataclass(frozen=True)
class Card:
    """What a card does at most, as measured.

    Attributes:
        name: of the card.
        bandwidth: bytes a second, read and written together, of a large copy.
        rate: operations a second of a large matrix product in the precision of the training.
    """

    name: str
    bandwidth: float
    rate: float

    def least_seconds(self, work: Work, fused: bool = False) -> float:
        """The roofline's time, or the fused bound."""
        return max(work.operations / self.rate, (work.moved_fused if fused else work.moved) / self.bandwidth)


def products(model: str, shape: Shape) -> list[Product]:
    """The matrix products of an architecture, "mlp" or "default"."""
    members, width, hidden = shape.members, shape.width, shape.layers - 1
    if model == "mlp":
        first = Product(shape.numeric, width, of_data=True)
        return [first, *[Product(width, width)] * hidden, Product(width, 1)]
    if model == "default":
        return [
            Product(1 + shape.bins, shape.embedding, count=shape.numeric, of_data=True),
            Product(shape.numeric * shape.embedding, members * width),
            *[Product(width, width, count=members)] * hidden,
            Product(width, 1, count=members),
        ]
    raise ValueError(f"the products of model {model!r} are not known; choose mlp or default.")


def epoch_work(
    model: str, shape: Shape, parameters: int, rows: int, batch_size: int, number_bytes: int
) -> Work:
    """Count what an epoch must do; see the head of the module.

    Args:
        model: "mlp" or "default".
        shape: of the network, without categories.
        parameters: of the network.
        rows: of the table; those by which the last batch is filled up are no work that must be done.
        batch_size: rows a step.
        number_bytes: of a number in products: 2 for bf16, 4 for fp32 and tf32.
    """
    if shape.category_levels:
        raise ValueError(
            f"only tables of numbers are counted, this one has {len(shape.category_levels)} categories."
        )
    all_products = products(model, shape)
    numbers = sum(product.times * (product.inputs + product.outputs) for product in all_products)
    gathered = 2 * 4 * (shape.numeric + 1) + 3 * 8
    steps = -(-rows // batch_size)
    weights = 28 + 4 + 3 * number_bytes
    separate_weights = weights + 8 + (12 if number_bytes == 2 else 0)
    row_fused = number_bytes * numbers + gathered
    row = row_fused + number_bytes * _between_products(model, shape)
    return Work(
        operations=rows
        * sum(product.times * 2 * product.inputs * product.outputs for product in all_products),
        moved=rows * row + steps * parameters * separate_weights,
        moved_fused=rows * row_fused + steps * parameters * weights,
    )


def _between_products(model: str, shape: Shape) -> int:
    """Numbers a row that are read or written by what is done element by element."""
    members = shape.members if model == "default" else 1
    shared = shape.layers * shape.width
    passes = _ACTIVATION_PASSES * members
    if shape.dropout:
        passes += _DROPOUT_PASSES * members + _MASK_PASSES
    pieces = shape.numeric * (1 + shape.bins) if model == "default" else 0
    return shared * passes + pieces
