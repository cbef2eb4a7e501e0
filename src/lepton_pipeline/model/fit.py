"""The training loop: rows live on the device as tensors, batches are slices of a permutation made there."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lepton_pipeline.errors import LeptonError
from lepton_pipeline.model.epoch import Epoch
from lepton_pipeline.model.network import Network, block_logits
from lepton_pipeline.parameters import Training

GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Rows:
    """Rows as tensors on one device.

    Args:
        numeric: float32 [n, numeric inputs].
        codes: int32 [n, categorical inputs].
        labels: float32 [n], 0 or 1.
    """

    numeric: Tensor
    codes: Tensor
    labels: Tensor


def fit(
    network: Network,
    rows: Rows,
    validation: Rows,
    training: Training,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Fit `network` in place and leave it with the weights of its best epoch.

    AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019) on the log loss, early stopping on
    the validation log loss. The host waits for the device once an epoch.

    Args:
        network: on the device of the rows.
        rows: training rows.
        validation: validation rows; they decide when to stop and which epoch is best.
        training: step size, patience, batch size and so on.
        on_epoch: called after every epoch.

    Returns:
        One entry per epoch.

    Raises:
        LeptonError: a loss is not finite.
    """
    optimizer = torch.optim.AdamW(
        network.parameter_groups(training.weight_decay), lr=training.learning_rate, fused=rows.labels.is_cuda
    )
    generator = torch.Generator(rows.labels.device).manual_seed(training.seed)
    batch_size = training.batch_size or default_batch_size(len(rows.labels))
    # Found once: to select rows by a condition, the host would wait for the device in every epoch.
    sides = (validation.labels == 1).nonzero().squeeze(1), (validation.labels == 0).nonzero().squeeze(1)
    history: list[Epoch] = []
    best: Epoch | None = None
    weights: dict[str, Tensor] = {}
    for number in range(1, training.epochs + 1):
        start = perf_counter()
        order = torch.randperm(len(rows.labels), generator=generator, device=rows.labels.device)
        train_loss = _pass(network, optimizer, rows, torch.split(order, batch_size))
        figures = torch.stack([train_loss, *_validate(network, validation, *sides)])
        loss, log_loss, auc = figures.tolist()
        _check_finite(loss, log_loss, number, training)
        improved = best is None or log_loss < best.validation_log_loss
        epoch = Epoch(number, loss, log_loss, auc, improved, perf_counter() - start)
        history.append(epoch)
        if epoch.best:
            best, weights = epoch, {name: value.clone() for name, value in network.state_dict().items()}
        if on_epoch is not None:
            on_epoch(epoch)
        if best is not None and number - best.number >= training.patience:
            break
    network.load_state_dict(weights)
    return history


def default_batch_size(rows: int) -> int:
    """Choose the rows a step by the rows of the table: larger tables are passed faster, and need no noisier steps."""
    if rows < 32_000:
        return 256
    return 512 if rows <= 108_000 else 1024


def _pass(network: nn.Module, optimizer: torch.optim.Optimizer, rows: Rows, batches: tuple[Tensor, ...]) -> Tensor:
    """Take one step a batch and return the mean loss, float64, still on the device."""
    network.train()
    total = torch.zeros((), dtype=torch.float64, device=rows.labels.device)
    for batch in batches:
        loss = binary_cross_entropy_with_logits(network(rows.numeric[batch], rows.codes[batch]), rows.labels[batch])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimizer.step()
        total += loss.detach() * len(batch)
    return total / len(rows.labels)


def _validate(network: nn.Module, rows: Rows, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Compute log loss and AUC, float64, still on the device; `positive` and `negative` are the rows of each class."""
    logits = block_logits(network, rows.numeric, rows.codes)
    log_loss = binary_cross_entropy_with_logits(logits, rows.labels.double())
    return log_loss, _auc(logits[positive], logits[negative])


def _auc(positive: Tensor, negative: Tensor) -> Tensor:
    """Count the pairs of scores in which the positive one is higher; a tie counts half."""
    negative = negative.sort().values
    below = torch.searchsorted(negative, positive).sum()
    not_above = torch.searchsorted(negative, positive, right=True).sum()
    return (below + not_above).double() / (2 * len(positive) * len(negative))


def _check_finite(train_loss: float, log_loss: float, number: int, training: Training) -> None:
    if math.isfinite(train_loss) and math.isfinite(log_loss):
        return
    raise LeptonError(
        f"training diverged: in epoch {number} the training loss was {train_loss:g} and the validation log loss "
        f"{log_loss:g}. Lower training.learning_rate (now {training.learning_rate:g}), for instance to "
        f"{training.learning_rate / 10:g}."
    )
