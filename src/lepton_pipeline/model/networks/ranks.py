"""Fit networks by ranks: one network after the other, each rank on its part of every step's rows.

The ranks live in processes apart from the run, which a launcher starts, and share one function, `fit_by_rank`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from lepton_pipeline.errors import ConfigurationError
from lepton_pipeline.model.folds import Fold
from lepton_pipeline.model.networks.fit import Fitted, Spec, fit_together, join_networks, side_by_side
from lepton_pipeline.model.networks.group import Group
from lepton_pipeline.model.networks.shape import Epoch
from lepton_pipeline.model.networks.step import Rows
from lepton_pipeline.system.workers import Call, Report, Session, Steps
from lepton_pipeline.tracking.lineage import package_sha256

# Numbers that are sent at once.
_MOST_NUMBERS = 1 << 24
# Over TCP between CPUs; cards exchange by themselves.
BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
ROWS = "rows.safetensors"
# Words of errors after which another rank is gone.
LOST = ("Connection closed", "Connection reset", "Broken pipe", "Timed out", "timed out", "gloo")
_LAUNCHERS = {
    "torchrun": "lepton_pipeline.model.networks.torchrun:launch",
    "ray": "lepton_pipeline.model.networks.on_ray:launch_on_ray",
}
# What each group of networks gave, and the number of ranks.
Done = tuple[list[Fitted], int]


@dataclass(frozen=True)
class Work:
    """What all ranks fit, but for the rows: networks of one spec, those of each group of folds side by side."""

    spec: Spec
    groups: Sequence[Sequence[Fold]]
    device: str


def rank_steps(spec: Spec, rows: Rows, folds: Sequence[Fold], *, device: str) -> Steps:
    """Fit networks as `network_steps` does, by the ranks that `spec.training` declares; `rows` are on the CPU.

    With one rank the bits are the same; with several the rows of a step are, but sums over them are taken in another
    order, and dropout is drawn anew. Raises a LeptonError if training diverges, or a rank ends and may not start again.
    """
    work = Work(spec, side_by_side(folds, card=device == "cuda"), device)
    (fitted,) = yield [Call(_fit_apart, (work, rows), here=True)]
    return join_networks(*fitted)


def _fit_apart(work: Work, rows: Rows, report: Report) -> Done:
    """Fit in processes that end with this call, whatever becomes of it."""
    from safetensors.torch import save_file

    heard: set[tuple[int, int]] = set()

    def hear(epoch: Epoch) -> None:
        # After a new start the same epochs come again.
        if (epoch.network, epoch.number) not in heard:
            heard.add((epoch.network, epoch.number))
            report(epoch)

    with Session() as session:
        arrays = {name: value for name, value in vars(rows).items() if value is not None}
        save_file(arrays, session.folder / ROWS)
        call = Call(_find_launcher(work.spec.training.launcher), (work, session.folder))
        done: Done = session.run(call, hear)
    return done


def _find_launcher(name: str) -> Callable[..., Done]:
    module, _, function = _LAUNCHERS[name].partition(":")
    found: Callable[..., Done] = getattr(import_module(module), function)
    return found


def read_rows(folder: Path) -> Rows:
    """Rows that `rank_steps` has written, mapped into memory, which ranks of a machine then share."""
    from safetensors.torch import load_file

    return Rows(**load_file(folder / ROWS))


@dataclass(frozen=True)
class Given:
    """What ranks of the run's own machine have from the beginning."""

    work: Work
    read: Callable[[], Rows]


def fit_by_rank(given: Given | None, on_epoch: Callable[[Epoch], None] | None, card: int) -> Done | None:
    """Fit as one of the ranks of the process group; the source returns what was done, the others None.

    The source is the first rank with something `given`; it reports the epochs, and sends work and rows to ranks
    without. `card` is the place of this rank's card, if cards are used. All ranks raise the same ConfigurationError if
    one runs other code or has no card, and the same LeptonError if training diverges.
    """
    group, lacking = _meet(given, card)
    work = group.tell(None if given is None else given.work)
    rows = None if given is None else given.read()
    if lacking:
        rows = _send_rows(rows, group, lacking)
    device = f"cuda:{card}" if work.device == "cuda" else "cpu"
    moved = Rows(*(None if each is None else each.to(device) for each in vars(rows).values()))  # type: ignore[arg-type]
    heard = on_epoch if group.reports else None
    fitted = [
        fit_together(work.spec, moved, folds, number, heard, group)
        for number, folds in enumerate(work.groups)
    ]
    return (fitted, group.size) if group.reports else None


@dataclass(frozen=True)
class _Facts:
    """What a rank says of itself; `device` is that of the work, None without."""

    device: str | None
    code: str
    card: int
    cards: int
    host: str


def _meet(given: Given | None, card: int) -> tuple[Group, list[int]]:
    """The group, and the ranks without work, once all have been seen to fit together."""
    code = f"{package_sha256()[:12]} with torch {torch.__version__}"
    device = None if given is None else given.work.device
    own = _Facts(device, code, card, torch.cuda.device_count(), socket.gethostname())
    size = distributed.get_world_size()
    found: list[Any] = [None] * size
    distributed.all_gather_object(found, own)
    source = next(rank for rank, each in enumerate(found) if each.device is not None)
    for each in found:
        if each.code != found[source].code:
            raise ConfigurationError(
                f"{each.host} has code {each.code}, but {found[source].host}, where the run is, {found[source].code}; "
                "install the same release of the project and of torch on all machines."
            )
        if found[source].device == "cuda" and each.card >= each.cards:
            raise ConfigurationError(
                f"{each.host} has {each.cards} CUDA cards, too few for rank {each.card + 1} there; declare fewer "
                "training.ranks.processes, one a card, or training.device: cpu."
            )
    if found[source].device == "cuda":
        torch.cuda.set_device(card)
    return Group(distributed.get_rank(), size, source), [
        rank for rank, each in enumerate(found) if each.device is None
    ]


def _send_rows(rows: Rows | None, group: Group, lacking: Sequence[int]) -> Rows:
    """Send the source's rows to ranks without; all ranks of the group take part."""
    parts = distributed.new_group([group.source, *lacking], backend="gloo")
    layout = None if rows is None else {name: _layout(each) for name, each in vars(rows).items()}
    layout = group.tell(layout)
    if rows is not None and not group.reports:
        return rows
    tensors: dict[str, Tensor | None] = {}
    for name, known in layout.items():
        tensors[name] = None if known is None else torch.empty(known[0], dtype=known[1])
        if rows is not None:
            tensors[name] = vars(rows)[name]
        for block in _blocks(tensors[name]):
            distributed.broadcast(block, src=group.source, group=parts)
    return Rows(**tensors)  # type: ignore[arg-type]  # None only for what may be


def _layout(tensor: Tensor | None) -> tuple[torch.Size, torch.dtype] | None:
    return None if tensor is None else (tensor.shape, tensor.dtype)


def _blocks(tensor: Tensor | None) -> Sequence[Tensor]:
    """Views of a tensor that are sent one after the other."""
    return () if tensor is None or not tensor.numel() else torch.split(tensor.view(-1), _MOST_NUMBERS)
