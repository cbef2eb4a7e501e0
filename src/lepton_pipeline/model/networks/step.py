"""One pass over the training rows; on a CUDA card, by replaying a captured graph of the step."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from lepton_pipeline.model.networks import defaults
from lepton_pipeline.model.networks.group import ALONE, Group
from lepton_pipeline.model.networks.network import Network
from lepton_pipeline.parameters import Training
from lepton_pipeline.tasks.task import Task

logger = logging.getLogger(__name__)
GRADIENT_NORM = 1.0
# Steps before a graph is captured: libraries choose their kernels and allocate workspaces in the first ones.
_WARM_UP = 3


@dataclass(frozen=True)
class Rows:
    """Rows as tensors on one device: float32 numbers and int32 codes, [n, inputs], `Task.targets` [n].

    `weights`, float32 [n], say how much each counts; None for equal ones.
    """

    numeric: Tensor
    codes: Tensor
    targets: Tensor
    weights: Tensor | None = None


class Step:
    """Takes optimisation steps of several networks side by side, in place.

    AdamW on the mean loss of all members; the gradient of each network is clipped by its own norm, so
    that networks stay independent. `weights` are those of rows by network, float32 [networks, n].
    Each rank of a `group` takes its part of a step's rows; their gradients are added up.

    With `Task.averaged`, `averaged` has the mean of the weights after each step, from an epoch's length on with
    exponential weights: what a learning rate that falls would end at, known after every epoch (Polyak and Juditsky,
    "Acceleration of stochastic approximation by averaging", 1992). Else it is the network itself.
    """

    def __init__(
        self,
        network: Network,
        task: Task,
        rows: Rows,
        training: Training,
        batch_size: int,
        weights: Tensor | None = None,
        group: Group = ALONE,
    ) -> None:
        self.network, self.task, self.rows = network, task, rows
        self.batch_size, self.weights, self.group = batch_size, weights, group
        device = rows.targets.device
        self.cuda = device.type == "cuda"
        self.rate = training.learning_rate or defaults.learning_rate(batch_size, averaged=task.averaged)
        self.optimizer = torch.optim.AdamW(
            network.parameter_groups(training.weight_decay),
            lr=self.rate,
            fused=True,
            capturable=self.cuda,
        )
        self.precision = training.precision
        whole = torch.zeros(network.networks, batch_size, dtype=torch.int64, device=device)
        self.batch = group.part(whole, 1).contiguous()
        self.share = self.batch.shape[1] / batch_size
        self.losses = torch.zeros(network.networks, dtype=torch.float64, device=device)
        self.parameters: list[Tensor] = [value for value in network.parameters() if value.requires_grad]
        self.averaged, self.taken = copy.deepcopy(network) if task.averaged else network, 0
        self.means: list[Tensor] = [value for value in self.averaged.parameters() if value.requires_grad]
        # An exchange between ranks is not captured.
        self.wants_graph = self.cuda and training.cuda_graph and group.alone
        self.graph: torch.cuda.CUDAGraph | None = None

    def run(self, order: Tensor) -> Tensor:
        """Pass over rows in an order [networks, steps * batch_size]; mean losses, float64 [networks].

        The host does not wait for the device.
        """
        self.network.train()
        self.losses.zero_()
        batches = torch.split(order, self.batch_size, dim=1)
        if self.wants_graph and self.graph is None and len(batches) > _WARM_UP:
            self._warm_up(batches[:_WARM_UP])
            self._capture()
            batches = batches[_WARM_UP:]
        epoch = order.shape[1] // self.batch_size
        with _without_denormals():
            for batch in batches:
                self.batch.copy_(self.group.part(batch, 1))
                (self._step if self.graph is None else self.graph.replay)()
                self.taken += 1
                if self.averaged is not self.network:
                    self._average(1 / min(self.taken, epoch))
        self.group.add([self.losses])
        return self.losses * self.batch_size / order.shape[1]

    @torch.no_grad()
    def _average(self, weight: float) -> None:
        for mean, value in zip(self.means, self.parameters, strict=True):
            mean.lerp_(value, weight)

    def _step(self) -> None:
        self.optimizer.zero_grad()
        self._learn()

    def _learn(self) -> None:
        """Take one step on the rows of `self.batch` with cleared gradients; can be captured."""
        rows, batch = self.rows, self.batch
        half = self.precision == "bf16"
        with torch.autocast(self.batch.device.type, dtype=torch.bfloat16, enabled=half):
            outputs = self.network(take(rows.numeric, batch), take(rows.codes, batch))
        each = self.task.losses(outputs.float(), take(rows.targets, batch))
        if self.weights is not None:
            each = each * self.weights.gather(1, batch).unsqueeze(2)
        losses = each.mean(dim=(1, 2))
        if not self.group.alone:
            losses = losses * self.share
        torch.autograd.backward(losses.sum())
        self.group.add([value.grad for value in self.parameters if value.grad is not None])
        clip_gradients(self.parameters)
        self.optimizer.step()
        self.losses += losses.detach()

    def _warm_up(self, batches: Iterable[Tensor]) -> None:
        """Take steps on a side stream, as a later capture does."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # as torch declares it
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for batch in batches:
                self.batch.copy_(batch)
                self._step()
        torch.cuda.current_stream().wait_stream(stream)

    def _capture(self) -> None:
        """Record one step as a graph; if that fails, log it and go on without."""
        graph = torch.cuda.CUDAGraph()
        # The recorded backward pass then overwrites gradients at every replay.
        self.optimizer.zero_grad()
        try:
            # What is captured is not computed, so no step is taken twice.
            with torch.cuda.graph(graph):
                self._learn()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.wants_graph = False
            self.optimizer.zero_grad()
            logger.warning(
                "the training step cannot be captured (%s); it runs without a CUDA graph, slower", error
            )
            return
        self.graph = graph


@contextmanager
def _without_denormals() -> Iterator[None]:
    """Flush denormals to zero on the CPU inside the block.

    AdamW's averages of units without activation sink below 1e-38 within a thousand steps; a perceptron's
    third epoch took half as long again.
    """
    already = float(torch.full((), 1e-40) * 1) == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(already)


def take(values: Tensor, batch: Tensor) -> Tensor:
    """`values[batch]` for [n, ...] and [networks, rows], several times as fast on a CPU."""
    return values.index_select(0, batch.flatten()).view(*batch.shape, *values.shape[1:])


@torch.no_grad()
def clip_gradients(parameters: Iterable[Tensor]) -> None:
    """Clip the gradient norm of every network, the first dimension of all parameters, to 1."""
    gradients = [value.grad for value in parameters if value.grad is not None]
    norm = torch.linalg.vector_norm
    norms = torch.stack([norm(gradient, dim=tuple(range(1, gradient.dim()))) for gradient in gradients])
    factor = (GRADIENT_NORM / (norm(norms, dim=0) + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, *[1] * (gradient.dim() - 1)))
