"""Fit networks: side by side on a card, one after the other on a CPU.

Rows are tensors on the device, batches slices of a permutation made there.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lepton_pipeline.errors import ConfigurationError, DivergedError
from lepton_pipeline.model.folds import Fold
from lepton_pipeline.model.networks import defaults
from lepton_pipeline.model.networks.group import ALONE, Group
from lepton_pipeline.model.networks.network import Network, combine_blocks, find_architecture
from lepton_pipeline.model.networks.shape import Epoch, Shape
from lepton_pipeline.model.networks.step import Rows, Step
from lepton_pipeline.parameters import Training
from lepton_pipeline.system.device import reproducible
from lepton_pipeline.system.workers import Call, Steps
from lepton_pipeline.tasks.task import Task

logger = logging.getLogger(__name__)
# Quantiles of more rows are the same to the eye.
_ROWS_LOOKED_AT = 100_000

State = dict[str, npt.NDArray[Any]]
# Parameters, buffers and epochs.
Fitted = tuple[State, State, list[Epoch]]


def network_steps(spec: Spec, rows: Rows, folds: Sequence[Fold]) -> Steps:
    """Fit networks of one shape on folds of `rows`, with the same initial weights on every device.

    On a card all are fitted in the same steps; on a CPU each alone, so that a stopped network costs nothing
    and a small one fits the cache. Returns `Networks`; a `DivergedError` says that training diverged.
    """
    card = rows.targets.is_cuda
    fitted = yield [
        Call(fit_together, (spec, rows, together, number), here=card)
        for number, together in enumerate(side_by_side(folds, card=card))
    ]
    return join_networks(fitted)


@dataclass(frozen=True)
class Spec:
    """What networks are fitted to, and how; the precision of `training` is resolved."""

    shape: Shape
    task: Task
    training: Training


def side_by_side(folds: Sequence[Fold], *, card: bool) -> list[Sequence[Fold]]:
    """Folds whose networks are fitted in the same steps: all on a card, each alone on a CPU."""
    return [folds] if card else [[fold] for fold in folds]


@dataclass(frozen=True)
class Networks:
    """Weights of fitted networks by name, networks along their first dimension, on the CPU, and all epochs."""

    state: State
    epochs: list[Epoch]
    ranks: int = 1


def join_networks(fitted: Sequence[Fitted], ranks: int = 1) -> Networks:
    """Put networks together that so many ranks have fitted."""
    own, (same, *_) = [parameters for parameters, _, _ in fitted], [buffers for _, buffers, _ in fitted]
    state = {name: np.concatenate([each[name] for each in own]) for name in own[0]} | same
    return Networks(state, [epoch for *_, epochs in fitted for epoch in epochs], ranks)


def fit_together(
    spec: Spec,
    rows: Rows,
    folds: Sequence[Fold],
    first: int,
    on_epoch: Callable[[Epoch], None] | None,
    group: Group = ALONE,
) -> Fitted:
    """Parameters and buffers of networks that are fitted in the same steps, and their epochs.

    `first` numbers the first of them, for seeds. All ranks of a `group` get the same.
    """
    network, epochs = _fit_together(spec, rows, folds, first, on_epoch, group)
    arrays = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    names = {name for name, _ in network.named_parameters()}
    return (
        {name: array for name, array in arrays.items() if name in names},
        {name: array for name, array in arrays.items() if name not in names},
        epochs,
    )


def stack_states(network: Network, states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Put networks side by side; buffers are the same in all."""
    parameters = {name for name, _ in network.named_parameters()}
    return {
        name: torch.cat([state[name] for state in states]) if name in parameters else states[0][name]
        for name in states[0]
    }


