"""What ranks that fit networks together tell one another; a single one tells nothing.

Every rank calls the same functions in the same order, as `torch.distributed` asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Group:
    """The ranks, as one of them sees it; `source` is the one whose word counts, and which reports."""

    rank: int = 0
    size: int = 1
    source: int = 0

    @property
    def alone(self) -> bool:
        """Whether there is no other rank."""
        return self.size == 1

    @property
    def reports(self) -> bool:
        """Whether this rank is the source."""
        return self.rank == self.source

    def part(self, rows: Tensor, dim: int) -> Tensor:
        """This rank's part of rows along a dimension; parts differ by at most one row."""
        return rows if self.alone else torch.tensor_split(rows, self.size, dim=dim)[self.rank]

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Add up tensors of one type over all ranks, in place, all in one exchange."""
        if self.alone or not tensors:
            return
        flat = torch.cat([each.flatten() for each in tensors])
        distributed.all_reduce(flat)
        _fill(tensors, flat)

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors of one type by those of the source, all in one exchange."""
        if self.alone or not tensors:
            return
        flat = torch.cat([each.flatten() for each in tensors])
        distributed.broadcast(flat, src=self.source)
        _fill(tensors, flat)

    def tell(self, value: Any) -> Any:
        """The source's value, which is pickled."""
        if self.alone:
            return value
        told = [value]
        distributed.broadcast_object_list(told, src=self.source, device=torch.device("cpu"))
        return told[0]


ALONE = Group()


def _fill(tensors: Sequence[Tensor], flat: Tensor) -> None:
    parts = torch.split(flat, [each.numel() for each in tensors])
    with torch.no_grad():
        for each, part in zip(tensors, parts, strict=True):
            each.copy_(part.view_as(each))
