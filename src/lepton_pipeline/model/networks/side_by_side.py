"""Fit one network a fold: side by side on a card, one after the other on a CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from lepton_pipeline.model.folds import Fold
from lepton_pipeline.model.networks import defaults
from lepton_pipeline.model.networks.device import reproducible
from lepton_pipeline.model.networks.fit import Part, fit
from lepton_pipeline.model.networks.network import Network, find_architecture
from lepton_pipeline.model.networks.shape import Epoch, Shape
from lepton_pipeline.model.networks.step import Rows
from lepton_pipeline.parameters import Training

# Quantiles of more rows are the same to the eye.
_ROWS_LOOKED_AT = 100_000

State = dict[str, Tensor]


def fit_networks(
    shape: Shape,
    training: Training,
    rows: Rows,
    folds: Sequence[Fold],
    on_epoch: Callable[[Epoch], None] | None = None,
) -> tuple[State, list[Epoch]]:
    """Fit networks of one shape on folds of `rows`, with the same initial weights on every device.

    On a card all are fitted in the same steps; on a CPU each alone, so that a stopped network costs nothing
    and a small one fits the cache. The precision of `training` is resolved. Returns weights by name on the
    CPU, networks along their first dimension, and the epochs; a `LeptonError` says that training diverged.
    """
    if rows.labels.is_cuda:
        return _fit(shape, training, rows, folds, 0, on_epoch)
    fitted = [_fit(shape, training, rows, [fold], number, on_epoch) for number, fold in enumerate(folds)]
    epochs = [epoch for _, each in fitted for epoch in each]
    # It is there for the names of its parameters only, but draws their values.
    with torch.random.fork_rng(devices=[]):
        network = find_architecture(training.model)(shape)
    return stack_states(network, [state for state, _ in fitted]), epochs


def stack_states(network: Network, states: Sequence[State]) -> State:
    """Put networks side by side; buffers are the same in all."""
    parameters = {name for name, _ in network.named_parameters()}
    return {
        name: torch.cat([state[name] for state in states]) if name in parameters else states[0][name]
        for name in states[0]
    }


def _fit(
    shape: Shape,
    training: Training,
    rows: Rows,
    folds: Sequence[Fold],
    first: int,
    on_epoch: Callable[[Epoch], None] | None,
) -> tuple[State, list[Epoch]]:
    """Fit networks side by side; `first` numbers the first of them, for seeds."""
    device = rows.labels.device
    architecture = find_architecture(training.model)
    positions = [(torch.from_numpy(fold.train), torch.from_numpy(fold.held_out)) for fold in folds]
    parts = [Part(train.to(device), held_out.to(device)) for train, held_out in positions]
    longest = max(len(part.train) for part in parts)
    seed = training.seed + first

    def numbered(epoch: Epoch) -> Epoch:
        return replace(epoch, network=first + epoch.network)

    with reproducible(seed, training.threads, device.type, training.precision):
        states = []
        for number in range(len(folds)):
            torch.manual_seed(seed + number)
            states.append(architecture(shape).state_dict())
        network = architecture(shape, len(folds))
        network.load_state_dict(stack_states(network, states))
        network.fit_inputs(rows.numeric[parts[0].train[:: -(-longest // _ROWS_LOOKED_AT)]].cpu())
        network.to(device)
        size, seeded = (
            training.batch_size or defaults.batch_size(longest),
            training.model_copy(update={"seed": seed}),
        )
        forward = on_epoch and (lambda epoch: on_epoch(numbered(epoch)))
        epochs = fit(network, rows, parts, seeded, size, forward)
    state = {name: value.cpu() for name, value in network.state_dict().items()}
    return state, [numbered(epoch) for epoch in epochs]