def _fit_together(
    spec: Spec,
    rows: Rows,
    folds: Sequence[Fold],
    first: int,
    on_epoch: Callable[[Epoch], None] | None,
    group: Group,
) -> tuple[Network, list[Epoch]]:
    shape, training, device = spec.shape, spec.training, rows.targets.device
    architecture = find_architecture(training.model)
    positions = [(torch.from_numpy(fold.train), torch.from_numpy(fold.held_out)) for fold in folds]
    parts = [Part(train.to(device), held_out.to(device)) for train, held_out in positions]
    longest = max(len(part.train) for part in parts)
    size = training.batch_size or defaults.batch_size(longest)
    if size < group.size:
        raise ConfigurationError(
            f"a step of {size} rows cannot be divided over {group.size} ranks; declare fewer "
            "training.ranks.processes, or a larger training.batch_size."
        )
    training = training.model_copy(update={"seed": training.seed + first})
    with reproducible(training.seed, training.threads, device.type, training.precision):
        states = []
        for number in range(len(folds)):
            torch.manual_seed(training.seed + number)
            states.append(architecture(shape).state_dict())
        network = architecture(shape, len(folds))
        network.load_state_dict(stack_states(network, states))
        network.fit_inputs(rows.numeric[parts[0].train[:: -(-longest // _ROWS_LOOKED_AT)]].cpu())
        network.to(device)
        # Other processors round in another way.
        share_weights(network, group)
        if group.rank:
            # Ranks would drop the same units otherwise.
            torch.manual_seed(training.seed + (group.rank << 32))
        return network, fit(network, Lesson(spec.task, rows, parts, group), training, size, on_epoch, first)


def share_weights(network: Network, group: Group) -> None:
    """Give all ranks the parameters and buffers of the source."""
    values = list(network.state_dict().values())
    for kind in dict.fromkeys(value.dtype for value in values):
        group.share([value for value in values if value.dtype == kind])


@dataclass(frozen=True)
class Part:
    """Positions of one network's training rows, and of those that stop it, if any."""

    train: Tensor
    held_out: Tensor


@dataclass(frozen=True)
class Lesson:
    """What networks side by side learn: a task, on rows, with a part of them for each network.

    The ranks of the `group` learn it together.
    """

    task: Task
    rows: Rows
    parts: Sequence[Part]
    group: Group = ALONE


def fit(
    network: Network,
    lesson: Lesson,
    training: Training,
    batch_size: int,
    on_epoch: Callable[[Epoch], None] | None = None,
    first: int = 0,
) -> list[Epoch]:
    """Fit networks in place, side by side, and leave each with the weights of its best epoch.

    AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) on the members' mean
    loss; weights may be averaged, see `Step`. Each network stops on the loss of its own held-out rows, by its
    members' mean. The host waits for the device once an epoch. If a CUDA card has no memory for a step, the batch
    is halved.
    Epochs count networks from `first` + 1.
    Raises DivergedError if a loss is not finite, torch.OutOfMemoryError if no batch of two rows fits the card.
    """
    initial = {name: value.clone() for name, value in network.state_dict().items()}
    while True:
        try:
            return _fit(network, lesson, training, batch_size, on_epoch, first)
        except torch.OutOfMemoryError:
            # Other ranks wait in the same step, and cannot be called back.
            if batch_size < 4 or not lesson.group.alone:
                raise
            batch_size //= 2
            logger.warning(
                "the card has no memory for a step; starting again with %d rows a step (training.batch_size)",
                batch_size,
            )
        # Outside the handler: what its traceback holds on to would still fill the card.
        network.load_state_dict(initial)
        network.zero_grad()
        torch.cuda.empty_cache()


def _fit(
    network: Network,
    lesson: Lesson,
    training: Training,
    batch_size: int,
    on_epoch: Callable[[Epoch], None] | None,
    first: int,
) -> list[Epoch]:
    task, rows, parts, group = lesson.task, lesson.rows, lesson.parts, lesson.group
    generator = torch.Generator(rows.targets.device).manual_seed(training.seed)
    balanced = training.class_weight == "balanced"
    weights = [_weights(lesson, part.train, balanced) for part in parts]
    known = [each for each in weights if each is not None]
    step = Step(network, task, rows, training, batch_size, torch.stack(known) if known else None, group)
    longest = max(len(part.train) for part in parts)
    patience = training.patience or defaults.patience(longest, averaged=task.averaged)
    held_out = _HeldOut(lesson)
    best: list[Epoch | None] = [None] * len(parts)
    kept = {name: value.detach().clone() for name, value in network.named_parameters()}
    history: list[Epoch] = []
    for number in range(1, training.epochs + 1):
        order = torch.stack([_order(part.train, longest, batch_size, generator) for part in parts])
        figures = torch.stack([step.run(order), *held_out.measure(step.averaged)], dim=1)
        # All ranks stop at the same epoch, with the same weights.
        group.share([figures])
        for each in dict.fromkeys((network, step.averaged)):
            share_weights(each, group)
        for index, (loss, stop, figure) in enumerate(figures.tolist()):
            previous = best[index]
            if previous is not None and number - previous.number > patience and held_out.rows:
                continue
            if not math.isfinite(loss + (stop if held_out.rows else 0.0)):
                raise DivergedError(
                    f"training diverged: in epoch {number} the training loss was {loss:g} and that of "
                    f"held-out rows {stop:g}. Lower training.learning_rate (now {step.rate:g}), "
                    f"for instance to {step.rate / 10:g}."
                )
            # Without held-out rows the last epoch counts as the best.
            improved = previous is None or not stop >= previous.validation_loss
            epoch = Epoch(first + index + 1, number, loss, stop, figure, improved)
            history.append(epoch)
            if improved:
                best[index] = epoch
                for name, value in step.averaged.named_parameters():
                    kept[name][index] = value.detach()[index]
            if on_epoch is not None:
                on_epoch(epoch)
        if all(each is not None and number - each.number >= patience for each in best):
            break
    with torch.no_grad():
        for name, value in network.named_parameters():
            value.copy_(kept[name])
    return history


def _weights(lesson: Lesson, train: Tensor, balanced: bool) -> Tensor | None:
    """Weights of all rows, with mean 1 in the rows `train`; None for equal ones."""
    rows = lesson.rows
    weights = rows.weights
    if weights is not None:
        weights = weights / weights[train].mean()
    if not balanced:
        return weights
    classes = lesson.task.class_weights(rows.targets, train)
    return classes if weights is None else classes * weights


class _HeldOut:
    """Held-out rows of several networks (all or none have some), padded to one length."""

    def __init__(self, lesson: Lesson) -> None:
        rows, indices = lesson.rows, [part.held_out for part in lesson.parts]
        self.task, self.rows = lesson.task, max(len(index) for index in indices)
        self.group = lesson.group
        if not self.rows:
            return
        padded = torch.stack([_repeat(index, self.rows) for index in indices])
        self.numeric, self.codes = rows.numeric[padded], rows.codes[padded]
        weights = [None if rows.weights is None else rows.weights[index].double() for index in indices]
        self.judges = [
            (len(index), lesson.task.judge(rows.targets[index], weight))
            for index, weight in zip(indices, weights, strict=True)
        ]

    def measure(self, network: Network) -> tuple[Tensor, Tensor]:
        """Both figures of every network, float64 [networks], still on the device; NaN without rows."""
        if not self.rows:
            nothing = torch.full((network.networks,), math.nan, dtype=torch.float64, device=network.device)
            return nothing, nothing
        numeric, codes = (self.group.part(each, 1) for each in (self.numeric, self.codes))
        combined = self._gather(combine_blocks(network, numeric, codes, self.task.combine))
        both = [judge(each[:count]) for each, (count, judge) in zip(combined, self.judges, strict=True)]
        losses, figures = zip(*both, strict=True)
        return torch.stack(losses), torch.stack(figures)

    def _gather(self, part: Tensor) -> Tensor:
        """Results of all rows from those of each rank's part."""
        if self.group.alone:
            return part
        whole = part.new_zeros(part.shape[0], self.rows, *part.shape[2:])
        self.group.part(whole, 1).copy_(part)
        self.group.add([whole])
        return whole


def _order(rows: Tensor, longest: int, batch_size: int, generator: torch.Generator) -> Tensor:
    """Shuffle the rows of one network, repeated to the batches of the longest one."""
    shuffled = rows[torch.randperm(len(rows), generator=generator, device=rows.device)]
    return _repeat(shuffled, -(-longest // batch_size) * batch_size)


def _repeat(rows: Tensor, length: int) -> Tensor:
    return rows.repeat(-(-length // len(rows)))[:length]
