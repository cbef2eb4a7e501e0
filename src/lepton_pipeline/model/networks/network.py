"""Base of every architecture: several networks side by side in one torch module, each with members."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from importlib import import_module

import torch
from torch import Tensor, nn

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.features.column_encoders import FIRST_CATEGORY
from lepton_pipeline.model.networks.shape import Shape
from lepton_pipeline.parameters import MODELS

# Rows of a forward pass outside training, always: BLAS picks its kernel, and so the order of sums, by the
# shape. Small, as a request of one row pays for a whole block.
BLOCK = 64
# On a card, blocks are as large as this many numbers in the widest layer, for each network.
_NUMBERS_ON_A_CARD = 2**26


class Network(nn.Module, ABC):
    """Several independent networks of one shape over numbers and category codes.

    Every parameter has the networks as its first dimension, so one product a layer serves all of them.
    """

    def __init__(self, shape: Shape, networks: int = 1) -> None:
        super().__init__()
        self.shape = shape
        self.networks = networks

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return next(self.parameters()).device

    @abstractmethod
    def forward(self, numeric: Tensor, codes: Tensor) -> Tensor:
        """Outputs [networks, n, members, outputs] of numbers and codes, [networks, n, columns] each.

        Outputs are logits, or what is predicted; `Shape.outputs` is their number.
        """

    @abstractmethod
    def decaying(self) -> Iterator[nn.Parameter]:
        """Parameters with weight decay: weights of linear layers, not biases and embeddings."""

    def fit_inputs(self, numeric: Tensor) -> None:  # most architectures need no look
        """Set what is not learnt by gradient from training rows [n, numeric], before training."""

    def parameter_groups(self, weight_decay: float) -> list[dict[str, object]]:
        """Split the parameters for AdamW."""
        decaying = list(self.decaying())
        identities = {id(parameter) for parameter in decaying}
        others = [parameter for parameter in self.parameters() if id(parameter) not in identities]
        groups = [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
        return [group for group in groups if group["params"]]


def find_architecture(name: str) -> type[Network]:
    """Import the class of an architecture by its name in `training.model`: one of `MODELS`, or a class of one's own.

    Raises ConfigurationError if there is no such class, or it is no `Network`.
    """
    module, _, attribute = MODELS.get(name, name).partition(":")
    try:
        architecture = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"training.model: {name!r} needs the module {error.name!r}, which cannot be imported; put it below src, or "
            "install its package."
        ) from error
    except (AttributeError, ImportError, SyntaxError) as error:
        raise ConfigurationError(f"training.model: {name!r} cannot be imported: {error}.") from error
    if not (isinstance(architecture, type) and issubclass(architecture, Network)):
        raise ConfigurationError(
            f"training.model: {name!r} is no network; derive the class from {Network.__module__}:{Network.__name__}."
        )
    return architecture


def check_architecture(name: str) -> type[Network]:
    """Import an architecture and hold it to what `Network` promises, on two small networks.

    Raises ConfigurationError if it breaks a promise: the shape of parameters and outputs, networks that do not see
    each other, rows that do not see each other outside training, weights that can be restored.
    """
    architecture = find_architecture(name)
    shape = Shape(2, (4,), members=2, bins=3, embedding=2, layers=1, width=4, dropout=0.5, outputs=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        numeric, codes = torch.randn(2, 6, 2), torch.randint(0, 4, (2, 6, 1), dtype=torch.int32)
        try:
            network = architecture(shape, 2)
            network.fit_inputs(numeric[0])
            broken = _broken_promise(network, numeric, codes)
            alone = architecture(shape)
            own = {each for each, _ in network.named_parameters()}
            state = {
                each: value[:1] if each in own else value for each, value in network.state_dict().items()
            }
            alone.load_state_dict(state)
        except Exception as error:  # whatever a class of the user's raises
            broken = f"fails with {type(error).__name__}: {' '.join(str(error).split())}"
    if broken:
        raise ConfigurationError(
            f'training.model: {name!r} {broken}; see docs/model.md, "Add an architecture".'
        )
    return architecture


def _broken_promise(network: Network, numeric: Tensor, codes: Tensor) -> str:
    """What two networks of an architecture get wrong, or nothing."""
    parameters = dict(network.named_parameters())
    if strange := [name for name, value in parameters.items() if value.shape[:1] != (2,)]:
        return f"has a parameter {strange[0]!r} of another first dimension than the networks"
    known = {id(value) for value in parameters.values()}
    if any(id(value) not in known for value in network.decaying()):
        return "lets weights decay that are no parameters of it"
    outputs, wanted = network(numeric, codes), network.shape.outputs
    if (
        outputs.dim() != 4
        or outputs.shape[:2] != (2, 6)
        or not outputs.shape[2]
        or outputs.shape[3] != wanted
    ):
        return f"gives outputs of shape {list(outputs.shape)}, not [networks, rows, members, outputs]"
    torch.autograd.backward(outputs[0].sum())
    if any(value.grad is not None and bool(value.grad[1].any()) for value in parameters.values()):
        return "lets one network learn from another"
    if not any(value.grad is not None and bool(value.grad[0].any()) for value in parameters.values()):
        return "learns nothing: no parameter has a gradient"
    network.eval()
    with torch.no_grad():
        whole = network(numeric, codes)
        if not torch.equal(network(numeric, codes), whole):
            return "draws numbers outside training"
        changed = numeric.clone()
        changed[:, 3:] += 1
        if not torch.equal(network(changed, codes)[:, :3], whole[:, :3]):
            return "lets a row's outputs depend on other rows outside training"
    return ""


class CategoryTable(nn.Module):
    """Embeddings of all category columns in one table, so that one look-up serves any number of columns."""

    def __init__(self, levels: tuple[int, ...], size: int, networks: int) -> None:
        super().__init__()
        starts = torch.tensor([0, *levels]).cumsum(0)
        self.rows = int(starts[-1])
        self.starts: Tensor
        self.first_rows: Tensor
        self.register_buffer("starts", starts[:-1], persistent=False)
        first_rows = torch.arange(networks)[:, None, None] * self.rows
        self.register_buffer("first_rows", first_rows, persistent=False)
        self.weight = nn.Parameter(torch.empty(networks, self.rows, size))
        nn.init.normal_(self.weight, std=size**-0.5)
        with torch.no_grad():
            # Without training rows, missing and unseen values stay at the middle of the categories.
            for start in starts[:-1].tolist():
                self.weight[:, start : start + FIRST_CATEGORY] = 0

    def forward(self, codes: Tensor) -> Tensor:
        """Look up codes [networks, n, columns] as numbers [networks, n, columns * size]."""
        networks, n, _ = codes.shape
        rows = codes + self.starts + self.first_rows
        return nn.functional.embedding(rows, self.weight.flatten(0, 1)).reshape(networks, n, -1)


def linear(networks: int, inputs: int, outputs: int) -> tuple[nn.Parameter, nn.Parameter]:
    """Draw weight [networks, inputs, outputs] and bias [networks, 1, outputs] as `nn.Linear` does."""
    bound = max(inputs, 1) ** -0.5
    weight = torch.empty(networks, inputs, outputs).uniform_(-bound, bound)
    bias = torch.empty(networks, 1, outputs).uniform_(-bound, bound)
    return nn.Parameter(weight), nn.Parameter(bias)


def shared_dropout(units: Tensor, dropout: float, training: bool) -> Tensor:
    """Drop the same units [networks, n, members, width] in all members, which saves a quarter of a step.

    Four 16-bit masks are cut from every drawn integer, on a CPU four times as fast as `bernoulli_`; the
    dropped fraction is the nearest of 65,536 values.
    """
    if not training or dropout == 0:
        return units
    dropped = min(round(dropout * 2**16), 2**16 - 1)
    shape = units[:, :, :1].shape
    bits = torch.empty(-(-shape.numel() // 4), dtype=torch.int64, device=units.device).random_(-(2**63), None)
    kept = bits.view(torch.int16)[: shape.numel()].view(shape) >= dropped - 2**15
    return units * (kept.to(units.dtype) * (2**16 / (2**16 - dropped)))


@torch.no_grad()
def combine_blocks(
    network: Network, numeric: Tensor, codes: Tensor, combine: Callable[[Tensor], Tensor]
) -> Tensor:
    """Combine the members' outputs, see `Task.combine`, block by block; a row's bits are its own.

    Inputs are float32 [networks, n, numeric] and integers [networks, n, codes] on the network's device, or
    [1, n, ...] for the same rows in every network. Returns float64 [networks, n], or [networks, n, outputs].
    """
    network.eval()
    n = numeric.shape[1]
    size = _block(network, n) if numeric.is_cuda else BLOCK
    # No row at all is a block of padding, which says what the result looks like.
    padding = -n % size if n else size
    numeric, codes = (nn.functional.pad(rows, (0, 0, 0, padding)) for rows in (numeric, codes))
    combined = torch.empty(0)
    for start in range(0, numeric.shape[1], size):
        block = slice(start, start + size)
        outputs = network(*(rows[:, block].expand(network.networks, -1, -1) for rows in (numeric, codes)))
        part = combine(outputs)
        if not start:
            # One tensor, filled: many small ones, kept until the end, would break the memory between them
            # to pieces.
            shape = network.networks, numeric.shape[1], *part.shape[2:]
            combined = torch.empty(shape, dtype=torch.float64, device=numeric.device)
        combined[:, block] = part
    return combined[:, :n]


def _block(network: Network, n: int) -> int:
    """Rows of a block on a card: a power of two, limited by the rows and by the widest layer."""
    shape = network.shape
    inputs = (shape.numeric + len(shape.category_levels)) * (1 + shape.bins) * shape.embedding
    widest = network.networks * max(inputs, shape.members * shape.width)
    return int(2 ** max(6, min((n - 1).bit_length(), (_NUMBERS_ON_A_CARD // widest).bit_length() - 1)))
